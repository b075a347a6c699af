r"""Draws the curves for the docs, as SVG and PNG, from what was measured.

    python -m benchmarks --json FIGURES curve-latency curve-processes curve-availability \
        curve-pauses
    python -m benchmarks.plots FIGURES [--to docs/plots]

Any JSON of `python -m benchmarks` will do that has one or more of the curves in it.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks._measure import OURS, THEIRS
from benchmarks._planned_rules import PLANNED
from benchmarks.fleet_cluster import SHARED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

__all__ = ["draw", "main"]

_DOCS = Path(__file__).parent.parent / "docs" / "plots"
_INK, _FAINT = "#3a3f47", "#d9dde3"
# Colors that differ for color-blind readers as well, and marks for print in gray. Two sides may
# have the same figures: a broken, thin line over a solid, thick one leaves both visible.
_THICK: dict[str, Any] = {"linewidth": 3.2, "markersize": 8}
_THIN: dict[str, Any] = {"linewidth": 1.6, "markersize": 4, "linestyle": (0, (4, 3))}
_STYLES: dict[str, dict[str, Any]] = {
    THEIRS: {"color": "#d1495b", "marker": "o", "label": "botocore", **_THICK},
    PLANNED: {"color": "#edae49", "marker": "s", "label": "AWS's planned rules", **_THIN},
    OURS: {"color": "#30638e", "marker": "^", "label": "irsa-creds", **_THICK},
    SHARED: {"color": "#00a896", "marker": "D", "label": "irsa-creds, shared cache", **_THIN},
    "1 attempt": {"color": "#30638e", "marker": "^", "label": "1 attempt after a pause", **_THICK},
    "4 attempts": {"color": "#edae49", "marker": "s", "label": "4 attempts", **_THIN},
}
# Points from a mark to its text: above the line, or below it where the next mark's text is near.
_ABOVE: dict[str, Any] = {"xytext": (6, 4), "ha": "left", "va": "bottom"}
_BELOW: dict[str, Any] = {"xytext": (-3, -4), "ha": "right", "va": "top"}
_NEAR = 32, 12  # dots across and up that one text needs
# What replaces a color where the reader prefers a dark page; the others are good on both.
_DARK = {_INK: "#cfd0d0", _FAINT: "#3a3d40", "#30638e": "#6ea8d8"}
_STYLE: Any = {
    "font.size": 10,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": _FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "text.color": _INK,
    "legend.frameon": False,
    # The same figures give the same file.
    "svg.hashsalt": "irsa-creds",
    "svg.fonttype": "path",
}


@dataclass(frozen=True, slots=True)
class _Plot:
    """How one curve is drawn.

    Attributes:
        title: above it.
        across: the axis from left to right, with its unit.
        up: the other one.
        log_across: the base of that axis, if it is logarithmic.
        log_up: the base of the other one.
        marks: what the third figure of a point is, which is then written beside it.
        limits: the largest values that are good, on both axes.
    """

    title: str
    across: str
    up: str
    log_across: int | None = 10
    log_up: int | None = 10
    marks: str = ""
    limits: tuple[float, float] | None = None


_PLOTS = {
    "latency": _Plot(
        "The longest wait while a refresh is due",
        "response time of STS, s",
        "longest wait for valid credentials, s",
    ),
    "processes": _Plot(
        "Processes with 4 sessions each start together",
        "processes",
        "STS calls",
        log_across=2,
        log_up=2,
    ),
    "availability": _Plot(
        "Pod-time with valid credentials (simulated)",
        "length of the STS outage, min",
        "during it and 30 min after it, %",
        log_across=None,
        log_up=None,
    ),
    "pauses": _Plot(
        "Pauses of a pod without credentials (simulated)",
        "STS calls in a 30 min outage, times AWS's planned rules",
        "without credentials\nafter 60 min, % of theirs",
        log_across=None,
        log_up=None,
        marks="{:g} s",
        limits=(2, 5),
    ),
}


def draw(which: str, series: dict[str, Sequence[Sequence[float]]], folder: Path) -> list[Path]:
    """Draw one plot, and return the files.

    Args:
        which: "latency", "processes", "availability" or "pauses".
        series: the points of each side; those of "pauses" have a third figure, the seconds.
        folder: where the files go.
    """
    plot = _PLOTS[which]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(4.8, 3.4), layout="constrained")
        axes = figure.subplots()
        for side, points in series.items():
            across, up, *_ = zip(*points, strict=True)
            axes.plot(across, up, **_STYLES[side])
        axes.set_title(plot.title, loc="left", fontsize=11)
        axes.set_xlabel(plot.across)
        axes.set_ylabel(plot.up)
        _scale(axes, plot, series)
        if plot.marks:
            for points in series.values():
                _mark(axes, plot, points)
        axes.legend(fontsize=9)
        folder.mkdir(parents=True, exist_ok=True)
        svg, png = (folder / f"{which}.{kind}" for kind in ("svg", "png"))
        # Without the date: two runs give the same file.
        figure.savefig(svg, metadata={"Date": None}, transparent=True)
        svg.write_text(_with_dark_colors(svg.read_text(encoding="utf-8")), encoding="utf-8")
        figure.savefig(png, dpi=150)
    return [svg, png]


def _with_dark_colors(svg: str) -> str:
    rules = "".join(
        f'[style*="{what}: {light}"] {{ {what}: {dark} !important; }}\n'
        for light, dark in _DARK.items()
        for what in ("fill", "stroke")
    )
    style = f"<style>\n@media (prefers-color-scheme: dark) {{\n{rules}}}\n</style>\n"
    return svg.replace(" <metadata>", f"{style} <metadata>", 1)


def _mark(axes: Axes, plot: _Plot, points: Sequence[Sequence[float]]) -> None:
    """Write the third figure of each point beside it; the first point is the rightmost."""
    dots = axes.transData.transform([point[:2] for point in points])
    for n, (across, up, mark) in enumerate(points):
        near = n and all(abs(dots[n] - dots[n - 1]) < _NEAR)
        axes.annotate(
            plot.marks.format(mark),
            (across, up),
            textcoords="offset points",
            fontsize=8,
            **(_BELOW if near else _ABOVE),
        )


def _scale(axes: Axes, plot: _Plot, series: dict[str, Sequence[Sequence[float]]]) -> None:
    """Set the axes' scales, with a mark at each point that was measured and plain numbers."""
    if plot.limits:
        across, up = plot.limits
        axes.fill_between((1, across), 0, up, color=_FAINT, label="within both limits", zorder=0)
        axes.set_xlim(1.4, 6)
        axes.set_ylim(bottom=0)
        axes.set_xscale("log")
        axes.set_xticks(range(2, 7), [f"{x:g}" for x in range(2, 7)])
        axes.set_xticks([], minor=True)
        return
    if plot.log_across:
        axes.set_xscale("log", base=plot.log_across)
    if plot.log_up:
        axes.set_yscale("log", base=plot.log_up)
        axes.yaxis.set_major_formatter("{x:g}")
    measured = [point[0] for point in next(iter(series.values()))]
    axes.set_xticks(measured, [f"{x:g}" for x in measured])
    axes.set_xticks([], minor=True)


def main(arguments: list[str] | None = None) -> int:
    """Draw what is in a file; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.plots",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("figures", type=Path, help="JSON that `python -m benchmarks` wrote")
    parser.add_argument("--to", type=Path, default=_DOCS, metavar="FOLDER")
    options = parser.parse_args(arguments)
    rows = json.loads(options.figures.read_text())["rows"]
    curves = {row["raw"]["curve"]: row["raw"]["series"] for row in rows if "curve" in row["raw"]}
    if not curves:
        parser.error(f"{options.figures} has none of the curves {', '.join(_PLOTS)}.")
    for which, series in curves.items():
        for file in draw(which, series, options.to):
            print(file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
