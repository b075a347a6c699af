from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from diagnosis.podlab import EKS, ROLE, SECRET, Lab, eks_claims, jwt
from irsa_creds import ConfigError
from irsa_creds.diagnosis import _check_online, _explain, _online
from irsa_creds.diagnosis._checks import Check, Diagnosis
from irsa_creds.diagnosis._doctor import doctor
from irsa_creds.diagnosis._findings_base import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

PROVIDER = EKS.removeprefix("https://")


@pytest.fixture
def examine(tmp_path: Path) -> Callable[..., Diagnosis]:
    """Return a function that calls doctor in a pod that was changed."""

    def examined(*, changes: Mapping[str, Any] | None = None, **arguments: Any) -> Diagnosis:
        lab = Lab(tmp_path, **(changes or {}))
        return doctor(environ=lab._environ(lab._token_file()), **arguments)

    return examined


@pytest.fixture
def written(tmp_path: Path) -> Callable[[object], Path]:
    """Return a function that writes a document into a file."""

    def write(document: object) -> Path:
        path = tmp_path / "document.json"
        path.write_text(json.dumps(document))
        return path

    return write


def trust(subject: str) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{PROVIDER}"},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {
                        f"{PROVIDER}:aud": "sts.amazonaws.com",
                        f"{PROVIDER}:sub": subject,
                    }
                },
            }
        ],
    }


def service_account(**annotations: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "app", "namespace": "prod", "annotations": annotations},
    }


def statuses(diagnosis: Diagnosis, letter: str) -> set[str]:
    return {check.status for check in diagnosis.checks if check.id.startswith(letter)}


def test_every_check_is_in_the_result_though_nothing_was_asked_for(
    examine: Callable[..., Diagnosis],
) -> None:
    ids = [check.id for check in examine().checks]
    assert ids == [
        *("E01", "E02", "E03", "E04", "F01", "F02", "F03", "F04", "F05"),
        *("T01", "T02", "T03", "T04", "T05", "R01", "R02", "R03", "C01", "C02", "V01", "V02"),
        *("M01", "M02", "M03", "M04", "M05", "P00"),
        *("N01", "N02", "N03", "N04", "N05", "N06", "S01", "S02"),
    ]


def test_what_was_not_asked_for_is_skipped_and_says_how_to_ask(
    examine: Callable[..., Diagnosis],
) -> None:
    diagnosis = examine()
    for letter, option in {"M": "--manifest", "P": "--policy", "N": "--online"}.items():
        assert statuses(diagnosis, letter) == {"skipped"}
        assert option in diagnosis[f"{letter}01" if letter != "P" else "P00"].message


def test_without_an_environment_it_is_that_of_this_process() -> None:
    assert doctor()["E01"].status == "fail"


def test_an_explicit_profile_is_what_a_session_of_it_would_see(
    examine: Callable[..., Diagnosis],
) -> None:
    config = "[profile dev]\nregion = eu-central-1\n"
    diagnosis = examine(changes={"config": config}, profile="dev")
    assert diagnosis["C01"].data["winner"] == "explicit-profile"


def test_a_trust_policy_that_lets_the_token_in(
    examine: Callable[..., Diagnosis], written: Callable[[object], Path]
) -> None:
    diagnosis = examine(policy=written(trust("system:serviceaccount:prod:app")))
    assert (diagnosis["P00"].status, diagnosis["P00"].data) == ("ok", {"verdict": "allow"})


def test_a_trust_policy_that_does_not_has_explains_findings_as_checks(
    examine: Callable[..., Diagnosis], written: Callable[[object], Path]
) -> None:
    diagnosis = examine(policy=written(trust("system:serviceaccount:prod:other")))
    assert diagnosis["P00"].status == "fail"
    assert diagnosis["P04"].status == "fail"
    assert diagnosis["P04"].data["statement"] is not None
    assert diagnosis.exit_status() == 1
    assert SECRET not in str(diagnosis)


def test_what_explain_warns_of_is_a_warning_here(
    examine: Callable[..., Diagnosis], written: Callable[[object], Path]
) -> None:
    policy = trust("system:serviceaccount:prod:app")
    del policy["Statement"][0]["Condition"]["StringEquals"][f"{PROVIDER}:aud"]
    diagnosis = examine(policy=written(policy))
    assert (diagnosis["P00"].status, diagnosis["P06"].status) == ("ok", "warn")


