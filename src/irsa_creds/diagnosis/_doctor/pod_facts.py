"""Gather the facts about a pod: variables, profile, token file, mounts, versions.

This module reads everything on the machine, so the checks are pure functions. No fact is secret.
"""

from __future__ import annotations

import os
import platform
import re
import socket
import time
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, NamedTuple

from irsa_creds._errors import ConfigError
from irsa_creds._identity.config import Config
from irsa_creds._identity.endpoint_settings import find_endpoint, region_of_issuer
from irsa_creds._identity.profile_sources import OWN_PROCESS
from irsa_creds._identity.settings import (
    EnvironSettings,
    Setting,
    find_web_identity,
    follow_source_profiles,
)
from irsa_creds._identity.token import claims_of
from irsa_creds._identity.validation import is_aws_endpoint, session_name_from
from irsa_creds._masking import quoted
from irsa_creds.diagnosis._claims import Subject, redacted, subject_of
from irsa_creds.diagnosis._doctor.container_facts import gather_container
from irsa_creds.diagnosis._doctor.file_facts import beginning_of, gather_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from irsa_creds.diagnosis._doctor.container_facts import ContainerFacts
    from irsa_creds.diagnosis._doctor.file_facts import FileFacts

__all__ = ["Facts", "Paths", "ProfileFacts", "User", "gather_facts"]

_DISTRIBUTIONS = ("botocore", "boto3", "aiobotocore", "urllib3", "filelock")
# Variables with values that are not secret.
_OPEN_VARIABLES = (
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "IRSA_CREDS_CONTAINER",
    "IRSA_CREDS_DISABLE",
)
_PROFILE_KEYS = (
    "aws_access_key_id",
    "credential_process",
    "credential_source",
    "login_session",
    "mfa_serial",
    "region",
    "role_arn",
    "source_profile",
    "sso_account_id",
    "sso_role_name",
    "web_identity_token_file",
)
_OPEN_PROFILE_KEYS = ("credential_source", "region", "role_arn", "source_profile")
# A profile with these keys alone gets its credentials from its process.
_OF_PROCESS = {"credential_process", "region"}


class Paths(NamedTuple):
    """Files of Linux and Kubernetes; tests use others."""

    mountinfo: str = "/proc/self/mountinfo"
    account: str = "/var/run/secrets/kubernetes.io/serviceaccount"


class User(NamedTuple):
    """The user of this process."""

    uid: int
    gids: tuple[int, ...]


class ProfileFacts(NamedTuple):
    """Facts about the profile in the AWS configuration files.

    Attributes:
        name: the profile.
        origin: the variable or argument that names it; empty without one.
        explicit: code names it, so botocore ignores the web identity variables.
        keys: the relevant keys that are set; secret values are replaced by an empty text.
        shared: its access key is in the shared credentials file, which has precedence.
        error: why it cannot be read, as a sentence; else empty.
        routed: its chain of `source_profile` keys ends in a web identity.
        own_process: its only source of credentials is `irsa-creds process`, which uses the web
            identity of its environment.
    """

    name: str = "default"
    origin: str = ""
    explicit: bool = False
    keys: Mapping[str, str] = {}
    shared: bool = False
    error: str = ""
    routed: bool = False
    own_process: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts that the offline checks use.

    Attributes:
        now: seconds since the epoch.
        names: the AWS variables that are set and not empty.
        variables: the values of variables that are not secret.
        role: the role's ARN and its origin.
        token_origin: the setting that names the token file; empty without one.
        session_name: with its origin; None means that the host name is used.
        host_session_name: the session name made from the host name.
        profile: of the AWS configuration files.
        file: the token file; None if no path is configured.
        container: of EKS Pod Identity or another endpoint; None if none is configured.
        user: None on systems without user ids.
        account: the pod's service account, from its API token.
        endpoint: the configured STS URL; None means that of AWS.
        config: the configuration of the library; None if it is incomplete or invalid.
        config_error: why it is invalid, as a sentence.
        python: the version of Python.
        versions: of the installed distributions.
    """

    now: float
    names: frozenset[str] = frozenset()
    variables: Mapping[str, str]
    role: Setting | None = None
    token_origin: str = ""
    session_name: Setting | None = None
    host_session_name: str
    profile: ProfileFacts
    file: FileFacts | None = None
    container: ContainerFacts | None = None
    user: User | None = None
    account: Subject | None = None
    endpoint: str | None = None
    config: Config | None = None
    config_error: str = ""
    python: str = ""
    versions: Mapping[str, str]

    @property
    def uses_aws_sts(self) -> bool:
        """Whether the endpoint is AWS's own STS; Ceph, MinIO and others accept more tokens."""
        return self.endpoint is None or is_aws_endpoint(self.endpoint)

    @property
    def claims(self) -> Mapping[str, Any] | None:
        """The token's claims; None if there are none."""
        return None if self.file is None else self.file.claims

    @property
    def issuer(self) -> str | None:
        """The claim `iss` if it is text."""
        found = (self.claims or {}).get("iss")
        return found if isinstance(found, str) else None

    @property
    def is_kubernetes_token(self) -> bool:
        """Whether the token is a service account's, by its claims."""
        claims = self.claims or {}
        bound = any(name.startswith("kubernetes.io") for name in claims)
        return bound or region_of_issuer(self.issuer or "") is not None

    @property
    def has_irsa(self) -> bool:
        """Whether a role and a token file are named."""
        return bool(self.token_origin and self.role)

    @property
    def in_pod(self) -> bool:
        """Whether this process runs in a pod, by files and variables."""
        return self.account is not None or "KUBERNETES_SERVICE_HOST" in self.names


