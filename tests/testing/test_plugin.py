"""The plugin of pytest, as its users have it."""

from __future__ import annotations

import os
import re
import sys
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
from irsa_creds.testing._environ import environ_of
from irsa_creds.testing._plugin import pod_environment
from testing.wire import post

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds.testing import Issuer
    from irsa_creds.testing._plugin import Irsa

pytest_plugins = ["pytester", "pytest_irsa_creds"]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "testing.md"
EXAMPLE = ROOT / "examples" / "reports"
# A run of its own that needs nothing of this one's, and in which nothing is overlooked.
STRICT = ("-p", "pytest_irsa_creds", "-p", "no:cacheprovider", "-W", "error", "--strict-markers")


def claims(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def outcome(irsa: Irsa, token: str) -> str:
    """Return what STS makes of a token."""
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


def test_faults_come_on_command(irsa: Irsa) -> None:
    irsa.faults.fail("AccessDenied")
    with pytest.raises(ClientError, match="AccessDenied"):
        boto3.client("s3").list_buckets()


def test_the_process_has_the_pods_variables_and_no_others(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody's own")
    monkeypatch.setenv("AWS_PROFILE", "production")
    irsa: Irsa = request.getfixturevalue("irsa")
    there = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    assert there == {**irsa.environ, **nowhere}


def test_a_proxy_is_left_out_of_it(irsa: Irsa) -> None:
    outer = {"HTTPS_PROXY": "http://proxy.example", "NO_PROXY": "intranet.example"}
    found = environ_of(irsa.pod, outer)
    assert found["NO_PROXY"] == found["no_proxy"] == "intranet.example,127.0.0.1"
    assert "NO_PROXY" not in environ_of(irsa.pod, {})


# -- what is left afterwards -----------------------------------------------------------------------


def visit(issuer: Issuer, act: Callable[[Irsa], object]) -> None:
    """Let `act` be a test of its own."""
    with pytest.MonkeyPatch.context() as patch, pod_environment(patch, issuer, {}) as irsa:
        act(irsa)


def test_a_test_leaves_nothing_behind(issuer: Issuer) -> None:
    before, session = dict(os.environ), boto3.DEFAULT_SESSION
    providers = []

    def act(irsa: Irsa) -> None:
        irsa_creds.install()
        boto3.client("s3").list_objects_v2(Bucket="data")
        providers.append(irsa_creds.provider())
        irsa.sandbox.issuer.reachable = False

    visit(issuer, act)
    assert (dict(os.environ), boto3.DEFAULT_SESSION) == (before, session)
    assert providers[0].status().state == "empty", "its credentials are forgotten"
    assert not irsa_creds._install._INSTALLATION._everywhere
    visit(issuer, lambda irsa: boto3.client("s3").list_objects_v2(Bucket="data"))


def test_what_an_application_installs_when_it_is_imported_stays(issuer: Issuer) -> None:
    irsa_creds.install()
    for _ in range(2):
        visit(
            issuer,
            lambda _: (
                isinstance(boto3.Session().get_credentials(), irsa_creds.botocore.IrsaCredentials)
                or pytest.fail("botocore's own provider came back")
            ),
        )


def test_a_library_that_was_never_installed_is_none_the_worse(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "irsa_creds._install")
    visit(issuer, lambda irsa: irsa.client("s3").list_buckets())


# -- the fixture irsa_token ------------------------------------------------------------------------


def test_a_token_is_the_pods_own(irsa: Irsa, irsa_token: Callable[..., str]) -> None:
    token = irsa_token()
    assert claims(token)["sub"] == "system:serviceaccount:default:app"
    assert claims(token)["aud"] == ["sts.amazonaws.com"]
    assert outcome(irsa, token) == "OK"


def test_a_token_may_say_anything_and_sts_looks_at_it(
    irsa: Irsa, irsa_token: Callable[..., str]
) -> None:
    guest = "system:serviceaccount:default:guest"
    assert outcome(irsa, irsa_token(sub=guest)) == "AccessDenied"
    assert outcome(irsa, irsa_token(aud="vault.example")) == "InvalidIdentityToken"
    assert outcome(irsa, irsa_token(exp=time.time() - 3600)) == "ExpiredTokenException"
    assert claims(irsa_token(color="blue"))["color"] == "blue"


def test_the_end_of_a_token_is_seconds_or_a_datetime(irsa_token: Callable[..., str]) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
    assert claims(irsa_token(exp=end))["exp"] == int(end.timestamp())
    assert claims(irsa_token(exp=end.timestamp()))["exp"] == int(end.timestamp())


# -- runs of pytest --------------------------------------------------------------------------------


def test_a_run_that_does_not_use_it_imports_nothing_and_one_without_the_extra_is_told(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
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
    done = pytester.runpytest_subprocess(*STRICT)
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines(
        ["The fixtures of irsa_creds need its extra `testing` (*jwt*): pip install *testing*"]
    )
    done.stdout.no_fnmatch_line("*Traceback*")


def test_the_example_and_the_page_run_on_a_worker_of_xdist(pytester: pytest.Pytester) -> None:
    for file in EXAMPLE.glob("*.py"):
        pytester.path.joinpath(file.name).write_text(file.read_text())
    written = {file.read_text() for file in EXAMPLE.glob("*.py")}
    snippets = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert written < set(snippets), "the page shows the example as it is"
    for number, snippet in enumerate(snippets):
        if "def test_" in snippet and snippet not in written:
            pytester.path.joinpath(f"test_page_{number}.py").write_text(snippet)
    done = pytester.runpytest_subprocess(*STRICT, "-n", "1")
    done.assert_outcomes(passed=8)


def test_the_page_shows_the_sandbox_alone(capsys: pytest.CaptureFixture[str]) -> None:
    (snippet,) = re.findall(
        r"```python\n(from irsa_creds.testing.*?)```", PAGE.read_text(), re.DOTALL
    )
    exec(compile(snippet, str(PAGE), "exec"), {})
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" in capsys.readouterr().out