@pytest.mark.parametrize(
    ("verdict", "status"), [("allow", "ok"), ("deny", "fail"), ("unknown", "unknown")]
)
def test_the_verdict_is_a_check_of_its_own_and_information_is_no_alarm(
    verdict: str,
    status: str,
    examine: Callable[..., Diagnosis],
    written: Callable[[object], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = Finding("P12", "info", 0, "Only AWS knows.", "")
    monkeypatch.setattr(
        _explain, "explain", lambda *_, **__: SimpleNamespace(verdict=verdict, findings=(told,))
    )
    diagnosis = examine(policy=written({}))
    assert (diagnosis["P00"].status, diagnosis["P12"].status) == (status, "ok")


def test_a_policy_file_may_begin_with_a_byte_order_mark(
    examine: Callable[..., Diagnosis], tmp_path: Path
) -> None:
    path = tmp_path / "trust.json"
    path.write_text(json.dumps(trust("system:serviceaccount:prod:app")), encoding="utf-8-sig")
    assert examine(policy=path)["P00"].status == "ok"


@pytest.mark.parametrize(
    "changes",
    [
        {"volume": "none"},
        {"content": "opaque"},
        {"environ": {"AWS_ROLE_ARN": "nonsense"}},
        {"environ": {"AWS_WEB_IDENTITY_TOKEN_FILE": None}},
    ],
)
def test_without_token_or_role_there_is_nothing_to_judge_by_a_policy(
    changes: dict[str, Any], examine: Callable[..., Diagnosis], written: Callable[[object], Path]
) -> None:
    policy = written(trust("system:serviceaccount:prod:app"))
    assert examine(changes=changes, policy=policy)["P00"].status == "skipped"


def test_a_manifest_is_looked_at_beside_the_pod(
    examine: Callable[..., Diagnosis], written: Callable[[object], Path]
) -> None:
    manifest = written(service_account(**{"eks.amazonaws.com/role-arn": "nonsense"}))
    diagnosis = examine(manifest=manifest)
    assert diagnosis["M04"].status == "fail"
    assert diagnosis["E01"].status == "ok"


def test_where_irsa_is_not_configured_the_manifest_alone_counts(
    written: Callable[[object], Path],
) -> None:
    manifest = written(service_account(**{"eks.amazonaws.com/role-arn": ROLE}))
    diagnosis = doctor(manifest=manifest, environ={})
    assert not diagnosis.having("fail")
    assert {statuses(diagnosis, letter).pop() for letter in "EFTRCV"} == {"skipped"}
    assert "manifest" in diagnosis["E01"].message


def test_in_a_pod_a_manifest_excuses_nothing(written: Callable[[object], Path]) -> None:
    manifest = written(service_account(**{"eks.amazonaws.com/role-arn": ROLE}))
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    assert doctor(manifest=manifest, environ=environ)["E01"].status == "fail"


@pytest.mark.parametrize("option", ["manifest", "policy"])
@pytest.mark.parametrize("path", ["/nowhere/file", "/proc", "a\0b"])
def test_a_file_that_cannot_be_read_is_the_users_mistake(
    option: str, path: str, examine: Callable[..., Diagnosis]
) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        examine(**{option: path})


def test_a_file_without_end_is_not_read_to_its_end(examine: Callable[..., Diagnosis]) -> None:
    with pytest.raises(ConfigError, match="more than"):
        examine(policy="/dev/zero")


def test_a_policy_that_is_none_is_the_users_mistake(
    examine: Callable[..., Diagnosis], written: Callable[[object], Path]
) -> None:
    with pytest.raises(ConfigError):
        examine(policy=written(["nothing"]))


def test_online_the_network_is_asked_for_the_same_environment_and_profile(
    examine: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str | None]] = []

    def gather(environ: Mapping[str, str], *, profile: str | None) -> str:
        asked.append((environ["AWS_ROLE_ARN"], profile))
        return "facts"

    monkeypatch.setattr(_online, "gather_online", gather)
    monkeypatch.setattr(
        _check_online, "online_checks", lambda facts: (Check("S01", "ok", f"Of {facts}."),)
    )
    config = f"[profile dev]\nrole_arn = {ROLE}\nweb_identity_token_file = {{token_file}}\n"
    diagnosis = examine(changes={"config": config}, online=True, profile="dev")
    assert asked == [(ROLE, "dev")]
    assert diagnosis["S01"].message == "Of facts."


def test_the_result_is_json_and_has_no_secret(
    examine: Callable[..., Diagnosis], written: Callable[[object], Path]
) -> None:
    diagnosis = examine(
        changes={"content": "{token}\n", "environ": {"AWS_SECRET_ACCESS_KEY": SECRET}},
        policy=written(trust("system:serviceaccount:prod:app")),
    )
    text = json.dumps(diagnosis.as_dict())
    assert SECRET not in text
    assert jwt(eks_claims()) not in text
    assert json.loads(text)["schema"] == 1
