"""The roles that a profile assumes one after the other, starting from a web identity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from irsa_creds._identity.roles import RequestedRole, RoleConfig

__all__ = ["find_profile_chain"]

_STATIC_KEYS = {"aws_access_key_id", "aws_secret_access_key"}
# Botocore gets such a role's credentials elsewhere. An empty value counts too, as in botocore.
_OTHER_SOURCES = {"web_identity_token_file", "credential_source", "mfa_serial"}


def find_profile_chain(
    profiles: Mapping[str, Any], name: str
) -> tuple[str, tuple[RequestedRole, ...]] | None:
    """Follow the keys `source_profile` from the profile `name` to a web identity.

    The rules are from botocore 1.44.8, credentials.AssumeRoleProvider.

    Returns:
        The profile that names the web identity, and the roles, the first to be assumed first;
        None if the profile assumes no role, and if botocore handles it: an MFA device, a
        `credential_source`, static keys, single sign-on, a process, or an invalid profile.
    """
    roles: list[RequestedRole] = []
    seen: set[str] = set()
    while True:
        section = profiles.get(name)
        if not isinstance(section, Mapping):
            return None
        if section.get("web_identity_token_file") and section.get("role_arn"):
            return (name, tuple(reversed(roles))) if roles else None
        source = section.get("source_profile")
        if (
            name in seen
            or "role_arn" not in section
            or not isinstance(source, str)
            or section.keys() & _OTHER_SOURCES
            # The target role's own static keys do not count.
            or (seen and section.keys() & _STATIC_KEYS)
        ):
            return None
        seen.add(name)
        roles.append(_requested_role(section, name))
        name = source


def _requested_role(section: Mapping[str, Any], profile: str) -> RequestedRole:
    role = RoleConfig(
        section["role_arn"],
        # Empty means unset, except for the external id, as in botocore.
        session_name=section.get("role_session_name") or None,
        duration_seconds=_whole_seconds(section.get("duration_seconds")),
        external_id=section.get("external_id"),
    )
    return RequestedRole(role, suffix=f" of the profile {profile!r}")


def _whole_seconds(text: Any) -> int | None:
    """Return the duration; None if it is not a whole number, as in botocore."""
    try:
        return None if text is None else int(text)
    except (TypeError, ValueError):
        return None
