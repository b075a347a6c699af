"""`exec`: run a program of any language with credentials that are refreshed for it."""

from __future__ import annotations

import argparse
import os
import signal
from typing import TYPE_CHECKING

from irsa_creds._errors import ConfigError
from irsa_creds._identity.settings import EnvironSettings
from irsa_creds.cli._child_environ import child_environ, with_defaults, without_proxy
from irsa_creds.cli._child_process import end_on_signals, run as run_child, without_signals
from irsa_creds.cli._endpoint import HOST, Endpoint
from irsa_creds.cli._endpoint_token import token_file, variables
from irsa_creds.cli._errors import UsageError
from irsa_creds.cli._identity import ENVIRONMENT, add_identity, fetch, provider_of, region_of
from irsa_creds.cli._other_sources import overriding_sources
from irsa_creds.cli._parser import command_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from irsa_creds.cli._parser import Commands
    from irsa_creds.cli._print import Printer

__all__ = ["add", "run"]

_DESCRIPTION = """\
Run a command whose AWS SDK, in any language, gets credentials from this process: over HTTP on
127.0.0.1, as on Amazon ECS and with EKS Pod Identity, refreshed in the background. The command does
not get static keys, AWS_PROFILE and the web identity variables. If another source still takes
precedence, such as a profile in ~/.aws/config, exec names it and starts nothing. Unless they are
set, AWS_EC2_METADATA_DISABLED=true disables the node's role and AWS_REGION is the pod's region.
Signals are passed on."""

_STATUS = """\
exit status:
  the command's own; 128 + N if signal N ended it; 127 or 126 if it is not found
  or cannot be run; 1 without credentials, or if another source takes
  precedence; 70 after an internal error of irsa-creds.

"""

# Profile keys about the network, and the equivalent variables.
_NETWORK = {"ca_bundle": "AWS_CA_BUNDLE", "endpoint_url": "AWS_ENDPOINT_URL"}


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "exec",
        description=_DESCRIPTION,
        examples=(
            ("the AWS CLI", "irsa-creds exec -- aws s3 ls"),
            (
                "a server, in a Dockerfile",
                'ENTRYPOINT ["irsa-creds", "exec", "--", "node", "server.mjs"]',
            ),
            (
                "hide the profiles in ~/.aws from the program",
                "irsa-creds exec --no-files -- ./program",
            ),
        ),
        after=_STATUS + ENVIRONMENT,
        usage="irsa-creds exec [options] -- COMMAND [ARGUMENT ...]",
    )
    parser.add_argument(
        "--force", action="store_true", help="run even if another source takes precedence"
    )
    parser.add_argument(
        "--no-files",
        action="store_true",
        help="hide the AWS configuration files from the command (not from this program)",
    )
    add_identity(parser)
    parser.add_argument(
        "argv", nargs=argparse.REMAINDER, metavar="COMMAND", help="the command to run"
    )


def run(args: argparse.Namespace, out: Printer) -> int:
    """Run the command."""
    argv = command_in(args.argv, usage="exec needs a command to run: irsa-creds exec -- COMMAND")
    if not hasattr(signal, "sigwaitinfo"):
        raise UsageError("exec needs a system with sigwaitinfo, such as Linux; use 'serve'.")
    end_on_signals()
    environ = child_environ(os.environ, files=not args.no_files)
    _check_other_sources(environ, argv, out, force=args.force)
    endpoint = without_signals(lambda: _started(args))
    environ = with_defaults(environ, region_of(endpoint.provider))
    environ |= without_proxy(environ, HOST)
    _warn_about_hidden_settings(args, out)
    with token_file(endpoint.token) as path:
        status, trouble = run_child(argv, {**environ, **variables(endpoint, path)})
    if trouble:
        out.error(trouble, kind="CommandError")
    return status


def _check_other_sources(
    environ: dict[str, str], argv: Sequence[str], out: Printer, *, force: bool
) -> None:
    """Raise if another source takes precedence in the child's SDK; with `--force`, warn."""
    first = next(overriding_sources(environ, argv), None)
    if first is None:
        return
    text = f"{first} takes precedence over the credentials of this pod's role"
    if not force:
        raise ConfigError(
            f"{text}, so the command was not started. Remove it, hide the AWS configuration files "
            "from the command with --no-files, or use --force."
        )
    out.note(f"irsa-creds: warning: {text}.")


def _warn_about_hidden_settings(args: argparse.Namespace, out: Printer) -> None:
    """Warn about network settings of the profile that the command does not get."""
    settings = EnvironSettings(os.environ, args.profile)
    if settings.profile_name == "default" and not args.no_files:
        return
    for key, name in _NETWORK.items():
        if settings.profile(key) is not None and name not in os.environ:
            out.note(
                f"irsa-creds: warning: the command does not get {key} of the profile "
                f"{settings.profile_name!r}: set {name}."
            )


def _started(args: argparse.Namespace) -> Endpoint:
    """Return the endpoint after the first fetch, because SDKs wait only a second."""
    provider = provider_of(args, keep_warm=True)
    fetch(provider)
    endpoint = Endpoint(provider)
    # Its thread ends with this process.
    endpoint.start()
    return endpoint
