"""The exceptions of this library, and `Failure`, which holds their facts.

    IrsaError
    ├── ConfigError       IRSA is misconfigured: a variable, an ARN, a limit
    ├── TokenError        the web identity token cannot be read or is not valid
    ├── ExchangeError     STS denied the call, failed, or could not be reached
    └── RefreshTimeout    no credentials before the deadline, or waiting cannot help

A refresh keeps one `Failure` and no exception: each caller gets a fresh exception, because one
instance raised in a thousand threads would grow one traceback.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from irsa_creds._masking import LOG_LINE_LIMIT, one_line
from irsa_creds._record import Record

__all__ = [
    "EXPIRED_TOKEN",
    "ConfigError",
    "ExchangeError",
    "Failure",
    "IrsaError",
    "RefreshTimeout",
    "TokenError",
]

#: The codes with which STS and other services call a session token expired.
EXPIRED_TOKEN = frozenset({"ExpiredToken", "ExpiredTokenException"})

# The module that tracebacks and pickles name.
_PUBLIC = "irsa_creds"
_HEAD_LIMIT = 120
_LEAST_CAUSE = 20


class Failure(Record):
    """Why a refresh failed: without secrets, shared by all callers that waited for it.

    `advice`, `command`, `role_arn`, `endpoint`, `request_id` and the claims are as in
    `ExchangeError`, but `exp` is in seconds since the epoch.

    Attributes:
        kind: the class of the exception: "token", "exchange" or "timeout".
        code: STS's error code. If there is none, the class name of the network failure, or a name
            of this library.
        message: the first line of the exception's text.
        advice: the most likely cause, and what to do.
        retryable: whether the same request may succeed later.
        throttled: whether STS limits the number of calls.
        bad_token: whether the token is the cause: a change of its content ends the back-off.
        unreachable: whether there was no HTTP response: DNS, TLS, connection refused, reset or
            timed out.
        attempts: the most attempts in one refresh that callers wait for; 0: the usual number.
        status: the HTTP status; None without a response.
        request_id: STS's request id.
        retry_after: the pause in seconds that STS requested.
        again_in: the seconds until the next attempt, for a cached failure: `Backoff` and an entry
            of the shared cache set this and `told_at`, for the note in the text.
        endpoint: STS's URL.
        role_arn: the requested role.
        operation: the API call; `AssumeRole` for a target role.
        iss: the token's issuer.
        sub: the token's subject.
        aud: the token's audience.
        exp: when the token expires, in seconds since the epoch.
        command: the next command to run.
        words: STS's own message, masked; empty if the response has none.
        told_at: when a cached failure happened, in seconds since the epoch; None for a new one.
        service: what was called, as messages name it.
    """

    __slots__ = ()

    kind: Literal["token", "exchange", "timeout"]
    code: str
    message: str
    advice: str = ""
    retryable: bool = True
    throttled: bool = False
    bad_token: bool = False
    unreachable: bool = False
    attempts: int = 0
    status: int | None = None
    request_id: str | None = None
    retry_after: float | None = None
    again_in: float | None = None
    endpoint: str | None = None
    role_arn: str | None = None
    operation: str = "AssumeRoleWithWebIdentity"
    iss: str | None = None
    sub: str | None = None
    aud: str | None = None
    exp: float | None = None
    command: str = ""
    words: str = ""
    told_at: float | None = None
    service: str = "STS"

    @property
    def is_cached(self) -> bool:
        """Whether it is the failure of an earlier refresh, given while the next one has to wait."""
        return self.again_in is not None

    def error(self) -> IrsaError:
        """Return a fresh exception for this failure."""
        return _TYPES[self.kind](self.text(), failure=self)

    def text(self) -> str:
        """Return the exception's text: a headline, a line for each known detail, and `doctor`."""
        request = f"request id {self.request_id}" if self.request_id else ""
        online = " --online" if self.kind != "token" else ""
        details = {
            "note": self._note(),
            "role": self.role_arn,
            self.service: ", ".join(part for part in (self.endpoint, request) if part),
            "token": self._token(),
            "advice": self.advice,
            "command": self.command,
            "more": f"irsa-creds doctor{online}",
        }
        lines = [f"  {label + ':':<8} {value}" for label, value in details.items() if value]
        return "\n".join([self.message, *lines])

    def _note(self) -> str:
        """Return that the failure is cached: after a fix, the next attempt may still be to come."""
        at = instant(self.told_at)
        if at is None or self.again_in is None:
            return ""
        skipped = (
            f"{self.service} was not called"
            if self.kind == "exchange"
            else "the token was not read"
        )
        token = ", or when the token changes" if self.bad_token else ""
        return (
            f"cached failure of {at}; {skipped} again. "
            f"Next attempt in {max(1.0, self.again_in):.0f} s{token}"
        )

    def line(self, state: str = "", label: str = "") -> str:
        """Return a line for the log: what failed, the likely cause, then identifiers.

        Args:
            state: what the failure means for callers, as a sentence.
            label: names the identity without fresh credentials, as in `role=arn:...`; empty: the
                failure's own role.
        """
        head = self.message
        # STS's own words, which the headline ends with, come last.
        if self.words:
            head = head.replace(f": {self.words.rstrip('.')}", "", 1)
        if self.code not in head:
            head = f"{self.code}: {head}"
        head = one_line(head, _HEAD_LIMIT)
        identifiers = [
            label or (f"role={self.role_arn}" if self.role_arn else ""),
            f"request_id={self.request_id}" if self.request_id else "",
        ]
        end = " ".join(part for part in (state, *identifiers) if part)
        cause, stop, _ = self.advice.partition(". ")
        room = max(LOG_LINE_LIMIT - len(head) - len(end) - 2, _LEAST_CAUSE)
        words = f"message={self.words!r}" if self.words else ""
        parts = (head, one_line(cause + stop.strip(), room), end, words)
        return one_line(" ".join(part for part in parts if part), LOG_LINE_LIMIT)

    def _token(self) -> str:
        """Return the known claims on one line."""
        claims = {"iss": self.iss, "sub": self.sub, "aud": self.aud, "exp": instant(self.exp)}
        return ", ".join(f"{name} {value}" for name, value in claims.items() if value)


