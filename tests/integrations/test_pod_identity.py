"""EKS Pod Identity through the public face, with the agent of the testing kit."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiobotocore.session
import boto3
import pytest
from botocore.exceptions import ClientError

import irsa_creds
from engine_fakes import eventually, join_refreshes
from irsa_creds.cli import main
from races.harness import run

if TYPE_CHECKING:
    from irsa_creds.testing import Irsa

pytestmark = pytest.mark.irsa(namespace="shop", service_account="reports", pod_identity=True)

EPOCH = datetime.fromtimestamp(0, UTC)


def refresh_is_due(provider: irsa_creds.Provider) -> None:
    """Do what other code does to force a refresh; valid credentials are still used."""
    provider.botocore_credentials()._expiry_time = EPOCH


@pytest.fixture(autouse=True)
def _refreshes_end(irsa: Irsa, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("irsa_creds._engine.timing.BLOCKING_ATTEMPTS", 1)
    yield
    irsa.faults.clear()
    join_refreshes()


def outcomes(irsa: Irsa) -> list[str]:
    return [call.outcome for call in irsa.sandbox.sts_calls]


def test_an_unchanged_program_reads_its_bucket(irsa: Irsa) -> None:
    irsa_creds.install()
    s3 = boto3.Session().client("s3")
    s3.put_object(Bucket="data", Key="hello", Body=b"world")
    assert s3.get_object(Bucket="data", Key="hello")["Body"].read() == b"world"
    assert outcomes(irsa) == ["OK"]


def test_botocores_own_provider_works_with_the_agent_too(
    irsa: Irsa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRSA_CREDS_CONTAINER", "0")
    irsa_creds.install()
    boto3.Session().client("s3").put_object(Bucket="data", Key="hello", Body=b"world")
    assert outcomes(irsa) == ["OK"]


def test_the_next_attempt_sends_the_token_that_the_kubelet_has_written(irsa: Irsa) -> None:
    provider = irsa_creds.provider()
    first = provider.get()
    irsa.pod.rotate_token()
    refresh_is_due(provider)
    provider.get()
    eventually(lambda: provider.get() != first)
    sent = {call.token_sha256 for call in irsa.sandbox.sts_calls}
    assert len(sent) == 2


def test_a_new_token_ends_the_back_off_that_an_expired_one_caused(irsa: Irsa) -> None:
    irsa.pod.rotate_token(lifetime=-60)
    provider = irsa_creds.provider()
    with pytest.raises(irsa_creds.ExchangeError, match="token is expired") as caught:
        provider.get()
    assert caught.value.failure is not None
    assert caught.value.failure.bad_token
    irsa.pod.rotate_token()

    def read() -> bool:
        try:
            return bool(provider.get())
        except irsa_creds.ExchangeError:
            return False

    eventually(read)


@pytest.mark.parametrize(
    "outage", ["500", "refuse", "black hole", "reset", "slow drip", "truncated"]
)
def test_in_an_outage_valid_credentials_are_used_and_no_read_fails(
    irsa: Irsa, outage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = irsa_creds.provider()
    given = provider.get()
    monkeypatch.setattr("irsa_creds._engine.timing.ATTEMPT_SECONDS", 0.5)
    irsa.faults.outage = outage
    refresh_is_due(provider)
    assert provider.get() is given
    eventually(lambda: provider.status().last_failure is not None)
    assert provider.get() is given


def test_a_slow_agent_lets_no_reader_with_valid_credentials_wait(irsa: Irsa) -> None:
    provider = irsa_creds.provider()
    given = provider.get()
    irsa.pod.rotate_token()
    irsa.faults.latency = 1.0
    refresh_is_due(provider)
    assert provider.get() is given
    eventually(lambda: len(irsa.sandbox.sts_calls) == 2)
    assert outcomes(irsa)[1] == "pending"
    assert provider.get() is given
    eventually(lambda: provider.get() is not given)


def test_an_agent_that_repeats_its_key_fails_no_refresh_and_is_not_called_again_at_once(
    irsa: Irsa,
) -> None:
    provider = irsa_creds.provider()
    given = provider.get()
    refresh_is_due(provider)
    provider.get()
    eventually(lambda: len(irsa.sandbox.sts_calls) == 2)
    join_refreshes()
    for _ in range(1000):
        assert provider.get() == given
    assert outcomes(irsa) == ["OK", "OK"]
    assert provider.status().last_failure is None


def test_a_missing_association_is_a_typed_error_with_the_command_that_creates_it(
    irsa: Irsa,
) -> None:
    irsa.sandbox.associate("shop", "reports", None)
    irsa_creds.install()
    with pytest.raises(ClientError, match="ResourceNotFoundException") as caught:
        boto3.Session().client("s3").list_objects_v2(Bucket="data")
    assert isinstance(caught.value, irsa_creds.ExchangeError)
    assert "--namespace shop --service-account reports" in caught.value.command


def test_a_crowd_of_sessions_of_both_libraries_makes_one_call(irsa: Irsa) -> None:
    irsa_creds.install()
    irsa.faults.latency = 0.2
    keys: list[str] = []

    async def read_async() -> None:
        sessions = [aiobotocore.session.get_session() for _ in range(32)]

        async def read(session: Any) -> str:
            frozen = await (await session.get_credentials()).get_frozen_credentials()
            return str(frozen.access_key)

        keys.extend(await asyncio.gather(*map(read, sessions)))

    def read() -> None:
        keys.append(boto3.Session().get_credentials().get_frozen_credentials().access_key)

    threads = [threading.Thread(target=read) for _ in range(32)]
    for thread in threads:
        thread.start()
    asyncio.run(read_async())
    for thread in threads:
        thread.join(30)
    assert len(keys) == 64
    assert len(set(keys)) == 1
    assert outcomes(irsa) == ["OK"]


def test_children_use_the_credentials_of_the_process_that_forked_them(irsa: Irsa) -> None:
    ended = run("fork_asleep.py", irsa.environ)
    assert (ended.status, ended.err) == (0, "")
    key, *children, _ = ended.out.splitlines()
    assert {(child.split()[0], child.split()[2]) for child in children} == {(key, "0")}
    assert outcomes(irsa) == ["OK"]


def test_a_child_forked_during_the_first_refresh_or_its_imports_gets_credentials(
    irsa: Irsa,
) -> None:
    ended = run("fork_during_refresh.py", irsa.environ, *range(1, 91, 6))
    assert (ended.status, ended.err) == (0, "")


def test_process_and_whoami_show_the_credentials(
    irsa: Irsa, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["process"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["AccessKeyId"] == irsa.sandbox.sts_calls[0].access_key_id
    assert main(["whoami"]) == 0
    text = capsys.readouterr().out
    assert irsa.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"] in text
    assert "123456789012" in text


def test_exec_runs_a_program_with_the_credentials(irsa: Irsa) -> None:
    program = "import boto3; print(boto3.client('s3').list_objects_v2(Bucket='data')['KeyCount'])"
    done = subprocess.run(
        [sys.executable, "-m", "irsa_creds", "exec", "--", sys.executable, "-c", program],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
    assert outcomes(irsa) == ["OK"]
