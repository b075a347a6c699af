"""What a fork waits for, and what is done about it before all that others do about it.

A child that is forked while another thread imports, opens a TLS connection or ends inherits a half
imported module or a lock that stays taken for ever. So each thread that does such a thing is noted
here for that time, and a fork waits for these threads.
"""

from __future__ import annotations

import contextlib
import functools
import logging  # noqa: F401 - its hooks are registered before ours, see `come_first`
import os
import threading
import time
from typing import TYPE_CHECKING, TypeVar

from irsa_creds._locks import hold

if TYPE_CHECKING:
    from collections.abc import Callable

    Hook = Callable[[], object]

__all__ = ["FORKS"]

Result = TypeVar("Result")

# Seconds. A thread that waits for the network has no lock that a child would miss; one that is
# running may import or shake hands, which takes long only where the CPU is throttled.
_IDLE_PATIENCE = 0.5
_PATIENCE = 5.0
_INSTANT = 0.0005
_TASKS = "/proc/self/task"
_RUNNING = {b"R", b"D"}


class Forks:
    """The threads that a fork waits for, and the hooks that are called at every fork, once each."""

    def __init__(self) -> None:
        self._hooks: tuple[Hook, Hook, Hook] = (_nothing, _nothing, _nothing)
        self._registered = 0
        self.reset_after_fork()
        self.come_first()

    def reset_after_fork(self) -> None:
        """Forget the parent's threads: in a child none of them exists."""
        # Held over a fork, so that nothing begins meanwhile. Re-entrant: a signal handler may fork
        # while its own thread is in `enter`.
        self._gate = threading.RLock()
        self._busy: dict[int, int] = {}
        self._ending: set[int] = set()

    # -- the threads ---------------------------------------------------------------------------

    def enter(self) -> None:
        """Let every fork wait for this thread from now on; wait for a fork that is under way."""
        me = threading.get_native_id()
        if me in self._busy:
            # A fork that is under way waits for this thread, which must not wait for it.
            self._busy[me] += 1
            return
        hold(self._gate, self._busy.__setitem__, me, 1)

    def leave(self) -> None:
        """Take back one `enter` of this thread."""
        me = threading.get_native_id()
        left = self._busy.get(me, 0) - 1
        if left > 0:
            self._busy[me] = left
        else:
            self._busy.pop(me, None)

    def during(self, work: Callable[[], Result]) -> Result:
        """Return what `work` returns; every fork waits for it."""
        me = threading.get_native_id()
        before = self._busy.get(me, 0)
        try:
            self.enter()
            return work()
        finally:
            # Not by counting: an exception of a signal handler may have come before `enter` did.
            if before:
                self._busy[me] = before
            else:
                self._busy.pop(me, None)

    def end(self) -> None:
        """Take note that this thread ends now: it is no more when the system says so.

        `Thread.join` returns a little before that (until Python 3.13). OpenSSL clears what it keeps
        for a thread then, under a lock of its own: of 750 children forked in such a moment, 8 hung
        when they made their first TLS context.
        """
        me = threading.get_native_id()
        # On gevent it is the main thread, which goes on.
        if me != os.getpid():
            # Not only at forks: there may be none, and very many refreshes.
            self._forget_gone()
            self._ending.add(me)

    def _forget_gone(self) -> None:
        for thread in self._ending.copy():
            if not _exists(thread):
                self._ending.discard(thread)

    def _wait(self) -> None:
        """Wait until no other thread is busy or ending, or all of them have been idle for long."""
        started = last_run = time.monotonic()
        me = threading.get_native_id()
        while True:
            self._forget_gone()
            # On gevent all greenlets are this very thread: what one of them waits for is no lock.
            others = [each for each in [*self._busy.copy(), *self._ending.copy()] if each != me]
            if not others:
                return
            now = time.monotonic()
            if any(_is_running(each) for each in others):
                last_run = now
            if now - last_run >= _IDLE_PATIENCE or now - started >= _PATIENCE:
                return
            time.sleep(_INSTANT)

    # -- the hooks -----------------------------------------------------------------------------

    def call(self, *, before: Hook, in_parent: Hook, in_child: Hook) -> None:
        """Call these from now on, in place of any given before.

        Args:
            before: called before this waits for threads.
            in_parent: called when new ones may start again.
            in_child: called when this is the child's own.
        """
        self._hooks = (before, in_parent, in_child)
        self.come_first()

    def come_first(self) -> None:
        """Be called before hooks that were registered meanwhile.

        Python calls the one registered last first. Others hold locks from their hook before the
        fork to the one after it, as logging does, and a thread that ours wait for may need them:
        an import that gets a logger would not come to its end. And filelock 4 lets no second thread
        fork between its own two hooks (on Python 3.12 and later, `os.fork` raises RuntimeError).
        """
        self._registered += 1
        hooks = [
            functools.partial(hook, self._registered)
            for hook in (self._before, self._in_parent, self._in_child)
        ]
        if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
            os.register_at_fork(before=hooks[0], after_in_parent=hooks[1], after_in_child=hooks[2])

    def _before(self, registered: int) -> None:
        # A registration cannot be taken back: only the last one counts.
        if registered == self._registered:
            self._hooks[0]()
            self._gate.acquire(timeout=_PATIENCE)
            self._wait()

    def _in_parent(self, registered: int) -> None:
        if registered == self._registered:
            # It is not this thread's where another fork took longer than the patience.
            with contextlib.suppress(RuntimeError):
                self._gate.release()
            self._hooks[1]()

    def _in_child(self, registered: int) -> None:
        if registered == self._registered:
            self.reset_after_fork()
            self._hooks[2]()


def _exists(thread: int) -> bool:
    return os.path.exists(f"{_TASKS}/{thread}")  # noqa: PTH110 - no import before a fork


def _is_running(thread: int) -> bool:
    """Whether a thread runs, or waits for a CPU or a disk; where no system tells, it does not."""
    try:
        with open(f"{_TASKS}/{thread}/stat", "rb") as file:  # noqa: PTH123 - as above
            return file.read().rpartition(b") ")[2][:1] in _RUNNING
    except OSError:
        return False


def _nothing() -> None:
    """Do nothing: there is no provider yet."""


FORKS = Forks()
