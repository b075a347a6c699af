"""The refresh state of one identity: its snapshot, the refresh in progress, and its back-off."""

from __future__ import annotations

import contextlib
import operator
import threading
from collections import deque
from typing import TYPE_CHECKING, Protocol

from irsa_creds._engine import policy, timeouts
from irsa_creds._engine.backoff import Backoff
from irsa_creds._engine.policy import Snapshot, State
from irsa_creds._engine.refresh import Refresh
from irsa_creds._engine.slots import Slots, start
from irsa_creds._engine.this_thread import HERE
from irsa_creds._errors import Failure, IrsaError
from irsa_creds._locks import hold, holding

if TYPE_CHECKING:
    from irsa_creds._engine.clock import Clock
    from irsa_creds._engine.events import Status
    from irsa_creds._engine.refresh import Outcome
    from irsa_creds._engine.subscribers import Subscribers

    class Fetcher(Protocol):
        """Gets new credentials of one identity."""

        role_arn: str
        is_chained: bool

        @property
        def calls(self) -> int: ...
        def fetch(self, refresh: Refresh, held: Snapshot) -> Outcome: ...
        def token_changed(self) -> bool: ...
        def deliver(self) -> None: ...
        def reset_after_fork(self) -> None: ...

    class SharedCache(Protocol):
        """Looks for what other processes have before it calls the other fetcher."""

        directory: str | None

        @property
        def works(self) -> bool: ...
        def fetch(self, refresh: Refresh, current: Snapshot) -> Outcome: ...
        def revoke(self, access_key_id: str) -> None: ...
        def purge(self) -> None: ...

    class Schedule(Protocol):
        """The timer, as an engine sees it."""

        def schedule(self, engine: Engine, at: float) -> None: ...
        def run(self) -> bool: ...


__all__ = ["Engine"]

_NEXT_TRY = 1.0
# Seconds: the longest pause that STS may ask for, and a minute for the refresh itself.
_TRIED_AT_LEAST_EVERY = 360.0


_section = holding(operator.methodcaller("_lock_of_section"))


