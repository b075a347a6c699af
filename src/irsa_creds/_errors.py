"""What can go wrong, as types and as a record.

    IrsaError
    ├── ConfigError       IRSA is set up wrong: a variable, an ARN, a limit
    ├── TokenError        the web identity token cannot be had or read
    ├── ExchangeError     STS refused, failed or could not be reached
    └── RefreshTimeout    nobody answered before the deadline

A flight never keeps an exception: it keeps one `Failure`, from which every waiter makes a fresh
exception of its own. One exception instance raised in a thousand threads would grow one traceback.
"""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple

__all__ = ["ConfigError", "ExchangeError", "Failure", "IrsaError", "RefreshTimeout", "TokenError"]

_MESSAGE_LIMIT = 600
# A signed token, whole or torn, or an encrypted one, which has five segments.
JWT = r"eyJ[\w-]{6,}(?:\.[\w-]*){1,4}"
_SENSITIVE = rf"""(?x)
      (?P<userinfo>(?<=//)\S*@)                  # http://user:pa/ss@word@proxy: to the last one
    | {JWT}
    | [A-Za-z0-9+/=_%-]{{40,}}                   # secret keys and session tokens
    """


def mask(text: str, *secrets: str) -> str:
    """Return `text` on one line, bounded, without `secrets` and all that looks like one."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    text = re.sub(_SENSITIVE, lambda m: "***@" if m["userinfo"] else "***", text)
    text = " ".join(text.split())
    return text if len(text) <= _MESSAGE_LIMIT else text[: _MESSAGE_LIMIT - 3] + "..."


def said(error: BaseException) -> str:
    """Return an exception's own words without what looks like a secret."""
    try:
        words = str(error)
    except Exception:  # noqa: BLE001 - an exception that cannot even be printed
        words = ""
    return mask(words).rstrip(".") or "(no message)"


class Failure(NamedTuple):
    """Why a flight brought no credentials: secret-free, shared by all who waited for it."""

    kind: Literal["token", "exchange", "timeout"]
    code: str
    message: str
    advice: str = ""
    retryable: bool = True
    throttled: bool = False
    # The token is to blame: a change of its content ends the back-off.
    bad_token: bool = False
    # No HTTP answer came: refused, reset, timed out, TLS, DNS.
    unreachable: bool = False
    # At most this many attempts in one blocking flight (section 7's exceptions); 0: the usual.
    attempts: int = 0
    status: int | None = None
    request_id: str | None = None
    retry_after: float | None = None
    # Another process was told this: seconds until one of all of them asks again.
    again_in: float | None = None
    endpoint: str | None = None
    role_arn: str | None = None
    # What STS was asked to do.
    operation: str = "AssumeRoleWithWebIdentity"
    # STS's own words, masked; empty where it said none.
    words: str = ""

    def error(self) -> IrsaError:
        """Return a fresh exception that tells of this failure."""
        return _TYPES[self.kind](self.text(), failure=self)

    def text(self) -> str:
        """Return what happened and what to do, as the exception says it."""
        parts = [self.message, self.advice]
        if self.request_id:
            parts.append(f"(STS request id {self.request_id})")
        return " ".join(part for part in parts if part)


class IrsaError(Exception):
    """The root of all that this library raises.

    Attributes:
        failure: the record behind it, where there is one.
    """

    def __init__(self, message: str = "", *, failure: Failure | None = None) -> None:
        # Not the cooperative __init__: botocore's errors, the other base of an adapter's
        # subclasses, format a template there and break on two bases.
        Exception.__init__(self, message)
        self.failure = failure

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), str(self), self.failure)


class ConfigError(IrsaError):
    """IRSA is set up wrong; trying again cannot help until somebody changes it."""


class TokenError(IrsaError):
    """The web identity token could not be had, or is not one."""


class ExchangeError(IrsaError):
    """STS refused the token, failed, or could not be reached.

    Attributes:
        code: STS's error code, or the class name of the network failure.
        request_id: STS's request id, for AWS Support; None where it gave none.
        retryable: whether the same request may succeed later.
    """

    @property
    def code(self) -> str:
        return self.failure.code if self.failure else "Unknown"

    @property
    def request_id(self) -> str | None:
        return self.failure.request_id if self.failure else None

    @property
    def retryable(self) -> bool:
        return self.failure.retryable if self.failure else True


class RefreshTimeout(IrsaError):  # noqa: N818 - the name says what happened, as TimeoutError does
    """No credentials came before the deadline; the refresh itself may still go on."""


def _rebuild(cls: type[IrsaError], message: str, failure: Failure | None) -> IrsaError:
    """Unpickle an error: both of its arguments are secret-free."""
    return cls(message, failure=failure)


_TYPES: dict[str, type[IrsaError]] = {
    "token": TokenError,
    "exchange": ExchangeError,
    "timeout": RefreshTimeout,
}
