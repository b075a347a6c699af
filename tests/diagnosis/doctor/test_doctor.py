from __future__ import annotations

import json
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from diagnosis.sample_pod import EKS, ROLE, SECRET, Lab, eks_claims, jwt
from irsa_creds import ConfigError, TokenError
from irsa_creds._identity.token import Token, TokenFile
from irsa_creds.diagnosis._checks import Check, Diagnosis
from irsa_creds.diagnosis._claims import Subject
from irsa_creds.diagnosis._doctor.doctor import doctor
from irsa_creds.diagnosis._explain.finding import Finding

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


def test_every_check_is_in_the_result_without_options(
    examine: Callable[..., Diagnosis],
) -> None:
    ids = [check.id for check in examine().checks]
    assert ids == [
        *("E01", "E02", "E03", "E04", "F01", "F02", "F03", "F04", "F05"),
        *("T01", "T02", "T03", "T04", "T05", "R01", "R02", "R03", "C01", "C02", "V01", "V02"),
        *("M01", "M02", "M03", "M04", "M05", "P00"),
        *("N01", "N02", "N03", "N04", "N05", "N06", "S01", "S02"),
    ]


def test_optional_checks_are_skipped_and_name_their_option(
    examine: Callable[..., Diagnosis],
) -> None:
    diagnosis = examine()
    for letter, option in {"M": "--manifest", "P": "--policy", "N": "--online"}.items():
        assert statuses(diagnosis, letter) == {"skipped"}
        assert option in diagnosis[f"{letter}01" if letter != "P" else "P00"].message


def test_without_an_environment_it_is_that_of_this_process() -> None:
    assert doctor()["E01"].status == "fail"


def test_an_explicit_profile_is_checked_like_a_session_with_it(
    examine: Callable[..., Diagnosis],
) -> None:
    config = "[profile dev]\nregion = eu-central-1\n"
    diagnosis = examine(changes={"config": config}, profile="dev")
    assert diagnosis["C01"].data["winner"] == "explicit-profile"


def test_a_trust_policy_that_allows(
    examine: Callable[..., Diagnosis], written: Callable[[object], Path]
) -> None:
    diagnosis = examine(policy=written(trust("system:serviceaccount:prod:app")))
    assert (diagnosis["P00"].status, diagnosis["P00"].data) == ("ok", {"verdict": "allow"})


def test_a_trust_policy_that_denies_adds_findings_as_checks(
    examine: Callable[..., Diagnosis], written: Callable[[object], Path]
) -> None:
    diagnosis = examine(policy=written(trust("system:serviceaccount:prod:other")))
    assert diagnosis["P00"].status == "fail"
    assert diagnosis["P04"].status == "fail"
    assert diagnosis["P04"].data["statement"] is not None
    assert diagnosis.exit_status() == 1
    assert SECRET not in str(diagnosis)


def test_warnings_of_explain_are_warnings_of_doctor(
    examine: Callable[..., Diagnosis], written: Callable[[object], Path]
) -> None:
    policy = trust("system:serviceaccount:prod:app")
    del policy["Statement"][0]["Condition"]["StringEquals"][f"{PROVIDER}:aud"]
    diagnosis = examine(policy=written(policy))
    assert (diagnosis["P00"].status, diagnosis["P06"].status) == ("ok", "warn")


