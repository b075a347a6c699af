"""A sandbox on a clock that tests move, and pods in it."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from irsa_creds.testing import Issuer, Sandbox
from testing.sandbox_http import ONE_TRY, MovableClock, Response, post

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from irsa_creds.testing import Pod


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def sandbox(clock: MovableClock) -> Iterator[Sandbox]:
    with Sandbox(clock=clock) as opened:
        yield opened


@pytest.fixture
def pod(sandbox: Sandbox) -> Pod:
    return sandbox.deploy()


@pytest.fixture(scope="session", autouse=True)
def _quick_keys() -> Iterator[None]:
    """Let all issuers share four keys: creating one takes a quarter of a second."""
    keys = cycle([rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(4)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rsa, "generate_private_key", lambda **_: next(keys))
        yield


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer("https://oidc.example/id/ABC")


@pytest.fixture
def exchange(sandbox: Sandbox, pod: Pod) -> Callable[..., Response]:
    """Return a call of AssumeRoleWithWebIdentity with the pod's token; None leaves one out."""

    def call(*, timeout: float = 5, **changes: Any) -> Response:
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": pod.role_arn,
            "RoleSessionName": "app-0",
            "WebIdentityToken": pod.token_file.read_text(),
        } | changes
        return post(sandbox.sts_url, form, timeout=timeout)

    return call


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch) -> Callable[[Pod], Any]:
    """Return a function that gives an unchanged boto3 session as the pod's program makes it."""

    def session(pod: Pod) -> Any:
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        for name, value in pod.environ.items():
            monkeypatch.setenv(name, value)
        return boto3.Session()

    return session


@pytest.fixture
def client_of(sandbox: Sandbox) -> Iterator[Callable[..., Any]]:
    """Return a function that makes a client from the credentials in an response of STS."""
    made = []

    def client(response: Response, service: str = "s3", **changes: Any) -> Any:
        keys = {
            "aws_access_key_id": response["AccessKeyId"],
            "aws_secret_access_key": response["SecretAccessKey"],
            "aws_session_token": response["SessionToken"],
        } | changes
        made.append(
            boto3.Session().client(
                service,
                region_name="us-east-1",
                endpoint_url=sandbox.endpoint_url,
                **({"config": ONE_TRY} | keys),
            )
        )
        return made[-1]

    yield client
    for one in made:
        one.close()
