"""What messages show of secrets, values, paths and claims, and what they leave out."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from irsa_creds._masking import claims_fields, mask, quoted, quoted_path
from sts_server import EKS_CLAIMS, EKS_ISSUER, jwt

if TYPE_CHECKING:
    import pathlib

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
POD_ARN = (
    "arn:aws:sts::123456789012:assumed-role/app-role/a-rather-long-deployment-7d9f8b6c5d-x2x4z"
)
ROLE_ARN = "arn:aws-us-gov:iam::123456789012:role/some/path/Of_An+Application=With,A@Role"
USER_ARN = "arn:aws:iam::123456789012:user/"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
JWE = "eyJhbGciOiJkaXIifQ..canary-vector.canary-cipher.canary-tag"
SESSION = "IQoJb3JpZ2luX2VjEBYaCmV1LXdlc3QtMSJHMEUCIQDtYh/8vK3q+0xTzWnLr5uPa"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"body {JWT} end", "body *** end"),
        (f"torn {JWT[:40]}", "torn ***"),
        (f"key {SECRET}", "key ***"),
        ("through http://user:pass@proxy:3128", "through http://***@proxy:3128"),
        (
            "through http://user:pa/ss#w@rd@proxy:3128 it went",
            "through http://***@proxy:3128 it went",
        ),
        ("encrypted eyJhbGciOiJkaXIifQ..dmVjdG9y.Y2lwaGVy.dGFn end", "encrypted *** end"),
        ("through http://proxy:3128 for a@b it went", "through http://proxy:3128 for a@b it went"),
        ("two\n  lines", "two lines"),
        ("\x9b31mred\u202e\x7f \ud800end", "31mred end"),
        ("arn:aws:iam::123456789012:role/app", "arn:aws:iam::123456789012:role/app"),
        (f"by {POD_ARN} on {ROLE_ARN}.", f"by {POD_ARN} on {ROLE_ARN}."),
        (f"by {POD_ARN}.{JWT}", "by arn:aws:sts::123456789012:***.***"),
        (f"by {POD_ARN}/{JWT} end", "by arn:aws:sts::123456789012:***.*** end"),
        (f"by {USER_ARN}{SECRET}", "by arn:aws:iam::123456789012:***"),
        (f"by {USER_ARN}{'a1B2' * 10}/x", "by arn:aws:iam::123456789012:***"),
        (f"{ROLE_ARN}%2F{'a1B2' * 10}", f"{ROLE_ARN}***"),
        ("https://sts.eu-west-1.amazonaws.com/", "https://sts.eu-west-1.amazonaws.com/"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, expected: str) -> None:
    assert mask(text) == expected


def test_a_known_secret_of_any_form_is_masked() -> None:
    assert mask("it was hunter2, again hunter2", "hunter2", "") == "it was ***, again ***"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("it was " + " ".join(JWT), "it was ***"),
        ("it was " + "-".join(SESSION) + ", all of it", "it was ***, all of it"),
        (f"it was {JWT[5:17]} there", "it was *** there"),
        (f"1: {JWT[21:35]}; 2: {JWT[35:50]}; ok", "1: ***; 2: ***; ok"),
        (f"it was {SESSION[30:45]}%2F{SESSION[45:52]}.", "it was ***."),
        (f"it was {JWT[5:10]} | {JWT[10:15]} | {JWT[15:20]}", "it was ***"),
        (f"x{SESSION[20:32]}x{SESSION[32:36]}x", f"x***x{SESSION[32:36]}x"),
    ],
)
def test_pieces_of_a_known_secret_are_masked_with_any_separator(text: str, expected: str) -> None:
    assert mask(text, JWT, SESSION) == expected


@pytest.mark.parametrize(
    "words",
    [
        "Not authorized to perform sts:AssumeRoleWithWebIdentity",
        "No OpenIDConnect provider found in your account for https://oidc.eks.eu-west-1.example/id/1",
        "Token must be issued within 24 hours of the auth time",
        f"User: {POD_ARN} is not authorized to perform: sts:AssumeRole on resource: {ROLE_ARN}",
        "[Errno 111] Connection refused",
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate",
    ],
)
def test_ordinary_words_are_shown_with_any_secrets(words: str) -> None:
    assert mask(words, JWT, SESSION, "tenant-42", "acme-production") == words


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece",
    [
        "/",
        "//a",
        "//.",
        "//a@.",
        "a@",
        "eyJ",
        "eyJé",
        "eyJabcdef.",
        "eyJabcdefé",
        "\n",
        "arn:aws",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:role/a/",
        "arn:aws-",
        "a B3aB3 ",
        "%41",
    ],
)
def test_no_text_takes_long_to_mask(piece: str) -> None:
    # As long as an answer may be; quadratic would be an hour.
    long = "aB3" * 6_000
    assert len(mask(piece * (2**20 // len(piece)), long, f"{piece}{long}", piece)) <= 600


def test_a_message_is_bounded() -> None:
    assert mask("ab " * 200) == ("ab " * 200).strip()
    assert len(mask("ab " * 201)) == 600
    assert mask("ab " * 201).endswith("...")


def test_a_shown_value_is_bounded_and_without_secrets() -> None:
    text = quoted([f"token {JWT}", "http://user:pass@proxy:3128", "x" * 1000])
    assert text.startswith("['token ***', 'http://***@proxy:3128', 'xxx")
    assert len(text) == 160
    assert not re.search("eyJ|pass", text)


@pytest.mark.parametrize("password", ["p", "p/ss", "p@ss", "p ss", "p#s?s", "p\nss"])
def test_a_password_is_masked_up_to_the_last_at(password: str) -> None:
    assert quoted(f"https://user:{password}@host") == "'https://***@host'"


def test_an_encrypted_token_is_masked_whole() -> None:
    assert quoted(f"Bearer {JWE}") == "'Bearer ***'"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/var/run/secrets/token", "'/var/run/secrets/token'"),
        ("run/token", "'run/token'"),
        ("C:\\run\\token", "'C:\\\\run\\\\token'"),
        ("", "''"),
        ("hvs.canary", "(10 characters, without a slash)"),
        ("s.canary" * 1_000, "(8,000 characters, without a slash)"),
        ("a\0b", "(3 characters, without a slash)"),
        ("Bearer canary", "(13 characters, without a slash)"),
        ("/" + "canary" * 50, "'/***'"),
        ("https://user:can/ary@vault/token", "'https://***@vault/token'"),
        (f"/run/{JWE}", "'/run/***'"),
    ],
)
def test_a_path_is_shown_and_a_possible_token_is_counted(path: str, text: str) -> None:
    assert quoted_path(path) == text


def test_a_bare_name_is_shown_if_the_file_exists(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert quoted_path("token") == "(5 characters, without a slash)"
    (tmp_path / "token").touch()
    assert quoted_path("token") == "'token'"


def test_claims_become_fields_of_a_failure() -> None:
    assert claims_fields(EKS_CLAIMS) == {
        "iss": EKS_ISSUER,
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
        (f"a {jwt(EKS_CLAIMS)} b", "a *** b"),
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
