"""What the current thread is in the middle of.

A signal handler, a finalizer or a log handler may read credentials anywhere, also in the middle of
a read of its own thread.
"""

from __future__ import annotations

import logging
import threading

__all__ = ["HERE", "Line", "log", "logging_is_held_here"]

_log = logging.getLogger("irsa_creds")
#: Level, text and values of one line of the log.
Line = tuple[int, str, *tuple[object, ...]]


class _Here(threading.local):
    """One thread's own.

    Attributes:
        slow_path: held while the thread decides about a refresh, starts one or runs one. A lock,
            since `hold` takes it and gives it back whatever a signal handler raises.
        section: the lock of the engine that the thread changed last.
        lines: what the refresh that the thread runs is to log; None: it runs none.
    """

    def __init__(self) -> None:
        self.slow_path = threading.RLock()
        self.section = self.slow_path
        self.lines: list[Line] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a read here is inside another one, or inside a change of an engine."""
        return _is_owned(self.slow_path) or _is_owned(self.section)

    @property
    def is_in_section(self) -> bool:
        """Whether it is in the middle of a change of an engine."""
        return self.section is not self.slow_path and _is_owned(self.section)


HERE = _Here()


def log(level: int, text: str, *values: object) -> None:
    """Log a line: in a refresh, once its callers are released.

    A log handler may wait for the very credentials that the refresh is to bring.
    """
    if HERE.lines is None or not HERE.is_busy:
        _log.log(level, text, *values)
    else:
        HERE.lines.append((level, text, *values))


def logging_is_held_here() -> bool:
    """Whether this thread is in a log handler, or configures `logging`.

    Another thread that logs then waits for this one, so a refresh whose token callable logs could
    not come to its end there. logging's lock and its list of handlers have no public names.
    """
    handlers = [each() for each in getattr(logging, "_handlerList", [])]
    locks = [getattr(logging, "_lock", None), *(getattr(each, "lock", None) for each in handlers)]
    return any(lock is not None and _is_owned(lock) for lock in locks)


def _is_owned(lock: object) -> bool:
    # `Condition` relies on this method of every RLock, gevent's included.
    owned = getattr(lock, "_is_owned", None)
    return owned is not None and bool(owned())
