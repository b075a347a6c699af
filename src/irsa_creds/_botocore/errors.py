"""The errors of irsa-creds as subclasses of botocore's: existing `except` clauses catch them.

    BotocoreConfigError       ConfigError, InvalidConfigError
    BotocoreTokenError        TokenError
    BotocoreRefreshTimeout    RefreshTimeout
    BotocoreExchangeError     ExchangeError: the response was not one of STS
    ├── DeniedError           ClientError: STS returned an error
    └── UnreachableError      EndpointConnectionError: no response

All are `CredentialRetrievalError` as well. Tracebacks and pickles use their public module,
`irsa_creds.botocore`.
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

__all__ = ["to_botocore"]

_FIRST_ERROR_STATUS = 300
_MODULE = "irsa_creds.botocore"


class _BotocoreError(IrsaError, CredentialRetrievalError):
    """Attributes of botocore's own errors."""

    def __init__(self, message: str = "", *, failure: Failure | None = None) -> None:
        super().__init__(message, failure=failure)
        self.kwargs: dict[str, Any] = {"provider": "irsa-creds", "error_msg": message}


class BotocoreConfigError(ConfigError, _BotocoreError, InvalidConfigError):
    """IRSA is not configured correctly."""

    __module__ = _MODULE


class BotocoreTokenError(TokenError, _BotocoreError):
    """The web identity token cannot be read or is not valid."""

    __module__ = _MODULE


class BotocoreRefreshTimeout(RefreshTimeout, _BotocoreError):  # noqa: N818 - as its base
    """There were no credentials before the deadline."""

    __module__ = _MODULE


class BotocoreExchangeError(ExchangeError, _BotocoreError):
    """The response was not one of STS."""

    __module__ = _MODULE


class UnreachableError(BotocoreExchangeError, EndpointConnectionError):
    """STS could not be reached."""

    __module__ = _MODULE

    def __init__(self, message: str = "", *, failure: Failure | None = None) -> None:
        super().__init__(message, failure=failure)
        self.kwargs["endpoint_url"] = failure.endpoint if failure else None


class DeniedError(BotocoreExchangeError, ClientError):
    """STS returned an error.

    Attributes:
        response: as in a `ClientError`: `Error` and `ResponseMetadata`.
        operation_name: the API call, such as "AssumeRoleWithWebIdentity".

    `str` begins with the sentence of botocore's `ClientError`: log alerts match it.
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


def to_botocore(error: IrsaError) -> IrsaError:
    """Return `error` as the subclass that is also an exception of botocore."""
    family, failure = _family(error), error.failure
    if family is DeniedError and failure is not None:
        return family(_client_error_text(failure), failure=failure)
    return family(str(error), failure=failure)


def _client_error_text(failure: Failure) -> str:
    """Return the text of the failure, with botocore's sentence as its first."""
    words = _words(failure).rstrip(".")
    start = f"An error occurred ({failure.code}) when calling the {failure.operation} operation"
    return failure._replace(message=f"{start}: {words}.").text()


def _words(failure: Failure) -> str:
    """Return STS's message, or the failure's if STS sent none."""
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
        case ExchangeError() if (
            failure and failure.status and failure.status >= _FIRST_ERROR_STATUS
        ):
            return DeniedError
        case ExchangeError():
            return BotocoreExchangeError
    return BotocoreRefreshTimeout
