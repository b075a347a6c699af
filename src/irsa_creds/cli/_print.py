"""What the command line prints: results on one stream, errors on the other, colour for people."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SCHEMA", "Printer", "Styled", "columns"]

#: The version of all JSON that the command line prints; it changes when a name or meaning does.
SCHEMA = 1
# Columns: longer lines are hard to read, and in shorter ones nothing fits.
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
# Tokens, files and answers are anybody's text: none may steer the terminal or turn a line round.
_STEERING = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"


def columns(stream: TextIO | None) -> int:
    """Return how wide lines may be: as the terminal, 40 to 100; 100 where there is no terminal.

    `shutil` would say it too, and brings three compressors along.
    """
    found = os.environ.get("COLUMNS", "")
    if not (found.isascii() and found.isdigit() and len(found) <= len("99999")):
        try:
            found = str(os.get_terminal_size(stream.fileno() if stream else -1).columns)
        # A stream without a descriptor, or none of a terminal.
        except (OSError, ValueError):
            found = ""
    # A terminal that does not know its width says 0.
    return max(_NARROWEST, min(int(found or 0) or _WIDEST, _WIDEST))


class Styled(NamedTuple):
    """A part of a line with a style of its own.

    Attributes:
        text: anything.
        style: heading, dim, ok, info, warn, warning, fail, error, unknown, skipped, allow or deny.
    """

    text: str
    style: str


class Printer:
    """Prints for people, or JSON for programs.

    Attributes:
        json: whether `--json` was given: `emit` is then all that goes to standard output.
        width: columns that a line of text may fill.
    """

    def __init__(
        self,
        stdout: TextIO,
        stderr: TextIO,
        *,
        colour: bool = False,
        stderr_colour: bool = False,
        json: bool = False,
        width: int = _WIDEST,
    ) -> None:
        self.json = json
        self.width = width
        self._stdout = stdout
        self._stderr = stderr
        self._colour = colour
        self._stderr_colour = stderr_colour

    @classmethod
    def to(
        cls, stdout: TextIO, stderr: TextIO, environ: Mapping[str, str], *, json: bool = False
    ) -> Printer:
        """Return a printer that uses colour where a stream is a terminal which is to have it.

        `NO_COLOR`, if not empty, turns it off (no-color.org), and so does `TERM=dumb`.
        """
        wanted = not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        return cls(
            stdout,
            stderr,
            colour=wanted and stdout.isatty(),
            stderr_colour=wanted and stderr.isatty(),
            json=json,
            width=columns(stdout),
        )

    def line(self, *parts: str | Styled) -> None:
        """Print `parts` side by side on standard output, and end the line."""
        self._stdout.write(_joined(parts, colour=self._colour) + "\n")

    def heading(self, text: str) -> None:
        """Print a heading."""
        self.line(Styled(text, "heading"))

    def dim(self, text: str) -> None:
        """Print what matters less."""
        self.line(Styled(text, "dim"))

    def emit(self, data: Mapping[str, Any]) -> None:
        """Print an object as JSON on standard output; `schema` comes first if it has none."""
        self._stdout.write(_as_json(data) + "\n")

    def flush(self) -> None:
        """Let whoever reads standard output have what was printed: for a command that goes on."""
        self._stdout.flush()

    def note(self, *parts: str | Styled) -> None:
        """Print a line on standard error that is no error."""
        self._stderr.write(_joined(parts, colour=self._stderr_colour) + "\n")

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
            code: STS's error code, where there is one.
            more: what JSON tells besides, by its names.
        """
        if self.json:
            told = {"type": kind, "code": code, "message": message, **(more or {})}
            self._stderr.write(_as_json({"error": told}) + "\n")
        else:
            self.note(Styled("irsa-creds: error:", "error"), " ", message)


def _joined(parts: tuple[str | Styled, ...], *, colour: bool) -> str:
    return "".join(_shown(part, colour=colour) for part in parts)


def _shown(part: str | Styled, *, colour: bool) -> str:
    if isinstance(part, str):
        return _clean(part)
    text = _clean(part.text)
    return f"\x1b[{_STYLES[part.style]}m{text}\x1b[0m" if colour else text


def _clean(text: str) -> str:
    """Return `text` with what would steer a terminal written out."""
    if text.isprintable():
        # None of them prints. The expression takes longer to compile than all else that is printed.
        return text
    return re.sub(_STEERING, lambda found: ascii(found[0])[1:-1], text)


def _as_json(data: Mapping[str, Any]) -> str:
    import json  # noqa: PLC0415 - a command that prints none need not pay for it

    # All of ASCII: whatever the locale is, and no control character gets through.
    return json.dumps({"schema": SCHEMA, **data}, indent=2)
