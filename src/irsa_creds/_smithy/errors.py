"""The errors of irsa-creds as subclasses of the SDK's: a chain and `except` clauses catch them."""

from __future__ import annotations

from irsa_creds._errors import (
    ConfigError,
    ExchangeError,
    IrsaError,
    RefreshTimeout,
    TokenError,
)
from irsa_creds._smithy.interface import SmithyIdentityError

__all__ = ["to_smithy"]


class SmithyConfigError(ConfigError, SmithyIdentityError):
    """IRSA is not configured correctly."""


class SmithyTokenError(TokenError, SmithyIdentityError):
    """The web identity token cannot be read or is not valid."""


class SmithyExchangeError(ExchangeError, SmithyIdentityError):
    """STS denied the call, failed, or could not be reached."""


class SmithyRefreshTimeout(RefreshTimeout, SmithyIdentityError):  # noqa: N818 - as its base
    """There were no credentials before the deadline."""


_FAMILIES: dict[type[IrsaError], type[IrsaError]] = {
    ConfigError: SmithyConfigError,
    TokenError: SmithyTokenError,
    ExchangeError: SmithyExchangeError,
    RefreshTimeout: SmithyRefreshTimeout,
}


def to_smithy(error: IrsaError) -> IrsaError:
    """Return `error` as the subclass that is also an exception of the SDK."""
    return _FAMILIES[type(error)](str(error), failure=error.failure)