def gather_facts(
    environ: Mapping[str, str],
    *,
    profile: str | None = None,
    now: float | None = None,
    paths: Paths | None = None,
) -> Facts:
    """Return the facts that need no network; raise no error for what they are.

    Args:
        environ: the environment's variables.
        profile: the profile that code names.
        now: seconds since the epoch; None means the current time.
        paths: files of the system.
    """
    paths = paths or Paths()
    settings, profile_facts = _settings(environ, profile)
    token_file = _named(settings, "web_identity_token_file")
    file = gather_file(str(token_file.value), paths.mountinfo) if token_file else None
    endpoint, endpoint_error = _endpoint(settings)
    config, config_error = _config(settings, file)
    return Facts(
        now=time.time() if now is None else now,
        names=frozenset(
            name
            for name, value in environ.items()
            if value and name.startswith(("AWS_", "IRSA_CREDS_", "KUBERNETES_SERVICE_"))
        ),
        variables={name: environ[name] for name in _OPEN_VARIABLES if environ.get(name)},
        role=_named(settings, "role_arn"),
        token_origin="" if token_file is None else token_file.origin,
        session_name=find_web_identity(settings, "role_session_name"),
        host_session_name=session_name_from(socket.gethostname()),
        profile=profile_facts,
        file=file,
        container=gather_container(settings),
        user=_user(),
        account=_account(paths.account),
        endpoint=endpoint,
        config=config,
        config_error=endpoint_error or config_error or _missing_ca_bundle(settings, config),
        python=platform.python_version(),
        versions=dict(_versions()),
    )


def _settings(
    environ: Mapping[str, str], profile: str | None
) -> tuple[EnvironSettings, ProfileFacts]:
    """Return the settings and the facts about the profile; ignore an invalid profile."""
    settings = EnvironSettings(environ, profile)
    names = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")
    named_by = next((name for name in names if name in environ), "")
    if profile is not None:
        named_by = "The argument profile"
    # A profile name may be a token by mistake.
    shown = redacted(settings.profile_name) or ""
    facts = ProfileFacts(shown, named_by, settings.explicit_profile)
    try:
        found = {key: settings.profile(key) for key in _PROFILE_KEYS}
        source, roles = follow_source_profiles(settings)
    except ConfigError as error:
        # The variables are still worth checking, without profile and files.
        plain = {name: value for name, value in environ.items() if name not in names}
        nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        return EnvironSettings({**plain, **nowhere}), facts._replace(error=str(error))
    keys = {
        key: str(value) if key in _OPEN_PROFILE_KEYS else ""
        for key, value in found.items()
        if value is not None
    }
    shared = "aws_access_key_id" in keys and _in_shared_file(environ, settings.profile_name)
    own_process = keys.keys() <= _OF_PROCESS and bool(
        re.fullmatch(OWN_PROCESS, str(found["credential_process"]))
    )
    if own_process and facts.explicit:
        source, _ = _settings(environ, None)
    return source, facts._replace(
        keys=keys, shared=shared, routed=bool(roles), own_process=own_process
    )


def _in_shared_file(environ: Mapping[str, str], profile: str) -> bool:
    alone = EnvironSettings({**environ, "AWS_CONFIG_FILE": os.devnull}, profile)
    try:
        return alone.profile("aws_access_key_id") is not None
    except ConfigError:
        # The profile is only in the other file.
        return False


def _named(settings: EnvironSettings, key: str) -> Setting | None:
    """Return role or token with its origin; as in botocore, empty means not set."""
    found = find_web_identity(settings, key)
    return found if found and found.value else None


def _endpoint(settings: EnvironSettings) -> tuple[str | None, str]:
    try:
        found = find_endpoint(settings)
    except ConfigError as error:
        return None, str(error)
    return (str(found.value) if found else None), ""


def _config(settings: EnvironSettings, file: FileFacts | None) -> tuple[Config | None, str]:
    """Return the configuration; without a token path, resolving it would log a warning."""
    if file is None:
        return None, ""
    issuer = (file.claims or {}).get("iss")
    known = issuer if isinstance(issuer, str) else None
    try:
        return Config.resolve(settings, issuer=lambda _: known), ""
    except ConfigError as error:
        return None, str(error)


def _missing_ca_bundle(settings: EnvironSettings, config: Config | None) -> str:
    """Return an error if the CA bundle does not exist."""
    bundle = config.http.verify if config else True
    if isinstance(bundle, bool) or os.path.exists(bundle):  # noqa: PTH110 - never raises
        return ""
    origin = "REQUESTS_CA_BUNDLE"
    if settings.option("ca_bundle") is not None:
        by_variable = settings.variable("AWS_CA_BUNDLE") is not None
        origin = "AWS_CA_BUNDLE" if by_variable else "ca_bundle of the profile"
    return f"{origin} is {quoted(bundle)}, which does not exist."


def _account(directory: str) -> Subject | None:
    """Return the pod's service account, from the subject of its API token."""
    return subject_of(claims_of(beginning_of(f"{directory}/token").strip()))


def _user() -> User | None:
    if not hasattr(os, "geteuid"):
        return None
    return User(os.geteuid(), tuple(sorted({os.getegid(), *os.getgroups()})))


def _versions() -> Iterator[tuple[str, str]]:
    for name in _DISTRIBUTIONS:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
