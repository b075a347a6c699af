"""Contact DNS, STS and the token's issuer: all network calls of the diagnosis start here.

They use the settings, endpoint, proxies, certificates and exchange of the library itself. The
proxies always come from this process's environment, not from `environ`.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from irsa_creds._errors import ConfigError, Failure, TokenError
from irsa_creds._exchange.endpoint import endpoint_url
from irsa_creds._exchange.response import ExchangeResult
from irsa_creds._exchange.sts import StsClient
from irsa_creds._identity.config import Config, without_role
from irsa_creds._identity.settings import EnvironSettings, follow_source_profiles
from irsa_creds._identity.token import Token, TokenFile
from irsa_creds._masking import bare_url, safe_str
from irsa_creds.diagnosis._network.addresses import host_and_port
from irsa_creds.diagnosis._network.caller import find_caller
from irsa_creds.diagnosis._network.issuer import fetch_issuer
from irsa_creds.diagnosis._network.network_facts import (
    Connected,
    Exchanged,
    Lookup,
    OnlineFacts,
    Probe,
)
from irsa_creds.diagnosis._network.probes import (
    STEP,
    StepError,
    addresses_of,
    connect,
    probe,
    text_or_none,
    within,
)
from irsa_creds.diagnosis._network.proxy import proxy_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from irsa_creds._credentials import Credentials

__all__ = ["OnlineFacts", "gather_online"]

_DNS = 5.0  # seconds


class _Target(NamedTuple):
    """The configured STS, role and token.

    Attributes:
        config: without a role, only its endpoint settings are used.
        url: the STS endpoint.
        role_arn: None if no web identity is configured.
        token: None if it cannot be read.
        no_token: why there is none.
    """

    config: Config
    url: str
    role_arn: str | None
    token: Token | None
    no_token: str


def gather_online(environ: Mapping[str, str], *, profile: str | None = None) -> OnlineFacts:
    """Return the results of all network steps, in bounded time and without raising.

    Args:
        environ: the environment variables. S02 uses botocore's default chain only for
            `os.environ`, because the chain reads no other.
        profile: the profile that code names.
    """
    try:
        target = _target(EnvironSettings(environ, profile))
    # OSError: a configuration file cannot be read, or an import takes too long.
    except (ConfigError, OSError) as error:
        return OnlineFacts(settings_error=safe_str(error))
    http = target.config.http
    proxy = proxy_for(http, target.url)
    facts = OnlineFacts(
        url=bare_url(target.url),
        is_aws=target.config.is_aws_endpoint,
        region=target.config.region,
        ca_bundle=text_or_none(http.verify),
        proxy=proxy.url and bare_url(proxy.url),
        proxy_error=proxy.error,
        bypassed=bool(http.environment_proxies) and not http.proxies_for(target.url),
        role_arn=target.role_arn,
        final_role_arn=target.role_arn and target.config.name,
        no_token=target.no_token,
        issuer=None
        if target.token is None
        else fetch_issuer(http, target.token, aws=target.config.is_aws_endpoint),
    )
    if proxy.error:
        return facts
    facts = _reach(facts, target, proxy.url or target.url)
    if facts.probe is None or facts.probe.status is None:
        return facts
    facts, credentials = _exchange(facts, target)
    chain = environ is os.environ
    # If the configured role was denied, the chain fails too, or C01 reports it.
    if credentials is None and (target.role_arn or not chain):
        return facts
    caller = find_caller(target.config, target.url, credentials, profile, chain=chain)
    return facts._replace(caller=caller)


def _target(settings: EnvironSettings) -> _Target:
    """Return the configured target; without a role, at least the STS endpoint.

    Raises:
        ConfigError: the endpoint settings are invalid.
    """
    config, no_token = None, "no web identity token is configured (AWS_WEB_IDENTITY_TOKEN_FILE)"
    try:
        source, roles = follow_source_profiles(settings)
        config = Config.resolve(source, roles=roles)
    except ConfigError as error:
        no_token = safe_str(error)
    if config is None:
        config = without_role(settings)
        return _Target(config, endpoint_url(config), None, None, no_token)
    token = None
    try:
        token, no_token = TokenFile(config.token_file or "").read(), ""
    except TokenError as error:
        no_token = error.failure.message.rstrip(".") if error.failure else safe_str(error)
    return _Target(config, endpoint_url(config), config.role_arn, token, no_token)


def _reach(facts: OnlineFacts, target: _Target, first: str) -> OnlineFacts:
    """Return the facts with DNS, connection and probe.

    Args:
        facts: the facts so far.
        target: the STS endpoint.
        first: the URL to connect to, of STS or of the proxy.
    """
    # Both URLs were validated before.
    host, port = host_and_port(first)
    try:
        found = within(_DNS, lambda: addresses_of(host, port))
    except StepError as error:
        return facts._replace(lookup=Lookup(host, error=str(error)))
    facts = facts._replace(lookup=Lookup(host, found))
    try:
        address = within(STEP, lambda: connect(found, port))
    except StepError as error:
        return facts._replace(connection=Connected(error=str(error)))
    facts = facts._replace(connection=Connected(address))
    try:
        return facts._replace(probe=within(STEP, lambda: probe(target.config, target.url)))
    except StepError as error:
        return facts._replace(probe=Probe(code="Timeout", reason=str(error)))


def _exchange(facts: OnlineFacts, target: _Target) -> tuple[OnlineFacts, Credentials | None]:
    """Return the facts with the result of the exchange, and the credentials."""
    token = target.token
    if token is None:
        return facts, None
    # The token is for the first role only.
    exchange = StsClient(target.config._replace(chained_roles=()))
    try:
        outcome = within(STEP, lambda: exchange.attempt(token, STEP - 1))
    except StepError as error:
        message = f"The call to STS did not end (Timeout): {error}."
        failed = Failure("exchange", "Timeout", message, unreachable=True)
        return facts._replace(exchanged=failed), None
    if isinstance(outcome, ExchangeResult):
        credentials = outcome.credentials
        left = credentials.expiration - (outcome.date or datetime.now(UTC))
        done = Exchanged(credentials.assumed_role_arn, left.total_seconds())
        return facts._replace(exchanged=done), credentials
    return facts._replace(exchanged=outcome), None
