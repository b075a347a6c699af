"""State and pending log lines of the current thread.

A signal handler, a finalizer or a log handler may read credentials at any time, also while its
thread is in the middle of another read.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import deque

__all__ = ["HERE", "Line", "log", "log_all", "logging_is_held_here"]

_log = logging.getLogger("irsa_creds")
#: Level, text and values of one line of the log.
Line = tuple[int, str, *tuple[object, ...]]


class _Here(threading.local):
    """The state of one thread.

    Attributes:
        slow_path: held while the thread decides about a refresh, starts one or runs one. It is a
            lock because `hold` releases it after any exception of a signal handler.
        section: the lock of the engine that the thread changed last.
        lines: collects log lines of the refresh on this thread; None: no refresh runs.
    """

    def __init__(self) -> None:
        self.slow_path = threading.RLock()
        self.section = self.slow_path
        self.lines: deque[Line] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a read on this thread is inside another one, or inside a change of an engine."""
        return _is_owned(self.slow_path) or _is_owned(self.section)

    @property
    def is_in_section(self) -> bool:
        """Whether this thread is in the middle of a change of an engine."""
        return self.section is not self.slow_path and _is_owned(self.section)


HERE = _Here()


def log(level: int, text: str, *values: object) -> None:
    """Log a line; inside a refresh, only after its callers are released.

    A log handler may wait for the credentials that this refresh gets.
    """
    if HERE.lines is None or not HERE.is_busy:
        _log.log(level, text, *values)
    else:
        HERE.lines.append((level, text, *values))


def log_all(lines: deque[Line]) -> None:
    """Log these lines; hold no lock, since a log handler may read credentials."""
    # Two threads may do this at once: each line is logged by one of them.
    with contextlib.suppress(IndexError):
        while True:
            level, text, *values = lines.popleft()
            # The text of a failure is made only here: a refresh that succeeds needs none.
            _log.log(level, text, *(each() if callable(each) else each for each in values))


def logging_is_held_here() -> bool:
    """Whether this thread is in a log handler, or configures `logging`.

    Another thread that logs waits for this one then. So a refresh on another thread could not end
    if its token callable logs. logging's lock and its list of handlers have no public names.
    """
    handlers = [each() for each in getattr(logging, "_handlerList", [])]
    locks = [getattr(logging, "_lock", None), *(getattr(each, "lock", None) for each in handlers)]
    return any(lock is not None and _is_owned(lock) for lock in locks)


def _is_owned(lock: object) -> bool:
    # `Condition` relies on this method of every RLock, gevent's included.
    owned = getattr(lock, "_is_owned", None)
    return owned is not None and bool(owned())
