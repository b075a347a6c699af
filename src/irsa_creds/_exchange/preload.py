"""Imports that happen before a refresh or after it, because a refresh imports nothing."""

from __future__ import annotations

import contextlib
import functools
import importlib
import sys
from typing import TYPE_CHECKING

from irsa_creds._engine.forks import FORKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds._errors import Failure
    from irsa_creds._exchange.request import ExchangeFacts

__all__ = ["load_advice", "load_certificates", "load_exchange_modules", "load_signer"]

_ADVICE = "irsa_creds._exchange.advice"
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


@functools.cache
def load_exchange_modules() -> None:
    """Import what an STS call needs."""
    FORKS.during(_load)
    FORKS.register_again()


def _load() -> None:
    for name in _MODULES:
        importlib.import_module(name)
    # Private to botocore: `endpoint` works without it.
    with contextlib.suppress(ImportError):
        importlib.import_module("botocore.endpoint_provider")
    # `getaddrinfo` imports this codec.
    "x".encode("idna")


@functools.cache
def load_certificates() -> None:
    """Import what finds the CA bundle and registers an exit handler; botocore works without it."""
    with contextlib.suppress(ImportError):
        FORKS.during(lambda: importlib.import_module("certifi").where())


@functools.cache
def load_signer() -> None:
    """Import what a target role's refresh needs: the signer, and the advice of its source role."""
    FORKS.during(lambda: [importlib.import_module(name) for name in ("botocore.auth", _ADVICE)])


def load_advice() -> Callable[[Failure, ExchangeFacts], Failure] | None:
    """Return the function that adds advice to a failure; None if no import is possible now.

    The caller that raises the first failure imports it. It may have a lock that a fork in progress
    waits for, be a signal handler that interrupted this very import, or run at the interpreter's
    end.
    """
    if _ADVICE not in sys.modules:
        with contextlib.suppress(ImportError):
            FORKS.try_during(lambda: importlib.import_module(_ADVICE))
    return getattr(sys.modules.get(_ADVICE), "add_advice", None)
