"""Claims of a token that is not verified, as failures show them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from irsa_creds._identity.claims import claims_fields
from sts_server import jwt

ISSUER = "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"
CLAIMS = {
    "iss": ISSUER,
    "sub": "system:serviceaccount:ns:sa",
    "aud": ["sts.amazonaws.com"],
    "exp": 1_767_600_000,
}


def test_claims_become_fields_of_a_failure() -> None:
    assert claims_fields(CLAIMS) == {
        "iss": ISSUER,
        "sub": "system:serviceaccount:ns:sa",
        "aud": "sts.amazonaws.com",
        "exp": 1_767_600_000.0,
    }


def test_a_token_without_claims_has_empty_fields() -> None:
    nothing = dict.fromkeys(("iss", "sub", "aud", "exp"))
    assert claims_fields(None) == claims_fields({}) == nothing


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 197 + "..."),
        ("two\nlines\r\n\tof it", "two lines of it"),
        ("\x1b[31mred\x00 \u202ereversed\ud800", "[31mred reversed"),
        (f"a {jwt(CLAIMS)} b", "a *** b"),
        ("https://me:pw@issuer.example/x", "https://***@issuer.example/x"),
        ("repo:an-organisation/with-a-long-name-of-its-repository:ref", None),
        (["one", "two", 3, None], "one, two"),
        ({"a": "b"}, ""),
        (7, ""),
        ("", ""),
        ([], ""),
        ("\n", ""),
    ],
)
@pytest.mark.parametrize("name", ["iss", "sub", "aud"])
def test_a_claim_is_one_bounded_line_without_secrets(
    name: str, value: Any, expected: str | None
) -> None:
    expected = value if expected is None else expected or None
    assert claims_fields({name: value})[name] == expected


@pytest.mark.parametrize(
    ("exp", "expected"),
    [
        (0, 0.0),
        (1.5, 1.5),
        (253_402_300_799, 253_402_300_799.0),
        (253_402_300_800, None),
        (10**400, None),
        (-1, None),
        (True, None),
        ("1767600000", None),
        (float("nan"), None),
        (float("inf"), None),
        ([1], None),
    ],
)
def test_an_expiration_that_no_calendar_has_is_left_out(exp: Any, expected: float | None) -> None:
    assert claims_fields({"exp": exp})["exp"] == expected


def test_the_fields_of_any_token_can_be_written_as_json() -> None:
    fields = claims_fields({"iss": "\ud800\x00", "sub": ["\ud800x"], "aud": "\u2028", "exp": 1e10})
    assert json.loads(json.dumps(fields, allow_nan=False)) == fields
    assert all(each is None or str(each).isprintable() for each in fields.values())
