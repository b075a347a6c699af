"""An aiobotocore session: pickles, real reads, and `ExpiredToken`."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.httpxsession import HttpxSession
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError, InvalidConfigError

import irsa_creds
from aio.loops import LOOPS, is_ours, on_asyncio, resolved
from engine_fakes import Rig, provider_of
from fake_network import set_irsa_environ
from irsa_creds._sessions.client_handlers import register_handlers
from irsa_creds.aiobotocore import AioIrsaCredentials
from irsa_creds.testing._server import LoopbackServer, Reply

if TYPE_CHECKING:
    from pathlib import Path

    from irsa_creds.testing import Sandbox

UNPICKLE = """
import asyncio, pickle, sys
session = pickle.load(sys.stdin.buffer)
credentials = asyncio.run(session.get_credentials())
print(type(credentials).__name__, session.profile, credentials.provider.role_arn)
"""
OF_PROFILE = "arn:aws:iam::123456789012:role/of-the-profile"


@pytest.fixture
def profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Write the profile `x` with another role."""
    token = set_irsa_environ(monkeypatch, tmp_path)
    config = tmp_path / "config"
    config.write_text(f"[profile x]\nrole_arn = {OF_PROFILE}\nweb_identity_token_file = {token}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))


def test_an_aiobotocore_session_has_credentials_of_irsa_creds(profile: None) -> None:
    session = irsa_creds.aiobotocore_session(profile="x")
    assert isinstance(session, AioSession)
    assert resolved(session).provider.role_arn == OF_PROFILE
    assert not is_ours(AioSession())


def test_a_session_pickles_as_its_arguments_and_stays_strict(
    profile: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pickle.dumps(irsa_creds.aiobotocore_session(strict=True))
    assert b"an-opaque-token" not in data
    assert is_ours(pickle.loads(data))
    monkeypatch.delenv("AWS_WEB_IDENTITY_TOKEN_FILE")
    with pytest.raises(InvalidConfigError, match="IRSA is not configured"):
        resolved(pickle.loads(data))


def test_a_pickle_of_a_session_has_the_region_that_code_set(profile: None) -> None:
    session = irsa_creds.aiobotocore_session(profile="x")
    session.set_config_variable("region", "us-east-2")
    again = pickle.loads(pickle.dumps(session))
    assert again.get_config_variable("region") == "us-east-2"
    assert resolved(again).provider is resolved(session).provider


def test_a_pickle_of_a_session_has_its_default_client_config(profile: None) -> None:
    session = irsa_creds.aiobotocore_session()
    session.set_default_client_config(AioConfig(use_fips_endpoint=True))
    again = pickle.loads(pickle.dumps(session))
    assert again.get_default_client_config().use_fips_endpoint
    assert resolved(again).provider is resolved(session).provider


def test_a_session_with_static_keys_cannot_be_pickled(profile: None) -> None:
    session = irsa_creds.aiobotocore_session()
    session.set_credentials("AKID", "secret")
    with pytest.raises(TypeError, match="pickle must not contain secrets"):
        pickle.dumps(session)


def test_a_session_unpickles_in_another_interpreter(profile: None) -> None:
    data = pickle.dumps(irsa_creds.aiobotocore_session(profile="x"))
    done = subprocess.run(
        [sys.executable, "-c", UNPICKLE], input=data, capture_output=True, timeout=60, check=True
    )
    assert done.stdout.decode().strip() == f"AioIrsaCredentials x {OF_PROFILE}"


@pytest.mark.parametrize("loop", LOOPS)
def test_an_unchanged_program_reads_its_bucket_on_any_loop(
    loop: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in sandbox.deploy().environ.items():
        monkeypatch.setenv(name, value)
    sandbox.client("s3").put_object(Bucket="data", Key="greeting", Body=b"hello")
    irsa_creds.install()
    session = AioSession()
    if loop == "trio":
        session.set_default_client_config(AioConfig(http_session_cls=HttpxSession))

    async def main() -> bytes:
        async with session.create_client("s3") as client:
            response = await client.get_object(Bucket="data", Key="greeting")
            return bytes(await response["Body"].read())

    assert LOOPS[loop](main) == b"hello"
    assert len(sandbox.sts_calls) == 1


EXPIRED = Reply(
    400,
    {"Content-Type": "application/xml"},
    b"<Error><Code>ExpiredToken</Code><Message>It is.</Message></Error>",
)


@pytest.mark.parametrize("age", [59, 61])
def test_expired_token_for_a_key_older_than_a_minute_starts_a_refresh(
    age: int, engine_rig: Rig
) -> None:
    session = AioSession()
    session.set_config_variable("region", "eu-west-1")
    session._credentials = AioIrsaCredentials(provider_of(engine_rig.engine))
    register_handlers(session, engine_rig.engine)
    on_asyncio(session._credentials.get_frozen_credentials)
    engine_rig.clock.advance(age)

    async def main(url: str) -> None:
        async with session.create_client("s3", endpoint_url=url) as client:
            await client.list_buckets()

    with (
        LoopbackServer(lambda _: EXPIRED) as server,
        pytest.raises(ClientError, match="ExpiredToken"),
    ):
        on_asyncio(lambda: main(server.url))
    engine_rig.settle()
    assert engine_rig.sts.calls == (2 if age > 60 else 1)
    # Stale credentials are still served.
    assert on_asyncio(session._credentials.get_frozen_credentials)
