"""Promises 1 to 6 as invariants of a state machine, sync and async.

Beside the callers of `promises`, the tasks of two loops wait for the same refreshes. A loop lags
behind until the machine turns it, its tasks are cancelled, and it is closed during a refresh.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import invariant, precondition, rule

from irsa_creds import IrsaError
from irsa_creds._engine.timing import WAITER_SECONDS
from promise_machine import NEARLY, PromiseMachine
from stepped_loop import SteppedLoop, Waiting

if TYPE_CHECKING:
    from irsa_creds._errors import Failure

LOOPS = 2
loops = st.integers(0, LOOPS - 1)


class _Log(logging.Handler):
    """The errors that asyncio logs about callbacks, which no test would see otherwise."""

    logger = logging.getLogger("asyncio")

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        # Messages that depend on garbage collection are left out: a failure must be reproducible.
        if "callback" in message:
            self.messages.append(message)

    def end(self) -> None:
        self.logger.removeHandler(self)


class PromisesToTasks(PromiseMachine):
    """The same promises for tasks."""

    def __init__(self) -> None:
        super().__init__()
        self.loops: dict[int, SteppedLoop] = {}
        self.closed: list[SteppedLoop] = []
        self.log = _Log()

    def loop(self, number: int) -> SteppedLoop:
        """Return the loop of that number: a second one if the first was closed."""
        if number not in self.loops:
            self.loops[number] = SteppedLoop(self.clock)
        return self.loops[number]

    def tasks(self) -> list[Waiting]:
        return [each for loop in self.loops.values() for each in loop.waiting]

    def excused(self) -> bool:
        """Whether a caller may wait although credentials are valid."""
        return self.is_expired_by_the_wall() and self.key not in self.wall_tried

    def settle(self, loop: SteppedLoop) -> None:
        """Let a loop step until nothing changes: a look at a denied token ends meanwhile."""
        for _ in range(2):
            loop.step()
            self.wait_for_sts()

    # -- tasks and loops ---------------------------------------------------------------------------

    @rule(number=loops, count=st.integers(1, 3))
    def tasks_wait(self, number: int, count: int) -> None:
        loop = self.loop(number)
        self.loop_turns(number)
        for _ in range(count):
            valid, excused = self.left() > NEARLY, self.excused()
            task = loop.begin(self.engine)
            self.settle(loop)
            if not task.done():
                assert not valid or excused, "promise 1: a task waits"
                assert self.refresh is not None, "it waits for nothing"
                loop.waiting.append(Waiting(task, self.clock.now(), self.refresh))
            elif isinstance(task.exception(), IrsaError):
                assert not valid, "promise 1: a task saw an error while credentials were valid"
            else:
                self.check_served(task.result())

    @rule(number=loops)
    def loop_turns(self, number: int) -> None:
        loop = self.loop(number)
        valid, excused = self.left() > NEARLY, self.excused()
        due = {each: each.failure for each in loop.waiting if each.is_due}
        self.settle(loop)
        for each in list(loop.waiting):
            if not each.task.done():
                # A failed background refresh is not a failure for it: it waits for the next.
                assert each not in due or not valid or excused, "promise 1: a task waits on"
                assert self.refresh is not None, "it waits for nothing"
                each.refresh = self.refresh
                end = min(each.arrived_at + WAITER_SECONDS, each.refresh.overdue_at)
                assert self.clock.now() < end, "promise 4: no caller waits without a deadline"
                continue
            loop.waiting.remove(each)
            error = each.task.exception()
            if error is None:
                assert due.get(each) is None, "its refresh had failed"
                self.check_served(each.task.result())
            else:
                assert isinstance(error, IrsaError)
                self.check_error(each, error, due.get(each), valid=valid and not excused)

    @rule()
    def all_loops_turn(self) -> None:
        for number in self.loops:
            self.loop_turns(number)

    def check_error(
        self, waiting: Waiting, error: IrsaError, failure: Failure | None, *, valid: bool
    ) -> None:
        """Check the result of a task that waited.

        Args:
            waiting: what it waited for.
            error: what it got.
            failure: the failure that its refresh had for it before it was woken.
            valid: whether it might have had credentials instead.
        """
        if failure is not None:
            assert error.failure is failure, "promise 2: one failure for all"
        elif error.failure is not waiting.failure:
            assert not valid, "promise 1: a task saw an error while credentials were valid"
        if "No credentials within" in str(error):
            assert self.clock.now() >= waiting.arrived_at + WAITER_SECONDS - NEARLY

    def draw_busy(self, data: st.DataObject) -> int:
        """Return the number of a loop with tasks that wait."""
        return data.draw(st.sampled_from([n for n in sorted(self.loops) if self.loops[n].waiting]))

    @precondition(lambda self: self.tasks())
    @rule(data=st.data())
    def task_is_cancelled(self, data: st.DataObject) -> None:
        number = self.draw_busy(data)
        loop = self.loops[number]
        # Perhaps just when its refresh has ended.
        quitter = loop.waiting.pop(data.draw(st.integers(0, len(loop.waiting) - 1)))
        alone, before = not loop.waiting, (self.started, self.refresh)
        assert quitter.task.cancel()
        self.loop_turns(number)
        assert quitter.task.cancelled(), "promise 4: its cancellation was swallowed"
        assert not alone or before == (self.started, self.refresh), "promise 4: it took a refresh"

    @precondition(lambda self: self.tasks())
    @rule(data=st.data(), cancel=st.booleans())
    def loop_is_closed(self, data: st.DataObject, *, cancel: bool) -> None:
        number = self.draw_busy(data)
        before = self.started, self.refresh
        self.closed.append(self.loops.pop(number))
        self.closed[-1].end(cancel=cancel)
        self.wait_for_sts()
        assert before == (self.started, self.refresh), "promise 4: it took a refresh with it"

    @rule()
    def process_forks(self) -> None:
        """Continue as the child, which has loops of its own."""
        for loop in self.loops.values():
            loop.end(cancel=False)
        self.closed += self.loops.values()
        self.loops.clear()
        super().process_forks()

    # -- what always holds -------------------------------------------------------------------------

    @invariant()
    def every_task_that_waits_will_be_answered(self) -> None:
        for each in self.tasks():
            assert each.is_due or each.refresh is self.refresh
            assert not each.task.done()

    @invariant()
    def nothing_went_wrong_unseen(self) -> None:
        assert self.log.messages == []

    def teardown(self) -> None:
        try:
            for loop in self.loops.values():
                loop.end(cancel=True)
        finally:
            # The refreshes of closed loops end now.
            super().teardown()
            for loop in self.closed:
                loop.drop_tasks()
            self.log.end()
        assert self.log.messages == []


PromisesToTasks.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=50,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestPromises = PromisesToTasks.TestCase
