"""Read settings from the environment and AWS's configuration files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from irsa_creds._errors import ConfigError
from irsa_creds._masking import quoted
from irsa_creds._record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol, Self, TypeVar

    from irsa_creds._identity.roles import RequestedRole

    class Settings(Protocol):
        """Settings as botocore reads them, from the environment or from a session."""

        @property
        def explicit_profile(self) -> bool:
            """Whether code named the profile, which turns the web identity variables off."""
            ...

        @property
        def profile_name(self) -> str:
            """The profile that names role and token."""
            ...

        @property
        def profiles(self) -> Mapping[str, Any]:
            """All profiles of the configuration files, merged."""
            ...

        def with_source_profile(self, name: str) -> Self:
            """Return these settings with another `profile_name`, web identity variables off."""
            ...

        def variable(self, name: str) -> str | None:
            """Return an environment variable, or None."""
            ...

        def profile(self, key: str) -> Any:
            """Return a key of the session's profile (botocore's scoped config), or None."""
            ...

        def services(self, section: str) -> Mapping[str, Any] | None:
            """Return the section `[services SECTION]` of the configuration file, or None."""
            ...

        def option(self, name: str) -> Any:
            """Return a setting of botocore by the name of its profile key, or None."""
            ...

        def sts_arguments(self) -> Mapping[str, Any]:
            """Return the arguments of `Config.resolve` from a session alone: regions, `http`."""
            ...

    _Settings = TypeVar("_Settings", bound=Settings)


__all__ = [
    "ARGUMENT",
    "CONTAINER_VARIABLES",
    "FULL_URI",
    "RELATIVE_URI",
    "EnvironSettings",
    "Setting",
    "find_argument",
    "find_profile_key",
    "find_web_identity",
    "follow_source_profiles",
    "read_file",
]

#: The origin of an argument begins with it.
ARGUMENT = "The argument"
#: Each of these variables names an endpoint, of EKS Pod Identity or Amazon ECS.
FULL_URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
RELATIVE_URI = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
CONTAINER_VARIABLES = (FULL_URI, RELATIVE_URI)
# botocore 1.44.8, credentials.AssumeRoleWithWebIdentityProvider.
_VARIABLES = {
    "web_identity_token_file": "AWS_WEB_IDENTITY_TOKEN_FILE",
    "role_arn": "AWS_ROLE_ARN",
    "role_session_name": "AWS_ROLE_SESSION_NAME",
}
# botocore 1.44.8, configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES: the key and its variable.
_OPTIONS = {
    "ca_bundle": "AWS_CA_BUNDLE",
    "ignore_configured_endpoint_urls": "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "sdk_ua_app_id": "AWS_SDK_UA_APP_ID",
    "sts_regional_endpoints": "AWS_STS_REGIONAL_ENDPOINTS",
    "use_dualstack_endpoint": "AWS_USE_DUALSTACK_ENDPOINT",
    "use_fips_endpoint": "AWS_USE_FIPS_ENDPOINT",
}


class Setting(Record):
    """A value and its origin, as messages name it."""

    __slots__ = ()

    value: Any
    origin: str


class EnvironSettings:
    """The environment and its configuration files, read as botocore's session reads them.

    Reading a profile raises `ConfigError` if it does not exist, or if a file does not parse.

    Args:
        environ: the environment's variables.
        profile: the profile that code names; None leaves it to AWS_DEFAULT_PROFILE and AWS_PROFILE.
    """

    def __init__(self, environ: Mapping[str, str], profile: str | None = None) -> None:
        self._environ = environ
        self.explicit_profile = profile is not None
        self._named = _named_profile(environ, profile)
        self._session_profile: str = "default" if self._named is None else self._named.value
        self.profile_name = self._session_profile
        # Not a `cached_property`: before Python 3.12 it has one lock for all instances, which a
        # forked child can inherit locked. Reading the files twice does no harm.
        self._merged: Mapping[str, Any] | None = None

    def with_source_profile(self, name: str) -> Self:
        made = type(self)(self._environ)
        vars(made).update(vars(self), profile_name=name, explicit_profile=True)
        return made

    @property
    def profiles(self) -> Mapping[str, Any]:
        profiles: Mapping[str, Any] = self._files["profiles"]
        if self._named is not None and self._named.value not in profiles:
            paths = dict.fromkeys((self._config_file, self._credentials_file))
            raise ConfigError(
                f"{self._named.origin} names the profile {quoted(self._named.value)}, "
                f"which is not in {' or '.join(map(repr, paths))}; add it, or name another one."
            )
        return profiles

    def variable(self, name: str) -> str | None:
        return self._environ.get(name)

    def profile(self, key: str) -> Any:
        return self.profiles.get(self._session_profile, {}).get(key)

    def services(self, section: str) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self._files.get("services", {}).get(section)
        return found

    def option(self, name: str) -> Any:
        value = self.variable(_OPTIONS[name])
        return self.profile(name) if value is None else value

    def sts_arguments(self) -> Mapping[str, Any]:
        return {}

    @property
    def _files(self) -> Mapping[str, Any]:
        """The merged files, as botocore's Session.full_config (1.44.8) merges them."""
        if self._merged is None:
            merged = {"profiles": {}} | read_file("load_config", self._config_file)
            for name, keys in read_file("raw_config_parse", self._credentials_file).items():
                merged["profiles"].setdefault(name, {}).update(keys)
            self._merged = merged
        return self._merged

    @property
    def _config_file(self) -> str:
        return self._environ.get("AWS_CONFIG_FILE", "~/.aws/config")

    @property
    def _credentials_file(self) -> str:
        return self._environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")


