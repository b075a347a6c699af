"""What the SDKs of a child process would take before the container's endpoint."""

from __future__ import annotations

import configparser
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from irsa_creds._settings import EnvironSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["child_environ", "rivals"]

# All that comes before the endpoint in the chains of the SDKs, or changes what they ask there.
# Sources: botocore 1.43.117, credentials.create_credential_resolver; AWS SDKs and Tools Reference
# Guide, "Standardized credential providers"; AWS_ACCESS_KEY, AWS_SECRET_KEY: Go and Java of old;
# AWS_CREDENTIAL_FILE: EC2's tools of old, and botocore.
_REMOVED = (
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_CREDENTIAL_FILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
# Keys of a profile that make it a source of credentials, in the order of botocore's chain. Some
# are not enough by themselves: then the SDK fails, and does not go on to the endpoint.
_SOURCES = (
    "role_arn",
    "web_identity_token_file",
    "sso_session",
    "sso_start_url",
    "sso_account_id",
    "sso_role_name",
    "aws_access_key_id",
    "login_session",
    "credential_process",
)
_BOTO = "/etc/boto.cfg", "~/.boto"


def child_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what would beat the endpoint."""
    return {name: value for name, value in environ.items() if name not in _REMOVED}


def rivals(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield what beats the endpoint in a child's environment all the same, the winner first.

    Args:
        environ: what `child_environ` returned.

    Raises:
        ConfigError: a file does not parse.
    """
    # One file at a time: the answer is to say which.
    files = {
        "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
        "AWS_CONFIG_FILE": "~/.aws/config",
    }
    named = {name: environ.get(name, usual) for name, usual in files.items()}
    profiles = {
        path: EnvironSettings({**dict.fromkeys(files, os.devnull), name: path})
        for name, path in named.items()
    }
    for key in _SOURCES:
        for path, settings in profiles.items():
            if settings.profile(key) is not None:
                yield f"{key} of the profile 'default' in {path}"
    yield from _boto2(environ)


def _boto2(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield boto 2's files that hold keys: botocore still reads them before the endpoint."""
    given = environ.get("BOTO_CONFIG")
    for path in _BOTO if given is None else (given,):
        parser = configparser.RawConfigParser()
        # What does not parse holds no keys that anybody could use.
        with contextlib.suppress(configparser.Error, UnicodeDecodeError):
            parser.read(Path(path).expanduser())
        if parser.has_option("Credentials", "aws_access_key_id"):
            yield f"aws_access_key_id of [Credentials] in {path}"
