"""S02: who a program here is, by botocore's default chain.

The chain is walked as a program would, but nobody is asked on the terminal for a code, and no
program is started: it could hang, or ask somebody else.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from irsa_creds._credentials import Credentials
from irsa_creds._identity.validation import quoted
from irsa_creds.diagnosis._network.network_facts import Caller
from irsa_creds.diagnosis._network.probes import STEP, Trouble, get_caller_arn, within

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from irsa_creds._identity.config import Config

__all__ = ["find_caller"]

# METHOD of botocore's providers (1.44.8, credentials.py); ours keeps that of the web identity.
_WEB_IDENTITY = "assume-role-with-web-identity"
_ASSUMED = "assume-role"
_PROCESS = "custom-process"


def find_caller(
    config: Config, url: str, given: Credentials | None, profile: str | None, *, chain: bool
) -> Caller:
    """Return who STS takes the winner of the chain for; without a chain, the credentials given.

    Args:
        config: how STS is asked.
        url: STS's.
        given: what STS gave for the token.
        profile: the profile that code names.
        chain: whether botocore's chain is walked.
    """
    method, won = _WEB_IDENTITY, given
    if chain:
        try:
            method, won = within(STEP, lambda: _winner(given, profile))
        except Trouble as trouble:
            return Caller(error=str(trouble))
    if won is None:
        return Caller()
    mine = won
    try:
        return Caller(within(STEP, lambda: get_caller_arn(config, url, mine)), method)
    except Trouble as trouble:
        return Caller(method=method, error=str(trouble))


def _winner(given: Credentials | None, profile: str | None) -> tuple[str, Credentials | None]:
    """Return what wins in botocore's default chain, with `given` as that of the web identity."""
    from botocore.session import Session  # noqa: PLC0415 - it takes a tenth of a second

    session = Session(profile=profile)
    for provider in session.get_component("credential_provider").providers:
        if provider.METHOD == _WEB_IDENTITY and given is not None:
            break
        _require_non_interactive(session, provider.METHOD)
        found = provider.load()
        if found is not None:
            keys = found.get_frozen_credentials()
            now = datetime.now(UTC)
            won = Credentials(keys.access_key, keys.secret_key, keys.token or "", now)
            return str(found.method), won
    return _WEB_IDENTITY, given


def _require_non_interactive(session: Any, method: str) -> None:
    """Raise where a provider would ask for a code, or start a program.

    Raises:
        Trouble: says which profile has it so.
    """
    profiles = session.full_config["profiles"]
    own = session.profile or "default"
    if method == _PROCESS and "credential_process" in profiles.get(own, {}):
        raise Trouble(_program_of(own))
    if method != _ASSUMED:
        return
    for name, section in _route(profiles, own):
        if "role_arn" in section and section.get("mfa_serial"):
            raise Trouble(f"the profile {quoted(name)} asks for an MFA code (mfa_serial)")
        if name != own and "credential_process" in section:
            raise Trouble(_program_of(name))


def _program_of(profile: str) -> str:
    return f"doctor does not start the credential_process of the profile {quoted(profile)}"


def _route(profiles: Mapping[str, Any], name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the profiles by which the role of one is assumed, if any is."""
    seen: set[str] = set()
    while name in profiles and name not in seen:
        seen.add(name)
        section = profiles[name]
        yield name, section
        if "role_arn" not in section or "web_identity_token_file" in section:
            return
        name = section.get("source_profile", "")
