"""All that a flight would import late, imported early and under one lock."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "CONNECTING",
    "EXITS",
    "IMPORT_LOCK",
    "load_certificates",
    "load_exchange_modules",
    "load_late",
    "quiesce",
]


# Nobody waits without an end; imports take a fraction of it.
_IMPORT_PATIENCE = 5.0
_BRIEFLY = 0.05
_INSTANT = 0.0005


class _ImportLock:
    """Held while a flight imports, so that who forks can wait for the end of it.

    A child born in the middle of an import inherits a module that nobody will ever finish
    ("LookupError: unknown encoding: idna").
    """

    def __init__(self) -> None:
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Be free: in a child the thread that held it may not exist."""
        self._lock = threading.RLock()

    def acquire(self, timeout: float = -1) -> bool:
        """Take it; False where that took longer than `timeout` seconds."""
        return self._lock.acquire(timeout=timeout)

    def release(self) -> None:
        """Let it go."""
        self._lock.release()

    def __enter__(self) -> None:
        if not self.acquire(timeout=_IMPORT_PATIENCE):
            # Whoever imports may wait for a lock that this very thread holds, like logging's.
            raise TimeoutError(f"another thread has been importing for {_IMPORT_PATIENCE:g} s")

    def __exit__(self, *_: object) -> None:
        # Who forked inside the block leaves it in the child as well, where the lock is another.
        with contextlib.suppress(RuntimeError):
            self._lock.release()


IMPORT_LOCK = _ImportLock()

_MODULES = (
    "botocore.awsrequest",
    "botocore.exceptions",
    "botocore.httpsession",
    "botocore.loaders",
    "email.utils",
    "ssl",
    "urllib.request",
    "urllib3.exceptions",
    "xml.etree.ElementTree",
)


class _Count:
    """How many there are, and who waits for a change of it."""

    def __init__(self) -> None:
        self.number = 0
        # Its lock is an RLock: a signal's handler may fork while its own thread is counting.
        self.changed = threading.Condition()


class _Connecting:
    """The exchanges that are opening a connection, which is when OpenSSL holds locks of its own.

    A child that is forked in such a moment can never connect, so who forks waits for the end of
    it. Only an exchange waits on a network meanwhile: that is why this is not a lock.
    """

    def __init__(self) -> None:
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Forget the parent's: in a child none of their threads exists."""
        self._count = _Count()

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        """Count one until the end of the block; none begins while a fork is under way."""
        with IMPORT_LOCK:
            # Who forks inside the block ends it in the child as well, where no other count is his.
            count = self._count
            with count.changed:
                count.number += 1
        try:
            yield
        finally:
            with count.changed:
                count.number -= 1
                count.changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait until there is none, but not longer; return whether there is none."""
        count = self._count
        with count.changed:
            return count.changed.wait_for(lambda: not count.number, max(0.0, seconds))


CONNECTING = _Connecting()


class _Exits:
    """Threads that are at their end, and that the system may still be taking apart.

    `Thread.join` returns a little before that (until Python 3.13). What OpenSSL keeps for a thread
    is cleared away then, under a lock of its own: a child that is forked in such a moment hangs
    when it makes its first TLS context (of 750 children, 8 did).
    """

    def __init__(self) -> None:
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Forget the parent's: in a child they do not exist."""
        self._ids: set[int] = set()

    def note(self) -> None:
        """Take note that this very thread is at its end."""
        self._forget_gone()
        self._ids.add(threading.get_native_id())

    def wait(self, seconds: float) -> bool:
        """Wait until all are gone, but not longer; return whether they are."""
        deadline = time.monotonic() + seconds
        while self._forget_gone():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_INSTANT)
        return True

    def _forget_gone(self) -> bool:
        """Forget those that are gone, and return whether any is left; where nothing tells, none."""
        for each in list(self._ids):
            if not os.path.exists(f"/proc/self/task/{each}"):  # noqa: PTH110 - no import before a fork
                self._ids.discard(each)
        return bool(self._ids)


EXITS = _Exits()


def quiesce(*, imports: float, connections: float) -> bool:
    """Take `IMPORT_LOCK` in a moment when nobody opens a connection.

    Args:
        imports: the longest wait for imports, in seconds. One under way may wait for a module that
            this very thread is importing, so without an end both would wait for ever.
        connections: the same for connections; an STS that is silent must not hold up every fork.

    Returns:
        whether it was taken; who forks does so either way.
    """
    deadline = time.monotonic() + connections
    while IMPORT_LOCK.acquire(timeout=imports):
        if CONNECTING.wait(0) or time.monotonic() >= deadline:
            return True
        # Not with the lock held: an exchange may need it to come to an end.
        IMPORT_LOCK.release()
        CONNECTING.wait(deadline - time.monotonic())
    return False


def load_exchange_modules() -> None:
    """Import what a flight needs; the second call costs microseconds."""
    with IMPORT_LOCK:
        for name in _MODULES:
            importlib.import_module(name)
        # Private to botocore: `_endpoint` does without it where it is gone.
        with contextlib.suppress(ImportError):
            importlib.import_module("botocore.endpoint_provider")
        # Looking up a host's address imports this codec, deep inside `getaddrinfo`.
        "x".encode("idna")


def load_late(module: str) -> None:
    """Import one of our own modules that only some programs need."""
    if module in sys.modules:
        return
    # With or without the lock, which is there for forks: whoever asks for a status waits for
    # nobody's imports.
    held = IMPORT_LOCK.acquire(timeout=_BRIEFLY)
    try:
        importlib.import_module(module)
    finally:
        if held:
            # Not ours any more in a child that was forked in the middle of it.
            with contextlib.suppress(RuntimeError):
                IMPORT_LOCK.release()


def load_certificates() -> None:
    """Import what finds the authorities that TLS trusts; call it with `IMPORT_LOCK` held."""
    # It registers an exit handler, too; botocore does without certifi where there is none.
    with contextlib.suppress(ImportError):
        importlib.import_module("certifi").where()
