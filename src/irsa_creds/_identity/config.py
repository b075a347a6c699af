"""What a provider is made of: resolved once, checked once, and then its identity."""

from __future__ import annotations

import logging
import os
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from irsa_creds._errors import ConfigError
from irsa_creds._identity import arns, validation
from irsa_creds._identity.endpoint_settings import (
    HttpSettings,
    region_of_issuer,
    resolve_endpoint_settings,
)
from irsa_creds._identity.settings import (
    EnvironSettings,
    Found,
    Settings,
    find_profile_key,
    find_web_identity,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from irsa_creds._identity.roles import ChainedRole, RequestedRole, RoleConfig

__all__ = ["Config", "EnvironSettings", "HttpSettings", "Settings", "region_of_issuer"]

_log = logging.getLogger("irsa_creds")

_DEFAULT_LIFETIME = 3_600  # STS's API reference, DurationSeconds
_FOREIGN_LIFETIME = 7 * 86_400


class Config(NamedTuple):
    """One identity: two equal ones share credentials, unequal ones never do.

    Attributes:
        role_arn: the role to assume with the token.
        session_name: what CloudTrail will call the session.
        token_file: the path of the web identity token; None where `token` is given.
        token: a callable that returns the token, in place of a file.
        duration_seconds: the lifetime to ask for; None leaves it to STS.
        duration_optional: the lifetime came from the profile, where botocore ignores it: STS's
            ValidationError means one try without it.
        policy: a session policy as JSON.
        policy_arns: managed session policies.
        region: STS's region; None means the global endpoint. No part of the identity: one regional
            answer serves all regions.
        region_identity: what of the region is identity: the one that an argument named, or
            "aws-global" where the global endpoint answers (its credentials fail in opt-in regions).
        endpoint_url: an endpoint in place of AWS's own rules.
        use_fips: take the FIPS endpoint.
        use_dualstack: take the dual-stack endpoint.
        legacy_global: take the global endpoint for this region (`sts_regional_endpoints`).
        http: certificates and proxies.
        chain: the roles that are assumed from there on, each with the credentials of the one
            before; the last one's are those that are handed out.
    """

    role_arn: str
    session_name: str
    token_file: str | None = None
    token: Callable[[], str] | None = None
    duration_seconds: int | None = None
    duration_optional: bool = False
    policy: str | None = None
    policy_arns: tuple[str, ...] = ()
    region: str | None = None
    region_identity: str | None = None
    endpoint_url: str | None = None
    use_fips: bool = False
    use_dualstack: bool = False
    legacy_global: bool = False
    http: HttpSettings = HttpSettings()
    chain: tuple[ChainedRole, ...] = ()

    @property
    def final_role_arn(self) -> str:
        """The role whose credentials are handed out: the last of the chain."""
        return self.chain[-1].role_arn if self.chain else self.role_arn

    @property
    def source(self) -> Config:
        """The identity that assumes the last role of the chain."""
        return self._replace(chain=self.chain[:-1])

    @property
    def partition(self) -> str:
        """The role's partition: "aws", "aws-cn", "aws-us-gov" and so on."""
        return self.role_arn.split(":")[1]

    @property
    def is_aws_endpoint(self) -> bool:
        """Whether AWS itself answers; Ceph, MinIO and the like have limits of their own."""
        return _answered_by_aws(self.endpoint_url)

    @property
    def lifetime_ceiling(self) -> int:
        """The longest lifetime in seconds that is believed of an answer."""
        last = self.chain[-1] if self.chain else self
        if last.duration_seconds is not None:
            return last.duration_seconds
        return _DEFAULT_LIFETIME if self.is_aws_endpoint else _FOREIGN_LIFETIME

    def __repr__(self) -> str:
        shown = (f"{name}={_field_text(name, value)}" for name, value in self._asdict().items())
        return f"Config({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Config) and self._identity() == other._identity()

    def __ne__(self, other: object) -> bool:
        # Without it the tuple's own would compare the region.
        return not self == other

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[Any, ...]:
        return tuple(self._replace(region=None))

    @classmethod
    def resolve(
        cls,
        settings: Settings | None = None,
        *,
        role_arn: str | None = None,
        token_file: str | os.PathLike[str] | None = None,
        token: Callable[[], str] | None = None,
        session_name: str | None = None,
        duration_seconds: int | None = None,
        policy: str | Mapping[str, Any] | None = None,
        policy_arns: Sequence[str] | None = None,
        region: str | None = None,
        endpoint_url: str | None = None,
        session_region: str | None = None,
        client_region: str | None = None,
        issuer: Callable[[str], str | None] | None = None,
        http: HttpSettings | None = None,
        roles: Sequence[RequestedRole] = (),
        assume: Sequence[RoleConfig | str] | None = None,
        strict: bool = False,
    ) -> Config | None:
        """Return the identity that arguments, environment and profile name, each value checked.

        Args:
            settings: where values come from that no argument gives; None: the environment.
            role_arn: the role to assume.
            token_file: the path of the web identity token.
            token: a callable that returns the token, in place of a file.
            session_name: the session's name; without one anywhere, the host's name made valid.
            duration_seconds: the lifetime to ask for, in seconds.
            policy: a session policy, as JSON or as a mapping.
            policy_arns: managed session policies, at most ten.
            region: STS's region; part of the identity, unlike all others.
            endpoint_url: STS's endpoint.
            session_region: the region that code gave to a session: asked after the profile's.
            client_region: the region of the client being made: the last to be asked.
            issuer: returns the `iss` of the token in a file, or None where there is none to be had;
                called with the path only where nothing before it names a region.
            http: certificates and proxies; None: those of `settings`.
            roles: those that a profile assumes from there on.
            assume: those that code names, to be assumed after these.
            strict: take it as an error when IRSA is not configured.

        Returns:
            None where no token is named: IRSA is not configured, as in botocore.

        Raises:
            ConfigError: a value is malformed, or something is half set.
        """
        if settings is None:
            settings = EnvironSettings(os.environ)
        source = _token_source(settings, token, token_file)
        if source is None:
            _tell_not_configured(settings, strict=strict)
            return None
        role = _given(role_arn, "role_arn") or find_web_identity(settings, "role_arn")
        if role is None or not role.value:
            raise ConfigError(_half_set(source, role))
        place = resolve_endpoint_settings(
            settings,
            endpoint_url=endpoint_url,
            region=region,
            session_region=session_region,
            issuer=None if issuer is None or source.path is None else partial(issuer, source.path),
            client_region=client_region,
        )
        aws = _answered_by_aws(place.endpoint_url)
        asked = _duration(settings, duration_seconds, aws=aws)
        return cls(
            role_arn=arns.role_arn(*role, aws=aws),
            session_name=_session_name(settings, session_name),
            token_file=source.path,
            token=source.call,
            duration_seconds=asked,
            duration_optional=asked is not None and duration_seconds is None,
            policy=None if policy is None else validation.policy(policy, "The argument policy"),
            policy_arns=arns.policy_arns(
                () if policy_arns is None else policy_arns, "The argument policy_arns", aws=aws
            ),
            http=HttpSettings.resolve(settings) if http is None else http,
            chain=_chain(roles, assume, aws=aws),
            **place._asdict(),
        )


class _TokenSource(NamedTuple):
    """Where the token comes from: a file or a callable, and who named it."""

    name: str
    path: str | None = None
    call: Callable[[], str] | None = None


def _token_source(settings: Settings, token: Any, token_file: Any) -> _TokenSource | None:
    """Return what brings the token; None where nothing does: IRSA is not configured."""
    if token is not None and token_file is not None:
        raise ConfigError("Both arguments token and token_file are given; give one of them.")
    if token is not None:
        name = "The argument token"
        return _TokenSource(name, call=validation.token_callable(token, name))
    found = _given(token_file, "token_file")
    if found is None:
        found = find_web_identity(settings, "web_identity_token_file")
        # Empty is unset, and does not fall through to the profile: as in botocore.
        if found is None or not found.value:
            return None
    return _TokenSource(found.source, path=validation.token_file(*found))


def _given(value: Any, name: str) -> Found | None:
    return None if value is None else Found(value, f"The argument {name}")


def _half_set(source: _TokenSource, role: Found | None) -> str:
    what = "no role is named" if role is None else f"{role.source} is empty"
    return (
        f"{source.name} brings a web identity token, but {what}; set AWS_ROLE_ARN (annotate the "
        "service account with eks.amazonaws.com/role-arn and start the pod anew), the profile's "
        "role_arn, or the argument role_arn."
    )


def _tell_not_configured(settings: Settings, *, strict: bool) -> None:
    """Say that no token is named, where that is likely a mistake: others are asked then."""
    role = None if settings.explicit_profile else settings.variable("AWS_ROLE_ARN")
    if strict:
        half = f"AWS_ROLE_ARN is {validation.quoted(role)}, but no" if role else "No"
        raise ConfigError(
            f"{half} web identity token is named, so IRSA is not configured; set "
            "AWS_WEB_IDENTITY_TOKEN_FILE (the pod identity webhook does, for pods started after "
            "their service account was annotated) or the profile's web_identity_token_file."
        )
    if role:
        _warn_once(
            "AWS_ROLE_ARN is set, but AWS_WEB_IDENTITY_TOKEN_FILE is not: IRSA is not configured, "
            "and credentials come from elsewhere; unset the one, or set the other."
        )


@cache
def _warn_once(message: str) -> None:
    _log.warning(message)


def _session_name(settings: Settings, argument: str | None) -> str:
    found = _given(argument, "session_name") or find_web_identity(settings, "role_session_name")
    if found is None:
        return _host_name()
    return validation.session_name(*found)


def _host_name() -> str:
    import socket  # noqa: PLC0415 - 2 ms of a new process, where the session has a name

    return validation.session_name_from(socket.gethostname())


def _duration(settings: Settings, argument: int | None, *, aws: bool) -> int | None:
    found = _given(argument, "duration_seconds") or find_profile_key(settings, "duration_seconds")
    return None if found is None else validation.duration(*found, aws=aws)


def _chain(roles: Sequence[RequestedRole], assume: object, *, aws: bool) -> tuple[ChainedRole, ...]:
    if not roles and assume is None:
        return ()
    from irsa_creds._identity.roles import requested_by_argument, resolve_chain  # noqa: PLC0415 - most need none

    return resolve_chain((*roles, *requested_by_argument(assume)), aws=aws, host=_host_name())


def _answered_by_aws(endpoint_url: str | None) -> bool:
    return endpoint_url is None or validation.is_aws_endpoint(endpoint_url)


def _field_text(name: str, value: object) -> str:
    if name == "token_file" and isinstance(value, str):
        return validation.quoted_path(value)
    # A callable's repr may hold what it is bound to: partial(fetch, "password").
    if callable(value):
        return f"<{getattr(value, '__qualname__', type(value).__qualname__)}>"
    return repr(value) if isinstance(value, HttpSettings) else validation.quoted(value)
