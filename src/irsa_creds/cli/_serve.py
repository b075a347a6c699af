"""`serve`: the endpoint of `exec` alone, for programs that are started elsewhere."""

from __future__ import annotations

import contextlib
import threading
from shlex import quote
from typing import TYPE_CHECKING

from irsa_creds.cli._child_environ import REMOVED, defaults
from irsa_creds.cli._child_process import end_on_signals
from irsa_creds.cli._endpoint import Endpoint
from irsa_creds.cli._endpoint_token import token_file, variables
from irsa_creds.cli._errors import UsageError
from irsa_creds.cli._identity import ENVIRONMENT, add_identity, fetch, provider_of, region_of
from irsa_creds.cli._parser import command

if TYPE_CHECKING:
    import argparse

    from irsa_creds.cli._parser import Subparsers
    from irsa_creds.cli._print import Printer

__all__ = ["add", "run"]

_DESCRIPTION = """\
Serve refreshing credentials on 127.0.0.1 until SIGTERM, SIGHUP or SIGINT, and print the lines of
shell that lead AWS's SDKs there: what would win is unset, and AWS_EC2_METADATA_DISABLED=true keeps
them from the node's role, unless the variable is set already. The token that they need is in a file
of mode 0600, which is removed at the end. All containers of a pod reach the port: those that can
read the file get credentials."""

# The other container runs what stands there: no other user may be able to replace it.
_SHARED = """\
umask 077 && mkdir -p /shared/aws &&
    TMPDIR=/shared/aws irsa-creds serve > /shared/aws/environment"""

_PORTS = range(65_536)


def add(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = command(
        subparsers,
        "serve",
        description=_DESCRIPTION,
        examples=(
            ("start it, and see what to set", "irsa-creds serve"),
            ("for another container of the same user id, on a volume of these two", _SHARED),
            (
                "and in that one, if the directory is its own",
                "[ -O /shared/aws ] && . /shared/aws/environment && exec ./program",
            ),
        ),
        after=ENVIRONMENT,
    )
    parser.add_argument("--port", type=int, default=0, help="0, the usual: any that is free")
    add_identity(parser)


def run(args: argparse.Namespace, out: Printer) -> int:
    """Serve until a signal comes."""
    if args.port not in _PORTS:
        raise UsageError(f"--port is {args.port}, but a port is a number from 0 to 65535.")
    end_on_signals()
    provider = provider_of(args, keep_warm=True)
    # What is wrong is better told now than to whoever asks.
    fetch(provider)
    try:
        endpoint = Endpoint(provider, args.port)
    except OSError as error:
        raise UsageError(f"Port {args.port} cannot be had: {error.strerror}.") from None
    with endpoint, token_file(endpoint.token) as path:
        if path is None:
            raise UsageError("There is no place to write the token to: set TMPDIR to one.")
        # To be ended is what it is there for.
        with contextlib.suppress(KeyboardInterrupt, SystemExit):
            _tell(variables(endpoint, path), defaults(region_of(provider)), out)
            threading.Event().wait()
    return 0


def _tell(variables: dict[str, str], unless_set: dict[str, str], out: Printer) -> None:
    if out.json:
        out.emit({"environment": {**dict.fromkeys(REMOVED), **variables}, "defaults": unless_set})
    else:
        out.line("unset ", " ".join(REMOVED))
        for name, value in variables.items():
            out.line(f"export {name}={quote(value)}")
        for name, value in unless_set.items():
            # "true", and a region: of letters, digits and hyphens.
            out.line(f'export {name}="${{{name}:-{value}}}"')
    out.flush()
