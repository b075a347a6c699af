from __future__ import annotations

import importlib
import json
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Main = Callable[[list[str]], int]

SERIES = {
    "latency": {"botocore": [[0.1, 0.1], [1, 1.0]], "irsa-creds": [[0.1, 0.001], [1, 0.001]]},
    "processes": {"botocore": [[1, 4], [16, 64]], "irsa-creds, shared cache": [[1, 1], [16, 1]]},
    "pauses": {"1 attempt": [[2.5, 3.0, 10], [1.6, 11.0, 60]], "4 attempts": [[5.2, 3.0, 10]]},
    "availability": {"aws-coming": [[5, 99.0], [60, 70.0]], "irsa-creds": [[5, 100.0], [60, 90.0]]},
}


@pytest.fixture(scope="module")
def main() -> Main:
    # Each worker collects this file, and only one needs matplotlib, which takes long to import.
    found: Main = importlib.import_module("benchmarks.plots").main
    return found


@pytest.fixture
def figures(tmp_path: Path) -> Path:
    """What `python -m benchmarks --json` writes: rows with a curve, and one without."""
    rows = [{"what": which, "raw": {"curve": which, "series": s}} for which, s in SERIES.items()]
    path = tmp_path / "figures.json"
    path.write_text(json.dumps({"rows": [{"what": "another", "raw": {}}, *rows]}))
    return path


def test_each_curve_becomes_an_svg_and_a_png_and_the_same_files_each_time(
    main: Main, figures: Path, tmp_path: Path
) -> None:
    for folder in ("one", "other"):
        assert main([str(figures), "--to", str(tmp_path / folder)]) == 0
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == sorted(f"{which}.{kind}" for which in SERIES for kind in ("svg", "png"))
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_an_svg_has_no_background_and_follows_a_dark_page(
    main: Main, figures: Path, tmp_path: Path
) -> None:
    main([str(figures), "--to", str(tmp_path)])
    for which in SERIES:
        svg = (tmp_path / f"{which}.svg").read_text()
        (rules,) = re.findall(r"(?s)@media \(prefers-color-scheme: dark\) \{(.*?)</style>", svg)
        replaced = set(re.findall(r"(?:fill|stroke): (#\w{6})", svg.replace(rules, "")))
        assert "#ffffff" not in replaced
        for color in "#3a3f47", "#d9dde3":
            assert color in replaced
            assert f'[style*="fill: {color}"] {{ fill: #' in rules


def test_figures_without_a_curve_are_a_usage_error(
    main: Main, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "figures.json"
    path.write_text(json.dumps({"rows": [{"what": "another", "raw": {}}]}))
    with pytest.raises(SystemExit) as exit_:
        main([str(path)])
    assert exit_.value.code == 2
    assert "has none of the curves" in capsys.readouterr().err
