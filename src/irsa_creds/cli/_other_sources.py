"""What the SDKs of a child process would take before the container's endpoint."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from irsa_creds._errors import ConfigError
from irsa_creds._identity.settings import read_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["rivals"]

_BOTO = "/etc/boto.cfg", "~/.boto"
# Read by every Java program. Source: AWS SDK for Java 2, SdkSystemSetting and
# ProfileFileSystemSetting: properties of the system come before the environment.
_JAVA = "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"
_PROPERTIES = (
    "aws.accessKeyId",
    "aws.webIdentityTokenFile",
    "aws.profile",
    "aws.sharedCredentialsFile",
    "aws.configFile",
)


class _Default(NamedTuple):
    """The profile `default` as one file has it: the answer is to say which."""

    path: str
    shared: bool
    keys: Mapping[str, Any]


def rivals(environ: Mapping[str, str], argv: Sequence[str] = ()) -> Iterator[str]:
    """Yield what beats the endpoint in a child's environment all the same, the winner first.

    The order is botocore's; a file that does not parse lets most SDKs fail, whatever is in it.

    Args:
        environ: what `child_environ` returned.
        argv: the child's command and its arguments.
    """
    options = {"the command's arguments": " ".join(argv)}
    options |= {name: environ.get(name, "") for name in _JAVA}
    for place, text in options.items():
        for each in _PROPERTIES:
            if f"-D{each}=" in text:
                yield f"-D{each} in {place}"
    # Some SDKs take an empty name for none.
    shared = environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"
    config = environ.get("AWS_CONFIG_FILE") or "~/.aws/config"
    files = {path: _sections(path) for path in (shared, config)}
    for path, found in files.items():
        if found is None:
            yield _broken(path)
    yield from _of_profiles(
        _Default(shared, True, _keys(files[shared], "default")),
        _Default(config, False, _keys(files[config], "default", "profile default")),
    )
    yield from _boto2(environ)


def _of_profiles(*found: _Default) -> Iterator[str]:
    if not any(each.keys for each in found):
        return
    # It brings all of the diagnosis along: most pods have no such file, and need none of it.
    from irsa_creds.diagnosis._doctor.profile_sources import ASSUMED, LATER, WEB_IDENTITY  # noqa: PLC0415

    for source in (ASSUMED, WEB_IDENTITY, *LATER):
        for profile in found:
            if source.shared in {None, profile.shared}:
                for key in (*source.keys, *source.others):
                    if key in profile.keys:
                        yield f"{key} of the profile 'default' in {profile.path}"


def _boto2(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield boto 2's files that hold keys: botocore still reads them before the endpoint."""
    given = environ.get("BOTO_CONFIG")
    for path in _BOTO if given is None else (given,):
        found = _sections(path)
        if found is None:
            yield _broken(path)
        elif "aws_access_key_id" in found.get("Credentials", {}):
            yield f"aws_access_key_id of [Credentials] in {path}"


def _broken(path: str) -> str:
    return f"the file {path}, which does not parse,"


def _keys(sections: Mapping[str, Mapping[str, Any]] | None, *titles: str) -> Mapping[str, Any]:
    """Return the keys of all sections with one of these titles.

    Blanks and quotes do not count: unlike botocore, the SDKs for Java and Go take `[ default ]`.
    """
    return {
        key: value
        for title, keys in (sections or {}).items()
        if " ".join(re.sub("[\"']", " ", title).split()) in titles
        for key, value in keys.items()
    }


def _sections(path: str) -> Mapping[str, Mapping[str, Any]] | None:
    """Return the sections of a file; none where it is not there, None where it does not parse."""
    try:
        return read_file("raw_config_parse", path)
    except ConfigError:
        return None
