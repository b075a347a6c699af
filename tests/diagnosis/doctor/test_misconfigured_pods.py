"""Every misconfiguration has its ids, and a sound pod none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from diagnosis.doctor.pod_cases import MISCONFIGURED, Case
from diagnosis.doctor.sound_pods import SOUND
from diagnosis.sample_pod import SECRET, Lab
from irsa_creds.diagnosis._checks import Diagnosis
from irsa_creds.diagnosis._doctor.doctor import offline_checks

if TYPE_CHECKING:
    from pathlib import Path

# Each check is in the result once, whatever is wrong.
IDS = tuple(
    f"{letter}{number:02}"
    for letter, last in {"E": 4, "F": 5, "T": 5, "R": 3, "C": 2, "V": 2}.items()
    for number in range(1, last + 1)
)


def findings_of(diagnosis: Diagnosis) -> str:
    """Return all failures and warnings in the format of `Case.expected`."""
    found = diagnosis.having("fail", "warn")
    return ", ".join(sorted(f"{check.id} {check.status}" for check in found))


def test_there_are_enough_of_them() -> None:
    assert len(MISCONFIGURED) >= 70
    assert len(SOUND) >= 20


@pytest.mark.parametrize("case", MISCONFIGURED, ids=lambda case: case.title)
def test_each_problem_has_its_ids_and_a_fix(case: Case, tmp_path: Path) -> None:
    lab = Lab(tmp_path, **case.changes)
    facts = lab.facts()
    diagnosis = Diagnosis(offline_checks(facts))
    assert findings_of(diagnosis) == ", ".join(sorted(case.expected.split(", ")))
    first = diagnosis[case.expected[:3]]
    assert case.hint.lower() in f"{first.message}\n{first.fix}".lower()
    for check in diagnosis.having("fail", "warn"):
        assert check.fix
    for check in diagnosis.checks:
        assert check.message.endswith((".", "?"))
        assert "\n" not in check.message
    # Those of an endpoint are for pods that have one.
    assert tuple(check.id for check in diagnosis.checks if check.id[0] != "A") == IDS
    written = json.dumps(diagnosis.as_dict()) + str(diagnosis) + repr(facts)
    assert SECRET not in written
    assert lab.token not in written


@pytest.mark.parametrize("changes", SOUND.values(), ids=SOUND)
def test_a_correct_pod_has_no_problem(changes: dict[str, Any], tmp_path: Path) -> None:
    diagnosis = Diagnosis(offline_checks(Lab(tmp_path, **changes).facts()))
    assert findings_of(diagnosis) == ""
