from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
HASH = f"--hash=sha256:{'0' * 64}"


class Packages:
    """A folder of installed packages and a lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = folder / "lock.txt"
        self._lock.write_text("# a comment\n")

    def install(self, name: str, *requires: str) -> None:
        info = self._folder / f"{name}-1.dist-info"
        info.mkdir()
        requires_lines = "".join(f"Requires-Dist: {line}\n" for line in requires)
        info.joinpath("METADATA").write_text(
            f"Metadata-Version: 2.4\nName: {name}\nVersion: 1\n{requires_lines}\n"
        )

    def lock(self, *requirements: str) -> None:
        with self._lock.open("a") as file:
            for each in requirements:
                name, _, marker = each.partition(";")
                file.write(
                    f"{name.strip()}{marker and f' ; {marker}'} \\\n    {HASH}\n    # via x\n"
                )

    def check(self) -> tuple[int, str]:
        """Return the exit status and the missing extras."""
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
def packages(tmp_path: Path) -> Packages:
    return Packages(tmp_path)


def test_an_extra_that_a_locked_package_requires_must_be_named(packages: Packages) -> None:
    packages.install("Caller_x", "callee[To.ml, speed]>=1", "callee>=0.5")
    packages.lock("caller-x==1", "callee[speed]==1")

    missing = "caller-x requires callee[to-ml], but the lock names only callee\n"
    assert packages.check() == (1, missing)


def test_a_lock_that_names_all_extras_is_complete(packages: Packages) -> None:
    packages.install("caller", "callee[To.ml]>=1")
    packages.lock("caller==1", "callee[speed, to_ml]==1")

    assert packages.check() == (0, "")


def test_requirements_of_a_named_extra_count(packages: Packages) -> None:
    packages.install("caller", "callee[a]; extra == 'named'", "callee[b]; extra == 'unnamed'")
    packages.lock("caller[named]==1", "callee==1")

    assert packages.check() == (
        1,
        "caller requires callee[a], but the lock names only callee\n",
    )


def test_requirements_for_another_python_do_not_count(packages: Packages) -> None:
    packages.install("caller", "callee[old]; python_version < '3'", "another[x]")
    packages.lock("caller==1", "callee==1", "another==1; python_version < '3'")

    assert packages.check() == (0, "")


def test_requirements_of_another_version_do_not_count(packages: Packages) -> None:
    packages.install("caller", "callee[a]")
    packages.lock("caller==2", "callee==1")

    assert packages.check() == (0, "")


@pytest.mark.parametrize("lock", ["build", "demo", "dev", "newest"])
def test_the_projects_locks_are_complete(lock: str) -> None:
    path = f"requirements/{lock}.txt"
    command = [sys.executable, "requirements/extras.py", path]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    known, of = (int(word) for word in done.stdout.split() if word.isdigit())
    # A few are installed in another version.
    assert of / 2 < known <= of


@pytest.mark.parametrize("lock", ["build", "demo"])
def test_demo_and_build_have_the_versions_of_the_tests(lock: str) -> None:
    def pins(name: str) -> set[str]:
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        found = re.findall(r"^([a-z0-9.-]+)\S*?(==\S+)", text.replace(", ", ","), re.MULTILINE)
        return {name + version for name, version in found}

    assert set() < pins(lock) <= pins("dev")


def test_the_testing_kit_needs_30_packages_at_most() -> None:
    """With `moto[server]`, which brings packages for all of AWS, it needed 63."""
    needed: dict[str, set[str]] = {}

    def add(requirement: Requirement) -> None:
        name = canonicalize_name(requirement.name)
        new = {"", *requirement.extras} - needed.setdefault(name, set())
        needed[name] |= new
        for each in map(Requirement, metadata.requires(name) or []) if new else ():
            if not each.marker or any(each.marker.evaluate({"extra": extra}) for extra in new):
                add(each)

    add(Requirement("irsa-creds[testing]"))
    assert len(needed.keys() - {"irsa-creds"}) <= 30, sorted(needed)
