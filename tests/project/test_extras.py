from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HASH = f"--hash=sha256:{'0' * 64}"


class Place:
    """A folder of installed packages, and a lock of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = folder / "lock.txt"
        self._lock.write_text("# a comment\n")

    def install(self, name: str, *requires: str) -> None:
        info = self._folder / f"{name}-1.dist-info"
        info.mkdir()
        asks = "".join(f"Requires-Dist: {line}\n" for line in requires)
        info.joinpath("METADATA").write_text(
            f"Metadata-Version: 2.4\nName: {name}\nVersion: 1\n{asks}\n"
        )

    def lock(self, *requirements: str) -> None:
        with self._lock.open("a") as file:
            for each in requirements:
                name, _, marker = each.partition(";")
                file.write(
                    f"{name.strip()}{marker and f' ; {marker}'} \\\n    {HASH}\n    # via x\n"
                )

    def check(self) -> tuple[int, str]:
        """Return the exit status, and what is missing."""
        done = subprocess.run(
            [sys.executable, "requirements/extras.py", str(self._lock)],
            cwd=ROOT,
            env={"PYTHONPATH": str(self._folder)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stderr.replace(f"{self._lock}: ", "")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_an_extra_that_a_locked_package_asks_for_must_be_named(place: Place) -> None:
    place.install("Caller_x", "callee[To.ml, speed]>=1", "callee>=0.5")
    place.lock("caller-x==1", "callee[speed]==1")

    missing = "caller-x asks for callee[to-ml], and only callee is named\n"
    assert place.check() == (1, missing)


def test_a_lock_that_names_all_extras_is_good(place: Place) -> None:
    place.install("caller", "callee[To.ml]>=1")
    place.lock("caller==1", "callee[speed, to_ml]==1")

    assert place.check() == (0, "")


def test_an_extra_counts_that_is_asked_for_by_an_extra_that_the_lock_names(place: Place) -> None:
    place.install("caller", "callee[a]; extra == 'named'", "callee[b]; extra == 'unnamed'")
    place.lock("caller[named]==1", "callee==1")

    assert place.check() == (1, "caller asks for callee[a], and only callee is named\n")


def test_what_does_not_apply_to_this_python_does_not_count(place: Place) -> None:
    place.install("caller", "callee[old]; python_version < '3'", "another[x]")
    place.lock("caller==1", "callee==1", "another==1; python_version < '3'")

    assert place.check() == (0, "")


def test_another_version_than_the_locked_one_does_not_count(place: Place) -> None:
    place.install("caller", "callee[a]")
    place.lock("caller==2", "callee==1")

    assert place.check() == (0, "")


@pytest.mark.parametrize("lock", ["build", "demo", "dev", "newest"])
def test_our_locks_are_checked_by_what_is_installed(lock: str) -> None:
    path = f"requirements/{lock}.txt"
    command = [sys.executable, "requirements/extras.py", path]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    known, of = (int(word) for word in done.stdout.split() if word.isdigit())
    # Of a few, another version is installed.
    assert of / 2 < known <= of


@pytest.mark.parametrize("lock", ["build", "demo"])
def test_what_is_shown_and_released_runs_in_the_versions_that_tests_run_with(lock: str) -> None:
    def pins(name: str) -> set[str]:
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        found = re.findall(r"^([a-z0-9.-]+)\S*?(==\S+)", text.replace(", ", ","), re.MULTILINE)
        return {name + version for name, version in found}

    assert set() < pins(lock) <= pins("dev")
