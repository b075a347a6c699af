"""The identity of a command: options that override the environment variables."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from irsa_creds._errors import ConfigError
from irsa_creds._provider import provider
from irsa_creds.cli._errors import UsageError

if TYPE_CHECKING:
    import argparse

    from irsa_creds._credentials import Credentials
    from irsa_creds._provider import Provider

__all__ = [
    "ENVIRONMENT",
    "IDENTITY",
    "add_identity",
    "expiration",
    "fetch",
    "provider_of",
    "region_of",
]

#: The options that name an identity, as arguments of `irsa_creds.provider`.
IDENTITY = ("role_arn", "token_file", "session_name", "duration_seconds", "region", "profile")

#: The end of `--help` of the commands that take these options.
ENVIRONMENT = """\
environment:
  AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE (the Pod Identity webhook sets
  both), AWS_ROLE_SESSION_NAME, AWS_REGION, AWS_PROFILE and the other variables
  of botocore."""


def add_identity(parser: argparse.ArgumentParser) -> None:
    """Add the options of the identity; the environment has the defaults."""
    group = parser.add_argument_group("identity (by default from the environment)")
    group.add_argument("--role-arn", metavar="ARN", help="the role, instead of AWS_ROLE_ARN")
    group.add_argument(
        "--token-file", metavar="FILE", help="instead of AWS_WEB_IDENTITY_TOKEN_FILE"
    )
    group.add_argument("--session-name", metavar="NAME", help="instead of AWS_ROLE_SESSION_NAME")
    group.add_argument(
        "--duration-seconds", metavar="N", type=int, help="requested lifetime of the credentials"
    )
    group.add_argument("--region", help="the region of STS")
    group.add_argument("--profile", help="a profile with role and token")


def provider_of(
    args: argparse.Namespace,
    *,
    keep_warm: bool = False,
    shared_cache: bool | None = None,
) -> Provider:
    """Return the provider for the options.

    Raises:
        UsageError: an option's value is malformed.
        ConfigError: a variable or profile is malformed, or IRSA is not configured.
    """
    try:
        return provider(
            **{name: getattr(args, name) for name in IDENTITY},
            keep_warm=keep_warm,
            shared_cache=shared_cache,
        )
    except ConfigError as error:
        # The library's messages begin with the setting.
        begins, argument, rest = str(error).partition("The argument ")
        if begins or not argument:
            raise
        name, _, why = rest.partition(" ")
        raise UsageError(f"--{name.replace('_', '-')} {why}") from None


def region_of(provider: Provider) -> str | None:
    """Return the region from variables, profile or token, or None."""
    return provider._identity.region  # noqa: SLF001 - no public name, and none is needed


def fetch(provider: Provider) -> Credentials:
    """Return credentials; the command prints an error, so it is not logged as well.

    After an error the filter stays, because the refresh thread may log it later.
    """
    log = logging.getLogger("irsa_creds")
    log.addFilter(is_not_error)
    found = provider.get()
    log.removeFilter(is_not_error)
    return found


def is_not_error(record: logging.LogRecord) -> bool:
    """Drop errors, which the command prints; keep warnings, as of an unusable cache."""
    return record.levelno < logging.ERROR


def expiration(credentials: Credentials) -> str:
    """Return the expiration in AWS's format (ISO 8601, UTC)."""
    return f"{credentials.expiration:%Y-%m-%dT%H:%M:%SZ}"
