"""What the offline checks tell beside their status: facts for programs, words for people."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from diagnosis.podlab import EKS, NOW, ROLE, Lab
from irsa_creds.diagnosis._check_role import partition_of
from irsa_creds.diagnosis._checks import Check, Diagnosis
from irsa_creds.diagnosis._claims import audiences, seconds
from irsa_creds.diagnosis._doctor import offline_checks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from irsa_creds.diagnosis._facts import Facts


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., Check]:
    """Return a function that gives one check of a pod that was changed."""

    def checked(check_id: str, **changes: Any) -> Check:
        return Diagnosis(offline_checks(Lab(tmp_path, **changes).facts()))[check_id]

    return checked


def test_a_cluster_of_another_region_than_sts_is_legal_and_said_so(
    check: Callable[..., Check],
) -> None:
    region = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    found = check("T04", environ=region)
    assert found.status == "ok"
    assert "legal" in found.message
    assert found.data == {
        "iss": EKS,
        "issuer_region": "eu-central-1",
        "sts_region": "us-east-1",
    }


def test_the_token_that_expired_tells_when_and_how_long_ago(check: Callable[..., Check]) -> None:
    found = check("T01", claims={"exp": int(NOW) - 7_200})
    assert found.message == "The token expired at 2027-01-15T06:00:00Z, 2 hours ago."
    assert found.data == {"exp": "2027-01-15T06:00:00Z", "seconds_left": -7_200}
    assert "kubectl rollout restart" in found.fix


def test_a_job_is_not_told_to_restart_a_deployment(check: Callable[..., Check]) -> None:
    claims = {"iss": "https://gitlab.com", "exp": int(NOW) - 60, "sub": "x"}
    found = check("T01", only=True, claims=claims)
    assert "kubectl" not in found.fix
    assert "60 seconds ago" in found.message


@pytest.mark.parametrize(
    ("ahead", "status"), [(60, "ok"), (61, "warn"), (300, "warn"), (301, "fail")]
)
def test_a_clock_that_is_behind_matters_from_a_minute_on_and_is_fatal_from_five(
    ahead: int, status: str, check: Callable[..., Check]
) -> None:
    assert check("T02", claims={"nbf": int(NOW) + ahead}).status == status


@pytest.mark.parametrize(("age", "status"), [(69_120 + 300, "ok"), (69_120 + 301, "warn")])
def test_kubelet_may_be_five_minutes_late(
    age: int, status: str, check: Callable[..., Check]
) -> None:
    claims = {"iat": int(NOW) - age, "exp": int(NOW) - age + 86_400}
    assert check("F05", claims=claims).status == status


@pytest.mark.parametrize(("left", "status"), [(1, "ok"), (0, "fail")])
def test_a_token_is_valid_up_to_its_last_second(
    left: int, status: str, check: Callable[..., Check]
) -> None:
    assert check("T01", claims={"exp": int(NOW) + left}).status == status


def test_settings_that_can_be_used_are_well(check: Callable[..., Check]) -> None:
    assert check("E04").status == "ok"


def test_settings_are_not_judged_while_one_with_its_own_check_is_wrong(
    check: Callable[..., Check],
) -> None:
    assert check("E04", environ={"AWS_ROLE_ARN": "nonsense"}).status == "skipped"


def test_a_link_to_the_api_servers_token_is_that_token(
    check: Callable[..., Check], tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "run/secrets/kubernetes.io/serviceaccount/token")
    found = check(
        "F04",
        environ={"AWS_WEB_IDENTITY_TOKEN_FILE": str(link)},
        directory="kubernetes.io/serviceaccount",
        claims={"aud": ["vault"]},
    )
    assert found.status == "fail"


def test_a_token_that_does_not_say_when_it_was_issued_is_no_proof_of_a_wrong_clock(
    check: Callable[..., Check],
) -> None:
    assert check("T02", claims={"iat": None, "nbf": None}).status == "unknown"


@pytest.mark.parametrize(
    "claims",
    [{"iat": None}, {"exp": None}, {"exp": int(NOW) - 1_000}, {"exp": int(NOW) - 600}],
)
def test_rotation_cannot_be_told_of_a_token_without_a_lifetime(
    claims: dict[str, Any], check: Callable[..., Check]
) -> None:
    assert check("F05", claims=claims).status == "unknown"


def test_a_legacy_token_is_only_a_warning_where_another_sts_takes_it(
    check: Callable[..., Check],
) -> None:
    ceph = {"AWS_ENDPOINT_URL_STS": "https://ceph.example.com"}
    assert check("T01", environ=ceph, claims={"exp": None}).status == "warn"


def test_the_partition_of_a_region_of_tomorrow_is_not_guessed(
    check: Callable[..., Check],
) -> None:
    region = {"AWS_REGION": "moon-north-1", "AWS_DEFAULT_REGION": "moon-north-1"}
    assert check("R02", environ=region).status == "unknown"


def test_without_any_region_a_role_of_aws_goes_to_the_global_endpoint(
    check: Callable[..., Check],
) -> None:
    found = check(
        "R02",
        environ={"AWS_REGION": None, "AWS_DEFAULT_REGION": None},
        claims={"iss": "https://oidc.example.com"},
    )
    assert (found.status, found.data["region"]) == ("ok", None)


def test_every_region_that_botocore_knows_is_in_its_partition() -> None:
    from botocore.session import Session

    session = Session()
    partitions = session.get_available_partitions()
    for partition in partitions:
        for region in session.get_available_regions("sts", partition_name=partition):
            assert partition_of(region) == partition
    assert len(partitions) > 6


def test_that_botocore_does_not_read_aws_region_is_said_and_no_alarm(
    check: Callable[..., Check],
) -> None:
    found = check("V02", environ={"AWS_DEFAULT_REGION": None})
    assert (found.status, found.fix) == (
        "ok",
        "export AWS_REGION=eu-central-1 AWS_DEFAULT_REGION=eu-central-1",
    )
    assert "AWS_DEFAULT_REGION" in found.message


def test_a_development_version_has_what_its_release_will_have(
    check: Callable[..., Check],
) -> None:
    assert check("V01", versions={"botocore": "1.40.61.dev1+g123"}).status == "ok"


def test_the_pods_own_group_is_the_one_to_give_the_token_to(
    check: Callable[..., Check], monkeypatch: pytest.MonkeyPatch
) -> None:
    denied = PermissionError(13, "Permission denied")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("os.getegid", lambda: 2000)
    monkeypatch.setattr("os.getgroups", lambda: [0])
    found = check("F02", read_error=denied)
    assert "uid 1000" in found.message
    assert found.fix.endswith("fsGroup: 2000")
    assert (found.data["uid"], found.data["gids"]) == ("1000", "0 2000")


@pytest.mark.parametrize("missing", ["getgroups", "geteuid"])
def test_a_process_without_a_group_of_its_own_is_given_nobodys(
    missing: str, check: Callable[..., Check], monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing == "geteuid":
        monkeypatch.delattr("os.geteuid")
    monkeypatch.setattr("os.getegid", lambda: 0)
    monkeypatch.setattr("os.getgroups", list)
    found = check("F02", read_error=PermissionError(13, "Permission denied"))
    assert found.fix.endswith("fsGroup: 65534")


def test_all_of_one_group_is_skipped_with_the_reason_where_an_earlier_check_fails(
    check: Callable[..., Check],
) -> None:
    found = check("F04", volume="none")
    assert (found.status, found.message) == ("skipped", "There is no token to look at: see F01.")


def test_an_opaque_token_says_nothing_and_is_no_failure_at_ceph(
    check: Callable[..., Check],
) -> None:
    ceph = {"AWS_ENDPOINT_URL_STS": "https://ceph.example.com"}
    found = check("T03", environ=ceph, content="opaque")
    assert (found.status, found.message) == (
        "skipped",
        "The token is opaque: it says nothing of itself.",
    )


def test_whoever_named_the_role_is_named(check: Callable[..., Check]) -> None:
    found = check("R01", environ={"AWS_ROLE_ARN": f"{ROLE}!"})
    assert found.message.startswith("AWS_ROLE_ARN is ")


@pytest.mark.parametrize(
    ("aud", "expected"),
    [
        ("a", ("a",)),
        (["a", "b"], ("a", "b")),
        (["a", 1, ""], ("a",)),
        ("", ()),
        (None, ()),
        ({"a": 1}, ()),
    ],
)
def test_audiences_are_one_text_or_a_list(aud: object, expected: tuple[str, ...]) -> None:
    assert audiences({"aud": aud}) == expected


def test_an_opaque_token_has_no_audience() -> None:
    assert audiences(None) == ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0.0),
        (1.5, 1.5),
        (-1, None),
        (True, None),
        ("1", None),
        (None, None),
        (10**400, None),
        (float("nan"), None),
        (float("inf"), None),
    ],
)
def test_a_date_is_a_number_that_a_calendar_has(value: object, expected: float | None) -> None:
    assert seconds({"exp": value}, "exp") == expected


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NAMES = ("iss", "sub", "aud", "exp", "iat", "nbf", "kubernetes.io")
URLS = st.builds("{}://{}".format, st.sampled_from(["https", "http", ""]), st.text())


@settings(
    max_examples=150,
    deadline=None,
    database=None,
    # The pod is the same in all of them: only its token's claims are others.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(claims=st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, ANYTHING | URLS)))
def test_whatever_a_token_says_each_check_has_one_line_to_say_of_it(
    claims: dict[str, Any], sound: Facts
) -> None:
    assert sound.file is not None
    changed = replace(sound, file=sound.file._replace(claims=claims))
    checks = offline_checks(changed)
    assert len(checks) == 21
    for check in checks:
        assert check.message
        assert len(check.message) < 600


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    return Lab(tmp_path_factory.mktemp("pod")).facts()
