from __future__ import annotations

import pytest

from irsa_creds.diagnosis._checks import Check, Diagnosis

WELL = Check("E01", "ok", "Well.")
WARNED = Check("C02", "warn", "Perhaps.", "unset A\nunset B", {"profile": "dev"})
FAILED = Check("F01", "fail", "Gone.", "ls")
UNREACHED = Check("N02", "fail", "No way to STS.", data={"reached": False})
NOT_TRIED = Check("S01", "skipped", "Not tried.")


@pytest.mark.parametrize(
    ("checks", "status", "strict"),
    [
        ((), 0, 0),
        ((WELL,), 0, 0),
        ((WELL, WARNED), 0, 3),
        ((FAILED, WARNED), 1, 1),
        ((WELL, UNREACHED), 4, 4),
        ((WARNED, UNREACHED, NOT_TRIED), 4, 4),
        # What fails offline is the reason to look at first.
        ((FAILED, UNREACHED), 1, 1),
        ((Check("S01", "fail", "Refused.", data={"reached": True}),), 1, 1),
        ((Check("N02", "unknown", "?", data={"reached": False}),), 4, 4),
        ((Check("T01", "unknown", "?"), NOT_TRIED), 0, 0),
    ],
)
def test_the_exit_status_names_the_kind_of_failure(
    checks: tuple[Check, ...], status: int, strict: int
) -> None:
    diagnosis = Diagnosis(checks)
    assert diagnosis.exit_status() == status
    assert diagnosis.exit_status(strict=True) == strict


def test_json_has_a_schema_and_each_check_with_all_of_its_parts() -> None:
    assert Diagnosis((WARNED,)).as_dict() == {
        "schema": 1,
        "checks": [
            {
                "id": "C02",
                "status": "warn",
                "message": "Perhaps.",
                "fix": "unset A\nunset B",
                "data": {"profile": "dev"},
            }
        ],
    }


def test_as_text_it_is_a_line_for_each_check_and_its_fix_below() -> None:
    assert str(Diagnosis((WELL, WARNED))) == (
        "E01 ok: Well.\nC02 warn: Perhaps.\n    unset A\n    unset B"
    )


def test_checks_are_grouped() -> None:
    diagnosis = Diagnosis((UNREACHED, WELL, FAILED))
    assert [(group.title, checks) for group, checks in diagnosis.groups()] == [
        ("environment", (WELL,)),
        ("token file", (FAILED,)),
        ("network", (UNREACHED,)),
    ]


def test_of_a_check_that_found_several_things_the_worst_one_is_given() -> None:
    other = Check("E01", "fail", "Not at all.")
    assert Diagnosis((WELL, other, WARNED))["E01"] is other


def test_a_check_that_was_not_made_is_an_error() -> None:
    with pytest.raises(KeyError, match="Z99"):
        Diagnosis((WELL,))["Z99"]


def test_each_status_is_counted_the_worst_first() -> None:
    counts = Diagnosis((WELL, WARNED, FAILED, WELL)).counts()
    assert list(counts.items()) == [
        ("fail", 1),
        ("warn", 1),
        ("unknown", 0),
        ("ok", 2),
        ("skipped", 0),
    ]


def test_that_sts_is_not_reached_hides_no_fault_of_the_network_s_own_checks() -> None:
    other = Check("N06", "fail", "The key is not published.")
    assert Diagnosis((UNREACHED, other)).exit_status() == 1


def test_control_characters_are_in_neither_message_nor_fix() -> None:
    evil = "a\x1b[2Jb\u202ec"
    check = Check("E01", "fail", f"{evil}\nsecond", f"ls {evil}\nid\r")
    assert check.message == "a?[2Jb?c?second"
    assert check.fix == "ls a?[2Jb?c\nid?"