def instant(seconds: float | None) -> str | None:
    """Return seconds since the epoch as a date in UTC; None if no calendar has that date."""
    if seconds is None:
        return None
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return None


class IrsaError(Exception):
    """The base class of all exceptions of this library.

    Attributes:
        failure: why the refresh failed, shared by all callers that waited for it; None for a
            `ConfigError`.
    """

    __module__ = _PUBLIC

    def __init__(self, message: str = "", *, failure: Failure | None = None) -> None:
        # Not `super()`: the other base of the subclasses in `_botocore` is an error of botocore,
        # which formats a template in its own __init__.
        Exception.__init__(self, message)
        self.failure = failure

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), str(self), self.failure)


class ConfigError(IrsaError):
    """IRSA is misconfigured; retrying does not help until the configuration changes."""

    __module__ = _PUBLIC


class TokenError(IrsaError):
    """The web identity token cannot be read or is not valid."""

    __module__ = _PUBLIC


def _fact(name: str) -> Any:
    """Return a property: a fact of the failure."""
    return property(lambda error: getattr(error.failure or _UNKNOWN, name))


class ExchangeError(IrsaError):
    """STS denied the call, failed, or could not be reached.

    The text has a headline with STS's message, and one line for each known attribute. Claims are
    unverified, on one line, and have at most 200 characters each.

    Attributes:
        code: STS's error code, or the class name of the network failure.
        retryable: whether the same request may succeed later.
        advice: the most likely cause, and what to do.
        command: the next command to run; empty if no single command helps.
        role_arn: the requested role.
        endpoint: STS's URL; None if it is not known.
        request_id: STS's request id, for AWS Support; None if the response has none.
        iss: the token's issuer. This and the next three are None if the token lacks the claim, is
            not a JWT, or was not sent (role chaining).
        sub: the token's subject.
        aud: the token's audience; several are separated by a comma and a space.
        exp: when the token expires (aware, UTC).
    """

    __module__ = _PUBLIC

    code: str = _fact("code")
    retryable: bool = _fact("retryable")
    advice: str = _fact("advice")
    command: str = _fact("command")
    role_arn: str | None = _fact("role_arn")
    endpoint: str | None = _fact("endpoint")
    request_id: str | None = _fact("request_id")
    iss: str | None = _fact("iss")
    sub: str | None = _fact("sub")
    aud: str | None = _fact("aud")

    @property
    def exp(self) -> datetime | None:
        exp = self.failure.exp if self.failure else None
        return None if exp is None else datetime.fromtimestamp(exp, UTC)


class RefreshTimeout(IrsaError):  # noqa: N818 - the name says what happened, as TimeoutError does
    """No credentials before the deadline; the refresh itself may continue.

    It is raised immediately if waiting cannot help: `min_ttl` is longer than the lifetime that STS
    grants, or a refresh reads its own credentials.
    """

    __module__ = _PUBLIC


def _rebuild(cls: type[IrsaError], message: str, failure: Failure | None) -> IrsaError:
    """Unpickle an error; its text and its failure hold no secrets."""
    return cls(message, failure=failure)


_UNKNOWN = Failure(kind="exchange", code="Unknown", message="")
_TYPES: dict[str, type[IrsaError]] = {
    "token": TokenError,
    "exchange": ExchangeError,
    "timeout": RefreshTimeout,
}
