"""`exec`: a program of any language, with credentials that are refreshed for it."""

from __future__ import annotations

import argparse
import os
import signal
from typing import TYPE_CHECKING

from irsa_creds._errors import ConfigError
from irsa_creds._identity.settings import EnvironSettings
from irsa_creds.cli._child_environ import child_environ, past_proxies, with_defaults
from irsa_creds.cli._child_process import end_on_signals, run as run_child, shielded
from irsa_creds.cli._endpoint import HOST, Endpoint
from irsa_creds.cli._endpoint_token import token_file, variables
from irsa_creds.cli._errors import UsageError
from irsa_creds.cli._identity import ENVIRONMENT, add_identity, fetch, provider_of, region_of
from irsa_creds.cli._other_sources import rivals
from irsa_creds.cli._parser import command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from irsa_creds.cli._parser import Subparsers
    from irsa_creds.cli._print import Printer

__all__ = ["add", "run"]

_DESCRIPTION = """\
Run a command whose AWS SDK, in whatever language, gets credentials from this process: over HTTP on
127.0.0.1, as on ECS and with EKS Pod Identity, and refreshed in the background. Static keys,
AWS_PROFILE and the web identity variables are taken out of its environment. Where something else
would win all the same, such as a profile in ~/.aws/config, nothing is started, and the winner is
named. AWS_EC2_METADATA_DISABLED=true keeps it from the node's role, unless the variable is set
already, and AWS_REGION tells it the region that it would miss then. Signals are passed on."""

_STATUS = """\
exit status:
  the command's own; 128 + N where signal N ended it; 127 or 126 where it is not
  there or cannot be run; 1 where there are no credentials, or something would
  beat them; 70 where this program itself could not go on.

"""

# Keys of a profile that are not about credentials, and the variables that say the same.
_NETWORK = {"ca_bundle": "AWS_CA_BUNDLE", "endpoint_url": "AWS_ENDPOINT_URL"}


def add(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = command(
        subparsers,
        "exec",
        description=_DESCRIPTION,
        examples=(
            ("the AWS CLI", "irsa-creds exec -- aws s3 ls"),
            (
                "a server, in a Dockerfile",
                'ENTRYPOINT ["irsa-creds", "exec", "--", "node", "server.mjs"]',
            ),
            (
                "a profile stands in the way: hide ~/.aws from the program",
                "irsa-creds exec --no-files -- ./program",
            ),
        ),
        after=_STATUS + ENVIRONMENT,
        usage="irsa-creds exec [options] -- COMMAND [ARGUMENT ...]",
    )
    parser.add_argument(
        "--force", action="store_true", help="go on though something else beats these credentials"
    )
    parser.add_argument(
        "--no-files",
        action="store_true",
        help="hide AWS's configuration files from the command (not from this program)",
    )
    add_identity(parser)
    parser.add_argument("argv", nargs=argparse.REMAINDER, metavar="COMMAND", help="what to run")


def run(args: argparse.Namespace, out: Printer) -> int:
    """Run the command."""
    argv = args.argv[1:] if args.argv[:1] == ["--"] else args.argv
    if not argv or not argv[0]:
        raise UsageError("exec needs a command to run: irsa-creds exec -- COMMAND")
    if not hasattr(signal, "sigwaitinfo"):
        raise UsageError("exec needs a system with sigwaitinfo, such as Linux; see 'serve'.")
    end_on_signals()
    environ = child_environ(os.environ, files=not args.no_files)
    _look_for_rivals(environ, argv, out, force=args.force)
    endpoint = shielded(lambda: _started(args))
    environ = with_defaults(environ, region_of(endpoint.provider))
    environ |= past_proxies(environ, HOST)
    _tell_what_is_lost(args, out)
    with token_file(endpoint.token) as path:
        status, trouble = run_child(argv, {**environ, **variables(endpoint, path)})
    if trouble:
        out.error(trouble, kind="CommandError")
    return status


def _look_for_rivals(
    environ: dict[str, str], argv: Sequence[str], out: Printer, *, force: bool
) -> None:
    """Refuse to go on where the child's SDK would take something else; say so under `--force`."""
    winner = next(rivals(environ, argv), None)
    if winner is None:
        return
    told = f"{winner} beats the credentials of this pod's role in the command's environment"
    if not force:
        raise ConfigError(
            f"{told}, so it was not started. Remove it, hide AWS's configuration files from the "
            "command with --no-files, or go on with --force."
        )
    out.note(f"irsa-creds: warning: {told}.")


def _tell_what_is_lost(args: argparse.Namespace, out: Printer) -> None:
    """Warn of what the profile says about the network, where the command does not see it."""
    settings = EnvironSettings(os.environ, args.profile)
    if settings.profile_name == "default" and not args.no_files:
        return
    for key, name in _NETWORK.items():
        if settings.profile(key) is not None and name not in os.environ:
            out.note(
                f"irsa-creds: warning: the command does not see {key} of the profile "
                f"{settings.profile_name!r}: set {name}."
            )


def _started(args: argparse.Namespace) -> Endpoint:
    """Return the endpoint, with credentials to hand out, for SDKs wait for a second only."""
    provider = provider_of(args, keep_warm=True)
    fetch(provider)
    endpoint = Endpoint(provider)
    # It ends with this process.
    endpoint.start()
    return endpoint
