"""What STS's codes mean, row by row of the design's section 7."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from irsa_creds._advice import Meaning, advice, instant, meaning

CLAIMS = {
    "iss": "https://oidc.example/id/1",
    "sub": "system:serviceaccount:ns:sa",
    "aud": ["sts.amazonaws.com"],
    "exp": 1_767_600_000,
}
ROLE = "arn:aws:iam::123456789012:role/reader"
URL = "https://sts.eu-west-1.amazonaws.com"


def flags(found: Meaning) -> tuple[bool, bool, bool, int]:
    return found.retryable, found.throttled, found.bad_token, found.attempts


RETRY = (True, False, False, 0)
REFUSED = (False, False, False, 0)
SLOWER = (True, True, False, 0)
NEW_TOKEN = (False, False, True, 0)


@pytest.mark.parametrize(
    ("code", "message", "status", "expected"),
    [
        ("InvalidIdentityToken", "Couldn't retrieve verification key from ...", 400, RETRY),
        ("InvalidIdentityToken", "No OpenIDConnect provider found in your ...", 400, REFUSED),
        ("InvalidIdentityToken", "Incorrect token audience", 400, REFUSED),
        ("InvalidIdentityToken", "The ID Token is not valid", 400, (True, False, True, 3)),
        ("ExpiredTokenException", "", 400, NEW_TOKEN),
        ("IDPCommunicationError", "", 400, RETRY),
        ("IDPRejectedClaim", "", 403, NEW_TOKEN),
        ("AccessDenied", "", 403, REFUSED),
        ("ValidationError", "", 400, REFUSED),
        ("InvalidArgument", "", 400, REFUSED),
        ("MalformedPolicyDocument", "", 400, REFUSED),
        ("PackedPolicyTooLarge", "", 400, REFUSED),
        ("RegionDisabledException", "", 403, REFUSED),
        ("Throttling", "", 400, SLOWER),
        ("ThrottledSomehow", "", 400, SLOWER),
        ("RequestLimitExceeded", "", 503, SLOWER),
        ("Whatever", "", 429, SLOWER),
        ("InternalFailure", "", 500, RETRY),
        ("HTTP503", "", 503, RETRY),
        ("EndpointConnectionError", "", None, RETRY),
        ("ConnectTimeoutError", "", None, RETRY),
        ("SSLError", "", None, RETRY),
        ("ProxyConnectionError", "", None, RETRY),
        ("SomethingNew", "", None, RETRY),
        ("MalformedAnswer", "", 200, RETRY),
        ("HTTP401", "", 401, REFUSED),
        ("SignatureDoesNotMatch", "", 403, REFUSED),
        ("SomethingNew", "", 400, (True, False, False, 3)),
        ("UnexpectedRedirect", "", 302, (True, False, False, 3)),
    ],
)
def test_each_row_of_the_table_says_whether_to_try_again(
    code: str, message: str, status: int | None, expected: tuple[bool, bool, bool, int]
) -> None:
    assert flags(meaning(code, message, status)) == expected


@pytest.mark.parametrize("code", ["AccessDenied", "ExpiredToken", "Throttling", "RegionDisabled"])
def test_the_suffix_exception_changes_nothing(code: str) -> None:
    assert meaning(code, status=400) is meaning(f"{code}Exception", status=400)


def test_access_denied_shows_who_asked_for_what_and_points_to_explain() -> None:
    text = advice("AccessDenied", role_arn=ROLE, claims=CLAIMS)
    for shown in (ROLE, CLAIMS["iss"], CLAIMS["sub"], '["sts.amazonaws.com"]'):
        assert str(shown) in text
    assert "`irsa-creds explain`" in text


def test_a_missing_provider_is_made_with_eksctl() -> None:
    text = advice("InvalidIdentityToken", "No OpenIDConnect provider found", claims=CLAIMS)
    assert "eksctl utils associate-iam-oidc-provider --cluster C --approve" in text


def test_a_wrong_audience_is_shown() -> None:
    assert '["sts.amazonaws.com"]' in advice(
        "InvalidIdentityToken", "Incorrect token audience", claims=CLAIMS
    )


def test_a_torn_token_shows_its_shape_only() -> None:
    text = advice("InvalidIdentityToken", "not valid", claims=CLAIMS, shape="9 characters")
    assert "9 characters" in text
    assert "system:serviceaccount" not in text


def test_an_expired_token_shows_its_end_its_file_and_the_skew() -> None:
    text = advice(
        "ExpiredTokenException",
        claims=CLAIMS,
        written=datetime(2026, 1, 5, 7, tzinfo=UTC),
        skew=-61.2,
    )
    assert "2026-01-05T08:00:00Z" in text
    assert "2026-01-05T07:00:00Z" in text
    assert "STS's clock is 61 s behind this machine's" in text


def test_a_validation_error_shows_duration_and_role() -> None:
    assert "43200 s" in advice("ValidationError", role_arn=ROLE, duration=43_200)
    assert "STS's default" in advice("ValidationError", role_arn=ROLE)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("Throttling", 400),
        ("HTTP500", 500),
        ("EndpointConnectionError", None),
        ("ConnectTimeoutError", None),
        ("ReadTimeoutError", None),
        ("SSLError", None),
        ("ProxyConnectionError", None),
        ("MalformedAnswer", 200),
        ("RegionDisabledException", 403),
        ("HTTP403", 403),
        ("HTTP404", 404),
    ],
)
def test_load_outages_and_strangers_show_the_endpoint(code: str, status: int | None) -> None:
    assert URL in advice(code, endpoint=URL, status=status)


def test_an_opaque_token_has_no_claims_to_show() -> None:
    assert "the token is not a JWT" in advice("AccessDenied", role_arn=ROLE, claims=None)


def test_a_claim_is_bounded_and_on_one_line() -> None:
    text = advice("AccessDenied", claims={"iss": "x\n" * 10_000, "sub": {}, "aud": None})
    assert len(text) < 1_000
    assert "\n" not in text


@pytest.mark.parametrize("seconds", [None, "soon", 1e300, float("nan"), float("inf"), -1e15])
def test_a_foolish_instant_is_unknown(seconds: object) -> None:
    assert instant(seconds) == "(unknown)"


def test_advice_with_no_facts_at_all_is_still_a_sentence() -> None:
    assert advice("AccessDenied").endswith(".")
    assert "(unknown)" in advice("ReadTimeoutError")


@pytest.mark.parametrize(
    ("skew", "told"),
    [(3.0, ""), (-4.9, ""), (7200.0, "7,200 s ahead of"), (-28_009_778.0, "28,009,778 s behind")],
)
def test_a_clock_that_differs_by_moments_is_not_told(skew: float, told: str) -> None:
    text = advice("ExpiredToken", skew=skew)
    assert ("STS's clock" in text) is bool(told)
    assert told in text
