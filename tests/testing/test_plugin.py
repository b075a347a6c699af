"""The pytest plugin, as its users run it."""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import jwt
import pytest
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

import irsa_creds
from irsa_creds.testing import Sandbox
from irsa_creds.testing._environ import pod_environ
from testing.pod_environ import NO_CONFIG_FILES, aws_environ
from testing.sandbox_http import post

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds.testing import Irsa

pytest_plugins = ["pytester", "pytest_irsa_creds"]
pytestmark = pytest.mark.measures_children

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "testing.md"
EXAMPLE = ROOT / "examples" / "reports"
# A separate run, in which a warning or an unknown marker is an error.
STRICT = ("-p", "pytest_irsa_creds", "-p", "no:cacheprovider", "-W", "error", "--strict-markers")


def claims(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def outcome(irsa: Irsa, token: str) -> str:
    """Return the outcome of a call of STS with a token."""
    form = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": irsa.pod.role_arn,
        "RoleSessionName": "app",
        "WebIdentityToken": token,
    }
    post(irsa.sandbox.sts_url, form)
    return irsa.sandbox.sts_calls[-1].outcome


# -- the fixture irsa ------------------------------------------------------------------------------


def test_boto3_is_in_a_pod(irsa: Irsa) -> None:
    boto3.client("s3").put_object(Bucket="data", Key="hello", Body=b"world")
    assert irsa.client("s3").get_object(Bucket="data", Key="hello")["Body"].read() == b"world"
    assert [call.outcome for call in irsa.sandbox.sts_calls] == ["OK"]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_aiobotocore_is_in_the_same_pod(irsa: Irsa, anyio_backend: str) -> None:
    irsa_creds.install()
    async with get_session().create_client("s3") as s3:
        await s3.put_object(Bucket="data", Key="hello", Body=b"world")
    assert [call.claims["sub"] for call in irsa.sandbox.sts_calls] == [
        "system:serviceaccount:default:app"
    ]


def test_faults_can_be_injected(irsa: Irsa) -> None:
    irsa.faults.fail("AccessDenied")
    with pytest.raises(ClientError, match="AccessDenied"):
        boto3.client("s3").list_buckets()


