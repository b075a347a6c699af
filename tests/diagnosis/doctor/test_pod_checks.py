"""Messages, fixes and data of the offline checks, beside their status."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from diagnosis.sample_pod import EKS, NOW, ROLE, Lab
from irsa_creds.diagnosis._checks import Check, Diagnosis
from irsa_creds.diagnosis._claims import audiences, seconds
from irsa_creds.diagnosis._doctor.doctor import offline_checks
from irsa_creds.diagnosis._doctor.role import partition_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from irsa_creds.diagnosis._doctor.pod_facts import Facts


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., Check]:
    """Return a function that gives one check of a pod that was changed."""

    def checked(check_id: str, **changes: Any) -> Check:
        return Diagnosis(offline_checks(Lab(tmp_path, **changes).facts()))[check_id]

    return checked


def test_a_cluster_of_another_region_than_sts_is_allowed(
    check: Callable[..., Check],
) -> None:
    region = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    found = check("T04", environ=region)
    assert found.status == "ok"
    assert "which is allowed" in found.message
    assert found.data == {
        "iss": EKS,
        "issuer_region": "eu-central-1",
        "sts_region": "us-east-1",
    }


def test_an_expired_token_is_reported_with_time_and_age(check: Callable[..., Check]) -> None:
    found = check("T01", claims={"exp": int(NOW) - 7_200})
    assert found.message == "The token expired at 2027-01-15T06:00:00Z, 2 hours ago."
    assert found.data == {"exp": "2027-01-15T06:00:00Z", "seconds_left": -7_200}
    assert "kubectl rollout restart" in found.fix


def test_a_ci_job_gets_no_fix_with_kubectl(check: Callable[..., Check]) -> None:
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


def test_settings_are_skipped_while_another_check_fails(
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


def test_a_token_without_time_of_issue_is_unknown(
    check: Callable[..., Check],
) -> None:
    assert check("T02", claims={"iat": None, "nbf": None}).status == "unknown"


@pytest.mark.parametrize(
    "claims",
    [{"iat": None}, {"exp": None}, {"exp": int(NOW) - 1_000}, {"exp": int(NOW) - 600}],
)
def test_rotation_is_unknown_for_a_token_without_a_lifetime(
    claims: dict[str, Any], check: Callable[..., Check]
) -> None:
    assert check("F05", claims=claims).status == "unknown"


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"iat": None}, "has no time of issue (iat)"),
        ({"exp": None}, "has no expiry (exp)"),
        (
            {"iat": int(NOW) + 3_600, "exp": int(NOW) - 3_600},
            "after its own expiry: iat 2027-01-15T09:00:00Z is not before exp 2027-01-15T07:00:00Z",
        ),
    ],
)
def test_rotation_says_what_is_wrong_with_the_times_of_a_token(
    claims: dict[str, Any], says: str, check: Callable[..., Check]
) -> None:
    assert says in check("F05", claims=claims).message


def test_a_legacy_token_is_a_warning_for_another_sts(
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


@pytest.mark.parametrize(
    ("environ", "status", "fix"),
    [
        # The Pod Identity webhook sets both.
        ({}, "ok", ""),
        ({"AWS_DEFAULT_REGION": None}, "warn", "export AWS_DEFAULT_REGION=eu-central-1"),
        (
            {
                "AWS_REGION": None,
                "AWS_DEFAULT_REGION": None,
                "AWS_ENDPOINT_URL_STS": "https://ceph.example.com",
            },
            "warn",
            "export AWS_DEFAULT_REGION=us-east-1  # or the endpoint's own region",
        ),
    ],
)
def test_a_region_that_botocore_does_not_read_is_a_warning(
    environ: dict[str, str | None], status: str, fix: str, check: Callable[..., Check]
) -> None:
    found = check("V02", environ=environ)
    assert (found.status, found.fix) == (status, fix)
    assert ("NoRegionError" in found.message) is (status == "warn")


@pytest.mark.parametrize(
    ("region", "setting", "called"),
    [
        ("eu-central-1", "legacy", ["legacy", "at its global endpoint, which has no VPC endpoint"]),
        ("eu-central-1", "regional", []),
        # "legacy" is about the oldest regions only.
        ("af-south-1", "legacy", []),
    ],
)
def test_the_global_endpoint_of_a_legacy_setting_is_named(
    check: Callable[..., Check], region: str, setting: str, called: list[str]
) -> None:
    named = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    found = check("V02", environ={**named, "AWS_STS_REGIONAL_ENDPOINTS": setting})
    assert found.status == "ok"
    assert all(each in found.message for each in called)
    assert ("endpoint" in found.message) is bool(called)


def test_a_pod_without_variables_has_a_step_for_each_cause(check: Callable[..., Check]) -> None:
    found = check("E01", environ={"AWS_ROLE_ARN": None, "AWS_WEB_IDENTITY_TOKEN_FILE": None})
    assert "(or an operator removed it)" in found.message
    assert "the webhook is missing or did not know the service account yet" in found.message
    commands = [line for line in found.fix.splitlines() if not line.startswith(("#", " "))]
    assert commands == [
        "kubectl get serviceaccount app --namespace prod -o yaml",
        "kubectl annotate --overwrite serviceaccount app --namespace prod \\",
        "kubectl get mutatingwebhookconfiguration pod-identity-webhook",
        "kubectl rollout restart deployment NAME --namespace prod",
    ]


def test_any_audience_is_ok_for_another_endpoint(
    check: Callable[..., Check],
) -> None:
    ceph = {"AWS_ENDPOINT_URL_STS": "https://ceph.example.com"}
    found = check("T03", environ=ceph, claims={"aud": ["vault"]})
    assert found.status == "ok"
    assert "not AWS's, so any audience may be correct" in found.message


def test_a_development_version_counts_as_its_release(
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


def test_a_group_is_skipped_with_a_reason_after_an_earlier_failure(
    check: Callable[..., Check],
) -> None:
    found = check("F04", volume="none")
    assert (found.status, found.message) == ("skipped", "There is no token: see F01.")


def test_an_opaque_token_is_ok_with_ceph(
    check: Callable[..., Check],
) -> None:
    ceph = {"AWS_ENDPOINT_URL_STS": "https://ceph.example.com"}
    found = check("T03", environ=ceph, content="opaque")
    assert (found.status, found.message) == (
        "skipped",
        "The token is opaque: it has no claims.",
    )


def test_the_source_of_the_role_is_named(check: Callable[..., Check]) -> None:
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
def test_any_token_gets_one_line_per_check(claims: dict[str, Any], sound: Facts) -> None:
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


@pytest.mark.parametrize(
    ("changes", "fix"),
    [
        ({"environ": {"AWS_CA_BUNDLE": "/nonexistent.pem"}}, "unset AWS_CA_BUNDLE"),
        ({"environ": {"REQUESTS_CA_BUNDLE": "/nonexistent.pem"}}, "unset REQUESTS_CA_BUNDLE"),
        ({"config": "[default]\nca_bundle = /nonexistent.pem\n"}, "# in ~/.aws/config, correct"),
    ],
)
def test_a_missing_ca_bundle_fails_before_any_request(
    check: Callable[..., Check], changes: dict[str, Any], fix: str
) -> None:
    found = check("E04", **changes)
    assert found.status == "fail"
    assert "'/nonexistent.pem', which does not exist" in found.message
    assert found.fix.startswith(fix)


def test_authorities_that_are_there_are_well(check: Callable[..., Check], tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    assert check("E04", environ={"AWS_CA_BUNDLE": "{root}/ca.pem"}).status == "ok"


def test_a_directory_s_name_writes_no_line_of_its_own_into_a_fix(
    check: Callable[..., Check], tmp_path: Path
) -> None:
    evil = tmp_path / "a\nsudo reboot\x1b[2J"
    evil.mkdir()
    found = check("F01", environ={"AWS_WEB_IDENTITY_TOKEN_FILE": f"{evil}/token"})
    assert found.fix.startswith("ls -la /  #")
    assert "sudo" not in found.fix


def test_only_permissions_are_fixed_by_a_group(check: Callable[..., Check]) -> None:
    broken = check("F02", read_error=OSError(5, "Input/output error"))
    assert "fsGroup" not in broken.fix
    assert broken.fix.startswith("ls -l /")


@pytest.mark.parametrize("filename", ["token", "a token's file"])
def test_the_blanks_around_a_token_are_taken_off_by_the_line_that_is_to_be_pasted(
    check: Callable[..., Check], tmp_path: Path, filename: str
) -> None:
    found = check("F03", content=" {token}\r\n", filename=filename, volume="plain")
    assert found.status == "warn"
    (file,) = tmp_path.glob(f"run/**/{filename}")
    before = file.read_text()
    subprocess.run(["sh", "-c", found.fix], check=True)
    assert file.read_text() == before.strip()
    # Of a file that cannot be read, nothing is left empty.
    file.unlink()
    assert subprocess.run(["sh", "-c", found.fix], check=False, capture_output=True).returncode
    assert not list(tmp_path.glob(f"run/**/{filename}*"))


def test_a_path_that_must_not_be_shown_is_named_by_its_variable(
    check: Callable[..., Check], tmp_path: Path
) -> None:
    found = check("F03", content="{token}\n", filename="t\u202eoken", volume="plain")
    assert '<"$AWS_WEB_IDENTITY_TOKEN_FILE"' in found.fix


@pytest.mark.parametrize(
    ("role", "region"),
    [
        ("arn:aws-us-gov:iam::123456789012:role/app", "REGION"),
        ("arn:aws:iam::123456789012:role/app", "eu-central-1"),
    ],
)
def test_no_region_is_advised_in_which_the_role_cannot_be(
    check: Callable[..., Check], role: str, region: str
) -> None:
    named = {"AWS_ROLE_ARN": role, "AWS_REGION": None, "AWS_DEFAULT_REGION": None}
    found = check("V02", environ=named)
    assert found.fix == f"export AWS_REGION={region} AWS_DEFAULT_REGION={region}"


def test_lines_below_commands_are_comments_unless_commands(
    check: Callable[..., Check],
) -> None:
    found = check("T03", claims={"aud": ["sts.amazon.com"]})
    commands, _, yaml = found.fix.partition("\n# or, ")
    assert commands.splitlines()[-1].startswith("kubectl rollout restart")
    assert all(line.startswith("# ") for line in yaml.splitlines()[1:])


@pytest.mark.parametrize("subject", ["system:serviceaccount:-x:app", "system:serviceaccount:a b:c"])
def test_another_subject_than_a_service_account_is_in_no_command(
    check: Callable[..., Check], subject: str
) -> None:
    found = check(
        "E02", environ={"AWS_ROLE_ARN": None}, claims={"sub": subject}, account={"sub": subject}
    )
    assert "serviceaccount SERVICE_ACCOUNT --namespace NAMESPACE" in found.fix
