"""AssumeRoleWithWebIdentity: one token for credentials, in one POST."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import botocore

from irsa_creds._errors import ConfigError, Failure
from irsa_creds._exchange.advice import ExchangeRequest
from irsa_creds._exchange.causes import INVALID_PARAMETER
from irsa_creds._exchange.endpoint import API_VERSION, endpoint_url
from irsa_creds._exchange.http import (
    HttpFailure,
    HttpRequest,
    send_request,
    without_frames,
)
from irsa_creds._exchange.muting import muted
from irsa_creds._exchange.response import ExchangeResult, network_failure, parse_response
from irsa_creds._masking import claims_fields
from irsa_creds._version import __version__

if TYPE_CHECKING:
    from irsa_creds._exchange.advice import Assertion
    from irsa_creds._identity.config import Config
    from irsa_creds._identity.roles import ChainedRole


__all__ = [
    "ExchangeResult",
    "StsClient",
    "common_headers",
    "role_form",
]

# For each address of the host, and for each wait for a part of the response.
_CONNECT_SECONDS = 3.0
_READ_SECONDS = 10.0


class StsClient:
    """Requests the credentials of one identity from STS.

    Args:
        config: the identity.

    Attributes:
        calls: the number of POSTs.
    """

    def __init__(self, config: Config) -> None:
        self.calls = 0
        self._config = config
        self._duration = config.duration_seconds
        self._duration_optional = config.duration_optional
        self._url: str | None = None
        # In role chaining: the source role, which signs, and what the target role requires.
        self._signer: str | None = None
        self._external_id: str | None = None

    @property
    def url(self) -> str:
        """STS's endpoint.

        Raises:
            ConfigError: botocore has no endpoint for this region with these options.
        """
        # Not `cached_property`: before Python 3.12 it has one lock for all instances, which a child
        # inherits if it is forked meanwhile. Evaluating the rules twice does no harm.
        if self._url is None:
            self._url = endpoint_url(self._config)
        return self._url

    @muted()
    def attempt(self, assertion: Assertion, seconds: float) -> ExchangeResult | Failure:
        """Return credentials or a failure; neither the network nor STS makes it raise.

        Args:
            assertion: the token, read for this attempt; in role chaining, the signing credentials.
            seconds: for everything, a second POST included.
        """
        deadline = time.monotonic() + seconds
        try:
            url = self.url
        except ConfigError as error:
            return self._unresolved(error, assertion)

        def call(duration: int | None) -> ExchangeResult | Failure:
            return self._call(url, assertion, duration, deadline - time.monotonic())

        outcome = call(self._duration)
        if not (self._duration_optional and self._duration and _is_invalid(outcome)):
            return outcome
        second = call(None)
        if isinstance(second, ExchangeResult):
            second = second._replace(
                note=f"STS rejected duration_seconds = {self._duration} of the profile; requests "
                f"for {self._config.role_arn} omit it from now on, as botocore does."
            )
            self._duration = None
        return second

    def reset_after_fork(self) -> None:
        """Count only a child's own POSTs."""
        self.calls = 0

    @without_frames
    def _call(
        self, url: str, assertion: Assertion, duration: int | None, seconds: float
    ) -> ExchangeResult | Failure:
        request = ExchangeRequest(
            # The role to assume: in role chaining the target role.
            role_arn=self._config.name,
            endpoint=url,
            duration=duration,
            assertion=assertion,
            signer=self._signer,
            token_file=self._config.token_file,
            external_id=self._external_id,
        )
        self.calls += 1
        response = send_request(
            self._config.http,
            self._request(url, self._form(duration), assertion),
            seconds=seconds,
            connect=_CONNECT_SECONDS,
            read=_READ_SECONDS,
        )
        if isinstance(response, HttpFailure):
            return network_failure(response, request)
        return parse_response(response, request)

    def _form(self, duration: int | None) -> dict[str, str]:
        """Return the fields without the token."""
        return role_form("AssumeRoleWithWebIdentity", self._config, duration)

    def _request(self, url: str, form: dict[str, str], assertion: Assertion) -> HttpRequest:
        body = urlencode({**form, "WebIdentityToken": assertion.value}).encode()
        return HttpRequest(url, common_headers(self._config), body)

    def _unresolved(self, error: ConfigError, assertion: Assertion) -> Failure:
        return Failure(
            kind="exchange",
            code="EndpointUnresolved",
            message=str(error),
            advice="Check the region, AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT.",
            retryable=False,
            role_arn=self._config.name,
            **claims_fields(assertion.claims),
        )


def role_form(action: str, role: Config | ChainedRole, duration: int | None) -> dict[str, str]:
    """Return the fields of a role, as botocore's QuerySerializer does (1.44.8)."""
    form = {
        "Action": action,
        "Version": API_VERSION,
        "RoleArn": role.role_arn,
        "RoleSessionName": role.session_name,
    }
    if duration is not None:
        form["DurationSeconds"] = str(duration)
    if role.policy is not None:
        form["Policy"] = role.policy
    for number, arn in enumerate(role.policy_arns, 1):
        form[f"PolicyArns.member.{number}.arn"] = arn
    return form


def common_headers(config: Config) -> dict[str, str]:
    """Return the headers that every request of an identity has."""
    sdk = f"irsa-creds/{__version__} Botocore/{botocore.__version__}"
    return {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "User-Agent": f"{sdk}{config.user_agent}",
    }


def _is_invalid(outcome: ExchangeResult | Failure) -> bool:
    return (
        isinstance(outcome, Failure) and outcome.code.removesuffix("Exception") in INVALID_PARAMETER
    )
