"""A pod on a clock that tests move, and a service that records the keys of requests."""

from __future__ import annotations

import importlib.util
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import boto3
import pytest

from irsa_creds._engine.clock import SystemClock
from irsa_creds._provider import REGISTRY
from irsa_creds.testing import Sandbox
from irsa_creds.testing._responses import AwsError, query_error
from irsa_creds.testing._server import LoopbackServer, Reply, Request
from irsa_creds.testing._sigv4 import read_signature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from irsa_creds.testing import Pod

# aioboto3 pins aiobotocore 2.25; all other libraries are tested with the newest only.
collect_ignore = [] if importlib.util.find_spec("aioboto3") else ["test_aioboto3.py"]

#: Of all credentials here: when the third key is in use, the first has expired.
LIFETIME = 240.0
# At this age a refresh is due, whatever was drawn, and more than a minute is left.
REFRESH_AGE = 130.0
PATIENCE = 20.0


class ShiftedClock(SystemClock):
    """The machine's clocks, moved ahead by tests."""

    def __init__(self) -> None:
        super().__init__()
        self._ahead = 0.0
        machine = self.now
        self.now = lambda: machine() + self._ahead

    def wall(self) -> float:
        return super().wall() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += seconds


@dataclass
class Workload:
    """A program in a pod: the keys that STS issued to it, and the keys that it signed with."""

    sandbox: Sandbox
    pod: Pod
    clock: ShiftedClock
    # Keys that services other than S3 have seen.
    signers: list[str] = field(default_factory=list)
    # The STS action that issues the keys of the program.
    action: str = "AssumeRoleWithWebIdentity"

    @property
    def given(self) -> list[str | None]:
        """Return the keys that STS issued for that action."""
        calls = self.sandbox.sts_calls
        return [each.access_key_id for each in calls if each.action == self.action]

    @property
    def used(self) -> list[str]:
        """Return the keys of signed requests, in the order of their first use."""
        s3 = [each.access_key_id or "unsigned" for each in self.sandbox.s3_identities]
        return list(dict.fromkeys([*s3, *self.signers]))

    def turns(self, seen: Callable[[], list[str]] | None = None) -> Iterator[None]:
        """Yield for each request to send, across two refreshes; then check the keys.

        While a refresh is due, the old key is still valid: no request may fail or be unsigned, and
        after some requests the new key is in use. When the third key is in use, the first has
        really expired.

        Args:
            seen: returns the keys that the service has seen; None: those of all services.
        """
        seen = seen or (lambda: self.used)
        for number in (1, 2, 3):
            if number > 1:
                self.clock.advance(REFRESH_AGE)
            deadline = time.monotonic() + PATIENCE
            while len(seen()) < number:
                assert time.monotonic() < deadline, f"key {number} was not taken up in time"
                yield
            # Only that key may be used from now on: an older one would be a fourth, last in `used`.
            yield
        assert seen() == self.given
        assert len(self.given) == 3
        assert [each.status for each in self.sandbox.s3_identities if each.status >= 400] == []


@pytest.fixture
def shifted(monkeypatch: pytest.MonkeyPatch) -> ShiftedClock:
    """Set the clock of the sandbox and of new providers.

    The timer keeps the machine's clock and comes too late, so reads start all refreshes.
    """
    clock = ShiftedClock()
    monkeypatch.setattr(REGISTRY, "_clock", clock)
    return clock


@pytest.fixture
def sandbox(shifted: ShiftedClock) -> Iterator[Sandbox]:
    with Sandbox(clock=shifted.wall) as opened:
        opened.lifetime = LIFETIME
        yield opened


@pytest.fixture
def workload(sandbox: Sandbox, shifted: ShiftedClock, monkeypatch: pytest.MonkeyPatch) -> Workload:
    """Make this process a pod that may use the bucket `data`, with the object `greeting`."""
    pod = sandbox.deploy()
    for name, value in pod.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    sandbox.client("s3").put_object(Bucket="data", Key="greeting", Body=b"hello")
    sandbox.reset_calls()
    return Workload(sandbox, pod, shifted)


@pytest.fixture
def service(workload: Workload) -> Iterator[LoopbackServer]:
    """Start a server for any AWS service that returns 403 for an unknown key.

    STS and SQS return their own responses, all other services return one JSON document.
    """
    with LoopbackServer(partial(_respond, workload)) as server:
        yield server


def _respond(workload: Workload, request: Request) -> Reply:
    sandbox = workload.sandbox
    try:
        signature = read_signature(request)
        if signature is None:
            # STS checks the token itself.
            return sandbox._services.sts(request)
        caller = sandbox._identities.authenticate(request, signature)
    except AwsError as error:
        return query_error("any", error)
    workload.signers.append(signature.access_key_id)
    if signature.service == "sts":
        return sandbox._services.sts(request)
    if signature.service == "sqs":
        return sandbox._moto.forward(request, caller.account_id)
    return Reply(200, {"Content-Type": "application/json"}, b'{"answer": 42}')
