"""What urllib3 and botocore say of a broken answer quotes it, and a server may echo the token."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["logging_is_held_here", "muffled"]

# Who logs while a request is sent (urllib3 1.26 and 2.8, botocore 1.44.8). A filter of a parent is
# not asked about the records of its children.
_LOGGERS = (
    "botocore.httpsession",
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.response",
)


def logging_is_held_here() -> bool:
    """Whether this thread is in the middle of configuring `logging`, which others then wait for.

    The lock has no public name; its RLock has had this method in every CPython.
    """
    owned = getattr(getattr(logging, "_lock", None), "_is_owned", None)
    return owned is not None and bool(owned())


class _Muffle(logging.Filter):
    """Drops the warnings and tracebacks of a thread that is in an exchange, and no other's."""

    def __init__(self) -> None:
        super().__init__()
        self.here = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        telling = record.levelno >= logging.WARNING or record.exc_info is not None
        return not (telling and getattr(self.here, "sending", False))


_MUFFLE = _Muffle()


@contextlib.contextmanager
def muffled() -> Iterator[None]:
    """Keep what an answer holds out of the log while this thread reads it."""
    for name in _LOGGERS:
        # Adding it again changes nothing.
        logging.getLogger(name).addFilter(_MUFFLE)
    # A token callable, a handler or a finalizer may have an exchange in the middle of this one.
    before = getattr(_MUFFLE.here, "sending", False)
    _MUFFLE.here.sending = True
    try:
        yield
    finally:
        _MUFFLE.here.sending = before
