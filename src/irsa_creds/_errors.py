"""What can go wrong, as types and as a record.

    IrsaError
    ├── ConfigError       IRSA is set up wrong: a variable, an ARN, a limit
    ├── TokenError        the web identity token cannot be had or read
    ├── ExchangeError     STS refused, failed or could not be reached
    └── RefreshTimeout    nobody answered before the deadline, or could in any time

A flight never keeps an exception: it keeps one `Failure`, from which every waiter makes a fresh
exception of its own. One exception instance raised in a thousand threads would grow one traceback.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

__all__ = ["ConfigError", "ExchangeError", "Failure", "IrsaError", "RefreshTimeout", "TokenError"]


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
    # It answers for STS for so many seconds, in this process or in all of a pod.
    again_in: float | None = None
    endpoint: str | None = None
    role_arn: str | None = None
    # What STS was asked to do.
    operation: str = "AssumeRoleWithWebIdentity"
    # What the token says, cleaned: it is anybody's text. None where it does not, or none was sent.
    iss: str | None = None
    sub: str | None = None
    aud: str | None = None
    exp: float | None = None
    # What to type next; empty where no one command helps.
    command: str = ""
    # STS's own words, masked; empty where it said none.
    words: str = ""
    # When it was told, in seconds since the epoch, where it is told once more: nobody asked again.
    told_at: float | None = None

    def error(self) -> IrsaError:
        """Return a fresh exception that tells of this failure."""
        return _TYPES[self.kind](self.text(), failure=self)

    def text(self) -> str:
        """Return what happened, with what, why and what to do, as the exception says it."""
        request = f"request id {self.request_id}" if self.request_id else ""
        online = " --online" if self.kind != "token" else ""
        found = {
            "note": self._note(),
            "role": self.role_arn,
            "STS": ", ".join(part for part in (self.endpoint, request) if part),
            "token": self._token(),
            "advice": self.advice,
            "command": self.command,
            "more": f"irsa-creds doctor{online}",
        }
        lines = [f"  {label + ':':<9}{value}" for label, value in found.items() if value]
        return "\n".join([self.message, *lines])

    def _note(self) -> str:
        """Return that nothing was tried just now: who has mended it would think that in vain."""
        told = instant(self.told_at)
        if told is None or self.again_in is None:
            return ""
        asked = "STS was not asked" if self.kind == "exchange" else "nothing was tried"
        wait = f"in {max(1.0, self.again_in):.0f} s at the earliest"
        token = ", or when the token changes" if self.bad_token else ""
        return f"this is of {told}, and {asked} again; the next try is {wait}{token}"

    def line(self) -> str:
        """Return the same on one line, as a log has it; who logs names the role."""
        token, request = self._token(), self.request_id
        parts = [
            self.message,
            token and f"Token: {token}.",
            self.advice,
            self.command and f"Try `{self.command}`.",
            request and f"(STS request id {request})",
        ]
        # A message may be an exception's, which has lines.
        return " ".join(" ".join(part for part in parts if part).split())

    def _token(self) -> str:
        """Return what the token says, as one line; nothing where that is not known."""
        safe_str = {"iss": self.iss, "sub": self.sub, "aud": self.aud, "exp": instant(self.exp)}
        return ", ".join(f"{name} {value}" for name, value in safe_str.items() if value)


def instant(seconds: float | None) -> str | None:
    """Return seconds since the epoch as a date in UTC; None where no calendar has it."""
    if seconds is None:
        return None
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return None


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

    Its text has a headline, what STS said, and one line each for the attributes that are known.
    What the token says is taken from it unverified, on one line, in at most 200 characters each.

    Attributes:
        code: STS's error code, or the class name of the network failure.
        retryable: whether the same request may succeed later.
        advice: the most likely cause, and what to do.
        command: what to type next; empty where no one command helps.
        role_arn: the role that was asked for.
        endpoint: STS's URL; None where there is none.
        request_id: STS's request id, for AWS Support; None where it gave none.
        iss: the token's issuer; it and the next three are None where the token does not say, is
            no JWT, or was not sent (a further role of a chain).
        sub: the token's subject.
        aud: the token's audience; several are separated by a comma and a space.
        exp: when the token expires (aware, UTC).
    """

    @property
    def code(self) -> str:
        return self._known.code

    @property
    def retryable(self) -> bool:
        return self._known.retryable

    @property
    def advice(self) -> str:
        return self._known.advice

    @property
    def command(self) -> str:
        return self._known.command

    @property
    def role_arn(self) -> str | None:
        return self._known.role_arn

    @property
    def endpoint(self) -> str | None:
        return self._known.endpoint

    @property
    def request_id(self) -> str | None:
        return self._known.request_id

    @property
    def iss(self) -> str | None:
        return self._known.iss

    @property
    def sub(self) -> str | None:
        return self._known.sub

    @property
    def aud(self) -> str | None:
        return self._known.aud

    @property
    def exp(self) -> datetime | None:
        exp = self._known.exp
        return None if exp is None else datetime.fromtimestamp(exp, UTC)

    @property
    def _known(self) -> Failure:
        return self.failure or _UNKNOWN


class RefreshTimeout(IrsaError):  # noqa: N818 - the name says what happened, as TimeoutError does
    """No credentials came before the deadline; the refresh itself may still go on.

    It is raised at once, too, where waiting would bring none: `min_ttl` is more than STS gives, or
    a read inside the refresh itself would wait for its own end.
    """


def _rebuild(cls: type[IrsaError], message: str, failure: Failure | None) -> IrsaError:
    """Unpickle an error: both of its arguments are secret-free."""
    return cls(message, failure=failure)


_UNKNOWN = Failure(kind="exchange", code="Unknown", message="")
_TYPES: dict[str, type[IrsaError]] = {
    "token": TokenError,
    "exchange": ExchangeError,
    "timeout": RefreshTimeout,
}
