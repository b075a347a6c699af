"""The engine beside a model that knows only what was promised: callers, STS, kubelet, forks.

STS answers when the machine says so: each request waits on an event of its own, and every step
ends only when the threads stand still, so a run is the same each time.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from blocking_sts import FAILURES, BlockingSts, Call
from engine_fakes import ROLE, FakeClock, FakeTimer, FakeToken, eventually, failure
from irsa_creds import IrsaError
from irsa_creds._engine.engine import Engine
from irsa_creds._engine.policy import OVERDUE_LIMIT, WALL_TOLERANCE, Snapshot
from irsa_creds._engine.refresh import Refresh
from irsa_creds._engine.slots import Slots
from irsa_creds._engine.subscribers import Subscribers
from irsa_creds._engine.waiting import _wait
from irsa_creds._errors import Failure
from irsa_creds._exchange.fetcher import StsFetcher

NEVER = float("-inf")
# Floats: an instant that was computed in two ways.
NEARLY = 1e-6


__all__ = ["NEARLY", "Promises"]


class Promises(RuleBasedStateMachine):
    """Promises 1 to 6 as invariants; callers that really wait come with a subclass."""

    @initialize(fraction=st.floats(0, 1), warm=st.booleans())
    def begin(self, fraction: float, *, warm: bool) -> None:
        def draw(low: float, high: float) -> float:
            return low + (high - low) * fraction

        self.clock, self.token = FakeClock(), FakeToken()
        self.sts = BlockingSts(self.clock)
        self.slots = Slots(self.clock)
        pilot = StsFetcher(ROLE, self.token, self.sts, ceiling=3600, clock=self.clock, draw=draw)
        self.engine = Engine(pilot, self.clock, FakeTimer(), Subscribers(), draw, slots=self.slots)
        self.given_up: set[str] = set()
        self.suspect: set[str] = set()
        self.callers: list[Refresh] = []
        self.ghosts: list[Call] = []
        self.started = 0
        self.refresh: Refresh | None = None
        # Keys whose one refresh past the end by the wall has failed.
        self.wall_tried: set[str] = set()
        # No refresh of that kind may start before.
        self.background_from = self.blocking_from = NEVER
        self.bad_token = False
        if warm:
            self.read()
            self.sts_answers(3600.0)
            self.read()

    # -- what the model knows ----------------------------------------------------------------------

    @property
    def key(self) -> str:
        return self.engine.snapshot.credentials.access_key_id

    def left(self) -> float:
        """Seconds to the end of use, by STS's word; at most 0 where nothing is valid."""
        snapshot = self.engine.snapshot
        if self.key in self.given_up or self.key not in self.sts.ends:
            return 0.0
        return self.sts.ends[self.key] - min(5.0, snapshot.lifetime / 10) - self.clock.now()

    def wall_lead(self) -> float:
        snapshot, now = self.engine.snapshot, self.clock.now()
        return (self.clock.wall() - snapshot.wall_at) - (now - snapshot.sent_at)

    def past_by_the_wall(self) -> bool:
        """Promise 1's third exception."""
        return self.wall_lead() > WALL_TOLERANCE and self.wall_lead() >= self.left()

    def note_failure(self, record: Failure, *, blocking: bool) -> None:
        left, now = self.left(), self.clock.now()
        if self.past_by_the_wall():
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
        """Promise 5: another token than the bad one ends the waiting."""
        if self.bad_token and self.token.value != self.sts.sent:
            self.background_from = self.blocking_from = NEVER

    def note_start(self, refresh: Refresh) -> None:
        """Promises 3 and 5, and the rate: a refresh starts only where one may."""
        now, snapshot = self.clock.now(), self.engine.snapshot
        self.started += 1
        if refresh.blocking:
            assert self.left() <= NEARLY, "callers had something valid"
            assert now >= self.blocking_from, "the failure is still cached"
            return
        assert self.left() > -NEARLY
        if self.past_by_the_wall() and self.key not in self.wall_tried:
            return
        assert now >= self.background_from, "the back-off is not over"
        due = snapshot.sent_at + 0.1 * snapshot.lifetime - NEARLY
        assert now >= due or self.key in self.suspect or self.wall_lead() > WALL_TOLERANCE, (
            "no refresh was due"
        )

    def stand_still(self) -> None:
        """Wait until the refresh in progress calls STS; note what started and what was lost."""
        if self.wall_lead() > WALL_TOLERANCE:
            # The engine has made it stale, and stale it stays when the wall is set back.
            self.suspect.add(self.key)
        before, found = self.refresh, self.engine.refresh
        if found is not None:
            # A look at a denied token ends here, unless the token is another one.
            eventually(lambda: found.is_done or self.call_of(found) is not None)
        self.refresh = self.engine.refresh
        if before is not None and before is not self.refresh:
            assert before.is_done, "a refresh was lost, and its callers with it"
            self.note_failure(before.overdue(), blocking=before.blocking)
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
        excused = self.past_by_the_wall() and self.key not in self.wall_tried
        try:
            found = self.engine.get_or_join()
        except IrsaError:
            assert not valid, "promise 1: a caller saw an error while credentials were valid"
            self.stand_still()
            return
        if isinstance(found, Refresh):
            assert self.engine.start(found)
        self.stand_still()
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
        given = snapshot.credentials
        number = given.access_key_id.removeprefix("key-")
        assert given.secret_access_key == f"secret-{number}", "promise 6"
        assert given.session_token == f"session-{number}", "promise 6"
        assert given.access_key_id not in self.given_up
        assert self.clock.now() < self.sts.ends[given.access_key_id], "promise 2: it is expired"

    @rule()
    def tick(self) -> None:
        self.engine.tick()
        self.stand_still()

    @rule()
    def prefetch(self) -> None:
        self.engine.prefetch()
        self.stand_still()

    @precondition(lambda self: self.callers)
    @rule()
    def a_caller_gives_up(self) -> None:
        refresh = self.callers.pop()
        done = refresh.is_done
        _wait(refresh, 0)
        assert refresh.is_done == done, "promise 4: no caller takes it from the others"

    # -- STS ---------------------------------------------------------------------------------------

    def call_of(self, refresh: Refresh) -> Call | None:
        calls = [call for call in self.sts.waiting if call.thread.ident == refresh.thread_id]
        return calls[0] if calls else None

    def current_call(self) -> Call | None:
        return None if self.refresh is None else self.call_of(self.refresh)

    @precondition(lambda self: self.refresh is not None)
    @rule(lifetime=st.sampled_from([2.0, 40.0, 900.0, 3600.0]))
    def sts_answers(self, lifetime: float) -> None:
        call, refresh = self.current_call(), self.refresh
        assert call is not None
        assert refresh is not None
        late = self.clock.now() >= call.asked_at + lifetime - min(5.0, lifetime / 10)
        self.sts.release(call, self.sts.credentials(call, lifetime))
        if late:
            # An answer that has expired is a failure like any other; a blocking refresh goes on.
            self.ended(refresh, failure("ExpiredCredentials"))
            return
        assert self.key == f"key-{len(self.sts.ends)}"
        assert refresh.is_done, "its callers were not released"
        self.refresh = None
        self.background_from = self.blocking_from = NEVER
        self.bad_token = False

    @precondition(lambda self: self.refresh is not None)
    @rule(kind=st.sampled_from(sorted(FAILURES)))
    def sts_fails(self, kind: str) -> None:
        call, refresh = self.current_call(), self.refresh
        assert call is not None
        assert refresh is not None
        self.sts.release(call, FAILURES[kind])
        self.ended(refresh, FAILURES[kind])

    def ended(self, refresh: Refresh, record: Failure) -> None:
        """Take note of a refresh that failed, unless it tries once more."""
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
    def sts_answers_a_refresh_that_was_disowned(self, lifetime: float) -> None:
        call, before = self.overdue_calls()[0], self.engine.snapshot
        self.sts.release(call, self.sts.credentials(call, lifetime))
        if self.engine.snapshot is not before:
            assert self.engine.snapshot.end_of_use > before.end_of_use, "it was no fresher"
            if self.refresh is not None:
                assert self.refresh.is_done, "its callers were not released"
                # It took over from the one under way, which is late from now on.
                self.refresh = None
            self.background_from = self.blocking_from = NEVER
            self.bad_token = False

    @precondition(lambda self: self.overdue_calls())
    @rule()
    def sts_fails_a_refresh_that_was_disowned(self) -> None:
        before = self.engine.snapshot, self.engine.status().last_failure
        self.sts.release(self.overdue_calls()[0], FAILURES["refused"])
        assert before == (self.engine.snapshot, self.engine.status().last_failure)

    # -- users, services, kubelet, fork ------------------------------------------------------------

    @rule()
    def token_is_rotated(self) -> None:
        self.token.rotate()
        self.note_token()

    @rule()
    def user_gives_up_the_key(self) -> None:
        self.given_up.add(self.key)
        self.engine.invalidate(self.key)
        self.stand_still()

    @rule()
    def service_calls_the_key_expired(self) -> None:
        if self.clock.now() - self.engine.snapshot.sent_at >= 60:
            self.suspect.add(self.key)
        self.engine.mark_stale(self.key)
        self.stand_still()

    @rule()
    def process_forks(self) -> None:
        """Go on as the child: its parent's threads and callers do not exist there."""
        before = self.engine.snapshot.credentials
        self.slots.reset_after_fork()
        self.engine.reset_after_fork()
        assert self.engine.snapshot.credentials is before
        self.ghosts += self.sts.waiting
        self.sts.waiting.clear()
        self.callers.clear()
        self.refresh, self.started = None, 0

    # -- what always holds -------------------------------------------------------------------------

    @invariant()
    def one_refresh_is_in_progress(self) -> None:
        if not hasattr(self, "engine"):
            return
        assert self.engine.refresh is self.refresh
        current = self.current_call()
        assert (current is not None) == (self.refresh is not None)
        assert len(self.overdue_calls()) <= OVERDUE_LIMIT

    @invariant()
    def every_caller_will_be_answered(self) -> None:
        for refresh in getattr(self, "callers", []):
            assert refresh.is_done or refresh is self.refresh
            assert refresh.overdue_at < refresh.started_at + 35

    @invariant()
    def the_status_agrees(self) -> None:
        if not hasattr(self, "engine"):
            return
        status = self.engine.status()
        if self.left() > NEARLY and not self.past_by_the_wall():
            assert status.state in {"fresh", "stale"}
        if self.left() < -NEARLY or self.key in self.given_up:
            assert status.state in {"empty", "expired"}
            assert status.seconds_left == 0

    def teardown(self) -> None:
        if hasattr(self, "sts"):
            threads = [call.thread for call in (*self.sts.waiting, *self.ghosts)]
            for call in (*self.sts.waiting, *self.ghosts):
                call.answer(FAILURES["refused"])
            for thread in threads:
                thread.join(10)
                assert not thread.is_alive()
