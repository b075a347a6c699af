"""Muting of what botocore and urllib3 log while a thread calls STS.

Their lines quote the request and the response, and a server may echo the token. And a log
handler that reads credentials may hold its lock until the refresh ends, so the refresh must not
wait for that handler.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["muted"]

# The loggers of all modules that a call uses (botocore 1.40.61 to 1.44.8, urllib3 1.26 to 2.8), and
# that of captured warnings. Each needs a filter: a parent's filter does not see the records of its
# children.
_LOGGERS = (
    "botocore.args",
    "botocore.auth",
    "botocore.awsrequest",
    "botocore.client",
    "botocore.compat",
    "botocore.configprovider",
    "botocore.credentials",
    "botocore.endpoint",
    "botocore.endpoint_provider",
    "botocore.handlers",
    "botocore.hooks",
    "botocore.httpsession",
    "botocore.loaders",
    "botocore.parsers",
    "botocore.regions",
    "botocore.retryhandler",
    "botocore.session",
    "botocore.useragent",
    "botocore.utils",
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.poolmanager",
    "urllib3.response",
    "urllib3.util.retry",
    "py.warnings",
)


_THREAD = threading.local()


def _is_not_muted(_: logging.LogRecord) -> bool:
    return not getattr(_THREAD, "muted", False)


# When this module loads, not when a refresh runs: `getLogger` waits for logging's lock, which
# another thread may hold while it waits for the refresh.
for _name in _LOGGERS:
    logging.getLogger(_name).addFilter(_is_not_muted)


@contextlib.contextmanager
def muted() -> Iterator[None]:
    """Keep botocore's and urllib3's log lines of this thread out of every log."""
    # A signal handler or a finalizer may call STS during such a call.
    outer = getattr(_THREAD, "muted", False)
    _THREAD.muted = True
    try:
        yield
    finally:
        _THREAD.muted = outer
