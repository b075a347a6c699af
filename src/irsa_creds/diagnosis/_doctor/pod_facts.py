"""What this machine says about its pod: variables, profile, token file, mounts, versions.

All local reading is done here, so that the checks are pure; no fact holds a secret.
"""

from __future__ import annotations

import os
import platform
import socket
import time
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, NamedTuple

from irsa_creds._errors import ConfigError
from irsa_creds._identity.config import Config
from irsa_creds._identity.endpoint_settings import find_endpoint, region_of_issuer
from irsa_creds._identity.settings import (
    EnvironSettings,
    Found,
    find_web_identity,
    follow_source_profiles,
)
from irsa_creds._identity.token import claims_of
from irsa_creds._identity.validation import is_aws_endpoint, quoted, session_name_from
from irsa_creds.diagnosis._claims import Subject, subject_of, told
from irsa_creds.diagnosis._doctor.file_facts import beginning_of, gather_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from irsa_creds.diagnosis._doctor.file_facts import FileFacts

__all__ = ["Facts", "Places", "ProfileFacts", "User", "gather_facts"]

DISTRIBUTIONS = ("botocore", "boto3", "aiobotocore", "urllib3", "filelock")
# Variables whose values are no secrets.
_OPEN_VARIABLES = (
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
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


class Places(NamedTuple):
    """Where Linux and Kubernetes keep what is read; tests have others."""

    mountinfo: str = "/proc/self/mountinfo"
    account: str = "/var/run/secrets/kubernetes.io/serviceaccount"


class User(NamedTuple):
    """Who asks."""

    uid: int
    gids: tuple[int, ...]


class ProfileFacts(NamedTuple):
    """What is known of the profile of AWS's configuration files.

    Attributes:
        name: the profile.
        source: the variable or argument that names it; empty where nothing does.
        explicit: code names it, which switches the variables off.
        keys: those that matter here and are set; of some the value, of others an empty text.
        shared: its access key is in the shared credentials file, which botocore asks early.
        error: why it cannot be read, as a sentence; empty where it can.
        routed: its role is reached by `source_profile`s that end in a web identity.
    """

    name: str = "default"
    source: str = ""
    explicit: bool = False
    keys: Mapping[str, str] = {}
    shared: bool = False
    error: str = ""
    routed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the offline checks look at.

    Attributes:
        now: seconds since the epoch.
        names: the AWS variables that are set and not empty.
        variables: the values of those that are no secrets.
        role: the role's ARN and who named it.
        token_source: what names the token's file; empty where nothing does.
        session_name: and who named it; None takes the host's name.
        host_session_name: the session's name that the host's makes.
        profile: of AWS's configuration files.
        file: the token's; None where no path is named.
        user: who asks; None where the system has no such thing.
        account: the pod's service account, as its API token says.
        endpoint: STS's URL where one is configured in place of AWS's own.
        config: what the library makes of it all; None where it makes nothing.
        refused: why it does not, as a sentence.
        python: its version.
        versions: of the installed distributions.
    """

    now: float
    names: frozenset[str] = frozenset()
    variables: Mapping[str, str]
    role: Found | None = None
    token_source: str = ""
    session_name: Found | None = None
    host_session_name: str
    profile: ProfileFacts
    file: FileFacts | None = None
    user: User | None = None
    account: Subject | None = None
    endpoint: str | None = None
    config: Config | None = None
    refused: str = ""
    python: str = ""
    versions: Mapping[str, str]

    @property
    def asks_aws(self) -> bool:
        """Whether AWS's own STS is asked; Ceph, MinIO and the like take more."""
        return self.endpoint is None or is_aws_endpoint(self.endpoint)

    @property
    def claims(self) -> Mapping[str, Any] | None:
        """The token's claims; None where there are none to be read."""
        return None if self.file is None else self.file.claims

    @property
    def issuer(self) -> str | None:
        """The claim `iss` where it is text."""
        found = (self.claims or {}).get("iss")
        return found if isinstance(found, str) else None

    @property
    def of_kubernetes(self) -> bool:
        """Whether the token is a service account's, by its claims; a job's of GitHub is not."""
        claims = self.claims or {}
        bound = any(name.startswith("kubernetes.io") for name in claims)
        return bound or region_of_issuer(self.issuer or "") is not None

    @property
    def in_pod(self) -> bool:
        """Whether this runs in a pod, as far as its files and variables say."""
        return self.account is not None or "KUBERNETES_SERVICE_HOST" in self.names


def gather_facts(
    environ: Mapping[str, str],
    *,
    profile: str | None = None,
    now: float | None = None,
    places: Places | None = None,
) -> Facts:
    """Return what is known without asking the network; it never raises for what it finds.

    Args:
        environ: the environment's variables.
        profile: the profile that code names.
        now: seconds since the epoch; None asks the clock.
        places: where the system keeps things.
    """
    places = places or Places()
    settings, found_profile = _settings(environ, profile)
    # A profile's name may be a token that was put in its place.
    seen_profile = found_profile._replace(name=told(found_profile.name) or "")
    token_file = _named(settings, "web_identity_token_file")
    file = gather_file(str(token_file.value), places.mountinfo) if token_file else None
    endpoint, trouble = _endpoint(settings)
    config, refused = _config(settings, file)
    return Facts(
        now=time.time() if now is None else now,
        names=frozenset(
            name
            for name, value in environ.items()
            if value and name.startswith(("AWS_", "IRSA_CREDS_", "KUBERNETES_SERVICE_"))
        ),
        variables={name: environ[name] for name in _OPEN_VARIABLES if environ.get(name)},
        role=_named(settings, "role_arn"),
        token_source="" if token_file is None else token_file.source,
        session_name=find_web_identity(settings, "role_session_name"),
        host_session_name=session_name_from(socket.gethostname()),
        profile=seen_profile,
        file=file,
        user=_user(),
        account=_account(places.account),
        endpoint=endpoint,
        config=config,
        refused=trouble or refused or _lacking_bundle(settings, config),
        python=platform.python_version(),
        versions=dict(_versions()),
    )


def _settings(
    environ: Mapping[str, str], profile: str | None
) -> tuple[EnvironSettings, ProfileFacts]:
    """Return where the library looks, and what the profile says; a broken one is passed over."""
    settings = EnvironSettings(environ, profile)
    names = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")
    named_by = next((name for name in names if name in environ), "")
    if profile is not None:
        named_by = "The argument profile"
    facts = ProfileFacts(settings.profile_name, named_by, settings.explicit_profile)
    try:
        found = {key: settings.profile(key) for key in _PROFILE_KEYS}
        source, roles = follow_source_profiles(settings)
    except ConfigError as error:
        # Without a profile and files: what the variables alone say is worth a look all the same.
        plain = {name: value for name, value in environ.items() if name not in names}
        nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        return EnvironSettings({**plain, **nowhere}), facts._replace(error=str(error))
    keys = {
        key: str(value) if key in _OPEN_PROFILE_KEYS else ""
        for key, value in found.items()
        if value is not None
    }
    shared = "aws_access_key_id" in keys and _in_shared_file(environ, facts.name)
    return source, facts._replace(keys=keys, shared=shared, routed=bool(roles))


def _in_shared_file(environ: Mapping[str, str], profile: str) -> bool:
    alone = EnvironSettings({**environ, "AWS_CONFIG_FILE": os.devnull}, profile)
    try:
        return alone.profile("aws_access_key_id") is not None
    except ConfigError:
        # The profile is in the other file only.
        return False


def _named(settings: EnvironSettings, key: str) -> Found | None:
    """Return what names the role or the token; empty is unset, as in botocore."""
    found = find_web_identity(settings, key)
    return found if found and found.value else None


def _endpoint(settings: EnvironSettings) -> tuple[str | None, str]:
    try:
        found = find_endpoint(settings)
    except ConfigError as error:
        return None, str(error)
    return (str(found.value) if found else None), ""


def _config(settings: EnvironSettings, file: FileFacts | None) -> tuple[Config | None, str]:
    """Return the identity; without a path there is none, and asking would log a warning."""
    if file is None:
        return None, ""
    issuer = (file.claims or {}).get("iss")
    known = issuer if isinstance(issuer, str) else None
    try:
        return Config.resolve(settings, issuer=lambda _: known), ""
    except ConfigError as error:
        return None, str(error)


def _lacking_bundle(settings: EnvironSettings, config: Config | None) -> str:
    """Return that the file of authorities is not there, which no exchange survives."""
    bundle = config.http.verify if config else True
    if isinstance(bundle, bool) or os.path.exists(bundle):  # noqa: PTH110 - never raises
        return ""
    source = "REQUESTS_CA_BUNDLE"
    if settings.option("ca_bundle") is not None:
        by_variable = settings.variable("AWS_CA_BUNDLE") is not None
        source = "AWS_CA_BUNDLE" if by_variable else "ca_bundle of the profile"
    return f"{source} is {quoted(bundle)}, and there is no such file."


def _account(directory: str) -> Subject | None:
    """Return the pod's service account, from the subject of its API token."""
    return subject_of(claims_of(beginning_of(f"{directory}/token").strip()))


def _user() -> User | None:
    if not hasattr(os, "geteuid"):
        return None
    return User(os.geteuid(), tuple(sorted({os.getegid(), *os.getgroups()})))


def _versions() -> Iterator[tuple[str, str]]:
    for name in DISTRIBUTIONS:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
