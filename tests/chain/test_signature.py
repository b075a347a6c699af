"""The signature is the one that AWS documents, and the one that botocore computes."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given, strategies as st

from irsa_creds import Credentials
from irsa_creds._signature import signed

NOW = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
TYPE = {"Content-Type": "application/x-www-form-urlencoded"}


def credentials(key: str, secret: str, token: str) -> Credentials:
    return Credentials(key, secret, token, NOW)


def test_it_is_that_of_awss_own_example() -> None:
    # "post-x-www-form-urlencoded" of AWS's Signature Version 4 test suite.
    sent = signed(
        TYPE,
        b"Param1=value1",
        url="https://example.amazonaws.com/",
        credentials=credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""),
        region="us-east-1",
        service="service",
        now=NOW,
    )
    assert sent["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, "
        "Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
    )
    assert "X-Amz-Security-Token" not in sent


def botocores(url: str, body: bytes, secret: str, token: str, headers: dict[str, str]) -> str:
    """Return botocore's signature; what its `add_auth` does, for a time of our own."""
    request = AWSRequest("POST", url, headers, body)
    request.context["timestamp"] = f"{NOW:%Y%m%dT%H%M%SZ}"
    signer = SigV4Auth(BotocoreCredentials("AKID", secret, token), "sts", "eu-west-1")
    signer._modify_request_before_signing(request)
    to_sign = signer.string_to_sign(request, signer.canonical_request(request))
    return str(signer.signature(to_sign, request))


URLS = [
    "https://sts.eu-west-1.amazonaws.com",
    "https://sts.amazonaws.com/",
    "http://localhost:8000",
    "http://localhost:80/",
    "https://localhost:443/x",
    "https://LOCALHOST:8443/a//b/./c/../d/",
    "https://ceph.example/a b/%20/~x/ü",
    "https://ceph.example/../..//",
    "https://ceph.example?b=1&a=2&a=1&c&=x&&d=%20~",
    "http://[::1]:8000/sts",
]


@pytest.mark.parametrize("url", URLS)
def test_it_is_botocores_for_any_endpoint(url: str) -> None:
    sent = signed(
        TYPE, b"Action=AssumeRole", url=url, region="eu-west-1", service="sts", now=NOW,
        credentials=credentials("AKID", "secret", "token"),
    )  # fmt: skip
    signature = sent["Authorization"].rpartition("=")[2]
    assert signature == botocores(url, b"Action=AssumeRole", "secret", "token", TYPE)
    host = urlsplit(url).hostname or ""
    assert sent["Host"].startswith(host if ":" not in host else f"[{host}]")


text = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)


@given(st.binary(), text, text, st.text("ab \t", max_size=20))
def test_it_is_botocores_for_any_body_secret_token_and_header(
    body: bytes, secret: str, token: str, blanks: str
) -> None:
    headers = {**TYPE, "X-Other": f"a{blanks}b"}
    url = "https://sts.eu-west-1.amazonaws.com/"
    sent = signed(
        headers, body, url=url, region="eu-west-1", service="sts", now=NOW,
        credentials=credentials("AKID", secret, token),
    )  # fmt: skip
    signature = sent["Authorization"].rpartition("=")[2]
    assert signature == botocores(url, body, secret, token, headers)
