"""The roles of role chaining: each is assumed with the credentials of its source role.

The limits are from STS's API reference (AssumeRole), except where a comment names another source.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from irsa_creds._errors import ConfigError
from irsa_creds._identity import arns, validation
from irsa_creds._identity.validation import as_list, expect_at_most, matching_text
from irsa_creds._masking import quoted
from irsa_creds._record import Record

__all__ = ["ChainedRole", "RequestedRole", "RoleConfig", "check_role", "roles_of_argument"]

# IAM User Guide, "Roles terms and concepts", role chaining: this overrides the role's own maximum.
LONGEST_CHAINED = 3_600
MAX_TAGS = 50

_EXTERNAL_ID = r"(?a:[\w+=,.@:/-]{2,1224})"
_SOURCE_IDENTITY = r"(?a:(?!(?i:aws:))[\w+=,.@-]{2,64})"
_TAG_CHARACTER = r"(?:(?![\x00-\x1f\x7f-\x9f])[\w\s.:/=+@-])"
_TAG_KEY = rf"(?!(?i:aws:)){_TAG_CHARACTER}{{1,128}}"
_TAG_VALUE = rf"{_TAG_CHARACTER}{{0,256}}"


@dataclass(frozen=True, slots=True)
class RoleConfig:
    """A role to assume with the credentials of its source role: `provider(assume=[...])`.

    It is checked when a provider is made from it. No message and no `repr` shows the external id,
    because it may be a passphrase.

    Args:
        role_arn: the role to assume.
        session_name: 2 to 64 characters; None: made from the host name.
        duration_seconds: the lifetime to request, 900 to 3600 at AWS's endpoints: role chaining is
            limited to one hour (IAM User Guide, "Roles terms and concepts"). None: one hour.
        external_id: the `sts:ExternalId` that the role's trust policy may require.
        tags: session tags, at most 50; the source role needs `sts:TagSession`.
        transitive_tag_keys: the keys of `tags` that later chained roles inherit.
        source_identity: a name that all later chained roles keep; the source role needs
            `sts:SetSourceIdentity`.
        policy: a session policy, at most 2,048 characters of JSON, or a mapping.
        policy_arns: managed session policies, at most 10.
    """

    role_arn: str
    session_name: str | None = field(default=None, kw_only=True)
    duration_seconds: int | None = field(default=None, kw_only=True)
    external_id: str | None = field(default=None, kw_only=True, repr=False)
    # Fields that may be unhashable are left out of the hash; equal roles still have equal hashes.
    tags: Mapping[str, str] | None = field(default=None, kw_only=True, hash=False)
    transitive_tag_keys: Sequence[str] = field(default=(), kw_only=True, hash=False)
    source_identity: str | None = field(default=None, kw_only=True)
    policy: str | Mapping[str, Any] | None = field(default=None, kw_only=True, hash=False)
    policy_arns: Sequence[str] = field(default=(), kw_only=True, hash=False)


class ChainedRole(Record):
    """A `RoleConfig` as part of an identity: checked, hashable, and written as JSON by the cache.

    `policy` is JSON, `tags` are pairs ordered by their keys, and the keys are ordered too.
    """

    __slots__ = ()

    role_arn: str
    session_name: str
    duration_seconds: int | None = None
    external_id: str | None = None
    source_identity: str | None = None
    policy: str | None = None
    policy_arns: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    transitive_tag_keys: tuple[str, ...] = ()

    def __repr__(self) -> str:
        # Without the external id.
        return f"<ChainedRole {self.role_arn} as {self.session_name}>"


class RequestedRole(Record):
    """A role to assume, and how messages name its values."""

    __slots__ = ()

    role: RoleConfig
    prefix: str = ""
    suffix: str = ""

    def origin(self, key: str) -> str:
        return f"{self.prefix}{key}{self.suffix}"


def roles_of_argument(assume: object) -> tuple[RequestedRole, ...]:
    """Return the roles of the argument `assume`: a list of ARNs and `RoleConfig`s, or None."""
    name = "The argument assume"
    roles = as_list(() if assume is None else assume, name, "role ARNs or irsa_creds.RoleConfig")
    return tuple(
        RequestedRole(role if isinstance(role, RoleConfig) else RoleConfig(role), f"{name}[{i}].")
        for i, role in enumerate(roles)
    )


def check_role(requested: RequestedRole, *, aws: bool, host: str) -> ChainedRole:
    """Return a role with each value checked.

    Args:
        requested: the role.
        aws: whether the endpoint is AWS's own; others have limits of their own.
        host: the session name of a role without one.

    Raises:
        ConfigError: a value is malformed.
    """
    role, origin = requested.role, requested.origin
    tags = _tags(role.tags, origin("tags"))
    return ChainedRole(
        role_arn=arns.role_arn(role.role_arn, origin("role_arn"), aws=aws),
        session_name=(
            host
            if role.session_name is None
            else validation.session_name(role.session_name, origin("session_name"))
        ),
        duration_seconds=_duration(role.duration_seconds, origin("duration_seconds"), aws=aws),
        external_id=_external_id(role.external_id, origin("external_id")),
        source_identity=_source_identity(role.source_identity, origin("source_identity")),
        policy=None if role.policy is None else validation.policy(role.policy, origin("policy")),
        policy_arns=arns.policy_arns(role.policy_arns, origin("policy_arns"), aws=aws),
        tags=tags,
        transitive_tag_keys=_transitive_tag_keys(
            role.transitive_tag_keys, tags, origin("transitive_tag_keys")
        ),
    )


def _duration(value: object, origin: str, *, aws: bool) -> int | None:
    if value is None:
        return None
    seconds = validation.duration(value, origin, aws=aws)
    if aws and seconds > LONGEST_CHAINED:
        raise ConfigError(
            f"{origin} is {seconds}, but AWS limits role chaining to {LONGEST_CHAINED} seconds, "
            f"even if the role's own maximum is longer; give {validation.DURATIONS[0]} to "
            f"{LONGEST_CHAINED}."
        )
    return seconds


def _external_id(value: object, origin: str) -> str | None:
    if value is None or (isinstance(value, str) and re.fullmatch(_EXTERNAL_ID, value)):
        return value
    # Without the value, which may be a passphrase.
    size = (
        f"{len(value):,} characters" if isinstance(value, str) else f"type {type(value).__name__}"
    )
    raise ConfigError(
        f"{origin} ({size}) is not an external id: 2 to 1,224 letters, digits or characters of "
        "_+=,.@:/-; give the one that the role's owner gave you."
    )


def _source_identity(value: object, origin: str) -> str | None:
    expected = (
        "a source identity has 2 to 64 letters, digits or characters of _+=,.@-, and does not "
        "begin with 'aws:'"
    )
    return None if value is None else matching_text(value, origin, _SOURCE_IDENTITY, expected)


def _tags(value: object, origin: str) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    if not isinstance(value, Mapping):
        raise ConfigError(f"{origin} is {quoted(value)}, but it must be a dict of session tags.")
    expect_at_most(MAX_TAGS, value, origin, "session tags")
    allowed = "letters, digits, blanks or characters of _.:/=+-@"
    key_rule = f"a key has 1 to 128 {allowed}, and does not begin with 'aws:'"
    for key, text in value.items():
        matching_text(key, f"{origin} has a key that", _TAG_KEY, key_rule)
        name = f"{origin}[{quoted(key)}]"
        matching_text(text, name, _TAG_VALUE, f"a value has at most 256 {allowed}")
    _expect_unique(value, origin)
    return tuple(sorted(value.items()))


def _transitive_tag_keys(
    value: object, tags: tuple[tuple[str, str], ...], origin: str
) -> tuple[str, ...]:
    keys = as_list(value, origin, "keys of session tags")
    known = {key.lower() for key, _ in tags}
    for key in keys:
        if not isinstance(key, str) or key.lower() not in known:
            raise ConfigError(
                f"{origin} has {quoted(key)}, which is not one of the session tags; "
                "add it to tags, or remove it here."
            )
    _expect_unique(keys, origin)
    return tuple(sorted(keys))


def _expect_unique(keys: Iterable[str], origin: str) -> None:
    seen: set[str] = set()
    for key in keys:
        if key.lower() in seen:
            raise ConfigError(
                f"{origin} has {quoted(key)} twice, because STS ignores the case of tag keys; "
                "remove one."
            )
        seen.add(key.lower())
