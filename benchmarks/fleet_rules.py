"""The fleet's processes, one class for each set of rules; who reads comes at random.

Each holds credentials of an hour for one reader with a constant mean rate of reads (a Poisson
process, so the next read after any instant is as far away as after any other: only those that
find something to do are simulated). botocore and AWS's coming rules hold one such set for each
session; here a process has one, which is the best case for them.

The rules are written again here, for thousands of processes at once.
`tests/project/test_fleet_drift.py` plays outages on the library's engine and on the model of AWS's
rules too, and compares the times.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from benchmarks import _coming_rules as coming
from benchmarks.fleet_sts import LATENCY
from irsa_creds._credentials import Credentials
from irsa_creds._engine import policy
from irsa_creds._engine.backoff import Backoff as BackOff
from irsa_creds._engine.policy import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from random import Random

    import simpy

    from benchmarks.fleet_sts import Ledger, Sts
    from irsa_creds._engine.policy import Draw
    from irsa_creds._errors import Failure

    Life = Generator[simpy.Event, None, None]
    Exchange = Generator[simpy.Event, None, "tuple[Failure | None, float]"]

__all__ = ["LIFETIME", "Botocore", "Coming", "Ours", "Process"]

LIFETIME = 3600.0
#: botocore's windows (its `RefreshableCredentials`, 1.43).
_ADVISORY, _MANDATORY = 900.0, 600.0
#: botocore's retries of an STS client (`data/_retry.json`, mode legacy).
_ATTEMPTS = 5
_ANY = Credentials("", "", "", datetime.fromtimestamp(0, UTC))


class Process(ABC):
    """One process of a pod, from its start on.

    Args:
        env: the simulation, whose time is in seconds.
        sts: whom it asks.
        ledger: where it is written down when a reader would have nothing valid.
        chance: the source of it.
        starts_at: when.
        reads: in a second.
        pods: what part of a pod it is.
    """

    def __init__(
        self,
        env: simpy.Environment,
        sts: Sts,
        ledger: Ledger,
        chance: Random,
        *,
        starts_at: float,
        reads: float,
        pods: float,
    ) -> None:
        self._env = env
        self._sts = sts
        self._ledger = ledger
        self._chance = chance
        self._reads = reads
        self._pods = pods
        self._holds = self._has_failed = False
        self._lacks_from = starts_at
        self._starts_at = starts_at

    @abstractmethod
    def live(self) -> Life:
        """Read, and refresh, for ever."""

    def end(self) -> None:
        """Write down what is lacking at the end of the run."""
        if self._env.now > self._lacks_from:
            self._ledger.lacked(self._lacks_from, self._env.now, self._pods)

    def _got(self, valid_until: float) -> None:
        self._holds = True
        self.end()
        self._lacks_from = valid_until

    def _fails(self) -> None:
        """Write down a read that raises, if it is the first one."""
        if not self._holds and not self._has_failed:
            self._has_failed = True
            self._ledger.failed_starts += 1

    def _until(self, instant: float) -> simpy.Event:
        return self._env.timeout(max(0.0, instant - self._env.now))

    def _read_after(self, instant: float) -> simpy.Event:
        return self._until(instant + self._chance.expovariate(self._reads))

    def _client_asks(self) -> Exchange:
        """Ask as a botocore client does; return the last answer, and when that was asked for."""
        at, attempt = self._env.now, 1
        while True:
            yield from self._await(at)
            failure = self._sts.ask(at, refresh=self._holds)
            if failure is None or attempt == _ATTEMPTS:
                yield self._until(at + LATENCY)
                return failure, at
            at += LATENCY + self._chance.uniform(0, 1) * float(2 ** (attempt - 1))
            attempt += 1

    def _await(self, instant: float) -> Life:
        """Wait for the moment to ask; while STS is out, no answer depends on who asks before."""
        if not self._sts.is_out(instant):
            yield self._until(instant)


class Botocore(Process):
    """botocore's rules of today: each read in the windows tries; the mandatory one raises."""

    def live(self) -> Life:
        """Read, and refresh, for ever."""
        expires_at = self._starts_at
        yield self._until(self._starts_at)
        while True:
            read_at = self._env.now
            failure, asked_at = yield from self._client_asks()
            if failure is None:
                expires_at = asked_at + LIFETIME
                self._got(expires_at)
                yield self._read_after(expires_at - _ADVISORY)
                continue
            self._fails()
            if expires_at - read_at < _MANDATORY:
                # That reader has an error, though what is held may be valid for minutes.
                self._lacks_from = min(self._lacks_from, read_at)
            yield self._read_after(self._env.now)


