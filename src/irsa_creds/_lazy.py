"""All that a flight would import late, imported early and under one lock."""

from __future__ import annotations

import contextlib
import importlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CONNECTING", "IMPORT_LOCK", "load_certificates", "load_exchange_modules"]

# Whoever forks takes this lock first: a child born in the middle of an import inherits a module
# that nobody will ever finish ("LookupError: unknown encoding: idna").
IMPORT_LOCK = threading.RLock()

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


class _Connecting:
    """The exchanges that are opening a connection, which is when OpenSSL holds locks of its own.

    A child that is forked in such a moment can never connect, so who forks waits for the end of
    it. Only an exchange waits on a network meanwhile: that is why this is not a lock.
    """

    def __init__(self) -> None:
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Forget the parent's: in a child none of their threads exists."""
        self._count = 0
        self._changed = threading.Condition(IMPORT_LOCK)

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        """Count one until the end of the block."""
        with self._changed:
            self._count += 1
        try:
            yield
        finally:
            with self._changed:
                self._count -= 1
                self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Wait until there is none, but not longer; call it with `IMPORT_LOCK` held."""
        self._changed.wait_for(lambda: not self._count, seconds)


CONNECTING = _Connecting()


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


def load_certificates() -> None:
    """Import what finds the authorities that TLS trusts; call it with `IMPORT_LOCK` held."""
    # It registers an exit handler, too; botocore does without certifi where there is none.
    with contextlib.suppress(ImportError):
        importlib.import_module("certifi").where()
