"""Check that locks name the extras that their own packages ask for.

    python requirements/extras.py LOCK...

Where pytest-cov asks for `coverage[toml]` and the lock names `coverage` alone, an older pip takes
the newest coverage instead of the locked one, finds no hash for it, and stops. What a package asks
for is read from the installed one, if it has the locked version: the Makefile checks each
environment when it makes it, and `make lint` checks all locks by what the developers' one has.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator


def main(locks: list[str]) -> int:
    """Print what is missing from each lock; return the exit status."""
    asked = _asked_by_installed()
    missing = 0
    for lock in locks:
        locked = _locked(Path(lock))
        known = sum(_key(each) in asked for each in locked)
        print(f"{lock}: {known} of {len(locked)} packages checked for extras")  # noqa: T201
        for line in sorted(set(_unnamed(locked, asked))):
            missing += 1
            print(f"{lock}: {line}", file=sys.stderr)  # noqa: T201
    return min(missing, 1)


def _locked(lock: Path) -> list[Requirement]:
    """Return what a lock names for this Python and platform."""
    lines = lock.read_text().replace("\\\n", " ").splitlines()
    # Everything after the first option is hashes.
    named = (line.split(" --")[0] for line in lines if line and line[0] not in "# -")
    found = [Requirement(line) for line in named]
    return [each for each in found if each.marker is None or each.marker.evaluate()]


def _asked_by_installed() -> dict[str, list[Requirement]]:
    asked: dict[str, list[Requirement]] = {}
    for each in metadata.distributions():
        name = f"{canonicalize_name(each.name)}=={each.version}"
        # The first one on the path is the one that is imported.
        asked.setdefault(name, [Requirement(line) for line in each.requires or ()])
    return asked


def _unnamed(locked: list[Requirement], asked: dict[str, list[Requirement]]) -> Iterator[str]:
    """Tell each extra that a locked package asks for and the lock does not name."""
    named: dict[str, set[str]] = defaultdict(set)
    for each in locked:
        named[canonicalize_name(each.name)] |= _extras(each)
    for each in locked:
        for wanted in asked.get(_key(each), ()):
            name = canonicalize_name(wanted.name)
            if name in named and _applies(wanted, named[canonicalize_name(each.name)]):
                for extra in _extras(wanted) - named[name]:
                    yield f"{each.name} asks for {wanted.name}[{extra}], and only {name} is named"


def _applies(wanted: Requirement, extras: set[str]) -> bool:
    marker = wanted.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in {"", *extras})


def _extras(requirement: Requirement) -> set[str]:
    return {canonicalize_name(extra) for extra in requirement.extras}


def _key(locked: Requirement) -> str:
    return canonicalize_name(locked.name) + str(locked.specifier)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
