"""Imports that happen before a refresh or after it, because a refresh imports nothing."""

from __future__ import annotations

import contextlib
import functools
import importlib

from irsa_creds._engine.forks import FORKS

__all__ = ["load_certificates", "load_exchange_modules", "load_signer"]

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
    """Import what signs the request for a target role."""
    FORKS.during(lambda: importlib.import_module("botocore.auth"))
