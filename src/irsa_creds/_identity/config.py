"""Resolve arguments, environment and profiles into one checked identity."""

from __future__ import annotations

import operator
import os
from functools import partial
from typing import TYPE_CHECKING, Any

from irsa_creds._errors import ConfigError
from irsa_creds._identity import arns, validation
from irsa_creds._identity.endpoint_settings import HttpSettings, resolve_endpoint_settings
from irsa_creds._identity.settings import (
    EnvironSettings,
    Setting,
    find_argument,
    find_profile_key,
    find_web_identity,
)
from irsa_creds._identity.token import issuer_of_file
from irsa_creds._identity.user_agent import (
    ASSUMED_ROLE,
    WEB_IDENTITY,
    UserAgent,
    resolve_user_agent,
)
from irsa_creds._masking import quoted, quoted_path
from irsa_creds._record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from irsa_creds._identity.roles import ChainedRole, RequestedRole, RoleConfig
    from irsa_creds._identity.settings import Settings

__all__ = ["INSTALLED", "Config", "without_role"]

#: Arguments that `install()` sets for all providers of the process, by name.
INSTALLED: dict[str, Any] = {}

# Fields that may differ between settings of one identity.
_NO_IDENTITY = {"region", "user_agent"}
_DEFAULT_LIFETIME = 3_600  # STS's API reference, DurationSeconds
_LONGEST_LIFETIME_ELSEWHERE = 7 * 86_400


