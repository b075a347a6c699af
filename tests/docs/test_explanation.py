"""The explanation: its numbers, pictures and lists are those of the code, and of the tests."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from docs.markdown import ROOT
from docs.tables import DOCS, page, rows
from irsa_creds._credentials import Credentials
from irsa_creds._engine import timing
from irsa_creds._engine.snapshot import WALL_TOLERANCE, Snapshot
from irsa_creds._errors import Failure
from irsa_creds._exchange import http
from irsa_creds._identity import token
from irsa_creds._shared_cache import shared_fetcher, store
from irsa_creds.cli import _endpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# -- how it works ----------------------------------------------------------------------------------


def low(low: float, high: float, /) -> float:
    return low


def high(low: float, high: float, /) -> float:
    return high


def in_minutes(seconds: float) -> str:
    return f"{round(seconds / 60, 2):g}"


@pytest.mark.parametrize("row", rows(page("how-it-works.md"), "| lifetime"), ids=lambda row: row[0])
def test_the_times_of_refreshes_match_the_code(row: list[str]) -> None:
    seconds = float(row[0]) * 60
    credentials = Credentials("", "", "", Snapshot.nothing().credentials.expiration)
    snapshot = Snapshot(credentials, 0.0, 0.0, seconds, refresh_at=0.0)
    first = [timing.age_after_blocking(seconds, draw) for draw in (low, high)]
    later = [timing.age_after_background(seconds, draw) for draw in (high, low)]
    assert row[1:] == [
        in_minutes(timing.refresh_window(seconds)),
        " to ".join(map(in_minutes, first)),
        " to ".join(map(in_minutes, later)),
        in_minutes(snapshot.end_of_use),
    ]


def test_the_pauses_after_failures_match_the_code() -> None:
    failed = Failure(kind="exchange", code="HTTP500", message="")
    denied = failed._replace(retryable=False)
    plenty = 86_400.0

    def valid(failure: Failure, n: int, draw: Callable[[float, float], float]) -> str:
        return f"{timing.background_pause(failure, n, plenty, draw):g}"

    def none_valid(failure: Failure, n: int, draw: Callable[[float, float], float]) -> str:
        return f"{timing.cached_failure_seconds(failure, n, draw):g}"

    first, later, last = 1, 2, 9
    doubling = [f"{valid(failed, n, low)} to {valid(failed, n, high)}" for n in (first, later)]
    assert doubling == ["1 to 2", "2 to 4"]
    assert [valid(failed, last, draw) for draw in (low, high)] == ["120", "120"]
    assert [valid(denied, n, high) for n in (first, last)] == ["60", "60"]
    assert [none_valid(denied, n, high) for n in (first, later, last)] == ["5", "10", "60"]
    short = [f"{none_valid(failed, n, low)} to {none_valid(failed, n, high)}" for n in (1, 2, 9)]
    assert short == ["1 to 2", "2 to 4", "10 to 20"]
    told = {row[0]: row[1] for row in rows(page("how-it-works.md"), "| what | when |")}
    assert told["after a failure, valid"].startswith("1 to 2 s, doubling to 120 s, ")
    assert told["after a denial, valid"].startswith("60 s, ")
    pauses = told["after a failure, nothing valid"]
    assert pauses.startswith("cached for 1 to 2 s, doubling to 10 to 20 s ")
    assert told["after a denial, nothing valid"] == "cached for 5 s, doubling to 60 s"


def test_the_numbers_in_words_match_the_code() -> None:
    text = page("how-it-works.md")
    for said in (
        f"waits for the refresh, {timing.WAITER_SECONDS:g} s at most",
        f"up to {timing.BLOCKING_ATTEMPTS}, fewer",
        f"{timing.LATER_ATTEMPTS} after a refresh that failed for its callers",
        f"{timing.THROTTLED_SECONDS / 2:g} to {timing.THROTTLED_SECONDS:g} s, doubling, if STS",
        f"`Retry-After` up to {timing.CACHED_FAILURE_SECONDS:g} s |",
        f"| {timing.ATTEMPT_SECONDS:g} s, at most a quarter of the time left, at least 1 s |",
        f"| {timing.BLOCKING_SECONDS:g} s |",
        f"starts a refresh at most every {timing.DEMAND_INTERVAL:g} s",
        f"not for a key younger than {timing.DEMAND_INTERVAL:g} s",
    ):
        assert said in text
    assert f"a pause lasts **{timing.THROTTLED_SECONDS:g} s** at most" in text
    attempts, pause = timing.LATER_ATTEMPTS, timing.CACHED_FAILURE_SECONDS
    assert f"**{attempts}** attempt follows each pause of **{pause:g} s** at most" in text
    assert timing.background_seconds(1e9) == timing.ATTEMPT_SECONDS
    assert (timing.background_seconds(20.0), timing.background_seconds(0.0)) == (5.0, 1.0)
    assert (timing.OVERDUE_FEW, timing.OVERDUE_LIMIT, timing.OVERDUE_INTERVAL) == (2, 16, 60.0)
    assert (timing.TOKEN_WATCH_INTERVAL, WALL_TOLERANCE) == (1.0, 5.0)
    assert f"more than {WALL_TOLERANCE:g} s" in page("_static/states.svg")


def test_the_picture_of_an_hour_shows_the_codes_times() -> None:
    hour = 3_600.0
    shown = {
        text.text for text in ET.parse(DOCS / "_static" / "timeline.svg").findall(".//{*}text")
    }
    times = [timing.age_after_blocking(hour, low), timing.age_after_background(hour, high)]
    times += [timing.age_after_background(hour, low), hour]
    assert {f"{in_minutes(each)} min" for each in times} <= shown


# -- pictures --------------------------------------------------------------------------------------

IMAGES = [
    (each, *found)
    for each in sorted(DOCS.rglob("*.md"))
    for found in re.findall(r":::\{image\} (\S+)\n:alt: (.*)\n", each.read_text())
]


def test_every_picture_has_alternative_text() -> None:
    assert len(IMAGES) == sum(each.read_text().count("{image}") for each in DOCS.rglob("*.md"))
    assert all(len(alt) > 100 and (each.parent / path).exists() for each, path, alt in IMAGES)


@pytest.mark.parametrize("path", sorted(DOCS.glob("_static/*.svg")), ids=lambda path: path.name)
def test_a_picture_is_whole_and_loads_nothing(path: Path) -> None:
    assert ET.parse(path).getroot().tag.endswith("svg")
    urls = re.findall(r"(?:https?:)?//[\w.-]+", re.sub(r">[^<]*<", "><", path.read_text()))
    assert set(urls) <= {"http://www.w3.org"}


def test_the_pictures_show_what_the_commands_say_now(tmp_path: Path) -> None:
    pytest.importorskip("rich")
    subprocess.run([sys.executable, DOCS / "pictures.py", tmp_path], check=True, timeout=60)
    for name in ("doctor.svg", "explain.svg"):
        assert said_in(tmp_path / name) == said_in(DOCS / "_static" / name)


def said_in(picture: Path) -> list[str]:
    """Return the lines of text; what is installed here is told by V01 alone."""
    found: dict[str, str] = {}
    for text in ET.parse(picture).findall(".//{*}text"):
        place = text.get("y", "")
        found[place] = found.get(place, "") + (text.text or "")
    assert found
    return [line for line in found.values() if "V01" not in line]


# -- differences, threats --------------------------------------------------------------------------


def test_every_difference_says_what_each_side_does_and_why() -> None:
    told = rows(page("differences.md"), "| situation")
    assert [len(row) for row in told] == [4] * len(told)
    assert all(cell for row in told for cell in row)


def test_the_readme_shows_figures_of_the_benchmarks() -> None:
    readme = rows((ROOT / "README.md").read_text(), "| | botocore")
    measured = rows(page("benchmarks.md"), "| | botocore")
    assert [row for row in readme if row not in measured] == []


def test_the_limits_in_the_threat_model_match_the_code() -> None:
    text = page("threat-model.md")
    for said in (
        f"{_endpoint._REQUEST_SECONDS:g} s and {_endpoint._REQUEST_BYTES // 1024} KiB for",
        f"{_endpoint._CONNECTIONS} connections at once",
        f"one name, {store._LIMIT // 1024} KiB at most",
        f"{store._GRACE['.json'] / 60:g} min after their end at the earliest, once an hour",
        f"opened without waiting, {token._LIMIT:,} characters at most",
        f"{http.BODY_LIMIT // 1024**2} MiB at most, read against",
    ):
        assert said in text
    assert store._SWEEP_INTERVAL == 3_600.0
    patience = f"has written nothing after {shared_fetcher._PATIENCE:g} s"
    assert patience in " ".join(page("shared-cache.md").split())
