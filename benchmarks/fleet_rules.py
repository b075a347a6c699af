"""The fleet's processes, one class for each set of rules; reads come at random.

Each process has credentials of an hour for one reader with a constant mean rate of reads (a Poisson
process, so that the next read after any instant is as far away as after any other, and only the
reads that find something to do are simulated). botocore and AWS's planned rules keep credentials
for each session; here a process has one session, which is the best case for them.

The rules are written again here, for thousands of processes at once.
`tests/project/test_fleet_drift.py` runs outages on the library's engine and on the model of AWS's
rules too, and compares the times.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from benchmarks import _planned_rules as planned
from benchmarks.fleet_sts import LATENCY
from irsa_creds._credentials import Credentials
from irsa_creds._engine import timing
from irsa_creds._engine.backoff import Backoff as BackOff
from irsa_creds._engine.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from random import Random

    import simpy

    from benchmarks.fleet_sts import Ledger, Sts
    from irsa_creds._engine.timing import Uniform
    from irsa_creds._errors import Failure

    Life = Generator[simpy.Event, None, None]
    Exchange = Generator[simpy.Event, None, "tuple[Failure | None, float]"]

__all__ = ["LIFETIME", "Botocore", "Ours", "PlannedRules", "Process"]

LIFETIME = 3600.0
#: botocore's windows (its `RefreshableCredentials`, 1.43).
_ADVISORY, _MANDATORY = 900.0, 600.0
#: botocore's retries of an STS client (`data/_retry.json`, mode legacy).
_ATTEMPTS = 5
_ANY = Credentials("", "", "", datetime.fromtimestamp(0, UTC))


class Process(ABC):
    """One process of a pod.

    Args:
        env: the simulation, whose time is in seconds.
        sts: the STS that it calls.
        ledger: records the times without valid credentials.
        random: returns random numbers.
        starts_at: instant of its start.
        reads: reads per second.
        pods: the share of a pod that it is.
    """

    def __init__(
        self,
        env: simpy.Environment,
        sts: Sts,
        ledger: Ledger,
        random: Random,
        *,
        starts_at: float,
        reads: float,
        pods: float,
    ) -> None:
        self._env = env
        self._sts = sts
        self._ledger = ledger
        self._random = random
        self._reads = reads
        self._pods = pods
        self._has_credentials = self._has_failed = False
        self._lacks_from = starts_at
        self._starts_at = starts_at

    @abstractmethod
    def live(self) -> Life:
        """Read and refresh forever."""

    def end(self) -> None:
        """Record the lack of credentials until now."""
        if self._env.now > self._lacks_from:
            self._ledger.lacked(self._lacks_from, self._env.now, self._pods)

    def _accept(self, valid_until: float) -> None:
        self._has_credentials = True
        self.end()
        self._lacks_from = valid_until

    def _note_failed_read(self) -> None:
        """Record the first read that raises."""
        if not self._has_credentials and not self._has_failed:
            self._has_failed = True
            self._ledger.failed_starts += 1

    def _until(self, instant: float) -> simpy.Event:
        return self._env.timeout(max(0.0, instant - self._env.now))

    def _read_after(self, instant: float) -> simpy.Event:
        return self._until(instant + self._random.expovariate(self._reads))

    def _call_with_retries(self) -> Exchange:
        """Call STS as a botocore client does; return the outcome and the last attempt's time."""
        at, attempt = self._env.now, 1
        while True:
            yield from self._await(at)
            failure = self._sts.call(at, refresh=self._has_credentials)
            if failure is None or attempt == _ATTEMPTS:
                yield self._until(at + LATENCY)
                return failure, at
            at += LATENCY + self._random.uniform(0, 1) * float(2 ** (attempt - 1))
            attempt += 1

    def _await(self, instant: float) -> Life:
        """Wait until an instant, but for an outage, when the order of calls does not matter."""
        if not self._sts.is_out(instant):
            yield self._until(instant)


