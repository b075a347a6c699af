"""`serve`: the endpoint of `exec`, for programs that other commands start."""

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

if TYPE_CHECKING:
    import argparse

    from irsa_creds.cli._parser import Commands
    from irsa_creds.cli._print import Printer

__all__ = ["add", "run"]

_DESCRIPTION = """\
Serve refreshed credentials on 127.0.0.1 until SIGTERM, SIGHUP or SIGINT, and print shell commands
that make AWS SDKs use them: they unset the sources with precedence and, unless it is set, export
AWS_EC2_METADATA_DISABLED=true, which disables the node's role. The token for the endpoint is in a
file of mode 0600, which serve removes at its end. All containers of a pod can reach the port;
containers that can read the file get credentials."""

# The other container runs this file, so no other user may be able to replace it.
_SHARED = """\
umask 077 && mkdir -p /shared/aws &&
    TMPDIR=/shared/aws irsa-creds serve > /shared/aws/environment"""

_PORTS = range(65_536)


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "serve",
        description=_DESCRIPTION,
        examples=(
            ("start it and print the shell commands", "irsa-creds serve"),
            ("for another container with the same user id, on a volume of both", _SHARED),
            (
                "and in that container, if it owns the directory",
                "[ -O /shared/aws ] && . /shared/aws/environment && exec ./program",
            ),
        ),
        after=ENVIRONMENT,
    )
    parser.add_argument("--port", type=int, default=0, help="by default 0: a free one")
    add_identity(parser)


def run(args: argparse.Namespace, out: Printer) -> int:
    """Serve until a signal arrives."""
    if args.port not in _PORTS:
        raise UsageError(f"--port is {args.port}; use a number from 0 to 65535.")
    end_on_signals()
    provider = provider_of(args, keep_warm=True)
    # Report an error here, and not to the first client.
    fetch(provider)
    try:
        endpoint = Endpoint(provider, args.port)
    except OSError as error:
        raise UsageError(f"Port {args.port} is not available: {error.strerror}.") from None
    with endpoint, token_file(endpoint.token) as path:
        if path is None:
            raise UsageError("The token file cannot be written: set TMPDIR to a writable path.")
        # A signal is the normal end.
        with contextlib.suppress(KeyboardInterrupt, SystemExit):
            _print_commands(variables(endpoint, path), defaults(region_of(provider)), out)
            threading.Event().wait()
    return 0


def _print_commands(variables: dict[str, str], unless_set: dict[str, str], out: Printer) -> None:
    if out.json:
        out.emit({"environment": {**dict.fromkeys(REMOVED), **variables}, "defaults": unless_set})
    else:
        out.line("unset ", " ".join(REMOVED))
        for name, value in variables.items():
            out.line(f"export {name}={quote(value)}")
        for name, value in unless_set.items():
            # The values need no quotes: "true", and a region.
            out.line(f'export {name}="${{{name}:-{value}}}"')
    out.flush()
