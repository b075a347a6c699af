"""Both sides in one run: botocore's own provider and ours, as ratios.

    python -m benchmarks [--json FILE] [NAME ...]

Exit status 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

import irsa_creds
from benchmarks._bench import Row, quotient

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Those that mostly wait, or measure no time, run together; the others have the machine alone.
_TOGETHER: dict[str, tuple[str, ...]] = {
    "outage-500": ("outage", "500"),
    "outage-black-hole": ("outage", "black hole"),
    "outage-slow-drip": ("outage", "slow drip"),
    "refused": ("outage", "AccessDenied"),
    "long-lived": ("long_lived",),
    "memory": ("memory",),
    "idle": ("idle",),
}
_ALONE: dict[str, tuple[str, ...]] = {
    "hot-read": ("hot_read",),
    "slow-sts": ("slow_sts",),
    "herd": ("herd",),
    "failing-cold": ("failing_cold",),
    "cold-start": ("cold_start",),
}
_SCENARIOS = _ALONE | _TOGETHER
_WIDTH = 100
_WHOLE_FROM = 100


def main(arguments: list[str] | None = None) -> int:
    """Run scenarios; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(_SCENARIOS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - _SCENARIOS.keys():
        parser.error(f"no scenario is called {', '.join(sorted(unknown))}")
    if options.one:
        print(json.dumps([asdict(row) for row in _here(options.names[0])]))
        return 0
    start = time.monotonic()
    rows = _all(options.names or list(_SCENARIOS))
    _print(rows, time.monotonic() - start)
    if options.json:
        figures = [{**asdict(row), "ratio": quotient(row)} for row in rows]
        document = {"versions": _versions(), "rows": figures}
        options.json.write_text(json.dumps(document, indent=2) + "\n")
    return 0 if all(row.met for row in rows) else 1


def _here(name: str) -> list[Row]:
    """Run one scenario in this process."""
    module, *arguments = _SCENARIOS[name]
    scenario: Callable[..., list[Row]] = import_module(f"benchmarks.{module}").run
    return scenario(*arguments)


def _apart(name: str) -> list[Row]:
    """Run one scenario in a process of its own: there is one sandbox in each."""
    command = [sys.executable, "-m", "benchmarks", "--one", name]
    found: list[dict[str, Any]] = json.loads(subprocess.check_output(command, text=True))
    return [Row(**fields) for fields in found]


def _all(names: Sequence[str]) -> list[Row]:
    together = [name for name in names if name in _TOGETHER]
    rows = {}
    for name in names:
        if name in _ALONE:
            rows[name] = _told(name)
    with ThreadPoolExecutor(len(together) or 1) as pool:
        rows |= zip(together, pool.map(partial(_told), together), strict=True)
    return [row for name in names for row in rows[name]]


def _told(name: str) -> list[Row]:
    rows = _apart(name)
    print(f"{name}: done", file=sys.stderr, flush=True)
    return rows


def _print(rows: Sequence[Row], seconds: float) -> None:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("", min_width=40)
    for title in ("botocore", "irsa-creds", "ratio"):
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
            _title(row, what, "  " if above else ""),
            _figure(row.theirs),
            _figure(row.ours),
            "" if ratio is None else f"{ratio:,.1f}",
            row.target,
            _mark(row),
        )
    console.print(table)
    told = ", ".join(f"{name} {version}" for name, version in _versions().items())
    console.print(f"{told}; {seconds:.0f} s in all", style="dim")


def _title(row: Row, what: str, indent: str) -> Text:
    title = Text(f"{indent}{what}{', ' if row.unit else ''}{row.unit}", "" if indent else "bold")
    if row.note:
        title.append(f"\n{indent}  {row.note}", "not bold dim")
    return title


def _mark(row: Row) -> Text:
    if not row.target:
        return Text()
    return Text("met", "green") if row.met else Text("MISSED", "bold red")


def _figure(number: float | None) -> str:
    if number is None:
        return "-"
    return f"{number:,.0f}" if number >= _WHOLE_FROM or number == int(number) else f"{number:,.2f}"


def _versions() -> dict[str, str]:
    return {
        "Python": platform.python_version(),
        "botocore": botocore.__version__,
        "irsa-creds": irsa_creds.__version__,
    }


if __name__ == "__main__":
    sys.exit(main())
