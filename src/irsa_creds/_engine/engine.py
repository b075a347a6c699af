"""The refresh state of one identity: its snapshot, the refresh in progress, and its back-off."""

from __future__ import annotations

import contextlib
import operator
import threading
from collections import deque
from typing import TYPE_CHECKING

from irsa_creds._engine import timeouts, timing
from irsa_creds._engine.backoff import Backoff
from irsa_creds._engine.forks import FORKS
from irsa_creds._engine.reads import Reads, next_look
from irsa_creds._engine.refresh import Refresh
from irsa_creds._engine.slots import Overdue, Slots, start_thread
from irsa_creds._engine.snapshot import LONG_AGO, Snapshot, state
from irsa_creds._engine.this_thread import HERE, log_all
from irsa_creds._errors import Failure, IrsaError
from irsa_creds._locks import hold, holding

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds._engine.clock import Clock
    from irsa_creds._engine.events import Status
    from irsa_creds._engine.fetching import RetryingFetcher
    from irsa_creds._engine.refresh import Outcome, SharedCache
    from irsa_creds._engine.snapshot import State
    from irsa_creds._engine.subscribers import Subscribers
    from irsa_creds._engine.this_thread import Line
    from irsa_creds._engine.timer import Schedule

__all__ = ["Engine"]

# Seconds after which a refresh that could not start is started again.
_NEXT_TRY = 1.0


_section = holding(operator.methodcaller("_marked_lock"))