class Botocore(Process):
    """botocore's rules of today: each read in a window tries; in the mandatory one it raises."""

    def live(self) -> Life:
        """Read and refresh forever."""
        expires_at = self._starts_at
        yield self._until(self._starts_at)
        while True:
            read_at = self._env.now
            failure, sent_at = yield from self._call_with_retries()
            if failure is None:
                expires_at = sent_at + LIFETIME
                self._accept(expires_at)
                yield self._read_after(expires_at - _ADVISORY)
                continue
            self._note_failed_read()
            if expires_at - read_at < _MANDATORY:
                # The read raises, although the credentials may be valid for minutes.
                self._lacks_from = min(self._lacks_from, read_at)
            yield self._read_after(self._env.now)


class PlannedRules(Process):
    """AWS's planned rules: expired credentials are served, and attempts are 5 to 10 min apart.

    Here expired credentials count as none.
    """

    def live(self) -> Life:
        """Read and refresh forever."""
        yield self._until(self._starts_at)
        while True:
            failure, sent_at = yield from self._call_with_retries()
            now = self._env.now
            if failure is None:
                expires_at = sent_at + LIFETIME
                self._accept(expires_at)
                yield self._read_after(expires_at - planned.advisory_window(LIFETIME))
            elif self._has_credentials:
                yield self._read_after(now + self._random.uniform(*planned.BACK_OFF))
            else:
                self._note_failed_read()
                yield self._read_after(now)


class Ours(Process):
    """irsa-creds, with the times of the library's own `timing` and `backoff`.

    With the shared cache a pod is one such process: the lock holder calls STS for all processes,
    and they share its response, errors too (`tests/shared_cache` and the `pod-*` benchmarks test
    that).
    """

    def live(self) -> Life:
        """Read and refresh forever."""
        yield self._until(self._starts_at)
        snapshot: Snapshot | None = None
        # Created at a failure only, because there may be 160,000 processes.
        back_off: BackOff | None = None
        while True:
            if snapshot is None:
                outcome = yield from self._blocking_refresh(back_off.attempts if back_off else None)
            else:
                outcome = yield from self._background_refresh(snapshot)
            now = self._env.now
            if isinstance(outcome, Snapshot):
                snapshot, back_off = outcome, None
                self._accept(snapshot.end_of_use)
                yield self._until(snapshot.refresh_at)
                continue
            back_off = back_off or BackOff("", self._random.uniform, deque())
            left = snapshot.left(now) if snapshot else 0.0
            back_off.record_failure(
                outcome, left=left, blocking=snapshot is None, now=now, wall=now
            )
            if snapshot is None:
                self._note_failed_read()
                yield self._read_after(back_off.cached_until)
            elif left > 0 and back_off.not_before < snapshot.end_of_use:
                yield self._until(back_off.not_before)
            else:
                # From here on only reads refresh.
                yield self._read_after(snapshot.end_of_use)
                snapshot = None

    def _snapshot(self, sent_at: float, refresh: Callable[[float, Uniform], float]) -> Snapshot:
        refresh_at = sent_at + refresh(LIFETIME, self._random.uniform)
        return Snapshot(_ANY, sent_at, sent_at, LIFETIME, refresh_at)

    def _background_refresh(
        self, snapshot: Snapshot
    ) -> Generator[simpy.Event, None, Snapshot | Failure]:
        """Make the one attempt of a background refresh."""
        sent_at = self._env.now
        seconds = timing.background_seconds(snapshot.left(sent_at))
        failure = self._sts.call(sent_at, refresh=self._has_credentials)
        yield self._env.timeout(min(LATENCY, seconds))
        return failure or self._snapshot(sent_at, timing.age_after_background)

    def _blocking_refresh(
        self, attempts: int | None
    ) -> Generator[simpy.Event, None, Snapshot | Failure]:
        """Make the attempts of a blocking refresh; None means as many as in the first one."""
        at, attempt = self._env.now, 1
        allowed = timing.BLOCKING_ATTEMPTS if attempts is None else attempts
        deadline = at + timing.BLOCKING_SECONDS
        while True:
            yield from self._await(at)
            failure = self._sts.call(at, refresh=self._has_credentials)
            responded_at = at + LATENCY
            if failure is None:
                yield self._until(responded_at)
                return self._snapshot(at, timing.age_after_blocking)
            most = min(allowed, failure.attempts or allowed)
            if failure.retryable and attempt < most:
                at = responded_at + timing.blocking_pause(failure, attempt, self._random.uniform)
                attempt += 1
                if at < deadline:
                    continue
            yield self._until(responded_at)
            return failure
