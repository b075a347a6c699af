"""Whose credentials a command is about: options in place of the environment's variables."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from irsa_creds._api import provider
from irsa_creds._errors import ConfigError
from irsa_creds.cli._errors import UsageError

if TYPE_CHECKING:
    import argparse

    from irsa_creds._credentials import Credentials
    from irsa_creds._provider import Provider

__all__ = [
    "ENVIRONMENT",
    "IDENTITY",
    "add_cache",
    "add_identity",
    "cache_of",
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
  AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE (both are set by the pod identity
  webhook), AWS_ROLE_SESSION_NAME, AWS_REGION, AWS_PROFILE and the rest that
  botocore reads."""


def add_identity(parser: argparse.ArgumentParser) -> None:
    """Add the options that name an identity; what is not given comes from the environment."""
    group = parser.add_argument_group("identity (as a rule the environment says it all)")
    group.add_argument("--role-arn", metavar="ARN", help="the role, in place of AWS_ROLE_ARN")
    group.add_argument(
        "--token-file", metavar="FILE", help="in place of AWS_WEB_IDENTITY_TOKEN_FILE"
    )
    group.add_argument("--session-name", metavar="NAME", help="in place of AWS_ROLE_SESSION_NAME")
    group.add_argument(
        "--duration-seconds", metavar="N", type=int, help="how long credentials are to last"
    )
    group.add_argument("--region", help="the region whose STS is asked")
    group.add_argument("--profile", help="a profile that names role and token")


def provider_of(
    args: argparse.Namespace,
    *,
    keep_warm: bool = False,
    shared_cache: bool | None = None,
) -> Provider:
    """Return the provider of the identity that the options name.

    Raises:
        UsageError: an option's value is malformed.
        ConfigError: a variable's or a profile's is, or IRSA is not configured.
    """
    try:
        return provider(
            **{name: getattr(args, name) for name in IDENTITY},
            keep_warm=keep_warm,
            shared_cache=shared_cache,
        )
    except ConfigError as error:
        # The library's messages begin with what they are about.
        begins, argument, rest = str(error).partition("The argument ")
        if begins or not argument:
            raise
        name, _, why = rest.partition(" ")
        raise UsageError(f"--{name.replace('_', '-')} {why}") from None


def region_of(provider: Provider) -> str | None:
    """Return the region that a pod's variables, profile or token name; None where none does."""
    return provider._config.region  # noqa: SLF001 - no public name, and none is needed


def fetch(provider: Provider) -> Credentials:
    """Return credentials; an error is told by the command that it ends, and not logged as well.

    The log stays without errors then: the thread of the refresh may come to its line only later.
    """
    log = logging.getLogger("irsa_creds")
    log.addFilter(is_no_error)
    found = provider.get()
    log.removeFilter(is_no_error)
    return found


def is_no_error(record: logging.LogRecord) -> bool:
    """Let warnings pass: of a cache that is of no use, for one, nothing else tells."""
    return record.levelno < logging.ERROR


def add_cache(parser: argparse.ArgumentParser) -> None:
    """Add `--no-cache`."""
    parser.add_argument(
        "--no-cache",
        action="store_true",
        help="neither read nor write the cache that the processes of this pod share",
    )


def cache_of(args: argparse.Namespace) -> bool | None:
    """Return `shared_cache` as `--no-cache` and the environment say; on where neither speaks."""
    if args.no_cache:
        return False
    return None if os.environ.get("IRSA_CREDS_CACHE_DIR") else True


def expiration(credentials: Credentials) -> str:
    """Return when credentials end, as AWS's formats have it (ISO 8601, UTC)."""
    return f"{credentials.expiration:%Y-%m-%dT%H:%M:%SZ}"
