"""Faults that a test can inject into the sandbox's STS and Pod Identity agent."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from irsa_creds.testing._responses import AwsError
from irsa_creds.testing._server import Delivery, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["OUTAGES", "Faults", "InjectedFaults"]

_OVERSIZE = 10 * 1024 * 1024
_DOCTYPE = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>\n'

_XML, _HTML = {"Content-Type": "text/xml"}, {"Content-Type": "text/html"}
# Responses that do not depend on the request.
_FIXED_REPLIES = {
    "black hole": Reply(200, _XML, b"", Delivery.SILENCE),
    "reset": Reply(200, _XML, b"", Delivery.RESET),
    "refuse": Reply(200, _XML, b"", Delivery.RESET),
    "garbage": Reply(200, _XML, bytes(range(256)) * 4),
    "html": Reply(200, _HTML, b"<!DOCTYPE html><html><body>Please sign in</body></html>"),
    "bad gateway": Reply(502, _HTML, b"<html><body><h1>502 Bad Gateway</h1></body></html>"),
    "redirect": Reply(307, {"Location": "/elsewhere"}, b""),
}
_DRIPS = {"slow drip": Delivery.BODY_DRIP, "header drip": Delivery.HEADER_DRIP}

OUTAGES = (
    "500",
    "bad gateway",
    "black hole",
    "slow drip",
    "header drip",
    "reset",
    "refuse",
    "garbage",
    "oversize",
    "html",
    "truncated",
    "missing fields",
    "doctype",
    "redirect",
    "expired",
)
"""The modes of `Faults.outage`."""

_DEFAULT_MESSAGES = {
    "AccessDenied": "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    "Throttling": "Rate exceeded",
    "ThrottlingException": "Rate exceeded",
    "RequestLimitExceeded": "Request limit exceeded.",
    "IDPCommunicationError": "There was an error when trying to talk to the identity provider.",
    "ServiceUnavailable": "The service is unavailable. Please try again shortly.",
    "InternalFailure": "We encountered an internal error. Please try again.",
}


@dataclass(frozen=True, slots=True)
class _Failure:
    error: AwsError
    left: int | None


class Faults:
    """Faults of the sandbox's STS and Pod Identity agent.

    Any thread may change them at any time.

    Attributes:
        latency: seconds before STS responds.
        clock_skew: seconds that the server's clock seems ahead, in `Date` (of S3 too) and
            `Expiration`; STS verifies tokens by the true clock.
        date_header: "now", None for no `Date` header, or the text of the header.
        drip_interval: seconds between two bytes of a drip.
    """

    def __init__(self, on_refuse: Callable[[bool], None] | None = None) -> None:
        self._on_refuse = on_refuse or (lambda _: None)
        self._lock = threading.Lock()
        self._failures: list[_Failure] = []
        self._outage: str | None = None
        self.latency: float = 0.0
        self.clock_skew: float = 0.0
        self.date_header: str | None = "now"
        self.drip_interval: float = 1.0

    def __repr__(self) -> str:
        return (
            f"<Faults latency={self.latency} outage={self._outage!r} "
            f"failures={[failure.error.code for failure in self._failures]}>"
        )

    @property
    def outage(self) -> str | None:
        """The current outage, one of `OUTAGES`; None means no outage, True means "500".

        - "500", "bad gateway": an error of AWS, or of a load balancer.
        - "black hole": STS reads the request and never responds, even after the fault is cleared.
        - "slow drip", "header drip": a valid response, one byte every `drip_interval`.
        - "reset": STS reads the request and resets the connection.
        - "refuse": connections to `Sandbox.sts_url` are refused; the common URL resets them.
        - "garbage", "oversize" (10 MB), "html", "truncated", "missing fields", "doctype": status
          200 and an invalid body.
        - "redirect": 307 to another path of the sandbox.
        - "expired": credentials that expired a minute ago.
        """
        return self._outage

    @outage.setter
    def outage(self, mode: str | bool | None) -> None:
        mode = "500" if mode is True else mode or None
        if mode is not None and mode not in OUTAGES:
            raise ValueError(f"Unknown outage {mode!r}; use one of {', '.join(OUTAGES)}.")
        with self._lock:
            before, self._outage = self._outage, mode
            if "refuse" in (before, mode) and before != mode:
                self._on_refuse(mode == "refuse")

    def fail(
        self,
        code: str,
        *,
        status: int | None = None,
        message: str | None = None,
        times: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Make STS return an error; several calls of `fail` take effect one after the other.

        Args:
            code: such as "AccessDenied" or "Throttling".
            status: HTTP status; None takes AWS's status for the code.
            message: None takes AWS's message if it is known.
            times: number of calls that get the error; None means all until `clear`.
            retry_after: seconds, for a `Retry-After` header.
        """
        error = AwsError(
            code,
            message if message is not None else _DEFAULT_MESSAGES.get(code, f"Fault: {code}"),
            status=status,
            headers={} if retry_after is None else {"Retry-After": f"{retry_after:g}"},
        )
        with self._lock:
            self._failures.append(_Failure(error, times))

    def clear(self) -> None:
        """Remove all faults, including the clock's and its header's."""
        with self._lock:
            self._failures.clear()
        self.outage = None
        self.latency = self.clock_skew = 0.0
        self.date_header = "now"
        self.drip_interval = 1.0


class InjectedFaults(Faults):
    """The same faults, with the methods that inject them into the sandbox's STS."""

    def take_failure(self) -> AwsError | None:
        """Return the error for the next call, if any, and count the call."""
        if self._outage == "500":
            return AwsError("InternalFailure", _DEFAULT_MESSAGES["InternalFailure"])
        with self._lock:
            while self._failures:
                failure = self._failures[0]
                if failure.left is None:
                    return failure.error
                if failure.left > 0:
                    self._failures[0] = replace(failure, left=failure.left - 1)
                    return failure.error
                self._failures.pop(0)
        return None

    def total_failure(self, mode: str) -> Reply | None:
        """Return an outage's reply if it does not depend on the request."""
        return _FIXED_REPLIES.get(mode)

    def spoil(self, mode: str, reply: Reply) -> Reply:
        """Return a valid reply, changed as the outage requires."""
        if drip := _DRIPS.get(mode):
            return replace(reply, delivery=drip, interval=self.drip_interval)
        body = reply.body
        match mode:
            case "oversize":
                body += b"<!--" + b" " * _OVERSIZE + b"-->"
            case "truncated":
                body = body[: len(body) // 2]
            case "missing fields":
                body = re.sub(rb"<(SecretAccessKey|SessionToken)>.*?</\1>", b"", body)
                # The agent of EKS Pod Identity returns JSON.
                body = re.sub(rb'"(SecretAccessKey|Token)": "[^"]*", ', b"", body)
            case "doctype":
                body = _DOCTYPE + body
        return replace(reply, body=body)
