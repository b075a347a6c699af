from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from irsa_creds.diagnosis._policy.logic import UNKNOWN
from irsa_creds.diagnosis._policy.patterns import escaped, expanded, literal, matches

if TYPE_CHECKING:
    from irsa_creds.diagnosis._policy.logic import Unknown, Values

KEYS: dict[str, Values] = {
    "aws:username": ("ana*",),
    "aws:userid": None,
    "aws:TagKeys": ("a", "b"),
    "aws:SourceIp": UNKNOWN,
}


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("", "", True),
        ("", "a", False),
        ("a", "a", True),
        ("a", "A", False),
        ("a", "ab", False),
        ("*", "", True),
        ("*", "any\nthing", True),
        ("?", "", False),
        ("?", "\n", True),
        ("??", "a", False),
        ("a*c", "abc", True),
        ("a*c", "ac", True),
        ("a*c", "abcd", False),
        ("ab*ba", "aba", False),
        ("*b*", "abc", True),
        ("*b*", "acd", False),
        ("*a?c*e", "xxabcyye", True),
        ("a.c", "abc", False),
        ("a**c", "abc", True),
        (r"a\*c", "a*c", True),
        (r"a\*c", "abc", False),
        (r"a\\c", r"a\c", True),
        ("*abcd*", "abc", False),
        ("x*", "abc", False),
    ],
)
def test_a_star_is_any_text_and_a_question_mark_any_character(
    pattern: str, text: str, *, expected: bool
) -> None:
    assert matches(pattern, text) is expected


def test_many_stars_do_not_take_for_ever() -> None:
    assert not matches("*a" * 5_000 + "b", "a" * 20_000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        (r"back\slash", r"back\\slash"),
        ("${aws:username}/*", r"ana\*/*"),
        ("${ aws:username }", r"ana\*"),
        ("${*}${?}${$}{}", r"\*\?${}"),
        ("${aws:userid}", None),
        ("${aws:userid, 'nobody'}!", "nobody!"),
        ("${aws:username, 'nobody'}", r"ana\*"),
        ("${aws:userid, 'two, or ''more'''}", "two, or ''more''"),
        ("${aws:userid, unquoted}", UNKNOWN),
        ("${aws:TagKeys}", UNKNOWN),
        ("${aws:SourceIp}", UNKNOWN),
        ("${aws:SourceIp}${aws:userid}", None),
        ("${}", UNKNOWN),
        ("${, 'x'}", UNKNOWN),
        ("${open", "${open"),
    ],
)
def test_variables_get_the_values_of_the_request(text: str, expected: str | Unknown | None) -> None:
    assert expanded(text, lambda key: KEYS[key]) == expected


def test_in_the_old_version_a_variable_is_only_text() -> None:
    assert expanded(r"${aws:username}\*", None) == r"${aws:username}\\*"


@given(st.text())
@settings(max_examples=50)
def test_an_escaped_text_is_matched_by_itself(text: str) -> None:
    assert matches(escaped(text), text)
    assert literal(escaped(text)) == text


@given(st.text(alphabet="ab*?"), st.text(alphabet="ab"))
@settings(max_examples=100)
def test_matching_agrees_with_its_definition(pattern: str, text: str) -> None:
    def slowly(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return any(slowly(pattern[1:], text[at:]) for at in range(len(text) + 1))
        return bool(text) and pattern[0] in ("?", text[0]) and slowly(pattern[1:], text[1:])

    short = pattern[:8]
    assert matches(short, text[:10]) is slowly(short, text[:10])
