"""Draws the pages' pictures: `python docs/pictures.py`, from the top of the repository.

The commands are real, on a terminal and in a pod of the sandbox. What differs from run to run
(directories, dates, the host's name) is shown as in a pod.
"""

from __future__ import annotations

import io
import os
import pty
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from irsa_creds.testing import Issuer, Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping

STATIC = Path(__file__).resolve().parent / "_static"
ISSUER = "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE"
REGION = "eu-west-1"
WIDTH = 122  # columns; a terminal continues a longer line at the left

# The typing mistake of the second picture: the namespace is `data`.
POLICY = """\
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Principal": {"Federated": "PROVIDER"},
      "Action": "sts:AssumeRoleWithWebIdentity",
      "Condition": {
        "StringEquals": {
          "ISSUER:aud": "sts.amazonaws.com",
          "ISSUER:sub": "system:serviceaccount:date:reader"
        }
      }
    }
  ]
}
"""

# Every color has a contrast of 5 or more with the background, also the foreground as dim text.
THEME = TerminalTheme(
    background=(31, 34, 38),
    foreground=(230, 232, 234),
    normal=[
        (31, 34, 38),  # black
        (255, 138, 128),  # red
        (165, 214, 111),  # green
        (229, 197, 88),  # yellow
        (130, 170, 255),  # blue
        (215, 160, 240),  # magenta
        (124, 196, 221),  # cyan
        (230, 232, 234),  # white
    ],
)

# No font from elsewhere: `textLength` makes any monospaced one fit.
FORMAT = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px;
}}
.{unique_id}-title {{ font: bold 18px sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main(target: Path = STATIC) -> None:
    """Draw all pictures.

    Args:
        target: the directory that the pictures are written to.
    """
    with (
        tempfile.TemporaryDirectory() as directory,
        Sandbox(region=REGION, issuer=Issuer(ISSUER)) as sandbox,
    ):
        pod = sandbox.deploy(namespace="data", service_account="reader", role="reader")
        # Nothing is sent, and the pod is one of AWS's.
        environ = {name: value for name, value in pod.environ.items() if "ENDPOINT_URL" not in name}
        environ |= {
            "HOME": directory,
            "KUBERNETES_SERVICE_HOST": "10.100.0.1",
            "PATH": os.environ["PATH"],
            "TERM": "xterm-256color",
        }
        as_in_a_pod = {
            str(pod.token_file): "/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
            r"(session name is) [\w.-]+": r"\1 reader-7d9c6b5f4-x2x8l",
            r"(issued at) [\d-]+T[\d:]+Z": r"\1 2026-01-05T08:00:00Z",
            r"(valid until) [\d-]+T[\d:]+Z": r"\1 2026-01-06T08:00:00Z",
        }
        os.chdir(directory)
        wrong = {
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "example",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        doctor = drawn("doctor", "irsa-creds doctor", {**environ, **wrong}, as_in_a_pod)
        (target / "doctor.svg").write_text(doctor, encoding="utf-8")
        policy = POLICY.replace("PROVIDER", pod.provider_arn)
        Path("trust.json").write_text(policy.replace("ISSUER", ISSUER.removeprefix("https://")))
        shown = "irsa-creds explain --token $AWS_WEB_IDENTITY_TOKEN_FILE --policy trust.json"
        explain = drawn("explain", shown, environ, as_in_a_pod)
        (target / "explain.svg").write_text(explain, encoding="utf-8")


def drawn(name: str, command: str, environ: Mapping[str, str], replaced: Mapping[str, str]) -> str:
    """Return a command and its output as SVG.

    Args:
        name: the picture's name; its styles begin with it.
        command: as typed in a shell.
        environ: the command's whole environment.
        replaced: texts, or patterns, and what the picture shows in their place.
    """
    said = f"\x1b[1m$ {command}\x1b[0m\n{said_on_a_terminal(command, environ)}"
    for old, new in replaced.items():
        said = re.sub(old if old.startswith("(") else re.escape(old), new, said)
    console = Console(file=io.StringIO(), record=True, width=WIDTH, color_system="truecolor")
    console.print(Text.from_ansi(said))
    svg = console.export_svg(title="irsa-creds", theme=THEME, code_format=FORMAT, unique_id=name)
    lines = (line.strip() for line in svg.splitlines())
    return "\n".join(filter(None, lines)) + "\n"


def said_on_a_terminal(command: str, environ: Mapping[str, str]) -> str:
    """Return what an `irsa-creds` command prints on a terminal, colors included."""
    words = [environ.get(word.removeprefix("$"), word) for word in shlex.split(command)[1:]]
    ours, its = pty.openpty()
    with subprocess.Popen(  # noqa: S603 - all commands are in this file
        [sys.executable, "-m", "irsa_creds", *words],
        env={**environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.DEVNULL,
        stdout=its,
        stderr=its,
    ):
        os.close(its)
        parts = []
        while part := read(ours):
            parts.append(part)
    os.close(ours)
    return b"".join(parts).decode().replace("\r\n", "\n")


def read(terminal: int) -> bytes:
    """Return the available bytes; none at the end, which Linux reports as an error."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


if __name__ == "__main__":
    main(*(Path(each).resolve() for each in sys.argv[1:2]))
