"""The exchange: one token for one set of credentials, in one POST."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from irsa_creds._errors import ConfigError, Failure
from irsa_creds._exchange.endpoint import API_VERSION, endpoint_url
from irsa_creds._exchange.http import NoReply, Reply, Request, post
from irsa_creds._exchange.muting import muted
from irsa_creds._exchange.preload import load_exchange_modules
from irsa_creds._exchange.response import (
    ExchangeRequest,
    ExchangeResult,
    claims_fields,
    failure_of,
    parse_response,
)
from irsa_creds._version import __version__

if TYPE_CHECKING:
    from irsa_creds._exchange.response import Assertion
    from irsa_creds._identity.config import Config

__all__ = ["ExchangeResult", "StsClient", "basic_form", "common_headers", "policies_form"]

# How STS and Ceph say that a parameter, perhaps the duration, does not please them.
_VALIDATION = {"ValidationError", "InvalidArgument", "InvalidParameterValue"}


class StsClient:
    """Asks STS for the credentials of one identity, and shows its token.

    Args:
        config: who asks for what, and where.

    Attributes:
        calls: how many POSTs were sent.
    """

    def __init__(self, config: Config) -> None:
        self.calls = 0
        self._config = config
        self._duration = config.duration_seconds
        self._may_leave_duration_out = config.duration_optional
        self._url: str | None = None

    @property
    def url(self) -> str:
        """STS's endpoint.

        Raises:
            ConfigError: there is none for this region with these options.
        """
        # Not `cached_property`: before Python 3.12 that has one lock for all instances, which a
        # child forked meanwhile inherits. Finding it out twice does no harm.
        if self._url is None:
            self._url = endpoint_url(self._config)
        return self._url

    @muted()
    def attempt(
        self, token: Assertion, seconds: float, *, connect: float = 3.0, read: float = 10.0
    ) -> ExchangeResult | Failure:
        """Return credentials for `token`, or why there are none; network and STS never raise.

        Args:
            token: it was read for this attempt; in a chain it is a `Key`.
            seconds: for all of it, imports and a second POST included.
            connect: to connect, in seconds.
            read: for each wait for an answer, in seconds.
        """
        deadline = time.monotonic() + seconds
        load_exchange_modules()
        try:
            url = self.url
        except ConfigError as error:
            return self._unresolved(error, token)

        def ask(duration: int | None) -> ExchangeResult | Failure:
            return self._ask(
                url, token, duration, deadline - time.monotonic(), connect=connect, read=read
            )

        outcome = ask(self._duration)
        if not (self._may_leave_duration_out and self._duration and _rejected(outcome)):
            return outcome
        second = ask(None)
        if isinstance(second, ExchangeResult):
            second = second._replace(
                note=f"STS does not give the duration_seconds = {self._duration} of the profile "
                f"for {self._config.role_arn}, which botocore ignores: it is left out from now on."
            )
            self._duration = None
        return second

    def reset_after_fork(self) -> None:
        """Count a child's own POSTs only."""
        self.calls = 0

    def _ask(
        self,
        url: str,
        token: Assertion,
        duration: int | None,
        seconds: float,
        *,
        connect: float,
        read: float,
    ) -> ExchangeResult | Failure:
        asked = ExchangeRequest(
            self._config.final_role_arn,
            url,
            duration,
            token,
            self._signer,
            self._config.token_file,
            self._external_id,
        )
        self.calls += 1
        try:
            # In one expression: no local of this frame holds the body, or the answer's.
            return _judged(
                post(
                    self._config.http,
                    self._request(url, self._form(duration), token),
                    seconds=seconds,
                    connect=connect,
                    read=read,
                ),
                asked,
            )
        except BaseException as error:  # noqa: BLE001 - raised again below
            interrupt = error
        # KeyboardInterrupt in a flight on the user's own thread. The frames below hold the token
        # and perhaps the answer, and rich and Sentry show a traceback with its locals.
        interrupt.__cause__ = interrupt.__context__ = None
        try:
            raise interrupt.with_traceback(None)
        finally:
            del interrupt

    @property
    def _signer(self) -> str | None:
        """The role whose credentials sign; None where the token alone shows who asks."""
        return None

    @property
    def _external_id(self) -> str | None:
        """What a role further down a chain asks for."""
        return None

    def _form(self, duration: int | None) -> dict[str, str]:
        """Return the fields as botocore's QuerySerializer (1.44.8), but for the token."""
        config = self._config
        return {
            **basic_form(
                "AssumeRoleWithWebIdentity", config.role_arn, config.session_name, duration
            ),
            **policies_form(config.policy, config.policy_arns),
        }

    def _request(self, url: str, form: dict[str, str], token: Assertion) -> Request:
        body = urlencode({**form, "WebIdentityToken": token.value}).encode()
        return Request(url, common_headers(), body)

    def _unresolved(self, error: ConfigError, token: Assertion) -> Failure:
        return Failure(
            kind="exchange",
            code="EndpointUnresolved",
            message=str(error),
            advice="Check the region, AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT.",
            retryable=False,
            role_arn=self._config.final_role_arn,
            **claims_fields(token),
        )


def _judged(reply: Reply | NoReply, asked: ExchangeRequest) -> ExchangeResult | Failure:
    return parse_response(reply, asked) if isinstance(reply, Reply) else failure_of(reply, asked)


def basic_form(
    action: str, role_arn: str, session_name: str, duration: int | None
) -> dict[str, str]:
    """Return the fields that every request has."""
    form = {
        "Action": action,
        "Version": API_VERSION,
        "RoleArn": role_arn,
        "RoleSessionName": session_name,
    }
    return form if duration is None else {**form, "DurationSeconds": str(duration)}


def policies_form(policy: str | None, policy_arns: tuple[str, ...]) -> dict[str, str]:
    """Return the fields of session policies."""
    form = {} if policy is None else {"Policy": policy}
    numbered = enumerate(policy_arns, 1)
    return form | {f"PolicyArns.member.{number}.arn": arn for number, arn in numbered}


def common_headers() -> dict[str, str]:
    """Return the headers that every request has."""
    import botocore  # noqa: PLC0415 - 9 ms that only an exchange pays

    return {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "User-Agent": f"irsa-creds/{__version__} Botocore/{botocore.__version__}",
    }


def _rejected(outcome: ExchangeResult | Failure) -> bool:
    return isinstance(outcome, Failure) and outcome.code.removesuffix("Exception") in _VALIDATION
