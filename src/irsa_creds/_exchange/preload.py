"""The one place that imports what an STS call needs: before a refresh, or after it.

`sts`, `assume_role` and the modules below them import botocore, and no other module of a provider
imports them. So a refresh imports nothing, and a process with valid credentials in the shared cache
imports no botocore.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING

from irsa_creds._engine.forks import FORKS

if TYPE_CHECKING:
    from irsa_creds._exchange.sts import StsClient
    from irsa_creds._identity.config import Config

__all__ = ["sts_client"]


def sts_client(config: Config) -> StsClient:
    """Return the client of an identity; import what its calls need, and let forks wait for that."""
    client = FORKS.during(functools.partial(_new, config))
    _register_again()
    return client


def _new(config: Config) -> StsClient:
    # `getaddrinfo` imports this codec.
    "x".encode("idna")
    if not (config.endpoint_url or "").startswith("http:"):
        _find_certificates()
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
