"""Check that locks name the extras that their packages require.

    python requirements/extras.py LOCK...

If pytest-cov requires `coverage[toml]` and the lock names only `coverage`, an older pip takes the
newest coverage instead of the locked one, finds no hash for it, and stops. The requirements are
read from installed packages that have the locked version. So the Makefile checks each environment
when it creates it, and `make lint` checks all locks with the developers' environment.
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
    """Print the missing extras of each lock; return the exit status."""
    required = _required_by_installed()
    missing = 0
    for lock in locks:
        locked = _locked(Path(lock))
        known = sum(_key(each) in required for each in locked)
        print(f"{lock}: {known} of {len(locked)} packages checked for extras")  # noqa: T201
        for line in sorted(set(_missing_extras(locked, required))):
            missing += 1
            print(f"{lock}: {line}", file=sys.stderr)  # noqa: T201
    return min(missing, 1)


def _locked(lock: Path) -> list[Requirement]:
    """Return the packages of a lock for this Python and platform."""
    lines = lock.read_text().replace("\\\n", " ").splitlines()
    # Everything after the first option is hashes.
    named = (line.split(" --")[0] for line in lines if line and line[0] not in "# -")
    found = [Requirement(line) for line in named]
    return [each for each in found if each.marker is None or each.marker.evaluate()]


def _required_by_installed() -> dict[str, list[Requirement]]:
    required: dict[str, list[Requirement]] = {}
    for each in metadata.distributions():
        name = f"{canonicalize_name(each.name)}=={each.version}"
        # Python imports the first one on the path.
        required.setdefault(name, [Requirement(line) for line in each.requires or ()])
    return required


def _missing_extras(
    locked: list[Requirement], required: dict[str, list[Requirement]]
) -> Iterator[str]:
    """Yield each extra that a locked package requires and the lock does not name."""
    named: dict[str, set[str]] = defaultdict(set)
    for each in locked:
        named[canonicalize_name(each.name)] |= _extras(each)
    for each in locked:
        for requirement in required.get(_key(each), ()):
            name = canonicalize_name(requirement.name)
            if name in named and _applies(requirement, named[canonicalize_name(each.name)]):
                for extra in _extras(requirement) - named[name]:
                    yield (
                        f"{each.name} requires {requirement.name}[{extra}], "
                        f"but the lock names only {name}"
                    )


def _applies(requirement: Requirement, extras: set[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in {"", *extras})


def _extras(requirement: Requirement) -> set[str]:
    return {canonicalize_name(extra) for extra in requirement.extras}


def _key(locked: Requirement) -> str:
    return canonicalize_name(locked.name) + str(locked.specifier)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
