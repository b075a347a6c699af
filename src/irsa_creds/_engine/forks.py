"""The threads that a fork waits for, and the fork hooks of this library.

Another thread may import a module, open a TLS connection or end at the moment of a fork. The child
then has half of the module, or a lock that stays taken for ever. So threads register here while
they do such a thing, and a fork waits for them: a refresh, a provider that is being made, and the
metrics' `instrument()`.

`_provider` sets the hooks of its registry here. Before the fork, `Registry.before_fork` ends the
timer's thread. In the child, `Registry.after_in_child` creates a new lock and calls
`reset_after_fork` of all timers, slots and engines, in this order, and an engine calls that of its
fetcher and subscribers. An engine keeps its snapshot, its back-off and when it was read. In parent
and child, `Engine.resume` then restarts the timer where a provider is kept warm.

Four parts do without these hooks: `_sessions/install` replaces its lock in a hook of its own, for
which the order does not matter; the lock of the metrics is free, because a fork waits for the two
functions that take it; the shared cache compares process ids; and the locks of `this_thread` belong
to the thread that forks, the only one of the child.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging  # noqa: F401 - its hooks must be registered first, see `register_again`
import os
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from irsa_creds._locks import hold

if TYPE_CHECKING:
    from collections.abc import Callable

    Hook = Callable[[], object]

__all__ = ["FORKS"]

Result = TypeVar("Result")

# Seconds. A thread that waits for the network has no lock that the child needs. A running one may
# do a TLS handshake, which takes long only on a throttled CPU, or call a token callable, which may
# never end. Imports end, after 70 ms of CPU, hence 7 s in a pod with a hundredth of a CPU: a child
# that is forked before their end would wait for a module's lock for ever.
_IDLE_PATIENCE = 0.5
_PATIENCE = 5.0
_IMPORT_PATIENCE = 30.0
_POLL_SECONDS = 0.0005
_TASKS = "/proc/self/task"
_RUNNING = {b"R", b"D"}


class Forks:
    """The threads that a fork waits for, and the hooks that are called at every fork, once each."""

    def __init__(self) -> None:
        self._hooks: tuple[Hook, Hook, Hook] = (_nothing, _nothing, _nothing)
        self._registered = 0
        self._imported: dict[str, Any] = {}
        self.reset_after_fork()
        self.register_again()

    def reset_after_fork(self) -> None:
        """Forget the parent's threads: in a child none of them exists."""
        # Held during a fork, so that no thread registers meanwhile. Re-entrant: a signal handler
        # may fork while its thread is in `during`.
        self._gate = threading.RLock()
        # Each busy thread, and for how many seconds a fork waits for it if it runs.
        self._busy: dict[int, float] = {}
        self._ending: set[int] = set()

    # -- the threads ---------------------------------------------------------------------------

    def during(self, work: Callable[[], Result], *, imports: bool = True) -> Result:
        """Return what `work` returns; every fork waits for it, and it for a fork in progress."""
        me = threading.get_native_id()
        outer = self._busy.get(me)
        patience = max(outer or 0.0, _IMPORT_PATIENCE if imports else _PATIENCE)
        try:
            if outer is None:
                hold(self._gate, self._busy.__setitem__, me, patience)
            else:
                # A fork in progress waits for this thread, which must not wait for the fork.
                self._busy[me] = patience
            return work()
        finally:
            if outer is None:
                self._busy.pop(me, None)
            elif me in self._busy:  # not in a child that `work` has forked
                self._busy[me] = outer

    def import_module(self, name: str) -> Any:
        """Import a module; every fork waits for it, or the child would have half of it for ever."""
        # `sys.modules` also has modules that another thread is still importing.
        if name not in self._imported:
            self._imported[name] = self.during(lambda: importlib.import_module(name))
        return self._imported[name]

    def mark_ending(self) -> None:
        """Register this thread as ending: forks wait until it is gone from the system.

        `Thread.join` returns a little earlier (until Python 3.13). OpenSSL frees a thread's data
        after that, under a lock of its own: of 750 children forked in such a moment, 8 hung when
        they created their first TLS context.
        """
        me = threading.get_native_id()
        # On gevent this is the main thread, which goes on.
        if me != os.getpid():
            # Not only at forks: a process may never fork, and refresh very often.
            self._drop_gone()
            self._ending.add(me)

    def _drop_gone(self) -> None:
        for thread in self._ending.copy():
            if not _exists(thread):
                self._ending.discard(thread)

    def _wait(self) -> None:
        """Wait until no other thread is busy or ending, or all of them have been idle for long."""
        started = last_run = time.monotonic()
        me = threading.get_native_id()
        while True:
            self._drop_gone()
            # On gevent all greenlets are this thread, and they wait for no lock.
            others = {**dict.fromkeys(self._ending.copy(), _PATIENCE), **self._busy.copy()}
            others.pop(me, None)
            if not others:
                return
            now = time.monotonic()
            if any(_is_running(each) for each in others):
                last_run = now
            if now - last_run >= _IDLE_PATIENCE or now - started >= max(others.values()):
                return
            time.sleep(_POLL_SECONDS)

    # -- the hooks -----------------------------------------------------------------------------

    def set_hooks(self, *, before: Hook, in_parent: Hook, in_child: Hook) -> None:
        """Set the hooks.

        Args:
            before: called in the parent, and then the fork waits for threads.
            in_parent: called in the parent once threads may start again.
            in_child: called in the child once the parent's threads are forgotten.
        """
        self._hooks = (before, in_parent, in_child)
        self.register_again()

    def register_again(self) -> None:
        """Register the hooks once more, so that they run before hooks that were registered since.

        Of the hooks before a fork, Python calls the one registered last first. logging holds its
        lock from its hook before the fork to its hook after it. A thread that a fork waits for may
        need that lock: an import that gets a logger could not end. And filelock 4 lets no second
        thread fork between its two hooks (on Python 3.12 and later `os.fork` raises RuntimeError).
        """
        self._registered += 1
        hooks = [
            functools.partial(hook, self._registered)
            for hook in (self._before, self._in_parent, self._in_child)
        ]
        if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
            os.register_at_fork(before=hooks[0], after_in_parent=hooks[1], after_in_child=hooks[2])

    def _before(self, registered: int) -> None:
        # Python cannot unregister a hook: only the last registration counts.
        if registered == self._registered:
            self._hooks[0]()
            self._gate.acquire(timeout=_PATIENCE)
            self._wait()

    def _in_parent(self, registered: int) -> None:
        if registered == self._registered:
            # This thread does not hold it if another fork took longer than the patience.
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
    """Whether a thread runs, or waits for a CPU or a disk; False if the system does not say."""
    try:
        with open(f"{_TASKS}/{thread}/stat", "rb") as file:  # noqa: PTH123 - as above
            return file.read().rpartition(b") ")[2][:1] in _RUNNING
    except OSError:
        return False


def _nothing() -> None:
    """Do nothing: there is no provider yet."""


FORKS = Forks()
