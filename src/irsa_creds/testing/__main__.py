"""`python -m irsa_creds.testing`: a sandbox for development on a laptop."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import signal
import sys
import time
from typing import TYPE_CHECKING, NoReturn, TextIO

from irsa_creds.testing._environ import pod_environ
from irsa_creds.testing._sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from irsa_creds.testing._pod import Pod

__all__ = ["main"]

# Source: "General purpose bucket naming rules", Amazon S3 User Guide.
_BUCKET = re.compile(r"(?!.*\.\.|(?:[0-9]+\.){3}[0-9]+\Z)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# The kubelet projects a new token at 80 % of the old token's lifetime, or after a day.
_ROTATION_SECONDS = 0.8 * 86_400
_POLL_SECONDS = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a sandbox until Ctrl-C, print the variables of a pod in it, and return 0.

    Args:
        arguments: the command line's; None takes this process's.
    """
    options = _parser().parse_args(arguments)
    try:
        with Sandbox() as sandbox:
            sandbox.lifetime = options.lifetime
            pod = sandbox.deploy(bucket=options.bucket, pod_identity=options.pod_identity)
            environ = pod_environ(pod, os.environ)
            _print(json.dumps(environ, indent=2) if options.json else _shell(environ))
            _print(_hint(sandbox, pod), sys.stderr)
            _rotate_forever(pod)
    except KeyboardInterrupt:
        return 0


def _rotate_forever(pod: Pod) -> NoReturn:
    """Rotate the token in time, by the wall clock: no other one counts a laptop's sleep."""
    rotated_at = time.time()
    while True:
        time.sleep(_POLL_SECONDS)
        if time.time() - rotated_at >= _ROTATION_SECONDS:
            pod.rotate_token()
            rotated_at = time.time()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m irsa_creds.testing",
        description="Serve STS, IAM and S3 on this machine until Ctrl-C, and print the variables "
        "of a pod with IRSA or EKS Pod Identity that has a role there.",
    )
    parser.add_argument(
        "--bucket",
        type=_bucket,
        default="data",
        metavar="NAME",
        help="bucket that the role may read and write (default: data)",
    )
    parser.add_argument(
        "--pod-identity",
        action="store_true",
        help="the pod has EKS Pod Identity in place of IRSA, and its agent is served as well",
    )
    parser.add_argument(
        "--lifetime",
        type=_seconds,
        metavar="SECONDS",
        help="lifetime of credentials (default: as requested, one hour)",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object; null means that a variable is unset",
    )
    return parser


def _bucket(text: str) -> str:
    if not _BUCKET.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a bucket name: 3 to 63 lower-case letters, digits, hyphens, "
            "single dots"
        )
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 43_200:  # noqa: PLR2004 - STS's maximum
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 1 to 43200")
    return seconds


def _shell(environ: Mapping[str, str | None]) -> str:
    unset = " ".join(name for name, value in environ.items() if value is None)
    exports = [f"export {name}={shlex.quote(value)}" for name, value in environ.items() if value]
    return "\n".join([f"unset {unset}", *exports])


def _hint(sandbox: Sandbox, pod: Pod) -> str:
    return (
        f"\nThe role of this pod may read and write the bucket {pod.bucket!r} at "
        f"{sandbox.endpoint_url}.\nPaste the lines above into another terminal and run your "
        "program there. Ctrl-C ends the sandbox."
    )


def _print(text: str, stream: TextIO | None = None) -> None:
    # Flush, because the output may go to a file or a pipe.
    print(text, file=stream, flush=True)


def _handle_termination_as_ctrl_c() -> None:
    """Let SIGTERM and SIGHUP clean up as Ctrl-C does."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # Keep what nohup or a supervisor has set.
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


if __name__ == "__main__":
    _handle_termination_as_ctrl_c()
    sys.exit(main())
