"""Where settings come from: the environment and AWS's configuration files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from irsa_creds._errors import ConfigError
from irsa_creds._identity import validation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from irsa_creds._identity.profile import ProfileChain

__all__ = [
    "EnvironSettings",
    "Found",
    "Settings",
    "find_profile_key",
    "find_web_identity",
    "profile_chain_of",
    "read_file",
]

# botocore 1.44.8, credentials.AssumeRoleWithWebIdentityProvider.
_WEB_IDENTITY = {
    "web_identity_token_file": "AWS_WEB_IDENTITY_TOKEN_FILE",
    "role_arn": "AWS_ROLE_ARN",
    "role_session_name": "AWS_ROLE_SESSION_NAME",
}
# botocore 1.44.8, configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES: the variable, then the key.
_OPTIONS = {
    "ca_bundle": "AWS_CA_BUNDLE",
    "ignore_configured_endpoint_urls": "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "sts_regional_endpoints": "AWS_STS_REGIONAL_ENDPOINTS",
    "use_dualstack_endpoint": "AWS_USE_DUALSTACK_ENDPOINT",
    "use_fips_endpoint": "AWS_USE_FIPS_ENDPOINT",
}


class Found(NamedTuple):
    """A value and the place that it was found in, as messages name it."""

    value: Any
    source: str


class Settings(Protocol):
    """What botocore would read; one is made from the environment, others from sessions."""

    @property
    def explicit_profile(self) -> bool:
        """Whether code named the profile: that switches the web identity variables off."""
        ...

    @property
    def profile_name(self) -> str:
        """The profile that `web_identity` reads, for messages."""
        ...

    def variable(self, name: str) -> str | None:
        """Return an environment variable; None when it is unset."""
        ...

    def profile(self, key: str) -> Any:
        """Return a key of the session's profile (botocore's scoped config), or None."""
        ...

    def web_identity(self, key: str) -> Any:
        """Return a key of the profile that names role and token.

        The session's own profile, but for a `source_profile` hop.
        """
        ...

    def services(self, section: str) -> Mapping[str, Any] | None:
        """Return the section `[services SECTION]` of the configuration file, or None."""
        ...

    def option(self, name: str) -> Any:
        """Return a setting by botocore's logical name (`Session.get_config_variable`), or None."""
        ...


class EnvironSettings:
    """The environment and the files it points to, read as botocore's session reads them.

    Args:
        environ: the environment's variables.
        profile: the profile that code names; None leaves it to AWS_DEFAULT_PROFILE and AWS_PROFILE.

    Raises:
        ConfigError: on the first look into a profile that does not exist, or a file that does not
            parse.
    """

    def __init__(self, environ: Mapping[str, str], profile: str | None = None) -> None:
        self._environ = environ
        self._argument = profile
        self.explicit_profile = profile is not None
        # Not `cached_property`: before Python 3.12 that has one lock for all instances, which a
        # child forked meanwhile inherits. Reading the files twice does no harm.
        self._merged: Mapping[str, Any] | None = None
        # The profile of the web identity, where another one leads there.
        self._source: str | None = None

    def at_source(self, profile: str) -> Self:
        """Return these settings with the web identity of another profile; the rest stays.

        Args:
            profile: where a way of `source_profile`s ends.
        """
        made = type(self)(self._environ, self._argument)
        made._merged = self._merged  # noqa: SLF001 - of this very class
        made._source = profile  # noqa: SLF001 - as above
        # As in botocore: the variables are off behind a `source_profile`.
        made.explicit_profile = True
        return made

    def route(self) -> ProfileChain | None:
        """Return the roles that the profile assumes by way of `source_profile`; None: it does not.

        Raises:
            ConfigError: a file does not parse.
        """
        return profile_chain_of(self._files["profiles"], self._own_name)

    @property
    def profile_name(self) -> str:
        return self._own_name if self._source is None else self._source

    @property
    def _own_name(self) -> str:
        return "default" if self._named is None else self._named.value

    def variable(self, name: str) -> str | None:
        return self._environ.get(name)

    def profile(self, key: str) -> Any:
        return self._profile.get(key)

    def web_identity(self, key: str) -> Any:
        if self._source is None:
            return self._profile.get(key)
        return self._files["profiles"][self._source].get(key)

    def services(self, section: str) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self._files.get("services", {}).get(section)
        return found

    def option(self, name: str) -> Any:
        value = self.variable(_OPTIONS[name])
        return self.profile(name) if value is None else value

    @property
    def _named(self) -> Found | None:
        if self._argument is not None:
            return Found(self._argument, "The argument profile")
        for name in ("AWS_DEFAULT_PROFILE", "AWS_PROFILE"):
            if name in self._environ:
                return Found(self._environ[name], name)
        return None

    @property
    def _profile(self) -> Mapping[str, Any]:
        profiles: Mapping[str, Mapping[str, Any]] = self._files["profiles"]
        if self._named is not None and self._named.value not in profiles:
            one, other = self._config_file, self._credentials_file
            where = f"neither {one!r} nor {other!r} has" if one != other else f"{one!r} lacks"
            raise ConfigError(
                f"{self._named.source} names the profile {validation.quoted(self._named.value)}, "
                f"but {where} it; write it there, or name another."
            )
        return profiles.get(self._own_name, {})

    @property
    def _files(self) -> Mapping[str, Any]:
        if self._merged is None:
            self._merged = self._read()
        return self._merged

    def _read(self) -> Mapping[str, Any]:
        """Return the merged files, as botocore's Session.full_config (1.44.8) merges them."""
        config = {"profiles": {}} | read_file("load_config", self._config_file)
        for name, keys in read_file("raw_config_parse", self._credentials_file).items():
            config["profiles"].setdefault(name, {}).update(keys)
        return config

    @property
    def _config_file(self) -> str:
        return self._environ.get("AWS_CONFIG_FILE", "~/.aws/config")

    @property
    def _credentials_file(self) -> str:
        return self._environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")