class Coming(Process):
    """AWS's coming rules: what is there is served, expired or not, and tries are 5 to 10 min apart.

    Expired credentials count as none.
    """

    def live(self) -> Life:
        """Read, and refresh, for ever."""
        yield self._until(self._starts_at)
        while True:
            failure, asked_at = yield from self._client_asks()
            now = self._env.now
            if failure is None:
                expires_at = asked_at + LIFETIME
                self._got(expires_at)
                yield self._read_after(expires_at - coming.advisory_window(LIFETIME))
            elif self._holds:
                yield self._read_after(now + self._chance.uniform(*coming.BACK_OFF))
            else:
                self._fails()
                yield self._read_after(now)


class Ours(Process):
    """Ours: its times are those of the library's own `policy` and `backoff`.

    With the shared cache a pod is one such process: who has its lock asks for all of them, and what
    STS answers, refusals too, answers to all (`tests/shared_cache` and the `pod-*` benchmarks hold
    the library to that).
    """

    def live(self) -> Life:
        """Read, and refresh, for ever."""
        yield self._until(self._starts_at)
        snapshot: Snapshot | None = None
        # Made only where something fails: there may be 160,000 of these.
        back_off: BackOff | None = None
        while True:
            if snapshot is None:
                answer = yield from self._fly_for_readers(back_off.attempts if back_off else None)
            else:
                answer = yield from self._fly_in_background(snapshot)
            now = self._env.now
            if isinstance(answer, Snapshot):
                snapshot, back_off = answer, None
                self._got(snapshot.end_of_use)
                yield self._until(snapshot.refresh_at)
                continue
            back_off = back_off or BackOff("", self._chance.uniform)
            left = snapshot.left(now) if snapshot else 0.0
            back_off.begin(answer, left=left, blocking=snapshot is None, now=now, wall=now)
            if snapshot is None:
                self._fails()
                yield self._read_after(back_off.record_until)
            elif left > 0 and back_off.not_before < snapshot.end_of_use:
                yield self._until(back_off.not_before)
            else:
                # From here on reads alone drive it; one that came meanwhile waits no longer.
                yield self._read_after(snapshot.end_of_use)
                snapshot = None

    def _snapshot(self, asked_at: float, refresh: Callable[[float, Draw], float]) -> Snapshot:
        refresh_at = asked_at + refresh(LIFETIME, self._chance.uniform)
        return Snapshot(_ANY, asked_at, asked_at, LIFETIME, refresh_at)

    def _fly_in_background(
        self, snapshot: Snapshot
    ) -> Generator[simpy.Event, None, Snapshot | Failure]:
        """Make the one attempt of a flight that nobody waits for."""
        asked_at = self._env.now
        seconds = policy.background_seconds(snapshot.left(asked_at))
        failure = self._sts.ask(asked_at, refresh=self._holds)
        yield self._env.timeout(min(LATENCY, seconds))
        return failure or self._snapshot(asked_at, policy.later_refresh)

    def _fly_for_readers(
        self, attempts: int | None
    ) -> Generator[simpy.Event, None, Snapshot | Failure]:
        """Make the attempts of a refresh that readers wait for (None: as many as the first has)."""
        at, attempt = self._env.now, 1
        allowed = policy.BLOCKING_ATTEMPTS if attempts is None else attempts
        deadline = at + policy.BLOCKING_SECONDS
        while True:
            yield from self._await(at)
            failure = self._sts.ask(at, refresh=self._holds)
            answered_at = at + LATENCY
            if failure is None:
                yield self._until(answered_at)
                return self._snapshot(at, policy.first_refresh)
            most = min(allowed, failure.attempts or allowed)
            if failure.retryable and attempt < most:
                at = answered_at + policy.blocking_pause(failure, attempt, self._chance.uniform)
                attempt += 1
                if at < deadline:
                    continue
            yield self._until(answered_at)
            return failure