class Config(Record):
    """One identity: equal ones share credentials, unequal ones never do.

    A further parameter of the STS call is

    -   an argument of `provider()` and of `resolve`, which checks it by a function of `validation`,
    -   a field here with a default, hashable and made of what JSON has, because the name of an
        entry of the shared cache is made of all fields; `provider()` pickles all its arguments. If
        it is not identity, `_NO_IDENTITY` lists it here, and `_NOT_IN_NAME` in `shared_fetcher`,
    -   a line in `sts.role_form`, or in `StsClient._form` if target roles must not have it; for
        these in `RoleConfig`, `ChainedRole`, `check_role` and `SignedStsClient._form`, if they do
        not have it already, as they have `SourceIdentity`,
    -   if a variable or a profile key may give it, their names in `settings`, and in `profile`,
    -   for the command line its name and its option in `cli/_identity`; in `causes` what STS's
        errors about it mean.

    If it is secret, its check does not quote it, as `roles._external_id` does not. `_field_text`
    must not show it, and a field of `RoleConfig` has `repr=False`. `ExchangeRequest.secrets` has it
    by a field that `StsClient._call` fills: that masks it in failures, unless it is as short as a
    word. A provider pickles it, as it does an external ID, so the docstring of `Provider` names it.

    Attributes:
        role_arn: the role to assume with the token.
        session_name: the session name, as CloudTrail shows it.
        token_file: the path of the web identity token; None if `token` is given.
        token: a callable that returns the token, instead of a file.
        duration_seconds: the lifetime to request; None leaves it to STS.
        duration_optional: the lifetime is from the profile, where botocore ignores it: after a
            ValidationError of STS, one attempt is made without it.
        policy: a session policy as JSON.
        policy_arns: managed session policies.
        region: STS's region; None means the global endpoint. It is not part of the identity:
            credentials from one regional endpoint are valid in all regions.
        region_identity: the part of the region that is identity: the region of an argument, or
            "aws-global" for the global endpoint; its credentials fail in opt-in regions.
        endpoint_url: an endpoint instead of the one from AWS's rules.
        use_fips: use the FIPS endpoint.
        use_dualstack: use the dual-stack endpoint.
        legacy_global: use the global endpoint for this region (`sts_regional_endpoints`).
        http: certificates and proxies.
        chained_roles: the roles of role chaining, assumed after `role_arn`; the provider returns
            the credentials of the last one.
        user_agent: of the STS calls. It is not part of the identity.
    """

    __slots__ = ()

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
    chained_roles: tuple[ChainedRole, ...] = ()
    user_agent: UserAgent = UserAgent()

    @property
    def name(self) -> str:
        """The role of the credentials that the provider returns."""
        return self.chained_roles[-1].role_arn if self.chained_roles else self.role_arn

    @property
    def method(self) -> str:
        """The key of a row of `SOURCES`."""
        return "assume-role" if self.chained_roles else "assume-role-with-web-identity"

    @property
    def features(self) -> frozenset[str]:
        """The ids of AWS's features in the user agents of requests with these credentials."""
        assumed = {ASSUMED_ROLE} if self.chained_roles else set[str]()
        return frozenset({*self.user_agent.features, WEB_IDENTITY, *assumed})

    @property
    def source(self) -> Config | None:
        """The identity that assumes the last chained role; None without role chaining."""
        if not self.chained_roles:
            return None
        return self._replace(chained_roles=self.chained_roles[:-1])

    @property
    def partition(self) -> str:
        """The role's partition: "aws", "aws-cn", "aws-us-gov" and so on."""
        return self.role_arn.split(":")[1]

    @property
    def is_aws_endpoint(self) -> bool:
        """Whether STS is AWS's own; Ceph, MinIO and others have limits of their own."""
        return _is_aws_endpoint(self.endpoint_url)

    @property
    def lifetime_ceiling(self) -> int:
        """The longest lifetime in seconds that a response may have."""
        final = self.chained_roles[-1] if self.chained_roles else self
        if final.duration_seconds is not None:
            return final.duration_seconds
        return _DEFAULT_LIFETIME if self.is_aws_endpoint else _LONGEST_LIFETIME_ELSEWHERE

    def __repr__(self) -> str:
        fields = (f"{name}={_field_text(name, value)}" for name, value in self._asdict().items())
        return f"Config({', '.join(fields)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Config) and _identity_of(self) == _identity_of(other)

    def __ne__(self, other: object) -> bool:
        # The inherited method of the tuple would compare the region.
        return not self == other

    def __hash__(self) -> int:
        return hash(_identity_of(self))

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
        issuer: Callable[[str], str | None] = issuer_of_file,
        http: HttpSettings | None = None,
        roles: Sequence[RequestedRole] = (),
        assume: Sequence[RoleConfig | str] | None = None,
    ) -> Config | None:
        """Return the identity that arguments, environment and profile name, each value checked.

        Arguments that are not mentioned here are the ones of `irsa_creds.provider()`. `settings`
        gives all values that no argument gives; None means the environment. `session_region` is a
        session's own region, and `client_region` the region of the client being created.
        `issuer` returns the issuer of the token in a file, and is called only if no setting names
        the region. `roles` are the roles that the profile assumes by role chaining, before the
        roles of `assume`.

        Returns:
            None if no token is named: IRSA is not configured, as in botocore.

        Raises:
            ConfigError: a value is malformed, or only one of role and token is named.
        """
        if settings is None:
            settings = EnvironSettings(os.environ)
        found = _find_token(settings, token, token_file)
        if found is None:
            return None
        path, call = (found.value, None) if token is None else (None, found.value)
        role = _find_role(settings, role_arn, found.origin)
        endpoint = resolve_endpoint_settings(
            settings,
            endpoint_url=endpoint_url,
            region=region,
            session_region=session_region,
            issuer=partial(issuer, path) if path else None,
            client_region=client_region,
        )
        aws = _is_aws_endpoint(endpoint.endpoint_url)
        requested = _find_duration(settings, duration_seconds)
        seconds = requested or find_profile_key(settings, "duration_seconds")
        chained_roles = _chained_roles(roles, assume, aws=aws)
        session = find_argument("session_name", session_name) or find_web_identity(
            settings, "role_session_name"
        )
        return cls(
            role_arn=arns.role_arn(*role, aws=aws),
            session_name=validation.session_name(*session) if session else _host_name(),
            token_file=path,
            token=call,
            duration_seconds=None if seconds is None else validation.duration(*seconds, aws=aws),
            duration_optional=seconds is not requested,
            policy=None if policy is None else validation.policy(policy, "The argument policy"),
            policy_arns=arns.policy_arns(
                () if policy_arns is None else policy_arns, "The argument policy_arns", aws=aws
            ),
            http=HttpSettings.resolve(settings) if http is None else http,
            chained_roles=chained_roles,
            user_agent=resolve_user_agent(
                settings,
                (found, role, session),
                by_profile=bool(roles),
                roles=len(chained_roles),
            ),
            **endpoint._asdict(),
        )