class Engine:
    """One identity's credentials: reads take `snapshot` bare, all changes happen under one lock.

    The lock is held for microseconds, in the methods marked `_section`: never over I/O, logging, a
    start of a thread, a call into user code, or while another engine's lock is taken.

    Args:
        fetcher: gets new credentials.
        clock: this process's clocks.
        timer: wakes it; None: reads alone start refreshes.
        subscribers: hear of each refresh.
        draw: the source of chance.
        slots: give each refresh its thread.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        clock: Clock,
        timer: Schedule | None,
        subscribers: Subscribers,
        draw: policy.Draw,
        *,
        slots: Slots | None = None,
    ) -> None:
        self.snapshot = Snapshot.nothing()
        self.keep_warm = False
        #: Where other processes' credentials are looked for first; None: nowhere.
        self.shared_fetcher: SharedCache | None = None
        #: The refresh in progress, queued or running.
        self.refresh: Refresh | None = None
        #: The instant that the timer wakes it at; none before the first credentials.
        self.wakes_at = policy.NEVER
        self.now = clock.now
        self.role_arn = fetcher.role_arn
        self.fetcher = fetcher
        self.clock = clock
        self.timer = timer
        self.subscribers = subscribers
        self._draw = draw
        self.slots = slots or Slots(clock)
        self._lock = threading.RLock()
        self._backoff = Backoff(fetcher.role_arn, draw)
        self._started = 0
        self._started_at = -policy.OVERDUE_INTERVAL
        # Refreshes that are no longer waited for, and whose threads may still hang.
        self._overdue: list[Refresh] = []
        # Of the last refresh that `min_ttl` started, and of the last look at a denied token.
        self._demanded_at = self._looked_at = policy.NEVER
        # The instant of the last failure since the last success.
        self._failed_at = policy.NEVER
        # Callers are released without the lock: that calls into their event loops.
        self._settled: deque[tuple[Refresh, Outcome]] = deque()

    def _lock_of_section(self) -> threading.RLock:
        # A read in a signal handler finds by it that it is in the middle of a change.
        HERE.section = self._lock
        return self._lock

    # -- reads ---------------------------------------------------------------------------------

    def get_or_join(self, min_ttl: float = 0.0, *, alone: bool = False) -> Snapshot | Refresh:
        """Return credentials that may be used now, or the refresh to wait for: `start` it.

        Args:
            min_ttl: seconds that must be left to the end of use.
            alone: whether the caller must not wait for another thread. It gets a refresh to run
                itself.

        Raises:
            IrsaError: a cached failure.
        """
        if alone:
            snapshot, left = self.snapshot, self.snapshot.left(self.clock.now())
            if left > 0 and left >= min_ttl:
                return snapshot
            if HERE.is_in_section:
                raise timeouts.interrupted(self.role_arn)
        found = self._decide(min_ttl, alone=alone)
        self._release_callers(deliver=not alone)
        if not alone:
            self._wake(found)
        if isinstance(found, Failure):
            raise found.error()
        if isinstance(found, IrsaError):
            raise found
        return found

    @_section
    def _decide(self, min_ttl: float, *, alone: bool) -> Snapshot | Refresh | Failure | IrsaError:
        now, snapshot = self.clock.now(), self.snapshot
        self._disown_overdue(now)
        if now >= snapshot.end_of_use:
            return self._join_or_create(now, alone=alone)
        snapshot.was_read = True
        state = self._refresh_if_due(snapshot, now)
        if state is State.EXPIRED and self.refresh is not None and self._may_join(alone=alone):
            # Past by the wall alone: this one refresh decides, and if it fails BOOTTIME does.
            return self.refresh
        return (
            snapshot if snapshot.left(now) >= min_ttl else self._demand(now, min_ttl, alone=alone)
        )

    def _join_or_create(self, now: float, *, alone: bool) -> Refresh | Failure | IrsaError:
        """Nothing is valid: return the refresh in progress, a cached failure, or a new refresh."""
        refresh = self.refresh
        if refresh is not None and refresh.is_run_here:
            return timeouts.own_refresh(self.role_arn)
        if refresh is not None and self._may_join(alone=alone):
            refresh.serve_callers(self._backoff.attempts)
            return refresh
        cached = self._backoff.recorded(now)
        if cached is not None and not self._token_may_be_new(now):
            return cached
        if not self._may_start(now):
            return timeouts.earlier_ones_hang()
        if refresh is not None:
            self._overdue.append(refresh)
        return self._create(now, blocking=True, cached=cached)

    def _demand(self, now: float, min_ttl: float, *, alone: bool) -> Refresh | Failure | IrsaError:
        """Valid, but not for as long as this caller wants; no other caller waits for it."""
        if self.refresh is not None and self._may_join(alone=alone):
            return self.refresh
        backed_off = self._backoff.backed_off(now)
        if backed_off is not None:
            return backed_off
        may_start = self.refresh is None and self._may_start(now)
        if may_start and now - self._demanded_at > policy.DEMAND_INTERVAL:
            self._demanded_at = now
            refresh = self._create(now, blocking=False, min_ttl=min_ttl)
            self._reschedule(self.snapshot, now)
            return refresh
        return timeouts.too_short(self.snapshot.left(now), min_ttl)

    def _may_join(self, *, alone: bool) -> bool:
        """Whether a caller may wait for the refresh in progress, or run it if it is queued."""
        refresh = self.refresh
        return refresh is not None and not (refresh.is_run_here or (alone and refresh.is_claimed))

    def _refresh_if_due(self, snapshot: Snapshot, now: float) -> State:
        """Create the refresh that is due, and see that this is looked at again in time."""
        wall = self.clock.wall()
        state = policy.state(snapshot, now, wall)
        if snapshot.wall_ahead(now, wall):
            snapshot.refresh_at = min(snapshot.refresh_at, now)
        if self.refresh is None and state is not State.FRESH:
            # What the wall calls expired may well be: that refresh waits for no back-off.
            due = state is State.EXPIRED or now >= self._backoff.not_before
            cached = None if due else self._backoff.backed_off(now)
            if due or (cached is not None and self._token_may_be_new(now)):
                if self._may_start(now):
                    self._create(now, blocking=False, cached=cached)
                else:
                    self._backoff.postpone(now + _NEXT_TRY)
        self._reschedule(snapshot, now)
        if state is State.EXPIRED and self.refresh is not None:
            # All callers leave the fast path, and wait.
            snapshot.check_at = policy.NEVER
        return state

    def _token_may_be_new(self, now: float) -> bool:
        """Whether to look at a denied token again. The look is I/O: it needs a refresh's slot."""
        if not self._backoff.bad_token or now - self._looked_at < policy.TOKEN_WATCH_INTERVAL:
            return False
        self._looked_at = now
        return True

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
            seconds=policy.BLOCKING_SECONDS if blocking else policy.background_seconds(left),
            attempts=self._backoff.attempts if blocking else 1,
            min_ttl=min_ttl,
            cached=cached,
        )
        return self.refresh

    def _may_start(self, now: float) -> bool:
        """Whether one more thread is bearable, given how many hang."""
        self._overdue = [each for each in self._overdue if not each.ended]
        if len(self._overdue) >= policy.OVERDUE_LIMIT:
            return False
        few = len(self._overdue) < policy.OVERDUE_FEW
        return few or now - self._started_at >= policy.OVERDUE_INTERVAL

    # -- starting a refresh: no lock is held ---------------------------------------------------

    def start(self, refresh: Refresh) -> bool:
        """See that the refresh a caller waits for gets a thread; False where none can start."""
        if refresh.is_claimed:
            return True
        self.slots.put(refresh, self, waited_for=True)
        return self.slots.pump() or refresh.is_claimed

    def _wake(self, found: object = None) -> None:
        """See that the timer runs, and starts the refresh that is due; without one start it here.

        Args:
            found: the refresh that a caller starts.
        """
        refresh = self.refresh
        if refresh is found or (refresh is not None and refresh.is_claimed):
            refresh = None
        if refresh is not None and not self.slots.holds(refresh):
            self._schedule(refresh.started_at)
        if self.wakes_at > policy.NEVER and self.timer is not None and self.timer.run():
            return
        if refresh is not None:
            self._put_in_background(refresh)

    def _put_in_background(self, refresh: Refresh) -> None:
        # Where no thread can start, it stays queued: it is looked at again in a second.
        self.slots.put(refresh, self, waited_for=False)
        self.slots.pump()

    # -- running a refresh -----------------------------------------------------------------------

    def run(self, refresh: Refresh) -> None:
        """Run a claimed refresh to its end, on a thread of its own or on a caller's.

        `deliver` is called next, once the refresh has left its slot.
        """
        outcome: Outcome | None = None
        refresh.thread_id = threading.get_ident()
        lines_before = HERE.lines
        try:
            outcome = hold(HERE.slow_path, self._fetch, refresh)
        finally:
            lines, HERE.lines = HERE.lines, lines_before
            self._backoff.say(lines or ())
            if outcome is None:
                # An exception that is not STS's ended it, such as a signal handler's: that says
                # nothing to the other callers, which look again.
                refresh.cut_at(self.clock.now())
                outcome = refresh.overdue()
            self._finish(refresh, outcome)

    def _fetch(self, refresh: Refresh) -> Outcome:
        HERE.lines = []
        self._begin(refresh)
        if refresh.cached is not None and not self.fetcher.token_changed():
            return refresh.cached
        refresh.cached = None
        self._started += 1
        refresh.note("RefreshStarted", self.role_arn, refresh.blocking)
        return (self.shared_fetcher or self.fetcher).fetch(refresh, self.snapshot)

    @_section
    def _begin(self, refresh: Refresh) -> None:
        """See that a refresh that hangs is noticed."""
        self._started_at = refresh.started_at
        if self.refresh is refresh:
            # A read that leaves the fast path for an earlier reason goes on doing so.
            valid = self.clock.now() < self.snapshot.end_of_use
            at = min(self.snapshot.end_of_use, refresh.overdue_at)
            self.snapshot.check_at = at if self.snapshot.check_at > policy.NEVER else policy.NEVER
            if valid or self.keep_warm:
                self._schedule(refresh.overdue_at)

    def _finish(self, refresh: Refresh, outcome: Outcome) -> None:
        """Take over what a refresh brought, and release its callers."""
        self._take_over(refresh, outcome)
        self._release_callers()
        refresh.settle(outcome)
        self._wake()

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
                # A late one was told as failed: of the rest only the success is still true.
                self.subscribers.put(refresh.events if timely else refresh.events[-1:])
        elif timely:
            self.subscribers.put(refresh.events)
            if refresh.cached is None and not refresh.was_cut(now):
                self._record(refresh, outcome, now)
            else:
                self._reschedule(self.snapshot, now)

    def _accept(self, snapshot: Snapshot, now: float) -> None:
        self.snapshot = snapshot
        self._failed_at = policy.NEVER
        self._backoff.end()
        if self.refresh is not None:
            # A newer refresh than the late one: its callers need not wait any longer.
            self._settled.append((self.refresh, snapshot))
            if not self.refresh.claim(now):
                self._overdue.append(self.refresh)
            self.refresh = None
        self._reschedule(snapshot, now)

    def _record(self, refresh: Refresh, failure: Failure, now: float) -> None:
        snapshot, wall = self.snapshot, self.clock.wall()
        left = snapshot.left(now)
        # The token that was denied has just been read: the first look at it is later.
        self._failed_at = self._looked_at = now
        self._backoff.begin(failure, left=left, blocking=refresh.blocking, now=now, wall=wall)
        if snapshot.wall_past_end(now, wall):
            snapshot.wall_tried = True
        self._reschedule(snapshot, now)

    def _disown_overdue(self, now: float) -> None:
        """Give up a refresh past its deadline: a hung DNS or a header drip blocks no caller."""
        refresh = self.refresh
        if refresh is None or (now < refresh.overdue_at and not refresh.ended):
            return
        self.refresh = None
        self._overdue.append(refresh)
        failure = refresh.overdue()
        self._settled.append((refresh, failure))
        if refresh.cut or refresh.ended:
            # What ended without an outcome was interrupted by a signal handler's exception.
            refresh.cut = True
            self._reschedule(self.snapshot, now)
            return
        self._record(refresh, failure, now)
        attempt, seconds = refresh.failed_attempts + 1, now - refresh.started_at
        refresh.note("RefreshFailed", self.role_arn, failure.code, attempt, seconds)
        self.subscribers.put(refresh.events)

    def _release_callers(self, *, deliver: bool = True) -> None:
        """Release the callers of refreshes that were given up; hold no lock."""
        released = bool(self._settled)
        with contextlib.suppress(IndexError):
            while True:
                refresh, outcome = self._settled.popleft()
                refresh.settle(outcome)
        if released and deliver:
            self._deliver_apart()

    def deliver(self) -> None:
        """Log and tell subscribers what came of refreshes; hold no lock: both may read here."""
        self.fetcher.deliver()
        self._backoff.report()
        self.subscribers.deliver()

    def _deliver_apart(self) -> None:
        """Deliver on a thread of its own: a slow log handler must not hold up the timer."""
        # Without a thread the next refresh delivers.
        start(threading.Thread(target=self.deliver, name="irsa-creds-events", daemon=True))

    # -- when to look again ------------------------------------------------------------------------

    def _reschedule(self, snapshot: Snapshot, now: float) -> None:
        """Say until when reads stay on the fast path, and when the timer looks here."""
        at = self._next_check(snapshot, now)
        snapshot.check_at = min(snapshot.end_of_use, at)
        if now < snapshot.end_of_use or self.keep_warm:
            self._schedule(at)

    def _next_check(self, snapshot: Snapshot, now: float) -> float:
        refresh = self.refresh
        if refresh is not None:
            if refresh.is_claimed:
                return refresh.overdue_at
            # Its start may be lost: by a limit of threads, or an exception of a signal handler.
            # Whole seconds, so that reads with `min_ttl` do not schedule anew each time.
            return refresh.started_at + (now - refresh.started_at) // _NEXT_TRY + _NEXT_TRY
        valid = now < snapshot.end_of_use
        at = max(snapshot.refresh_at if valid else self._backoff.record_until, now)
        at = max(at, self._backoff.not_before)
        if self._backoff.bad_token:
            at = min(at, max(now, self._looked_at + policy.TOKEN_WATCH_INTERVAL))
        return at

    def _schedule(self, at: float) -> None:
        # Reads with `min_ttl` would fill the timer's heap with the same instant.
        if self.timer is not None and at not in (self.wakes_at, float("inf")):
            self.wakes_at = at
            self.timer.schedule(self, at)

    def tick(self) -> None:
        """Do what is due, as the timer asks: nothing if it was not read since the last refresh."""
        self._do_what_is_due()
        self._release_callers()
        refresh = self.refresh
        if refresh is not None and not refresh.is_claimed:
            self._put_in_background(refresh)

    @_section
    def _do_what_is_due(self) -> None:
        now = self.clock.now()
        self.wakes_at = policy.NEVER
        self._disown_overdue(now)
        if not (self.snapshot.was_read or self.keep_warm):
            # Dormant: the next read looks here, and wakes it.
            self.leave_fast_path()
        elif now < self.snapshot.end_of_use:
            self._refresh_if_due(self.snapshot, now)
        elif self.keep_warm:
            self._warm_up(now)

    def prefetch(self) -> None:
        """Refresh where nothing is valid or a refresh is due; wait for nothing."""
        self._prefetch()
        self._release_callers()
        self._wake()

    @_section
    def _prefetch(self) -> None:
        now = self.clock.now()
        self._disown_overdue(now)
        if now < self.snapshot.end_of_use:
            self._refresh_if_due(self.snapshot, now)
        else:
            self._warm_up(now)

    def _warm_up(self, now: float) -> None:
        """Create the refresh that a caller would wait for, before there is one."""
        if self.refresh is None:
            cached = self._backoff.recorded(now)
            if cached is None or self._token_may_be_new(now):
                if self._may_start(now):
                    self._create(now, blocking=True, cached=cached)
                else:
                    self._backoff.postpone(now + _NEXT_TRY)
        self._reschedule(self.snapshot, now)

    # -- what users and services bring about -----------------------------------------------------

    def invalidate(self, access_key_id: str | None) -> None:
        """Never serve that key again (None: the one in use)."""
        held = self._expire(access_key_id)
        if self.shared_fetcher is not None:
            self.shared_fetcher.revoke(access_key_id or held)

    @_section
    def _expire(self, access_key_id: str | None) -> str:
        held = self.snapshot.credentials.access_key_id
        if access_key_id in (None, held):
            self.snapshot.expire()
            self._reschedule(self.snapshot, self.clock.now())
        return held

    def mark_stale(self, access_key_id: str) -> None:
        """Refresh soon because a service called the key expired; go on serving meanwhile."""
        self._mark_stale(access_key_id)
        self._wake()

    @_section
    def _mark_stale(self, access_key_id: str) -> None:
        now, snapshot = self.clock.now(), self.snapshot
        if (
            access_key_id == snapshot.credentials.access_key_id
            # A service whose clock is wrong would make us hammer STS.
            and now - snapshot.sent_at >= policy.DEMAND_INTERVAL
            and now < snapshot.end_of_use
        ):
            # That counts once for each key: it stays stale until another takes its place.
            snapshot.refresh_at = min(now, snapshot.refresh_at)
            self._refresh_if_due(snapshot, now)

    def leave_fast_path(self) -> None:
        """Take the next read off the fast path, so that it reschedules the timer."""
        self.snapshot.check_at = policy.NEVER

    @_section
    def close(self) -> None:
        """Forget the credentials; the next read starts over.

        A refresh in progress still counts: others may wait for it.
        """
        self.keep_warm = False
        self.snapshot.expire()
        self.snapshot = Snapshot.nothing()
        lines = self._backoff.drain()
        self._backoff = Backoff(self.role_arn, self._draw)
        self._backoff.say(lines)
        self._failed_at = policy.NEVER

    # -- the process -----------------------------------------------------------------------------

    def reset_after_fork(self) -> None:
        """Make this the child's own: a new lock, no refresh, and a refresh time of its own."""
        self._lock = threading.RLock()
        self.refresh = None
        self._overdue = []
        self._settled.clear()
        # The parent says them.
        self._backoff.drain()
        self._started = 0
        self.wakes_at = policy.NEVER
        self.fetcher.reset_after_fork()
        self.subscribers.reset_after_fork()
        if self.snapshot.lifetime:
            shared = self.shared_fetcher is not None and self.shared_fetcher.works
            redrawn = policy.after_shared_fork if shared else policy.after_fork
            self.snapshot = redrawn(self.snapshot, self.clock.now(), self._draw)

    def resume(self) -> None:
        """Go on after a fork ended the timer: at once where nothing may read it but a probe."""
        self.wakes_at = policy.NEVER
        self.leave_fast_path()
        if self.keep_warm and self.timer is not None:
            self._schedule(self.clock.now())
            self.timer.run()

    # -- what it tells -----------------------------------------------------------------------------

    @property
    def is_chained(self) -> bool:
        """Whether another role's credentials assume this one's."""
        return self.fetcher.is_chained

    @property
    def is_failing(self) -> bool:
        """Whether refreshes go on and fail: what is no longer read is not tried again."""
        return self.clock.now() - self._failed_at <= _TRIED_AT_LEAST_EVERY

    def record_left(self) -> float:
        """Return the seconds for which the last failure is cached."""
        return max(0.0, self._backoff.record_until - self.now()) if self.last_failure() else 0.0

    def last_failure(self) -> Failure | None:
        """Return why the last refresh failed; None after one that did not."""
        return self._backoff.failure

    @_section
    def status(self) -> Status:
        """Return what the engine is doing, without starting anything."""
        from irsa_creds._engine.status import status_of  # noqa: PLC0415 - most programs never ask

        return status_of(
            self.snapshot,
            self._backoff,
            self.clock,
            flights=self._started,
            sts_calls=self.fetcher.calls,
        )


def _is_newer(found: Snapshot, held: Snapshot) -> bool:
    # Not by the end alone: credentials that were given up have none.
    return found.end_of_use > held.end_of_use and found.sent_at > held.sent_at