def _named_profile(environ: Mapping[str, str], argument: str | None) -> Setting | None:
    variables = (
        Setting(environ[name], name)
        for name in ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")
        if name in environ
    )
    return find_argument("profile", argument) or next(variables, None)


def follow_source_profiles(
    settings: _Settings,
) -> tuple[_Settings, tuple[RequestedRole, ...]]:
    """Return the settings of the web identity that `source_profile` keys lead to, and the roles.

    If they lead to none, these are the same settings and no roles.

    Raises:
        ConfigError: the profile does not exist, or a file does not parse.
    """
    profiles, name = settings.profiles, settings.profile_name
    if "source_profile" not in profiles.get(name, {}):
        return settings, ()
    from irsa_creds._identity.profile import find_profile_chain  # noqa: PLC0415 - most profiles have no source_profile

    found = find_profile_chain(profiles, name)
    if found is None:
        return settings, ()
    base, roles = found
    return settings.with_source_profile(base), roles


def read_file(parser: str, path: str) -> dict[str, Any]:
    """Return the content of an AWS configuration file; empty if it does not exist.

    Args:
        parser: the function of `botocore.configloader` that reads it.
        path: may contain variables and `~`.

    Raises:
        ConfigError: the file does not parse.
    """
    if not os.path.isfile(os.path.expanduser(os.path.expandvars(path))):  # noqa: PTH111, PTH113 - botocore's own steps, in its order
        return {}
    # Most pods have no such file and skip this import.
    import botocore.configloader  # noqa: PLC0415

    try:
        parsed: dict[str, Any] = getattr(botocore.configloader, parser)(path)
    except botocore.exceptions.ConfigNotFound:
        return {}
    except botocore.exceptions.ConfigParseError as error:
        line = _line_number(error.kwargs["error"])
    else:
        return parsed
    # Raised outside of the handler: the parser's error quotes the line, which may have a secret.
    where = f" (line {line})" if line else ""
    raise ConfigError(f"The file {path!r} is not a valid AWS configuration{where}; correct it.")


def _line_number(error: object) -> int | None:
    """Return the line of an error of configparser; not all of its errors have one."""
    lines: list[int] = [line for line, _ in getattr(error, "errors", [])]
    return lines[0] if lines else getattr(error, "lineno", None)


def find_argument(name: str, value: Any) -> Setting | None:
    """Return the argument of a function; None if it is None."""
    return None if value is None else Setting(value, f"{ARGUMENT} {name}")


def find_web_identity(settings: Settings, key: str) -> Setting | None:
    """Return `web_identity_token_file`, `role_arn` or `role_session_name`; None if unset.

    The variable takes precedence even when it is empty, as in botocore 1.44.8.
    """
    name = _VARIABLES[key]
    value = None if settings.explicit_profile else settings.variable(name)
    if value is not None:
        return Setting(value, name)
    return find_profile_key(settings, key)


def find_profile_key(settings: Settings, key: str) -> Setting | None:
    """Return a key of the profile that names role and token; None if unset."""
    name = settings.profile_name
    value = settings.profiles.get(name, {}).get(key)
    return None if value is None else Setting(value, f"{key} of the profile {name!r}")