# A registry hashes the identity of each new session, so one call in C chooses the fields.
_identity_of: Callable[[Config], tuple[Any, ...]] = operator.itemgetter(
    *(i for i, name in enumerate(Config._fields) if name not in _NO_IDENTITY)
)


def without_role(settings: Settings, region: str | None = None) -> Config:
    """Return how to call STS, for calls with credentials that are there already.

    Args:
        settings: the environment's or a profile's.
        region: takes precedence over the one that settings name.

    Raises:
        ConfigError: a value is malformed.
    """
    endpoint = resolve_endpoint_settings(settings, region=region)
    http = HttpSettings.resolve(settings)
    return Config(role_arn="", session_name="", http=http, **endpoint._asdict())


def _find_token(settings: Settings, token: object, token_file: object) -> Setting | None:
    """Return the callable or the path; None if none is named, so that IRSA is not configured."""
    if token is not None and token_file is not None:
        raise ConfigError("Both arguments token and token_file are given; give one of them.")
    if found := find_argument("token", token):
        return found._replace(value=validation.token_callable(*found))
    found = find_argument("token_file", token_file)
    if found is None:
        found = find_web_identity(settings, "web_identity_token_file")
        # An empty variable means unset and does not fall through to the profile, as in botocore.
        if found is None or not found.value:
            return None
    return found._replace(value=validation.token_file(*found))


def _find_role(settings: Settings, argument: str | None, token_origin: str) -> Setting:
    found = find_argument("role_arn", argument) or find_web_identity(settings, "role_arn")
    if found is not None and found.value:
        return found
    trouble = "no role is named" if found is None else f"{found.origin} is empty"
    raise ConfigError(
        f"{token_origin} is set, but {trouble}; set AWS_ROLE_ARN (annotate the service account "
        "with eks.amazonaws.com/role-arn and restart the pod), the profile's role_arn, or the "
        "argument role_arn."
    )


def _host_name() -> str:
    return validation.session_name_from(_node_name())


def _node_name() -> str:
    # `socket.gethostname` returns the same, but in a process without botocore the import of
    # `socket` would take a twentieth of the start.
    return os.uname().nodename if hasattr(os, "uname") else os.environ["COMPUTERNAME"]


def _find_duration(settings: Settings, argument: int | None) -> Setting | None:
    """Return the lifetime that argument, `install()` or variable request; None if none does."""
    name = "IRSA_CREDS_DURATION_SECONDS"
    argument = INSTALLED.get("duration_seconds") if argument is None else argument
    variable = settings.variable(name)
    found = find_argument("duration_seconds", argument)
    return Setting(variable, name) if found is None and variable else found


def _chained_roles(
    roles: Sequence[RequestedRole], assume: object, *, aws: bool
) -> tuple[ChainedRole, ...]:
    if not roles and assume is None:
        return ()
    from irsa_creds._identity.roles import check_role, roles_of_argument  # noqa: PLC0415 - most identities have none

    host = _host_name()
    requested = (*roles, *roles_of_argument(assume))
    return tuple(check_role(each, aws=aws, host=host) for each in requested)


def _is_aws_endpoint(endpoint_url: str | None) -> bool:
    return endpoint_url is None or validation.is_aws_endpoint(endpoint_url)


def _field_text(name: str, value: object) -> str:
    if name == "token_file" and isinstance(value, str):
        return quoted_path(value)
    # The repr of a callable may show a bound secret: partial(fetch, "password").
    if callable(value):
        return f"<{getattr(value, '__qualname__', type(value).__qualname__)}>"
    return repr(value) if isinstance(value, HttpSettings) else quoted(value)
