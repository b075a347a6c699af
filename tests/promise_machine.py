"""State machine of the engine's promises, with callers, STS, the kubelet and forks.

Each request to STS waits until a rule responds to it, and each rule ends only when all threads
wait, so that a run is reproducible.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from blocking_sts import FAILURES, BlockingSts, Call
from engine_fakes import ROLE, FakeClock, FakeTimer, FakeToken, eventually, failure
from irsa_creds import IrsaError
from irsa_creds._engine.engine import Engine
from irsa_creds._engine.refresh import Refresh
from irsa_creds._engine.slots import Slots
from irsa_creds._engine.snapshot import WALL_TOLERANCE, Snapshot
from irsa_creds._engine.subscribers import Subscribers
from irsa_creds._engine.timing import OVERDUE_LIMIT
from irsa_creds._engine.waiting import _wait
from irsa_creds._errors import Failure
from irsa_creds._exchange.token_fetcher import WebIdentityFetcher

ANY_TIME = float("-inf")
# Two computations of one instant differ by less than this.
NEARLY = 1e-6


__all__ = ["NEARLY", "PromiseMachine"]


class PromiseMachine(RuleBasedStateMachine):
    """Promises 1 to 6 as invariants; a subclass adds callers that really wait."""

    @initialize(fraction=st.floats(0, 1), warm=st.booleans())
    def begin(self, fraction: float, *, warm: bool) -> None:
        def uniform(low: float, high: float) -> float:
            return low + (high - low) * fraction

        self.clock, self.token = FakeClock(), FakeToken()
        self.clock.uniform = uniform
        self.sts = BlockingSts(self.clock)
        self.slots = Slots(self.clock)
        fetcher = WebIdentityFetcher(
            ROLE, self.token, lambda: self.sts, ceiling=3600, clock=self.clock
        )
        self.engine = Engine(fetcher, self.clock, FakeTimer(), Subscribers(), slots=self.slots)
        self.invalidated: set[str] = set()
        self.stale: set[str] = set()
        self.callers: list[Refresh] = []
        self.calls_of_the_parent: list[Call] = []
        self.started = 0
        self.refresh: Refresh | None = None
        # The one refresh after expiration by the wall clock has failed for these keys.
        self.wall_tried: set[str] = set()
        # No refresh of the kind may start earlier.
        self.background_from = self.blocking_from = ANY_TIME
        self.bad_token = False
        if warm:
            self.read()
            self.sts_succeeds(3600.0)
            self.read()

    # -- what the model knows ----------------------------------------------------------------------

    @property
    def key(self) -> str:
        return self.engine.snapshot.credentials.access_key_id

    def left(self) -> float:
        """Return the seconds left by STS's expiration; at most 0 without valid credentials."""
        snapshot = self.engine.snapshot
        if self.key in self.invalidated or self.key not in self.sts.expires:
            return 0.0
        return self.sts.expires[self.key] - min(5.0, snapshot.lifetime / 10) - self.clock.now()

    def wall_lead(self) -> float:
        snapshot, now = self.engine.snapshot, self.clock.now()
        return (self.clock.wall() - snapshot.wall_at) - (now - snapshot.sent_at)

    def is_expired_by_the_wall(self) -> bool:
        """Return whether promise 1's third exception applies."""
        return self.wall_lead() > WALL_TOLERANCE and self.wall_lead() >= self.left()

    def note_failure(self, record: Failure, *, blocking: bool) -> None:
        left, now = self.left(), self.clock.now()
        if self.is_expired_by_the_wall():
            self.wall_tried.add(self.key)
        if left > 0:
            least = 5.0 if record.throttled else record.retry_after or 1.0
            pause = max(0.2, min(least, left / 3))
            if not record.retryable:
                pause = max(5.0, min(60.0, left / 3))
            self.background_from = now + pause - NEARLY
        elif blocking:
            self.blocking_from = now + (1.0 if record.retryable else 5.0) - NEARLY
        self.bad_token = record.bad_token
        self.note_token()

    def note_token(self) -> None:
        """Promise 5: a token other than the bad one ends the back-off."""
        if self.bad_token and self.token.value != self.sts.sent:
            self.background_from = self.blocking_from = ANY_TIME

    def note_start(self, refresh: Refresh) -> None:
        """Promises 3 and 5, and the rate of refreshes."""
        now, snapshot = self.clock.now(), self.engine.snapshot
        self.started += 1
        if refresh.blocking:
            assert self.left() <= NEARLY, "credentials were valid"
            assert now >= self.blocking_from, "the failure is still cached"
            return
        assert self.left() > -NEARLY
        if self.is_expired_by_the_wall() and self.key not in self.wall_tried:
            return
        assert now >= self.background_from, "the back-off is not over"
        # Without current reads two thirds of the usual age are enough.
        due = snapshot.sent_at + 0.1 * 2 / 3 * snapshot.lifetime - NEARLY
        assert now >= due or self.key in self.stale or self.wall_lead() > WALL_TOLERANCE, (
            "no refresh was due"
        )

    def wait_for_sts(self) -> None:
        """Wait until the refresh in progress calls STS; note starts and lost refreshes."""
        if self.wall_lead() > WALL_TOLERANCE:
            # The engine has marked it stale. It stays stale when the wall clock is set back.
            self.stale.add(self.key)
        before, found = self.refresh, self.engine.refresh
        if found is not None:
            # A refresh that finds the denied token again ends here.
            eventually(lambda: found.is_done or self.call_of(found) is not None)
        self.refresh = self.engine.refresh
        if before is not None and before is not self.refresh:
            assert before.is_done, "a refresh was lost, and its callers with it"
            self.note_failure(before.overdue_failure(), blocking=before.blocking)
        if self.engine._started > self.started:
            assert self.refresh is not None
            assert self.engine._started == self.started + 1
            self.note_start(self.refresh)

    # -- time --------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 16.0, 31.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def time_passes_until_the_refresh_is_due(self) -> None:
        if self.clock.now() < self.engine.snapshot.refresh_at:
            self.clock.advance(self.engine.snapshot.refresh_at - self.clock.now())

    @rule(seconds=st.floats(100, 4000))
    def machine_is_suspended(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(seconds=st.sampled_from([-7200.0, -6.0, 4.0, 6.0, 600.0, 7200.0]))
    def wall_is_set(self, seconds: float) -> None:
        self.clock.step_wall(seconds)

    # -- callers and the timer ---------------------------------------------------------------------

    @rule()
    def read(self) -> None:
        valid = self.left() > NEARLY
        excused = self.is_expired_by_the_wall() and self.key not in self.wall_tried
        try:
            found = self.engine.get_or_join()
        except IrsaError:
            assert not valid, "promise 1: a caller saw an error while credentials were valid"
            self.wait_for_sts()
            return
        if isinstance(found, Refresh):
            assert self.engine.start(found)
        self.wait_for_sts()
        if not isinstance(found, Refresh):
            self.check_served(found)
            return
        assert not valid or excused, "promise 1: a caller waited"
        if found.is_done:
            # The token that STS denied is still the same.
            assert self.bad_token
            last = self.engine.last_failure()
            assert isinstance(found.outcome, Failure)
            assert last is not None
            assert found.outcome.code == last.code
        else:
            assert found is self.refresh, "promise 3: there is one refresh"
            self.callers.append(found)

    @rule()
    def read_on_the_fast_path(self) -> None:
        snapshot = self.engine.snapshot
        if self.clock.now() < snapshot.check_at:
            snapshot.was_read = True
            self.check_served(snapshot)

    def check_served(self, snapshot: Snapshot) -> None:
        credentials = snapshot.credentials
        number = credentials.access_key_id.removeprefix("key-")
        assert credentials.secret_access_key == f"secret-{number}", "promise 6"
        assert credentials.session_token == f"session-{number}", "promise 6"
        assert credentials.access_key_id not in self.invalidated
        assert self.clock.now() < self.sts.expires[credentials.access_key_id], (
            "promise 2: it is expired"
        )

    @rule()
    def tick(self) -> None:
        self.engine.tick()
        self.wait_for_sts()

    @rule()
    def prefetch(self) -> None:
        self.engine.prefetch()
        self.wait_for_sts()

    @precondition(lambda self: self.callers)
    @rule()
    def a_caller_stops_waiting(self) -> None:
        refresh = self.callers.pop()
        done = refresh.is_done
        _wait(refresh, 0)
        assert refresh.is_done == done, "promise 4: a caller ended the refresh of others"

    # -- STS ---------------------------------------------------------------------------------------

    def call_of(self, refresh: Refresh) -> Call | None:
        calls = [call for call in self.sts.waiting if call.thread.ident == refresh.thread_id]
        return calls[0] if calls else None

    def current_call(self) -> Call | None:
        return None if self.refresh is None else self.call_of(self.refresh)

    @precondition(lambda self: self.refresh is not None)
    @rule(lifetime=st.sampled_from([2.0, 40.0, 900.0, 3600.0]))
    def sts_succeeds(self, lifetime: float) -> None:
        call, refresh = self.current_call(), self.refresh
        assert call is not None
        assert refresh is not None
        late = self.clock.now() >= call.sent_at + lifetime - min(5.0, lifetime / 10)
        self.sts.release(call, self.sts.credentials(call, lifetime))
        if late:
            # Expired credentials are a failure like any other; a blocking refresh retries.
            self.note_end(refresh, failure("ExpiredCredentials"))
            return
        assert self.key == f"key-{len(self.sts.expires)}"
        assert refresh.is_done, "its callers were not released"
        self.refresh = None
        self.background_from = self.blocking_from = ANY_TIME
        self.bad_token = False

    @precondition(lambda self: self.refresh is not None)
    @rule(kind=st.sampled_from(sorted(FAILURES)))
    def sts_fails(self, kind: str) -> None:
        call, refresh = self.current_call(), self.refresh
        assert call is not None
        assert refresh is not None
        self.sts.release(call, FAILURES[kind])
        self.note_end(refresh, FAILURES[kind])

    def note_end(self, refresh: Refresh, record: Failure) -> None:
        """Note a failed refresh, unless it retries."""
        if self.engine.refresh is refresh:
            assert refresh.blocking, "a background refresh has one attempt"
            assert record.retryable
            return
        self.refresh = None
        self.note_failure(record, blocking=refresh.blocking)

    def overdue_calls(self) -> list[Call]:
        current = self.current_call()
        return [call for call in self.sts.waiting if call is not current]

    @precondition(lambda self: self.overdue_calls())
    @rule(lifetime=st.sampled_from([2.0, 40.0, 900.0, 3600.0]))
    def sts_succeeds_for_an_overdue_refresh(self, lifetime: float) -> None:
        call, before = self.overdue_calls()[0], self.engine.snapshot
        self.sts.release(call, self.sts.credentials(call, lifetime))
        if self.engine.snapshot is not before:
            assert self.engine.snapshot.end_of_use > before.end_of_use, "it was not newer"
            if self.refresh is not None:
                assert self.refresh.is_done, "its callers were not released"
                # It replaced the refresh in progress, which is overdue from now on.
                self.refresh = None
            self.background_from = self.blocking_from = ANY_TIME
            self.bad_token = False

    @precondition(lambda self: self.overdue_calls())
    @rule()
    def sts_fails_for_an_overdue_refresh(self) -> None:
        before = self.engine.snapshot, self.engine.status().last_failure
        self.sts.release(self.overdue_calls()[0], FAILURES["denied"])
        assert before == (self.engine.snapshot, self.engine.status().last_failure)

    # -- users, services, kubelet, fork ------------------------------------------------------------

    @rule()
    def token_is_rotated(self) -> None:
        self.token.rotate()
        self.note_token()

    @rule()
    def user_invalidates_the_key(self) -> None:
        self.invalidated.add(self.key)
        self.engine.invalidate(self.key)
        self.wait_for_sts()

    @rule()
    def service_reports_the_key_expired(self) -> None:
        if self.clock.now() - self.engine.snapshot.sent_at >= 60:
            self.stale.add(self.key)
        self.engine.mark_stale(self.key)
        self.wait_for_sts()

    @rule()
    def process_forks(self) -> None:
        """Continue as the child, without the parent's threads and callers."""
        before = self.engine.snapshot.credentials
        self.slots.reset_after_fork()
        self.engine.reset_after_fork()
        assert self.engine.snapshot.credentials is before
        self.calls_of_the_parent += self.sts.waiting
        self.sts.waiting.clear()
        self.callers.clear()
        self.refresh, self.started = None, 0

    # -- invariants --------------------------------------------------------------------------------

    @invariant()
    def one_refresh_is_in_progress(self) -> None:
        if not hasattr(self, "engine"):
            return
        assert self.engine.refresh is self.refresh
        current = self.current_call()
        assert (current is not None) == (self.refresh is not None)
        assert len(self.overdue_calls()) <= OVERDUE_LIMIT

    @invariant()
    def every_caller_gets_an_outcome(self) -> None:
        for refresh in getattr(self, "callers", []):
            assert refresh.is_done or refresh is self.refresh
            assert refresh.overdue_at < refresh.started_at + 35

    @invariant()
    def the_status_agrees(self) -> None:
        if not hasattr(self, "engine"):
            return
        status = self.engine.status()
        if self.left() > NEARLY and not self.is_expired_by_the_wall():
            assert status.state in {"fresh", "stale"}
        if self.left() < -NEARLY or self.key in self.invalidated:
            assert status.state in {"empty", "expired"}
            assert status.seconds_left == 0

    def teardown(self) -> None:
        if hasattr(self, "sts"):
            threads = [call.thread for call in (*self.sts.waiting, *self.calls_of_the_parent)]
            for call in (*self.sts.waiting, *self.calls_of_the_parent):
                call.respond(FAILURES["denied"])
            for thread in threads:
                thread.join(10)
                assert not thread.is_alive()