def profile_chain_of(profiles: Mapping[str, Any], name: str) -> ProfileChain | None:
    """Return the roles that a profile assumes by way of `source_profile`; None: it does not.

    Args:
        profiles: the profiles of the configuration files, merged.
        name: the profile.
    """
    if "source_profile" not in profiles.get(name, {}):
        return None
    from irsa_creds._identity.profile import find_profile_chain  # noqa: PLC0415 - most profiles lead nowhere else

    return find_profile_chain(profiles, name)


def read_file(parser: str, path: str) -> dict[str, Any]:
    """Return what an AWS configuration file holds; nothing if it does not exist.

    Args:
        parser: the function of `botocore.configloader` that reads it.
        path: with variables and `~` still in it.

    Raises:
        ConfigError: the file does not parse.
    """
    if not os.path.isfile(os.path.expanduser(os.path.expandvars(path))):  # noqa: PTH111, PTH113 - botocore's own steps, in its order
        return {}
    # Most pods have no such file: only the others pay for the import.
    from botocore import configloader  # noqa: PLC0415
    from botocore.exceptions import ConfigNotFound, ConfigParseError  # noqa: PLC0415

    try:
        parsed: dict[str, Any] = getattr(configloader, parser)(path)
    except ConfigNotFound:
        return {}
    except ConfigParseError as error:
        where = _line_of(error.kwargs["error"])
    else:
        return parsed
    # Raised out here: the parser's error quotes the line, and the line may be a secret key.
    raise ConfigError(f"The file {path!r} is not a valid AWS configuration{where}; correct it.")


def _line_of(error: object) -> str:
    """Return where configparser stumbled: several of its errors carry a line's number."""
    lines = [line for line, _ in getattr(error, "errors", [])]
    line = lines[0] if lines else getattr(error, "lineno", None)
    return f" (line {line})" if line else ""


def find_web_identity(settings: Settings, key: str) -> Found | None:
    """Return `web_identity_token_file`, `role_arn` or `role_session_name`; None where unset.

    The variable wins even when it is empty, as in botocore 1.44.8.
    """
    name = _WEB_IDENTITY[key]
    value = None if settings.explicit_profile else settings.variable(name)
    if value is not None:
        return Found(value, name)
    return find_profile_key(settings, key)


def find_profile_key(settings: Settings, key: str) -> Found | None:
    """Return a key of the profile that names role and token; None where unset."""
    value = settings.web_identity(key)
    return (
        None if value is None else Found(value, f"{key} of the profile {settings.profile_name!r}")
    )