@pytest.mark.parametrize(
    ("verdict", "status"), [("allow", "ok"), ("deny", "fail"), ("unknown", "unknown")]
)
def test_the_verdict_is_p00_and_information_is_ok(
    verdict: str,
    status: str,
    examine: Callable[..., Diagnosis],
    written: Callable[[object], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finding = Finding("P12", "info", 0, "Only AWS knows.", "")
    monkeypatch.setattr(
        "irsa_creds.diagnosis._doctor.doctor.explain",
        lambda *_, **__: SimpleNamespace(verdict=verdict, cause="", findings=(finding,)),
    )
    diagnosis = examine(policy=written(trust("anybody")))
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
def test_a_policy_that_cannot_be_evaluated_fails(
    changes: dict[str, Any], examine: Callable[..., Diagnosis], written: Callable[[object], Path]
) -> None:
    policy = written(trust("system:serviceaccount:prod:app"))
    diagnosis = examine(changes=changes, policy=policy)
    assert diagnosis["P00"].status == "fail"
    assert "was not evaluated" in diagnosis["P00"].message
    assert diagnosis.exit_status() == 1


def test_a_policy_is_read_whether_or_not_there_is_a_token(
    written: Callable[[object], Path],
) -> None:
    manifest = written(service_account(**{"eks.amazonaws.com/role-arn": ROLE}))
    with pytest.raises(ConfigError, match="cannot be read"):
        doctor(policy="/nonexistent.json", manifest=manifest, environ={})
    with pytest.raises(ConfigError):
        doctor(policy=written(["nothing"]), environ={})


def test_a_token_without_an_issuer_is_not_evaluated(
    examine: Callable[..., Diagnosis], written: Callable[[object], Path]
) -> None:
    policy = written(trust("system:serviceaccount:prod:app"))
    diagnosis = examine(changes={"claims": {"iss": None}}, policy=policy)
    assert diagnosis["P00"].status == "fail"


def test_a_token_that_is_gone_meanwhile_is_not_evaluated(
    examine: Callable[..., Diagnosis],
    written: Callable[[object], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads = count()
    read = TokenFile.read

    def once(file: TokenFile) -> Token:
        if next(reads):
            raise TokenError("gone")
        return read(file)

    monkeypatch.setattr(TokenFile, "read", once)
    diagnosis = examine(policy=written(trust("system:serviceaccount:prod:app")))
    assert (diagnosis["F01"].status, diagnosis["P00"].status) == ("ok", "fail")
    assert "gone" in diagnosis["P00"].message


def test_a_manifest_is_looked_at_beside_the_pod(
    examine: Callable[..., Diagnosis], written: Callable[[object], Path]
) -> None:
    manifest = written(service_account(**{"eks.amazonaws.com/role-arn": "nonsense"}))
    diagnosis = examine(manifest=manifest)
    assert diagnosis["M04"].status == "fail"
    assert diagnosis["E01"].status == "ok"


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"KUBERNETES_SERVICE_HOST": "10.0.0.1"},
        {"AWS_PROFILE": "dev"},
        {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/deployer"},
        {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "x"},
    ],
)
def test_elsewhere_than_in_its_pod_the_manifest_alone_counts(
    environ: dict[str, str], written: Callable[[object], Path]
) -> None:
    manifest = written(service_account(**{"eks.amazonaws.com/role-arn": ROLE}))
    diagnosis = doctor(manifest=manifest, environ=environ)
    assert not diagnosis.having("fail", "warn")
    assert {statuses(diagnosis, letter).pop() for letter in "EFTRCV"} == {"skipped"}
    assert "manifest" in diagnosis["E01"].message


def test_online_or_policy_also_checks_the_machine(
    written: Callable[[object], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = written(service_account(**{"eks.amazonaws.com/role-arn": ROLE}))
    monkeypatch.setattr("irsa_creds.diagnosis._network.gather.gather_online", lambda *_, **__: None)
    monkeypatch.setattr("irsa_creds.diagnosis._network.network_checks.online_checks", lambda _: ())
    assert doctor(manifest=manifest, online=True, environ={})["E01"].status == "fail"


@pytest.mark.parametrize(
    ("subject", "status"),
    [("system:serviceaccount:prod:app", "warn"), ("system:serviceaccount:ci:runner", "ok")],
)
def test_only_the_role_of_the_manifest_s_own_pod_is_compared(
    subject: str,
    status: str,
    examine: Callable[..., Diagnosis],
    written: Callable[[object], Path],
) -> None:
    other = service_account(**{"eks.amazonaws.com/role-arn": f"{ROLE}-other"})
    changes = {"claims": {"sub": subject}, "account": None}
    assert examine(changes=changes, manifest=written(other))["M04"].status == status


@pytest.mark.parametrize(("name", "status"), [("app", "warn"), ("other", "ok")])
def test_a_pod_without_variables_of_an_account_with_a_role_points_to_the_webhook(
    name: str,
    status: str,
    examine: Callable[..., Diagnosis],
    written: Callable[[object], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = service_account(**{"eks.amazonaws.com/role-arn": ROLE})
    beside = service_account(**{"eks.amazonaws.com/role-arn": ROLE})
    beside["metadata"]["name"] = "other"
    if name == "other":
        del own["metadata"]["annotations"]
    monkeypatch.setattr(
        "irsa_creds.diagnosis._doctor.pod_facts._account", lambda _: Subject("prod", "app")
    )
    changes = {"environ": {"AWS_ROLE_ARN": None, "AWS_WEB_IDENTITY_TOKEN_FILE": None}}
    manifest = written({"kind": "List", "items": [own, beside]})
    check = examine(changes=changes, manifest=manifest)["M04"]
    assert check.status == status
    assert ("the webhook is missing or was late" in check.message) is (status == "warn")


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


def test_an_invalid_policy_is_a_config_error(
    examine: Callable[..., Diagnosis], written: Callable[[object], Path]
) -> None:
    with pytest.raises(ConfigError):
        examine(policy=written(["nothing"]))


def test_online_checks_use_the_same_environment_and_profile(
    examine: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[tuple[str, str | None]] = []

    def gather(environ: Mapping[str, str], *, profile: str | None) -> str:
        requests.append((environ["AWS_ROLE_ARN"], profile))
        return "facts"

    monkeypatch.setattr("irsa_creds.diagnosis._network.gather.gather_online", gather)
    monkeypatch.setattr(
        "irsa_creds.diagnosis._network.network_checks.online_checks",
        lambda facts: (Check("S01", "ok", f"Of {facts}."),),
    )
    config = f"[profile dev]\nrole_arn = {ROLE}\nweb_identity_token_file = {{token_file}}\n"
    diagnosis = examine(changes={"config": config}, online=True, profile="dev")
    assert requests == [(ROLE, "dev")]
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


CANARIES = (jwt({"sub": "somebody"}), "https://user:pa55word@proxy.example/x")


@pytest.mark.parametrize("canary", CANARIES)
@pytest.mark.parametrize(
    "directory",
    [
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CA_BUNDLE",
        "AWS_CONFIG_FILE",
        "AWS_ENDPOINT_URL_STS",
        "AWS_STS_REGIONAL_ENDPOINTS",
        "IRSA_CREDS_DISABLE",
        "iss",
        "sub",
        "aud",
        "azp",
        "kubernetes.io",
        "region",
        "role_arn",
        "source_profile",
        "credential_process",
        "name of the profile",
    ],
)
def test_a_secret_in_the_wrong_setting_is_never_shown(
    canary: str, directory: str, examine: Callable[..., Diagnosis]
) -> None:
    if directory.startswith(("AWS_", "IRSA_")):
        changes: dict[str, Any] = {"environ": {directory: canary}}
    elif directory.startswith("name"):
        changes = {"config": f"[profile {canary}]\nrole_arn = x\n", "environ": {}}
        changes["environ"]["AWS_PROFILE"] = canary
    elif directory in {"region", "role_arn", "source_profile", "credential_process"}:
        changes = {"config": f"[default]\nrole_arn = {ROLE}\n{directory} = {canary}\n"}
    else:
        changes = {"claims": {directory: [canary] if directory == "aud" else canary}}
    diagnosis = examine(changes=changes)
    said = f"{json.dumps(diagnosis.as_dict())}{diagnosis}"
    assert SECRET not in said
    assert "pa55word" not in said
