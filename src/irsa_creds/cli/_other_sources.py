"""Sources that take precedence over the endpoint in the SDKs of a child process."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from irsa_creds._errors import ConfigError
from irsa_creds._identity.profile_sources import ASSUMED, LATER, WEB_IDENTITY
from irsa_creds._identity.settings import read_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["overriding_sources"]

_BOTO = "/etc/boto.cfg", "~/.boto"
# Read by every Java program. Source: AWS SDK for Java 2, SdkSystemSetting and
# ProfileFileSystemSetting: system properties take precedence over the environment.
_JAVA = "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"
_PROPERTIES = (
    "aws.accessKeyId",
    "aws.webIdentityTokenFile",
    "aws.profile",
    "aws.sharedCredentialsFile",
    "aws.configFile",
)


class _Default(NamedTuple):
    """The profile `default` of one file."""

    path: str
    shared: bool
    keys: Mapping[str, Any]


def overriding_sources(environ: Mapping[str, str], argv: Sequence[str] = ()) -> Iterator[str]:
    """Yield the sources that take precedence over the endpoint, in botocore's order.

    A file that does not parse counts too, because most SDKs fail on it.

    Args:
        environ: the result of `child_environ`.
        argv: the child's command and its arguments.
    """
    options = {"the command's arguments": " ".join(argv)}
    options |= {name: environ.get(name, "") for name in _JAVA}
    for source, text in options.items():
        for each in _PROPERTIES:
            if f"-D{each}=" in text:
                yield f"-D{each} in {source}"
    # Some SDKs treat an empty name as not set.
    shared = environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"
    config = environ.get("AWS_CONFIG_FILE") or "~/.aws/config"
    files = {path: _sections(path) for path in (shared, config)}
    for path, found in files.items():
        if found is None:
            yield _unparsable(path)
    yield from _of_profiles(
        _Default(shared, True, _keys(files[shared], "default")),
        _Default(config, False, _keys(files[config], "default", "profile default")),
    )
    yield from _boto2(environ)


def _of_profiles(*found: _Default) -> Iterator[str]:
    if not any(each.keys for each in found):
        return
    for source in (ASSUMED, WEB_IDENTITY, *LATER):
        for profile in found:
            if source.shared in {None, profile.shared}:
                for key in (*source.keys, *source.others):
                    if key in profile.keys:
                        yield f"{key} of the profile 'default' in {profile.path}"


def _boto2(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield files of boto 2 with keys, which botocore still reads before the endpoint."""
    given = environ.get("BOTO_CONFIG")
    for path in _BOTO if given is None else (given,):
        found = _sections(path)
        if found is None:
            yield _unparsable(path)
        elif "aws_access_key_id" in found.get("Credentials", {}):
            yield f"aws_access_key_id of [Credentials] in {path}"


def _unparsable(path: str) -> str:
    return f"the file {path}, which does not parse,"


def _keys(sections: Mapping[str, Mapping[str, Any]] | None, *titles: str) -> Mapping[str, Any]:
    """Return the keys of all sections with one of these titles.

    Blanks and quotes are ignored: unlike botocore, the SDKs for Java and Go accept `[ default ]`.
    """
    return {
        key: value
        for title, keys in (sections or {}).items()
        if " ".join(re.sub("[\"']", " ", title).split()) in titles
        for key, value in keys.items()
    }


def _sections(path: str) -> Mapping[str, Mapping[str, Any]] | None:
    """Return the sections of a file: none if it does not exist, None if it does not parse."""
    try:
        return read_file("raw_config_parse", path)
    except ConfigError:
        return None
