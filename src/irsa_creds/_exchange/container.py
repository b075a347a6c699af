"""Credentials of a container credentials endpoint: one GET with a token that is read for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from irsa_creds._engine import timing
from irsa_creds._errors import Failure
from irsa_creds._exchange.causes import Cause
from irsa_creds._exchange.container_response import (
    MALFORMED,
    NO_AGENT,
    UNREACHABLE,
    MalformedError,
    cause_of,
    credentials_in,
    error_in,
)
from irsa_creds._exchange.preload import http_module
from irsa_creds._exchange.token_fetcher import TokenFetcher
from irsa_creds._identity.claims import SERVICE_ACCOUNT
from irsa_creds._identity.endpoint_settings import HttpSettings
from irsa_creds._masking import claims_fields, mask
from irsa_creds._version import __version__

if TYPE_CHECKING:
    from types import ModuleType

    from irsa_creds._credentials import Credentials
    from irsa_creds._engine.clock import Clock
    from irsa_creds._engine.refresh import Refresh
    from irsa_creds._engine.snapshot import Snapshot
    from irsa_creds._exchange.http import HttpFailure, HttpResponse
    from irsa_creds._identity.container import ContainerEndpoint
    from irsa_creds._identity.token import Token

__all__ = ["ContainerFetcher"]

# The agent calls EKS Auth before it responds, up to three times.
_CONNECT_SECONDS = 2.0
_READ_SECONDS = 10.0
_HOUR = 3600.0
#: The longest session of a role; credentials that last longer say nothing about the next ones.
_LONGEST_SESSION = 12 * _HOUR
# As botocore's own: never a proxy, and the usual CAs.
_HTTP = HttpSettings(proxies=())
_OK, _ERRORS, _SERVER_ERRORS = 200, 400, 500


class ContainerFetcher(TokenFetcher):
    """Gets the credentials that an endpoint hands out, which may be the ones it gave before.

    Args:
        endpoint: the endpoint, and its authorization token.
        clock: this process's clocks.

    Attributes:
        calls: the number of requests.
    """

    calls = 0

    def __init__(self, endpoint: ContainerEndpoint, *, clock: Clock) -> None:
        super().__init__(endpoint.name, endpoint.token_source(), clock=clock)
        self._endpoint = endpoint
        self.service, self.operation = "container endpoint", "GetCredentials"
        if endpoint.is_pod_identity:
            self.service, self.operation = "EKS Pod Identity Agent", "AssumeRoleForPodIdentity"

    def prepare(self) -> ModuleType:
        """Return the module of requests; the first call imports the modules that it needs."""
        return http_module(self._endpoint.url)

    def reset_after_fork(self) -> None:
        """Count only a child's own requests."""
        self.calls = 0

    def _attempt(self, refresh: Refresh) -> Snapshot | Failure:
        token = self._token_to_send(refresh)
        sent_at, wall_at = self._clock.now(), self._clock.wall()
        seconds = min(timing.ATTEMPT_SECONDS, refresh.deadline - sent_at)
        if seconds <= 0:
            return refresh.overdue_failure()
        found = self.request(token, seconds)
        if isinstance(found, Failure):
            return found
        # By this machine's clock, as in botocore: the agent's is the same, on the same node.
        lifetime = found.expiration.timestamp() - wall_at
        longest = float("inf")
        if lifetime > _LONGEST_SESSION:
            longest = self._clock.uniform(0.75 * _HOUR, _HOUR)
        made = self._snapshot(
            found, lifetime, refresh, sent_at=sent_at, wall_at=wall_at, longest_age=longest
        )
        return made or self._failure(
            token,
            "ExpiredCredentials",
            f"{self._the_service} returned expired credentials (ExpiredCredentials): their "
            f"expiration was {found.expiration:%FT%TZ}.",
            Cause("", "Compare the clocks of this machine and of AWS.", retryable=True),
        )

    def request(self, token: Token, seconds: float) -> Credentials | Failure:
        """Send one request; neither the network nor the endpoint makes it raise.

        Args:
            token: read for this request.
            seconds: for everything.
        """
        http = self.prepare()
        self.calls += 1
        found: Credentials | Failure = http.without_frames(self._outcome)(http, token, seconds)
        return found

    def _outcome(self, http: Any, token: Token, seconds: float) -> Credentials | Failure:
        headers = {"Accept": "application/json", "User-Agent": f"irsa-creds/{__version__}"}
        if token.value:
            headers["Authorization"] = token.value
        response = http.send_request(
            _HTTP,
            http.HttpRequest(self._endpoint.url, headers),
            seconds=seconds,
            connect=_CONNECT_SECONDS,
            read=_READ_SECONDS,
        )
        if isinstance(response, http.HttpFailure):
            return self._network_failure(token, response)
        if response.status != _OK:
            return self._error(token, response)
        try:
            return credentials_in(response.body, http.BODY_LIMIT)
        except MalformedError as error:
            defect = str(error)
        code = "MalformedAnswer"
        message = f"{self._the_service} returned an invalid response ({code}): it {defect}."
        return self._failure(token, code, message, MALFORMED, status=response.status)

    def _network_failure(self, token: Token, error: HttpFailure) -> Failure:
        return self._failure(
            token,
            error.code,
            f"{error.headline(f'the {self.service}')}: "
            f"{self._mask(error.reason, token).rstrip('.')}.",
            NO_AGENT if self._endpoint.is_pod_identity else UNREACHABLE,
            unreachable=True,
        )

    def _error(self, token: Token, response: HttpResponse) -> Failure:
        status = response.status
        code, words, request_id = error_in(response.body)
        code = self._mask(code, token) or f"HTTP{status}"
        words = self._mask(words, token)
        cause = cause_of(code, status)
        if cause.throttled:
            verb = "throttled the request"
        elif status >= _SERVER_ERRORS:
            verb = "failed"
        elif status >= _ERRORS:
            verb = "denied the credentials"
        else:
            verb, words = "did not return credentials", "irsa-creds does not follow redirects"
        colon = ": " if words else ""
        return self._failure(
            token,
            code,
            f"{self._the_service} {verb} ({code}){colon}{words.rstrip('.')}.",
            cause,
            words=words,
            status=status,
            request_id=self._mask(request_id, token) or None,
        )

    def _failure(
        self, token: Token, code: str, message: str, cause: Cause, **details: Any
    ) -> Failure:
        claims = claims_fields(token.claims)
        account = re.fullmatch(SERVICE_ACCOUNT, claims["sub"] or "")
        namespace, name = account.groups() if account else ("NAMESPACE", "NAME")
        values = {
            "service": self._the_service,
            "endpoint": self.name,
            "account": f"{namespace}/{name}" if account else "its service account",
            "namespace": namespace,
            "name": name,
        }
        failure = Failure(
            kind="exchange",
            code=code,
            message=message,
            endpoint=self.name,
            operation=self.operation,
            service=self.service,
            **claims,
            **details,
        )
        return cause.advised(failure, values)

    @property
    def _the_service(self) -> str:
        return f"The {self.service}"

    def _mask(self, text: str, token: Token) -> str:
        return mask(text, *token.secrets, *self._endpoint.secrets)
