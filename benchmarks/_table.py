"""The table that `make bench` prints, with the versions below it."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

import irsa_creds
from benchmarks._bench import Row, quotient

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["show", "versions"]

_WIDTH = 118
_WHOLE_FROM = 100


def show(rows: Sequence[Row], seconds: float) -> None:
    """Print all rows, grouped by heading."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("", min_width=52)
    for title in ("(aio)botocore", "irsa-creds", "ratio"):
        table.add_column(title, justify="right", no_wrap=True)
    for title in ("target", ""):
        table.add_column(title, no_wrap=True)
    heading = ""
    for row in rows:
        above, _, what = row.what.rpartition(": ")
        if above not in ("", heading):
            table.add_row(Text(above, "bold"))
        heading = above
        ratio = quotient(row)
        table.add_row(
            _title(row, what, 2 if above else 0),
            _figure(row.theirs),
            _figure(row.ours),
            "" if ratio is None else f"{ratio:,.1f}",
            row.target,
            _mark(row),
        )
    console.print(table)
    text = ", ".join(f"{name} {version}" for name, version in versions().items())
    console.print(f"{text}; {seconds:.0f} s in all", style="dim")


def versions() -> dict[str, str]:
    """Return the versions of Python and the measured packages."""
    installed = {name: metadata.version(name) for name in ("botocore", "aiobotocore", "urllib3")}
    return {
        "Python": platform.python_version(),
        **installed,
        "irsa-creds": irsa_creds.__version__,
    }


def _title(row: Row, what: str, indent: int) -> Group:
    title = Text(f"{what}{', ' if row.unit else ''}{row.unit}", "" if indent else "bold")
    lines = [Padding(title, (0, 0, 0, indent))]
    if row.note:
        lines.append(Padding(Text(row.note, "dim"), (0, 0, 0, indent + 2)))
    return Group(*lines)


def _mark(row: Row) -> Text:
    if not row.target:
        return Text()
    return Text("met", "green") if row.met else Text("MISSED", "bold red")


def _figure(number: float | None) -> str:
    if number is None:
        return "-"
    return f"{number:,.0f}" if number >= _WHOLE_FROM or number == int(number) else f"{number:,.2f}"
