"""A pod on a clock that tests move, and a service that writes down who signed."""

from __future__ import annotations

import importlib.util
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import boto3
import pytest

from irsa_creds._engine.clock import SystemClock
from irsa_creds._registry import REGISTRY
from irsa_creds.testing import Sandbox
from irsa_creds.testing._responses import AwsError, query_error
from irsa_creds.testing._server import LoopbackServer, Reply, Request
from irsa_creds.testing._sigv4 import read_signature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from irsa_creds.testing import Pod

# aioboto3 pins aiobotocore 2.25, and is where that is; all else is beside the newest alone.
collect_ignore = [] if importlib.util.find_spec("aioboto3") else ["test_aioboto3.py"]

#: Of all credentials here: when the third key is in use, the first has ended.
LIFETIME = 240.0
# At this age a refresh is due, whatever chance said, and more than a minute is left to them.
REFRESH_AGE = 130.0
PATIENCE = 20.0


class ShiftedClock(SystemClock):
    """The machine's clocks, ahead by what tests say."""

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
    """A program in a pod, seen from outside: which keys STS gave it, and which it signed with."""

    sandbox: Sandbox
    pod: Pod
    clock: ShiftedClock
    # What services other than S3 saw.
    signers: list[str] = field(default_factory=list)
    # What STS is asked for the keys that the program is to sign with.
    action: str = "AssumeRoleWithWebIdentity"

    @property
    def given(self) -> list[str | None]:
        """The keys that STS gave for that action."""
        calls = self.sandbox.sts_calls
        return [each.access_key_id for each in calls if each.action == self.action]

    @property
    def used(self) -> list[str]:
        """The keys that requests were signed with, in the order of their first use."""
        s3 = [each.access_key_id or "nobody" for each in self.sandbox.s3_identities]
        return list(dict.fromkeys([*s3, *self.signers]))

    def turns(self, seen: Callable[[], list[str]] | None = None) -> Iterator[None]:
        """Yield for each request to be sent, through two refreshes, and then judge.

        A refresh is due, and the old key is valid still: so no request may fail or be unsigned,
        and after some the new key is in use. By the third key, the first has ended in truth.

        Args:
            seen: the keys in use, by the service that is asked; None: by all of them.
        """
        seen = seen or (lambda: self.used)
        for number in (1, 2, 3):
            if number > 1:
                self.clock.advance(REFRESH_AGE)
            deadline = time.monotonic() + PATIENCE
            while len(seen()) < number:
                assert time.monotonic() < deadline, f"key {number} was not taken up in time"
                yield
            # That key it is from now on: an older one would come last in `used`, and be a fourth.
            yield
        assert seen() == self.given
        assert len(self.given) == 3
        assert [each.status for each in self.sandbox.s3_identities if each.status >= 400] == []


@pytest.fixture
def shifted(monkeypatch: pytest.MonkeyPatch) -> ShiftedClock:
    """The clock of the sandbox, and of providers made from now on.

    The refresher's is the machine's, so it comes too late: here reads alone start flights.
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
    """This process as a pod that may use the bucket `data`, where `greeting` is `hello`."""
    pod = sandbox.deploy()
    for name, value in pod.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    sandbox.client("s3").put_object(Bucket="data", Key="greeting", Body=b"hello")
    sandbox.reset_calls()
    return Workload(sandbox, pod, shifted)


@pytest.fixture
def service(workload: Workload) -> Iterator[LoopbackServer]:
    """Any service of AWS: it knows who signed, and answers 403 to anybody else.

    STS and SQS answer as such, all others with one JSON document.
    """
    with LoopbackServer(partial(_respond, workload)) as server:
        yield server


def _respond(workload: Workload, request: Request) -> Reply:
    sandbox = workload.sandbox
    try:
        signature = read_signature(request)
        if signature is None:
            # STS looks at the token itself.
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
