"""The roles that are assumed one after the other, each with the credentials of the one before.

The limits are those of STS's API reference (AssumeRole), but for one that is named where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from irsa_creds._errors import ConfigError
from irsa_creds._identity import arns, validation
from irsa_creds._identity.validation import as_text, quoted

__all__ = ["ChainedRole", "RequestedRole", "RoleConfig", "requested_by_argument", "resolve_chain"]

# IAM User Guide, "Roles terms and concepts", role chaining: whatever the role's own maximum is.
LONGEST_CHAINED = 3_600
MAX_TAGS = 50

_EXTERNAL_ID = r"(?a:[\w+=,.@:/-]{2,1224})"
_SOURCE_IDENTITY = r"(?a:(?!(?i:aws:))[\w+=,.@-]{2,64})"
_LONGEST_TAG_KEY, _LONGEST_TAG_VALUE = 128, 256
_NO_TAG_CHARACTER = r"[^\w\s.:/=+@-]|[\x00-\x1f\x7f-\x9f]"


@dataclass(frozen=True, slots=True)
class RoleConfig:
    """A role to be assumed with the credentials of the one before: `provider(assume=[...])`.

    It is checked when a provider is made from it. The external id is shown in no message and no
    `repr`: some use a passphrase.

    Args:
        role_arn: the role to assume.
        session_name: 2 to 64 characters; None: the host's name made valid.
        duration_seconds: the lifetime to ask for, 900 to 3600 at AWS's endpoints: the IAM User
            Guide ("Roles terms and concepts", role chaining) gives an hour at most. None: an hour.
        external_id: what the role's trust policy may ask for as `sts:ExternalId`.
        tags: session tags, at most 50; the role before needs `sts:TagSession`.
        transitive_tag_keys: those of `tags` that roles further down the chain inherit.
        source_identity: a name that stays with all roles further down the chain; the role before
            needs `sts:SetSourceIdentity`.
        policy: a session policy, at most 2,048 characters of JSON, or a mapping.
        policy_arns: managed session policies, at most 10.
    """

    role_arn: str
    session_name: str | None = field(default=None, kw_only=True)
    duration_seconds: int | None = field(default=None, kw_only=True)
    external_id: str | None = field(default=None, kw_only=True, repr=False)
    # What is not always hashable does not count: equal ones have equal hashes all the same.
    tags: Mapping[str, str] | None = field(default=None, kw_only=True, hash=False)
    transitive_tag_keys: Sequence[str] = field(default=(), kw_only=True, hash=False)
    source_identity: str | None = field(default=None, kw_only=True)
    policy: str | Mapping[str, Any] | None = field(default=None, kw_only=True, hash=False)
    policy_arns: Sequence[str] = field(default=(), kw_only=True, hash=False)


class ChainedRole(NamedTuple):
    """One role of a chain as it is part of an identity: checked, hashable and plain.

    Attributes:
        role_arn: the role to assume.
        session_name: what CloudTrail will call the session.
        duration_seconds: the lifetime to ask for; None leaves it to STS.
        external_id: as `RoleConfig` has it, like all below.
        source_identity: the same.
        policy: as JSON.
        policy_arns: the same.
        tags: pairs of key and value, ordered by their keys.
        transitive_tag_keys: in order.
    """

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
        return f"<Hop to {self.role_arn} as {self.session_name}>"


class RequestedRole(NamedTuple):
    """A role to assume, and who asked for it, as messages name its values."""

    role: RoleConfig
    #: What stands before a value's name, and behind it.
    before: str
    after: str = ""

    def source(self, name: str) -> str:
        return f"{self.before}{name}{self.after}"


def resolve_chain(
    roles: Sequence[RequestedRole], *, aws: bool, host: str
) -> tuple[ChainedRole, ...]:
    """Return the chain of roles, each value checked.

    Args:
        roles: the first to be assumed comes first.
        aws: whether AWS itself answers; others have limits of their own.
        host: the session name of a role that names none.

    Raises:
        ConfigError: a value is malformed.
    """
    return tuple(_hop(each, aws=aws, host=host) for each in roles)


def requested_by_argument(assume: object) -> tuple[RequestedRole, ...]:
    """Return the roles that the argument `assume` names, as ARNs or as `RoleConfig`.

    Raises:
        ConfigError: it is something else.
    """
    if assume is None:
        return ()
    if isinstance(assume, str | Mapping) or not isinstance(assume, Sequence):
        raise ConfigError(
            f"The argument assume is {quoted(assume)}, but it must be a list of roles: "
            "ARNs, or irsa_creds.RoleConfig."
        )
    return tuple(_asked(each, f"The argument assume[{i}]") for i, each in enumerate(assume))


def _asked(role: object, name: str) -> RequestedRole:
    if isinstance(role, RoleConfig):
        return RequestedRole(role, f"{name}.")
    if not isinstance(role, str):
        raise ConfigError(
            f"{name} is {quoted(role)}, but it must be a role's ARN or an irsa_creds.RoleConfig."
        )
    return RequestedRole(RoleConfig(role), f"{name}.")


def _hop(asked: RequestedRole, *, aws: bool, host: str) -> ChainedRole:
    role, source = asked.role, asked.source
    name = role.session_name
    tags = _tags(role.tags, source("tags"))
    return ChainedRole(
        role_arn=arns.role_arn(role.role_arn, source("role_arn"), aws=aws),
        session_name=(
            host if name is None else validation.session_name(name, source("session_name"))
        ),
        duration_seconds=_duration(role.duration_seconds, source("duration_seconds"), aws=aws),
        external_id=_external_id(role.external_id, source("external_id")),
        source_identity=_source_identity(role.source_identity, source("source_identity")),
        policy=None if role.policy is None else validation.policy(role.policy, source("policy")),
        policy_arns=arns.policy_arns(role.policy_arns, source("policy_arns"), aws=aws),
        tags=tags,
        transitive_tag_keys=_transitive(
            role.transitive_tag_keys, tags, source("transitive_tag_keys")
        ),
    )


def _duration(value: object, source: str, *, aws: bool) -> int | None:
    if value is None:
        return None
    seconds = validation.duration(value, source, aws=aws)
    if aws and seconds > LONGEST_CHAINED:
        raise ConfigError(
            f"{source} is {seconds}, but a role that is assumed with another role's credentials "
            f"lasts {LONGEST_CHAINED} seconds at most, whatever its own maximum is (AWS calls it "
            f"role chaining); give a number from {validation.DURATIONS[0]} to {LONGEST_CHAINED}."
        )
    return seconds


def _external_id(value: object, source: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not re.fullmatch(_EXTERNAL_ID, value):
        what = (
            f"has {len(value):,} characters"
            if isinstance(value, str)
            else f"is of type {type(value).__name__}"
        )
        raise ConfigError(
            f"{source} {what}, but an external id is 2 to 1,224 letters, digits or characters of "
            "_+=,.@:/-; give the one that the role's owner gave you."
        )
    return value


def _source_identity(value: object, source: str) -> str | None:
    if value is None:
        return None
    advice = (
        "a source identity has 2 to 64 letters, digits or characters of _+=,.@-, and does not "
        "begin with 'aws:'"
    )
    name = as_text(value, source, advice)
    if not re.fullmatch(_SOURCE_IDENTITY, name):
        raise ConfigError(f"{source} is {quoted(name)}, but {advice}.")
    return name


def _tags(value: object, source: str) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    if not isinstance(value, Mapping):
        raise ConfigError(f"{source} is {quoted(value)}, but it must be a dict of session tags.")
    if len(value) > MAX_TAGS:
        raise ConfigError(
            f"{source} has {len(value)} session tags, but STS takes {MAX_TAGS}; give fewer."
        )
    for key, each in value.items():
        _check_tag(key, source, "a session tag's key", 1, _LONGEST_TAG_KEY)
        if key.lower().startswith("aws:"):
            raise ConfigError(
                f"{source} has {quoted(key)}, but keys that begin with 'aws:' are AWS's own; "
                "give it another."
            )
        _check_tag(each, f"{source}[{quoted(key)}]", "a session tag's value", 0, _LONGEST_TAG_VALUE)
    _check_unique(list(value), source)
    return tuple(sorted(value.items()))


def _transitive(value: object, tags: tuple[tuple[str, str], ...], source: str) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ConfigError(f"{source} is {quoted(value)}, but it must be a list of tags' keys.")
    # STS takes tags' keys for the same whatever their case is.
    known = {key.lower() for key, _ in tags}
    for key in value:
        if not isinstance(key, str) or key.lower() not in known:
            raise ConfigError(
                f"{source} names {quoted(key)}, which is none of the session tags that are given; "
                "give it in tags, or leave it out."
            )
    _check_unique(value, source)
    return tuple(sorted(value))


def _check_tag(value: object, source: str, what: str, shortest: int, longest: int) -> None:
    advice = f"{what} has {shortest} to {longest} letters, digits, blanks or characters of _.:/=+-@"
    text = as_text(value, source, advice)
    if not shortest <= len(text) <= longest or re.search(_NO_TAG_CHARACTER, text):
        raise ConfigError(f"{source} has {quoted(text)}, but {advice}.")


def _check_unique(keys: Sequence[str], source: str) -> None:
    seen: set[str] = set()
    for key in keys:
        if key.lower() in seen:
            raise ConfigError(
                f"{source} has {quoted(key)} twice, for STS takes keys for the same whatever their "
                "case is; leave one out."
            )
        seen.add(key.lower())
