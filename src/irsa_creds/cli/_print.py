"""Print results on standard output and errors on standard error, in color or as JSON."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SCHEMA", "Printer", "Styled", "columns"]

#: The version of the JSON output; it changes with the name or meaning of a field.
SCHEMA = 1
# Columns; longer lines are hard to read, and shorter ones too narrow.
_WIDEST, _NARROWEST = 100, 40
_STYLES = {
    "heading": "1",
    "dim": "2",
    "ok": "32",
    "allow": "32",
    "info": "36",
    "warn": "33",
    "warning": "33",
    "unknown": "35",
    "skipped": "2",
    "fail": "31",
    "error": "31",
    "deny": "31",
}
# Control characters and marks of direction, which untrusted text could use to control the terminal.
_CONTROL = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"


def columns(stream: TextIO | None) -> int:
    """Return the width of lines: that of the terminal within 40 to 100, or 100 without a terminal.

    `shutil` has a function for that, but imports three compression modules.
    """
    found = os.environ.get("COLUMNS", "")
    if not (found.isascii() and found.isdigit() and len(found) <= len("99999")):
        try:
            found = str(os.get_terminal_size(stream.fileno() if stream else -1).columns)
        # The stream has no descriptor or is not a terminal.
        except (OSError, ValueError):
            found = ""
    # A terminal without a known width reports 0.
    return max(_NARROWEST, min(int(found or 0) or _WIDEST, _WIDEST))


class Styled(NamedTuple):
    """A part of a line with a style.

    Attributes:
        text: printed with control characters escaped.
        style: heading, dim, ok, info, warn, warning, fail, error, unknown, skipped, allow or deny.
    """

    text: str
    style: str


class Printer:
    """Print text for people, or JSON for programs.

    Terminals get color, unless NO_COLOR or TERM=dumb is set. An empty `NO_COLOR` counts as not set
    (no-color.org).

    Attributes:
        json: whether `--json` was given; only `emit` then prints on standard output.
        width: columns of a line.
    """

    def __init__(
        self, stdout: TextIO, stderr: TextIO, environ: Mapping[str, str], *, json: bool = False
    ) -> None:
        self.json = json
        self.width = columns(stdout)
        self._stdout = stdout
        self._stderr = stderr
        wanted = not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        self._color = wanted and stdout.isatty()
        self._stderr_color = wanted and stderr.isatty()

    def line(self, *parts: str | Styled) -> None:
        """Print a line of `parts` on standard output."""
        self._stdout.write(_joined(parts, color=self._color) + "\n")

    def heading(self, text: str) -> None:
        """Print a heading."""
        self.line(Styled(text, "heading"))

    def dim(self, text: str) -> None:
        """Print a line in the style dim."""
        self.line(Styled(text, "dim"))

    def emit(self, data: Mapping[str, Any]) -> None:
        """Print an object as JSON on standard output, with `schema` if it has none."""
        self._stdout.write(_as_json(data) + "\n")

    def flush(self) -> None:
        """Flush standard output, for a command that continues to run."""
        self._stdout.flush()

    def note(self, *parts: str | Styled) -> None:
        """Print a line on standard error that is not an error."""
        self._stderr.write(_joined(parts, color=self._stderr_color) + "\n")

    def error(
        self,
        message: str,
        *,
        kind: str = "Error",
        code: str | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Print why the command failed, on standard error; as JSON under `--json`.

        Args:
            message: a few lines.
            kind: the name of its class.
            code: STS's error code, if there is one.
            more: further fields of the JSON.
        """
        if self.json:
            fields = {"type": kind, "code": code, "message": message, **(more or {})}
            self._stderr.write(_as_json({"error": fields}) + "\n")
        else:
            self.note(Styled("irsa-creds: error:", "error"), " ", message)


def _joined(parts: tuple[str | Styled, ...], *, color: bool) -> str:
    return "".join(_shown(part, color=color) for part in parts)


def _shown(part: str | Styled, *, color: bool) -> str:
    if isinstance(part, str):
        return _clean(part)
    text = _clean(part.text)
    return f"\x1b[{_STYLES[part.style]}m{text}\x1b[0m" if color else text


def _clean(text: str) -> str:
    """Return `text` with control characters escaped."""
    if text.isprintable():
        # It has no control characters; compiling the expression takes longer than printing.
        return text
    return re.sub(_CONTROL, lambda found: ascii(found[0])[1:-1], text)


def _as_json(data: Mapping[str, Any]) -> str:
    # ASCII works in every locale and escapes control characters.
    return json.dumps({"schema": SCHEMA, **data}, indent=2)
