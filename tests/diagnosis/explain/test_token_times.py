"""Notes about a token's times beside the verdict, which covers the policy only."""

from __future__ import annotations

import math
from typing import Any

import pytest

from irsa_creds.diagnosis._explain.explain import Explanation
from irsa_creds.diagnosis._explain.token_times import time_notes

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("claims", "note"),
    [
        ({"exp": NOW - 3_600}, "the token expired 60 minutes ago"),
        ({"exp": NOW}, "the token expired 0 seconds ago"),
        ({"exp": NOW - 9_000_000, "nbf": NOW + 600}, "the token expired 2,500 hours ago"),
        (
            {"exp": NOW + 9_000, "nbf": NOW + 600},
            "by this clock the token becomes valid in 10 minutes, and STS denies it",
        ),
        (
            {"iat": NOW + 61},
            "by this clock the token becomes valid in 61 seconds, and STS denies it",
        ),
    ],
)
def test_a_token_outside_of_its_time_has_a_note(claims: dict[str, Any], note: str) -> None:
    [text] = time_notes(claims, NOW)
    assert text.startswith(note)
    assert text.endswith(("so STS denies it; use a new one", "until then; compare the clocks"))


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"exp": NOW + 1, "iat": NOW - 1, "nbf": NOW - 1},
        {"iat": NOW + 60, "nbf": NOW},
        {"exp": "yesterday", "iat": None, "nbf": []},
        {"exp": -1, "iat": math.inf, "nbf": 10**400},
        {"exp": math.nan, "iat": True},
    ],
)
def test_of_a_token_in_its_time_and_of_times_that_are_none_there_is_nothing_to_tell(
    claims: dict[str, Any],
) -> None:
    assert time_notes(claims, NOW) == ()


def test_notes_are_part_of_the_text() -> None:
    assert "\n  note: late\n" in str(Explanation("allow", (), notes=("late",)))
