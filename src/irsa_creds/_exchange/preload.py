"""The one place that imports the modules that a call needs: before a refresh, or after it.

`sts`, `assume_role` and the modules below them import botocore, and no other module of a provider
imports them. So a refresh imports nothing, and a process with valid credentials in the shared cache
imports no botocore.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, TypeVar

from irsa_creds._engine.forks import FORKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds._exchange.sts import StsClient
    from irsa_creds._identity.config import Config

__all__ = ["preload", "sts_client"]

_Client = TypeVar("_Client")


def preload(make_client: Callable[[], _Client], *, tls: bool) -> _Client:
    """Return a client; import the modules that its calls need, and let forks wait for that.

    Args:
        make_client: imports the modules of this source's calls.
        tls: whether the calls use HTTPS.
    """

    def make() -> _Client:
        # `getaddrinfo` imports this codec.
        "x".encode("idna")
        if tls:
            _find_certificates()
        return make_client()

    client = FORKS.during(make)
    _register_again()
    return client


def sts_client(config: Config) -> StsClient:
    """Return the client of an identity."""
    tls = not (config.endpoint_url or "").startswith("http:")
    return preload(functools.partial(_new, config), tls=tls)


def _new(config: Config) -> StsClient:
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