def test_the_process_has_the_pods_variables_and_no_others(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "the developer's")
    monkeypatch.setenv("AWS_PROFILE", "production")
    irsa: Irsa = request.getfixturevalue("irsa")
    assert aws_environ() == {**irsa.environ, **NO_CONFIG_FILES}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ENDPOINT_URL_DYNAMODB", "https://dynamodb.example"),
        ("AWS_MAX_ATTEMPTS", "several"),
        ("AWS_DEFAULTS_MODE", "none of botocore's"),
        ("IRSA_CREDS_DISABLE", "1"),
        ("IRSA_CREDS_CACHE_DIR", "/nowhere"),
    ],
)
def test_the_pod_has_no_setting_of_the_developer(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    irsa: Irsa = request.getfixturevalue("irsa")
    assert aws_environ() == {**irsa.environ, **NO_CONFIG_FILES}
    assert name in pod_environ(irsa.pod, {name: value}), "the command line unsets it"


@pytest.mark.parametrize("name", ["AWS_MAX_ATTEMPTS", "AWS_DEFAULTS_MODE", "AWS_RETRY_MODE"])
def test_the_administrator_ignores_settings_of_the_developer(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "nonsense")
    with Sandbox() as sandbox:
        sandbox.deploy()


def test_a_test_that_undoes_what_it_patched_stays_in_the_pod(
    monkeypatch: pytest.MonkeyPatch, irsa: Irsa
) -> None:
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/other")
    monkeypatch.setenv("COLOR", "blue")
    monkeypatch.undo()
    assert "COLOR" not in os.environ
    assert aws_environ() == {**irsa.environ, **NO_CONFIG_FILES}
    boto3.client("s3").list_objects_v2(Bucket="data")


def test_the_pods_setup_is_not_recorded(irsa: Irsa) -> None:
    assert irsa.sandbox.s3_identities == []
    boto3.client("s3").list_objects_v2(Bucket="data")
    assert [call.status for call in irsa.sandbox.s3_identities] == [200]


def test_a_shared_cache_is_within_the_sandbox(irsa: Irsa) -> None:
    irsa_creds.install(shared_cache=True)
    boto3.client("s3").list_objects_v2(Bucket="data")
    (entry,) = Path(os.environ["TMPDIR"]).glob("irsa-creds-*/*.json")
    assert irsa.pod.volume.directory.parent in entry.parents


def test_the_sandbox_bypasses_a_proxy(irsa: Irsa) -> None:
    outer = {"HTTPS_PROXY": "http://proxy.example", "NO_PROXY": "intranet.example"}
    found = pod_environ(irsa.pod, outer)
    assert found["NO_PROXY"] == found["no_proxy"] == "intranet.example,127.0.0.1"
    assert "NO_PROXY" not in pod_environ(irsa.pod, {})


# -- the fixture irsa_token ------------------------------------------------------------------------


def test_a_token_belongs_to_the_pod(irsa: Irsa, irsa_token: Callable[..., str]) -> None:
    token = irsa_token()
    assert claims(token)["sub"] == "system:serviceaccount:default:app"
    assert claims(token)["aud"] == ["sts.amazonaws.com"]
    assert outcome(irsa, token) == "OK"


def test_a_token_can_have_any_claims_and_sts_verifies_them(
    irsa: Irsa, irsa_token: Callable[..., str]
) -> None:
    guest = "system:serviceaccount:default:guest"
    assert outcome(irsa, irsa_token(sub=guest)) == "AccessDenied"
    assert outcome(irsa, irsa_token(aud="vault.example")) == "InvalidIdentityToken"
    assert outcome(irsa, irsa_token(exp=time.time() - 3600)) == "ExpiredTokenException"
    assert claims(irsa_token(color="blue"))["color"] == "blue"


def test_exp_is_seconds_or_a_datetime(irsa_token: Callable[..., str]) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
    assert claims(irsa_token(exp=end))["exp"] == int(end.timestamp())
    assert claims(irsa_token(exp=end.timestamp()))["exp"] == int(end.timestamp())


# -- runs of pytest --------------------------------------------------------------------------------


@pytest.fixture
def bare(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Load only the named plugins: Hypothesis takes longer to load than the tests to run."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return pytester


def test_an_unused_plugin_imports_nothing_and_a_missing_extra_is_an_error(
    bare: pytest.Pytester,
) -> None:
    bare.makepyfile(
        """
        import sys

        def test_nothing_is_imported():
            roots = {name.partition(".")[0] for name in sys.modules}
            assert not roots & {"irsa_creds", "boto3", "botocore", "moto", "jwt"}
            sys.modules["jwt"] = None

        def test_the_extra_is_missing(irsa):
            raise AssertionError("it never runs")
        """
    )
    done = bare.runpytest_subprocess(*STRICT)
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines(
        ["The fixtures of irsa_creds need its extra `testing` (*jwt*): pip install *testing*"]
    )
    done.stdout.no_fnmatch_line("*Traceback*")


def test_marker_mistakes_are_errors_and_a_project_can_override_irsa(
    bare: pytest.Pytester,
) -> None:
    bare.makepyfile(
        test_marker="""
        import pytest

        @pytest.mark.irsa("reports")
        def test_without_a_name(irsa):
            raise AssertionError("it never runs")

        @pytest.mark.irsa(buckett="reports")
        def test_misspelt(irsa):
            raise AssertionError("it never runs")
        """,
        test_shared="""
        import boto3, pytest
        from irsa_creds.testing import in_a_pod

        @pytest.fixture(scope="module")
        def irsa():
            with in_a_pod() as made:
                yield made

        def test_first(irsa):
            boto3.client("s3").put_object(Bucket="data", Key="hello", Body=b"world")

        def test_second(irsa, irsa_token):
            boto3.client("s3").get_object(Bucket="data", Key="hello")
            assert irsa_token()
        """,
        test_around="""
        import pytest

        @pytest.fixture
        def irsa(irsa):
            return irsa.client("s3")

        def test_token(irsa, irsa_token):
            assert irsa_token()
            assert irsa.list_buckets()["Buckets"]
        """,
    )
    done = bare.runpytest_subprocess(*STRICT)
    done.assert_outcomes(passed=3, errors=2)
    done.stdout.fnmatch_lines(
        [
            "@pytest.mark.irsa got the positional argument 'reports'. It takes keyword *",
            "@pytest.mark.irsa got buckett=, which is not an argument of Sandbox.deploy. *",
        ]
    )


def test_the_example_and_the_page_run_with_xdist(bare: pytest.Pytester) -> None:
    for file in EXAMPLE.glob("*.py"):
        bare.path.joinpath(file.name).write_text(file.read_text())
    page = PAGE.read_text()
    shown = {PAGE.parent / file for file in re.findall(r"{literalinclude} (\S+)", page)}
    assert {file.resolve() for file in shown} == set(EXAMPLE.glob("*.py"))
    snippets = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    for number, snippet in enumerate(snippets):
        if "def test_" in snippet:
            bare.path.joinpath(f"test_page_{number}.py").write_text(snippet)
    done = bare.runpytest_subprocess(*STRICT, "-p", "xdist", "-n", "1")
    done.assert_outcomes(passed=11)


def test_the_page_shows_the_sandbox_alone(capsys: pytest.CaptureFixture[str]) -> None:
    (snippet,) = re.findall(
        r"```python\n(from irsa_creds.testing.*?)```", PAGE.read_text(), re.DOTALL
    )
    exec(compile(snippet, str(PAGE), "exec"), {})
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" in capsys.readouterr().out
