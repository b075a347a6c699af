"""Which roles a profile assumes one after the other, where that begins with a web identity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from irsa_creds._identity.roles import RequestedRole, RoleConfig

__all__ = ["ProfileChain", "find_profile_chain"]

_STATIC = ("aws_access_key_id", "aws_secret_access_key")


class ProfileChain(NamedTuple):
    """A way through profiles.

    Attributes:
        base: the profile that names the web identity.
        roles: what is assumed from there on, the first to be assumed first.
    """

    base: str
    roles: tuple[RequestedRole, ...]


def find_profile_chain(profiles: Mapping[str, Any], name: str) -> ProfileChain | None:
    """Return how the profile's role is reached by way of `source_profile`s.

    The rules are those of botocore 1.44.8, credentials.AssumeRoleProvider. Whatever it would not
    take, and what leads elsewhere than to a web identity, is left to it.

    Args:
        profiles: the profiles of the configuration files, merged.
        name: the profile to begin with.

    Returns:
        None where the profile assumes no role, or where that is botocore's to do: with an MFA
        device or a `credential_source`, from static keys, single sign-on or a process.
    """
    roles: list[RequestedRole] = []
    seen: list[str] = []
    while not _is_web_identity(_section(profiles, name)):
        section = _section(profiles, name)
        if name in seen or not _is_hop(section) or (seen and _has_static_keys(section)):
            return None
        seen.append(name)
        roles.append(_asked(section, name))
        name = section["source_profile"]
    return ProfileChain(name, tuple(reversed(roles))) if roles else None


def _section(profiles: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = profiles.get(name)
    return section if isinstance(section, Mapping) else {}


def _is_web_identity(section: Mapping[str, Any]) -> bool:
    return bool(section.get("web_identity_token_file") and section.get("role_arn"))


def _is_hop(section: Mapping[str, Any]) -> bool:
    return (
        "role_arn" in section
        and "source_profile" in section
        and section.keys().isdisjoint(
            # An empty one counts, there as here.
            {"web_identity_token_file", "credential_source", "mfa_serial"}
        )
    )


def _has_static_keys(section: Mapping[str, Any]) -> bool:
    return not section.keys().isdisjoint(_STATIC)


def _asked(section: Mapping[str, Any], name: str) -> RequestedRole:
    return RequestedRole(
        RoleConfig(
            section["role_arn"],
            # Empty is not given, but for the external id: as in botocore.
            session_name=section.get("role_session_name") or None,
            duration_seconds=_whole_seconds(section.get("duration_seconds")),
            external_id=section.get("external_id"),
        ),
        before="",
        after=f" of the profile {name!r}",
    )


def _whole_seconds(text: str | None) -> int | None:
    """Return the duration; what is no number counts for nothing, as in botocore."""
    try:
        return None if text is None else int(text)
    except (TypeError, ValueError):
        return None
