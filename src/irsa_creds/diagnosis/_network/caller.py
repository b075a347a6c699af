"""Find the identity that a program gets from botocore's default chain, for S02.

The chain runs as in a program, but prompts for no MFA code and starts no credential process, which
could hang.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.session import Session

from irsa_creds._credentials import Credentials
from irsa_creds._masking import quoted
from irsa_creds.diagnosis._network.network_facts import Caller
from irsa_creds.diagnosis._network.probes import STEP, StepError, get_caller_arn, within

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from irsa_creds._identity.config import Config

__all__ = ["find_caller"]

# METHOD of botocore's providers (1.44.8, credentials.py); that of irsa-creds has the first.
_WEB_IDENTITY = "assume-role-with-web-identity"
_ASSUMED = "assume-role"
_PROCESS = "custom-process"


def find_caller(
    config: Config, url: str, given: Credentials | None, profile: str | None, *, chain: bool
) -> Caller:
    """Return the identity of the first credentials in the chain, or of the given credentials.

    Args:
        config: how to call STS.
        url: the STS endpoint.
        given: the credentials that STS returned for the token.
        profile: the profile that code names.
        chain: whether to use botocore's chain.
    """
    method, found = _WEB_IDENTITY, given
    if chain:
        try:
            method, found = within(STEP, lambda: _first_credentials(given, profile))
        except StepError as error:
            return Caller(error=str(error))
    if found is None:
        return Caller()
    credentials = found
    try:
        return Caller(within(STEP, lambda: get_caller_arn(config, url, credentials)), method)
    except StepError as error:
        return Caller(method=method, error=str(error))


def _first_credentials(
    given: Credentials | None, profile: str | None
) -> tuple[str, Credentials | None]:
    """Return a session's first credentials; `given` are the web identity's."""
    session = Session(profile=profile)
    for provider in session.get_component("credential_provider").providers:
        if provider.METHOD == _WEB_IDENTITY and given is not None:
            break
        _require_non_interactive(session, provider.METHOD)
        found = provider.load()
        if found is not None:
            keys = found.get_frozen_credentials()
            now = datetime.now(UTC)
            credentials = Credentials(keys.access_key, keys.secret_key, keys.token or "", now)
            return str(found.method), credentials
    return _WEB_IDENTITY, given


def _require_non_interactive(session: Any, method: str) -> None:
    """Raise if a provider would prompt for a code or start a program.

    Raises:
        StepError: names the profile.
    """
    profiles = session.full_config["profiles"]
    own = session.profile or "default"
    if method == _PROCESS and "credential_process" in profiles.get(own, {}):
        raise StepError(_not_started(own))
    if method != _ASSUMED:
        return
    for name, section in _source_profiles(profiles, own):
        if "role_arn" in section and section.get("mfa_serial"):
            raise StepError(f"the profile {quoted(name)} requires an MFA code (mfa_serial)")
        if name != own and "credential_process" in section:
            raise StepError(_not_started(name))


def _not_started(profile: str) -> str:
    return f"doctor does not start the credential_process of the profile {quoted(profile)}"


def _source_profiles(
    profiles: Mapping[str, Any], name: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield a profile and its source profiles."""
    seen: set[str] = set()
    while name in profiles and name not in seen:
        seen.add(name)
        section = profiles[name]
        yield name, section
        if "role_arn" not in section or "web_identity_token_file" in section:
            return
        name = section.get("source_profile", "")
