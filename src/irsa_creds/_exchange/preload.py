"""The one place that imports the modules that a call needs: before a refresh, or after it.

`sts`, `assume_role`, `http` and the modules below them import botocore, and no other module of a
provider imports them. So a refresh imports nothing, and a process with valid credentials in the
shared cache imports no botocore.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, TypeVar

from irsa_creds._engine.forks import FORKS

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from irsa_creds._exchange.sts import StsClient
    from irsa_creds._identity.config import Config

__all__ = ["http_module", "sts_client"]

_Result = TypeVar("_Result")


def sts_client(config: Config) -> StsClient:
    """Return the client of an identity."""
    return _preloaded(functools.partial(_new_client, config), config.endpoint_url)


def http_module(url: str) -> ModuleType:
    """Return the module `http`, for a source that sends its own requests to this URL."""
    return _preloaded(_import_http, url)


def _preloaded(load: Callable[[], _Result], url: str | None) -> _Result:
    """Return the result of `load`, which imports what calls of this URL need; forks wait for it."""

    def loaded() -> _Result:
        # `getaddrinfo` imports this codec.
        "x".encode("idna")
        if not (url or "").startswith("http:"):
            _find_certificates()
        return load()

    result = FORKS.during(loaded)
    _register_again()
    return result


def _import_http() -> ModuleType:
    from irsa_creds._exchange import http  # noqa: PLC0415 - see above

    return http


def _new_client(config: Config) -> StsClient:
    if config.chained_roles:
        from irsa_creds._exchange.assume_role import SignedStsClient  # noqa: PLC0415 - see above

        return SignedStsClient(config)
    from irsa_creds._exchange.sts import StsClient  # noqa: PLC0415 - see above

    return StsClient(config)


@functools.cache
def _find_certificates() -> None:
    """Import what finds the CA bundle and registers an exit handler; botocore works without it."""
    with contextlib.suppress(ImportError):
        import certifi  # noqa: PLC0415 - optional

        certifi.where()


@functools.cache
def _register_again() -> None:
    """Let the hooks of forks run before the ones that these imports have registered."""
    FORKS.register_again()
