"""All that a flight would import late, imported early and under one lock."""

from __future__ import annotations

import contextlib
import importlib
import threading

__all__ = ["IMPORT_LOCK", "load_exchange_modules"]

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


def load_exchange_modules() -> None:
    """Import what a flight needs; the second call costs microseconds."""
    with IMPORT_LOCK:
        for name in _MODULES:
            importlib.import_module(name)
        # Private to botocore: `_endpoint` does without it where it is gone.
        with contextlib.suppress(ImportError):
            importlib.import_module("botocore.endpoint_provider")
        # Finding its file imports more, and registers an exit handler; botocore needs no certifi.
        with contextlib.suppress(ImportError):
            importlib.import_module("certifi").where()
        # Looking up a host's address imports this codec, deep inside `getaddrinfo`.
        "x".encode("idna")
