from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


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