class Engine:
    """Refresh state of one identity. Reads use `snapshot` without a lock; one lock guards changes.

    The lock is held for microseconds, in the methods marked `_section`: never over I/O, logging, a
    start of a thread, a call into user code, or while another engine's lock is taken.

    Args:
        fetcher: gets new credentials.
        clock: this process's clocks.
        timer: calls `tick` when a refresh is due; None: only reads start refreshes.
        subscribers: get the events of each refresh.
        slots: give each refresh its thread.
    """

    def __init__(
        self,
        fetcher: RetryingFetcher,
        clock: Clock,
        timer: Schedule | None,
        subscribers: Subscribers,
        *,
        slots: Slots | None = None,
    ) -> None:
        self.snapshot: Snapshot = Snapshot.nothing()
        self.keep_warm: bool = False
        #: The shared cache; None: it is off.
        self.shared_fetcher: SharedCache | None = None
        #: The refresh in progress, queued or running.
        self.refresh: Refresh | None = None
        #: When the timer calls `tick`; LONG_AGO: nothing is scheduled.
        self.wakes_at: float = LONG_AGO
        self.now: Callable[[], float] = clock.now
        self.name: str = fetcher.name
        self.fetcher = fetcher
        self.clock = clock
        self.timer = timer
        self.subscribers = subscribers
        self.slots: Slots = slots or Slots(clock)
        self._lock = threading.RLock()
        # To be logged without the lock.
        self._lines: deque[Line] = deque()
        self._backoff = Backoff(fetcher.label, clock.uniform, self._lines)
        self._started = 0
        self._overdue = Overdue()
        # Of the last refresh that `min_ttl` started.
        self._demanded_at = LONG_AGO
        self._reads = Reads()
        # Callers are released without the lock, since that calls into their event loops.
        self._to_settle: deque[tuple[Refresh, Outcome]] = deque()

    def _marked_lock(self) -> threading.RLock:
        # The mark shows a read in a signal handler that it interrupted a change.
        HERE.section = self._lock
        return self._lock

    # -- reads ---------------------------------------------------------------------------------

    def get_or_join(
        self, min_ttl: float = 0.0, *, must_not_wait: bool = False
    ) -> Snapshot | Refresh:
        """Return valid credentials, or a refresh that the caller starts and waits for.

        Args:
            min_ttl: seconds that must be left to the end of use.
            must_not_wait: whether the caller must not wait for another thread: it gets a refresh
                that it runs itself.

        Raises:
            IrsaError: a cached failure.
        """
        if must_not_wait:
            snapshot, left = self.snapshot, self.snapshot.left(self.clock.now())
            if left > 0 and left >= min_ttl:
                return snapshot
            if HERE.is_in_section:
                raise timeouts.interrupted(self.name)
        found = self._decide(min_ttl, must_not_wait=must_not_wait)
        if must_not_wait:
            self._release_callers(deliver=False)
        else:
            self._follow_up(found)
        if isinstance(found, Failure):
            raise found.error()
        if isinstance(found, IrsaError):
            raise found
        return found

    @_section
    def _decide(
        self, min_ttl: float, *, must_not_wait: bool
    ) -> Snapshot | Refresh | Failure | IrsaError:
        now, snapshot = self.clock.now(), self.snapshot
        self._drop_overdue(now)
        if now >= snapshot.end_of_use:
            return self._join_or_create(now, must_not_wait=must_not_wait)
        snapshot.was_read = True
        if self._refresh_if_due(snapshot, now) == "expired":
            # By the wall clock alone: callers wait for one refresh. If it fails, BOOTTIME decides.
            joined = self._joinable(must_not_wait=must_not_wait)
            if joined is not None:
                return joined
        if snapshot.left(now) >= min_ttl:
            return snapshot
        return self._demand(now, min_ttl, must_not_wait=must_not_wait)

    def _join_or_create(self, now: float, *, must_not_wait: bool) -> Refresh | Failure | IrsaError:
        """Return the refresh in progress, a cached failure or a new refresh: nothing is valid."""
        if self.refresh is not None and self.refresh.is_run_here:
            return timeouts.own_refresh(self.name)
        joined = self._joinable(must_not_wait=must_not_wait)
        if joined is not None:
            joined.serve_callers(self._backoff.attempts)
            return joined
        cached = self._backoff.cached_failure(now)
        if cached is not None and not self._backoff.claim_token_look(now):
            return cached
        if not self._overdue.allows_start(now):
            return timeouts.earlier_ones_hang()
        if self.refresh is not None:
            # Another thread runs it, for which this caller must not wait.
            self._overdue.add(self.refresh)
        return self._create(now, blocking=True, cached=cached)

    def _demand(
        self, now: float, min_ttl: float, *, must_not_wait: bool
    ) -> Refresh | Failure | IrsaError:
        """Return a refresh for a caller with a `min_ttl` of more than the seconds left."""
        joined = self._joinable(must_not_wait=must_not_wait)
        if joined is not None:
            return joined
        failure = self._backoff.background_failure(now)
        if failure is not None:
            return failure
        may_start = self.refresh is None and self._overdue.allows_start(now)
        if may_start and now - self._demanded_at > timing.DEMAND_INTERVAL:
            self._demanded_at = now
            refresh = self._create(now, blocking=False, min_ttl=min_ttl)
            self._reschedule(self.snapshot, now)
            return refresh
        return timeouts.too_short(self.snapshot.left(now), min_ttl)

    def _joinable(self, *, must_not_wait: bool) -> Refresh | None:
        """Return the refresh in progress if a caller may wait for it, or run it if it is queued."""
        refresh = self.refresh
        if refresh is None or refresh.is_run_here or (must_not_wait and refresh.is_claimed):
            return None
        return refresh

    def _refresh_if_due(self, snapshot: Snapshot, now: float) -> State:
        """Create the refresh that is due; return the state of `snapshot` by both clocks."""
        wall = self.clock.wall()
        found = state(snapshot, now, wall)
        if snapshot.wall_ahead(now, wall):
            snapshot.refresh_at = min(snapshot.refresh_at, now)
        if self.refresh is None and found != "fresh":
            # The wall clock may be right: that refresh does not wait for a back-off.
            due = found == "expired" or now >= self._backoff.not_before
            cached = None if due else self._backoff.background_failure(now)
            if due or (cached is not None and self._backoff.claim_token_look(now)):
                self._create_ahead(now, blocking=False, cached=cached)
        fast_path = found != "expired" or self.refresh is None
        self._reschedule(snapshot, now, fast_path=fast_path)
        return found

    def _create_ahead(self, now: float, *, blocking: bool, cached: Failure | None) -> None:
        """Create a refresh before a caller needs it, unless too many hang."""
        if self._overdue.allows_start(now):
            self._create(now, blocking=blocking, cached=cached)
        else:
            self._backoff.postpone(now + _NEXT_TRY)

    def _create(
        self,
        now: float,
        *,
        blocking: bool,
        min_ttl: float = 0.0,
        cached: Failure | None = None,
    ) -> Refresh:
        left = self.snapshot.left(now)
        self.refresh = Refresh(
            blocking=blocking,
            created_at=now,
            seconds=timing.BLOCKING_SECONDS if blocking else timing.background_seconds(left),
            attempts=self._backoff.attempts if blocking else 1,
            min_ttl=min_ttl,
            cached=cached,
        )
        return self.refresh

    # -- starting a refresh: no lock is held ---------------------------------------------------

    def start(self, refresh: Refresh) -> bool:
        """Give a refresh that a caller waits for a thread; return False if none can start."""
        if refresh.is_claimed:
            return True
        self.slots.put(refresh, self, waited_for=True)
        return self.slots.pump() or refresh.is_claimed

    def _follow_up(self, found: object = None) -> None:
        """Release callers, and let the timer start the refresh that is due, or start it here.

        Args:
            found: what a caller got: if that is the refresh, the caller starts it.
        """
        self._release_callers()
        refresh = self.refresh
        if (
            refresh is not None
            and refresh is not found
            and not refresh.is_claimed
            and not self.slots.holds(refresh)
        ):
            self._schedule(refresh.started_at)
        running = (
            self.wakes_at > LONG_AGO and self.timer is not None and self.timer.ensure_running()
        )
        if not running and refresh is not found:
            self._start_in_background()

    def _start_in_background(self) -> None:
        refresh = self.refresh
        if refresh is not None and not refresh.is_claimed:
            # If no thread can start, it stays queued, and `tick` comes again in a second.
            self.slots.put(refresh, self, waited_for=False)
            self.slots.pump()

    # -- running a refresh -----------------------------------------------------------------------

    def run(self, refresh: Refresh) -> None:
        """Run a claimed refresh to its end; once its slot is free, call `deliver`."""
        outcome: Outcome | None = None
        refresh.thread_id = threading.get_ident()
        lines_before = HERE.lines
        try:
            outcome = hold(HERE.slow_path, self._fetch, refresh)
        finally:
            HERE.lines = lines_before
            if outcome is None:
                # An exception such as a signal handler's ended it. It does not concern the other
                # callers: they look again.
                refresh.shorten_to(self.clock.now())
                outcome = refresh.overdue_failure()
            self._finish(refresh, outcome)

    def _fetch(self, refresh: Refresh) -> Outcome:
        HERE.lines = self._lines
        self._begin(refresh)
        if refresh.cached is not None and not self.fetcher.token_changed():
            return refresh.cached
        refresh.cached = None
        self._started += 1
        refresh.add_event("RefreshStarted", self.name, refresh.blocking)
        return (self.shared_fetcher or self.fetcher).fetch(refresh, self.snapshot)

    @_section
    def _begin(self, refresh: Refresh) -> None:
        self._overdue.record_start(refresh.started_at)
        if self.refresh is refresh:
            # So that a refresh that hangs is noticed.
            fast_path = self.snapshot.check_at > LONG_AGO
            self._reschedule(self.snapshot, self.clock.now(), fast_path=fast_path)

    def _finish(self, refresh: Refresh, outcome: Outcome) -> None:
        """Take over the outcome of a refresh, and release its callers."""
        self._take_over(refresh, outcome)
        refresh.settle(outcome)
        self._follow_up()

    @_section
    def _take_over(self, refresh: Refresh, outcome: Outcome) -> None:
        now = self.clock.now()
        refresh.ended = True
        timely = self.refresh is refresh
        if timely:
            self.refresh = None
        if isinstance(outcome, Snapshot):
            # A late response of an overdue refresh counts only if it is newer.
            if timely or _is_newer(outcome, self.snapshot):
                self._accept(outcome, now)
                # A late one was dropped as a failure, with its events until then: only its last
                # event, the success, is new.
                self.subscribers.put(refresh.events if timely else refresh.events[-1:])
        elif timely:
            self.subscribers.put(refresh.events)
            if refresh.cached is None and not refresh.is_cut_short(now):
                self._record(refresh, outcome, now)
            else:
                self._reschedule(self.snapshot, now)

    def _accept(self, snapshot: Snapshot, now: float) -> None:
        self._reads.note(self.snapshot, now)
        self.snapshot = snapshot
        self._backoff.record_success()
        if self.refresh is not None:
            # The late refresh was dropped, and a newer one is in progress. The callers of that
            # one need not wait any longer.
            self._to_settle.append((self.refresh, snapshot))
            # A queued one is claimed here, so that no thread runs it.
            if not self.refresh.claim(now):
                self._overdue.add(self.refresh)
            self.refresh = None
        self._reschedule(snapshot, now)

    def _record(self, refresh: Refresh, failure: Failure, now: float) -> None:
        snapshot, wall = self.snapshot, self.clock.wall()
        left = snapshot.left(now)
        self._backoff.record_failure(
            failure, left=left, blocking=refresh.blocking, now=now, wall=wall
        )
        if snapshot.wall_past_end(now, wall):
            snapshot.wall_tried = True
        self._reschedule(snapshot, now)

    def _drop_overdue(self, now: float) -> None:
        """Wait no longer for an overdue refresh: a hanging DNS server must not block callers."""
        refresh = self.refresh
        if refresh is None or (now < refresh.overdue_at and not refresh.ended):
            return
        self.refresh = None
        self._overdue.add(refresh)
        failure = refresh.overdue_failure()
        self._to_settle.append((refresh, failure))
        if refresh.fails_alone or refresh.ended:
            # One that ended without an outcome was interrupted by a signal handler's exception.
            refresh.fails_alone = True
            self._reschedule(self.snapshot, now)
            return
        self._record(refresh, failure, now)
        attempt, seconds = refresh.failed_attempts + 1, now - refresh.started_at
        refresh.add_event("RefreshFailed", self.name, failure.code, attempt, seconds)
        self.subscribers.put(refresh.events)

    def _release_callers(self, *, deliver: bool = True) -> None:
        """Release the callers of refreshes that were dropped or overtaken; hold no lock."""
        released = bool(self._to_settle)
        with contextlib.suppress(IndexError):
            while True:
                refresh, outcome = self._to_settle.popleft()
                refresh.settle(outcome)
        if released and deliver:
            # On a separate thread: a slow log handler must not delay the timer. If no thread can
            # start, the next refresh delivers.
            start_thread(
                threading.Thread(target=self.deliver, name="irsa-creds-events", daemon=True)
            )

    def deliver(self) -> None:
        """Log lines and deliver events; hold no lock: log handlers and subscribers may read."""
        self.fetcher.deliver()
        log_all(self._lines)
        self.subscribers.deliver()

    # -- when to look again ------------------------------------------------------------------------

    def _reschedule(self, snapshot: Snapshot, now: float, *, fast_path: bool = True) -> None:
        """Set until when reads stay on the fast path, and when the timer calls `tick`."""
        at = self._next_check(snapshot, now)
        # In one step: reads look at it without the lock.
        snapshot.check_at = min(snapshot.end_of_use, at) if fast_path else LONG_AGO
        if now < snapshot.end_of_use or self.keep_warm:
            self._schedule(min(at, next_look(snapshot, now)))

    def _next_check(self, snapshot: Snapshot, now: float) -> float:
        refresh = self.refresh
        if refresh is not None:
            if refresh.is_claimed:
                return refresh.overdue_at
            # Its start may be lost: by a limit of threads, or an exception of a signal handler.
            # In whole seconds, so that not each read with `min_ttl` schedules another instant.
            return refresh.started_at + (now - refresh.started_at) // _NEXT_TRY + _NEXT_TRY
        valid = now < snapshot.end_of_use
        at = snapshot.refresh_at if valid else self._backoff.cached_until
        return self._backoff.next_attempt(at, now)

    def _schedule(self, at: float) -> None:
        # Reads with `min_ttl` would fill the timer's heap with the same instant.
        if self.timer is not None and at not in (self.wakes_at, float("inf")):
            self.wakes_at = at
            self.timer.schedule(self, at)

    def tick(self) -> None:
        """Refresh if that is due and the credentials were read within their lifetime."""
        self._tick()
        self._release_callers()
        self._start_in_background()

    @_section
    def _tick(self) -> None:
        now = self.clock.now()
        self.wakes_at = LONG_AGO
        self._drop_overdue(now)
        if self._reads.update(self.snapshot, now) or self.keep_warm:
            self._refresh_ahead(now)
        else:
            # The timer stops here, and the next read starts it again.
            self.leave_fast_path()

    def prefetch(self) -> None:
        """Refresh if nothing is valid or a refresh is due; do not wait for it."""
        self._prefetch()
        self._follow_up()

    @_section
    def _prefetch(self) -> None:
        now = self.clock.now()
        self._drop_overdue(now)
        self._refresh_ahead(now)

    def _refresh_ahead(self, now: float) -> None:
        """Create the refresh that is due, also the one that a caller would wait for."""
        if now < self.snapshot.end_of_use:
            self._refresh_if_due(self.snapshot, now)
            return
        if self.refresh is None:
            cached = self._backoff.cached_failure(now)
            if cached is None or self._backoff.claim_token_look(now):
                self._create_ahead(now, blocking=True, cached=cached)
        self._reschedule(self.snapshot, now)

    # -- what users and services request ---------------------------------------------------------

    def invalidate(self, access_key_id: str | None) -> None:
        """Never use that key again (None: the current one)."""
        current = self._expire(access_key_id)
        if self.shared_fetcher is not None:
            self.shared_fetcher.revoke(access_key_id or current)

    @_section
    def _expire(self, access_key_id: str | None) -> str:
        current = self.snapshot.credentials.access_key_id
        if access_key_id in (None, current):
            self.snapshot.expire()
            self._reschedule(self.snapshot, self.clock.now())
        return current

    def mark_stale(self, access_key_id: str) -> None:
        """Refresh soon because a service called the key expired; use it meanwhile."""
        self._mark_stale(access_key_id)
        self._follow_up()

    @_section
    def _mark_stale(self, access_key_id: str) -> None:
        now, snapshot = self.clock.now(), self.snapshot
        if (
            access_key_id == snapshot.credentials.access_key_id
            # Otherwise a service with a wrong clock would cause one STS call after the other.
            and now - snapshot.sent_at >= timing.DEMAND_INTERVAL
            and now < snapshot.end_of_use
        ):
            # This counts once for each key, which stays stale until it is replaced.
            snapshot.refresh_at = min(now, snapshot.refresh_at)
            self._refresh_if_due(snapshot, now)

    def leave_fast_path(self) -> None:
        """Take the next read off the fast path, so that it reschedules the timer."""
        self.snapshot.check_at = LONG_AGO

    @_section
    def close(self) -> None:
        """Drop the credentials and the back-off; the next read starts over.

        A refresh in progress still counts, since other callers may wait for it.
        """
        self.keep_warm = False
        self.snapshot.expire()
        self.snapshot = Snapshot.nothing()
        self._backoff = Backoff(self.fetcher.label, self.clock.uniform, self._lines)

    # -- forks -----------------------------------------------------------------------------------

    def reset_after_fork(self) -> None:
        """Give the child a new lock, no refresh, and a refresh time of its own."""
        self._lock = threading.RLock()
        self.refresh = None
        self._overdue = Overdue()
        self._to_settle.clear()
        # The parent logs them.
        self._lines.clear()
        self._started = 0
        self.fetcher.reset_after_fork()
        self.subscribers.reset_after_fork()
        snapshot = self.snapshot
        if snapshot.lifetime:
            if self.shared_fetcher is not None and self.shared_fetcher.is_sharing:
                # The random time is for all processes: if each child had one, the earliest would
                # be the time of all.
                snapshot.refresh_at += timing.shared_delay(snapshot.lifetime, self.clock.uniform)
            else:
                now = self.clock.now()
                snapshot.refresh_at = timing.refresh_in_child(snapshot, now, self.clock.uniform)

    def resume(self) -> None:
        """Restart the timer after a fork: now with `keep_warm`, otherwise at the next read."""
        self.wakes_at = LONG_AGO
        self.leave_fast_path()
        if self.keep_warm and self.timer is not None:
            self._schedule(self.clock.now())
            self.timer.ensure_running()

    # -- state for others ------------------------------------------------------------------------

    @property
    def is_failing(self) -> bool:
        """Whether a refresh failed in the last six minutes, and none succeeded since."""
        return self._backoff.is_current(self.clock.now())

    def cached_failure_left(self) -> float:
        """Return the seconds for which the last failure is cached."""
        return max(0.0, self._backoff.cached_until - self.now()) if self.last_failure() else 0.0

    def last_failure(self) -> Failure | None:
        """Return why the last refresh failed; None after a success."""
        return self._backoff.failure

    def status(self) -> Status:
        """Return the status, without starting anything."""
        return self._status(FORKS.import_module("irsa_creds._engine.events").status_of)

    @_section
    def _status(self, status_of: Callable[..., Status]) -> Status:
        return status_of(
            self.snapshot,
            self._backoff,
            self.clock,
            refreshes=self._started,
            sts_calls=self.fetcher.calls,
        )


def _is_newer(found: Snapshot, current: Snapshot) -> bool:
    # The end of use alone is not enough: revoked credentials have none.
    return found.end_of_use > current.end_of_use and found.sent_at > current.sent_at
