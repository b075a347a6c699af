"""Our errors once more, as botocore's families: what code around a boto3 call catches today.

    BotocoreConfigError       ConfigError, InvalidConfigError
    BotocoreTokenError        TokenError
    BotocoreRefreshTimeout    RefreshTimeout
    BotocoreExchangeError     ExchangeError: an answer that is none of STS's
    ├── RefusedError          ClientError: STS answered with an error
    └── UnreachableError      EndpointConnectionError: no answer came

All of them are `CredentialRetrievalError` as well. A traceback and a pickle name them by
`irsa_creds.botocore`, which has them from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    InvalidConfigError,
)

from irsa_creds._errors import (
    ConfigError,
    ExchangeError,
    IrsaError,
    RefreshTimeout,
    TokenError,
)

if TYPE_CHECKING:
    from irsa_creds._errors import Failure

__all__ = ["dual"]

_LEAST_ERROR = 300
_MODULE = "irsa_creds.botocore"


class _BotocoreError(IrsaError, CredentialRetrievalError):
    """What botocore's handlers read from its own errors."""

    def __init__(self, message: str = "", *, failure: Failure | None = None) -> None:
        super().__init__(message, failure=failure)
        self.kwargs: dict[str, Any] = {"provider": "irsa-creds", "error_msg": message}


class BotocoreConfigError(ConfigError, _BotocoreError, InvalidConfigError):
    """IRSA is set up wrong."""

    __module__ = _MODULE


class BotocoreTokenError(TokenError, _BotocoreError):
    """The web identity token could not be had, or is not one."""

    __module__ = _MODULE


class BotocoreRefreshTimeout(RefreshTimeout, _BotocoreError):  # noqa: N818 - as its base
    """No credentials came before the deadline."""

    __module__ = _MODULE


class BotocoreExchangeError(ExchangeError, _BotocoreError):
    """STS's answer was no use."""

    __module__ = _MODULE


class UnreachableError(BotocoreExchangeError, EndpointConnectionError):
    """STS could not be reached."""

    __module__ = _MODULE

    def __init__(self, message: str = "", *, failure: Failure | None = None) -> None:
        super().__init__(message, failure=failure)
        self.kwargs["endpoint_url"] = failure.endpoint if failure else None


class RefusedError(BotocoreExchangeError, ClientError):
    """STS answered with an error.

    Attributes:
        response: as a botocore client has it: `Error` and `ResponseMetadata`.
        operation_name: "AssumeRoleWithWebIdentity", or "AssumeRole" for a role further down a
            chain.

    `str` begins with the sentence of a botocore client's own error: alerts on logs match it.
    """

    __module__ = _MODULE

    def __init__(self, message: str = "", *, failure: Failure | None = None) -> None:
        super().__init__(message, failure=failure)
        self.operation_name = failure.operation if failure else ""
        self.response: dict[str, Any] = {
            "Error": {"Code": self.code, "Message": _words(failure) if failure else message},
            "ResponseMetadata": {
                "RequestId": self.request_id or "",
                "HTTPStatusCode": failure.status if failure else None,
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        }


def dual(error: IrsaError) -> IrsaError:
    """Return `error` as the subclass of it that botocore's callers know as well."""
    family, failure = _family(error), error.failure
    if family is RefusedError and failure is not None:
        return family(_as_client_says(failure), failure=failure)
    return family(str(error), failure=failure)


def _as_client_says(failure: Failure) -> str:
    """Return botocore's sentence, and then what to do."""
    words = _words(failure).rstrip(".")
    start = f"An error occurred ({failure.code}) when calling the {failure.operation} operation"
    return failure._replace(message=f"{start}: {words}.").text()


def _words(failure: Failure) -> str:
    """Return what STS said; where it said nothing, what we say of it."""
    return failure.words or failure.message


def _family(error: IrsaError) -> type[IrsaError]:
    failure = error.failure
    match error:
        case ConfigError():
            return BotocoreConfigError
        case TokenError():
            return BotocoreTokenError
        case ExchangeError() if failure and failure.unreachable:
            return UnreachableError
        case ExchangeError() if failure and failure.status and failure.status >= _LEAST_ERROR:
            return RefusedError
        case ExchangeError():
            return BotocoreExchangeError
    return BotocoreRefreshTimeout
