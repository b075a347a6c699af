from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import jwt
import pytest
from cryptography import x509

from irsa_creds.testing import Issuer
from testing.sandbox_http import http

if TYPE_CHECKING:
    from typing import Any


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def verify(token: str, jwk: dict[str, Any]) -> dict[str, Any]:
    return jwt.decode(token, jwt.PyJWK(jwk), algorithms=["RS256"], audience="sts.amazonaws.com")


def test_a_token_has_the_form_of_kubernetes(issuer: Issuer) -> None:
    token = issuer.token(namespace="shop", service_account="cart", lifetime=600, issued_at=1000.9)
    claims = claims_of(token)
    uids = [
        claims["kubernetes.io"][bound].pop("uid") for bound in ("node", "pod", "serviceaccount")
    ]
    assert len(claims.pop("jti")) == 36
    assert len(set(uids)) == 3
    assert claims == {
        "aud": ["sts.amazonaws.com"],
        "exp": 1600,
        "iat": 1000,
        "iss": issuer.url,
        "kubernetes.io": {
            "namespace": "shop",
            "node": {"name": "sandbox-node"},
            "pod": {"name": "cart-0"},
            "serviceaccount": {"name": "cart"},
        },
        "nbf": 1000,
        "sub": "system:serviceaccount:shop:cart",
    }
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "typ": "JWT", "kid": issuer.kid}


def test_claims_and_header_can_be_set_and_omitted(issuer: Issuer) -> None:
    token = issuer.token(
        "me", audience="x", omit=["nbf", "unheard of"], header={"kid": "other"}, iss="https://else"
    )
    claims = claims_of(token)
    assert (claims["sub"], claims["aud"], claims["iss"]) == ("me", ["x"], "https://else")
    assert "nbf" not in claims
    assert jwt.get_unverified_header(token)["kid"] == "other"


def test_two_tokens_of_the_same_second_differ(issuer: Issuer) -> None:
    assert issuer.token(issued_at=1000) != issuer.token(issued_at=1000)


def test_the_published_key_verifies_the_token(issuer: Issuer) -> None:
    assert verify(issuer.token(), issuer.jwks()["keys"][0])["iss"] == issuer.url


def test_the_published_certificate_has_the_same_key(issuer: Issuer) -> None:
    (key,) = issuer.jwks()["keys"]
    certificate = x509.load_der_x509_certificate(base64.b64decode(key["x5c"][0]))
    published = jwt.PyJWK(key).key
    assert certificate.public_key().public_numbers() == published.public_numbers()  # type: ignore[union-attr]
    assert certificate.issuer == certificate.subject


def test_a_forged_token_names_the_issuers_key_but_has_another_signature(issuer: Issuer) -> None:
    forged = issuer.forged_token(namespace="shop")
    assert jwt.get_unverified_header(forged)["kid"] == issuer.kid
    assert claims_of(forged)["sub"] == "system:serviceaccount:shop:app"
    with pytest.raises(jwt.InvalidSignatureError):
        verify(forged, issuer.jwks()["keys"][0])
    assert claims_of(issuer.forged_token("me"))["sub"] == "me"


def test_rotation_publishes_the_new_key_first_and_keeps_the_old() -> None:
    issuer = Issuer("https://oidc.example")
    before = issuer.token()
    old = issuer.kid
    issuer.rotate()
    assert [key["kid"] for key in issuer.jwks()["keys"]] == [issuer.kid, old]
    assert verify(before, issuer.jwks()["keys"][1])
    assert verify(issuer.token(), issuer.jwks()["keys"][0])


def test_rotation_can_drop_the_old_keys() -> None:
    issuer = Issuer("https://oidc.example")
    issuer.rotate(keep_old=False)
    assert [key["kid"] for key in issuer.jwks()["keys"]] == [issuer.kid]


def test_without_a_url_it_uses_its_loopback_url() -> None:
    issuer = Issuer(path="/id/EXAMPLE")
    assert repr(issuer) == "<Issuer (not served yet)>"
    with pytest.raises(RuntimeError, match=r"pass url=, or enter its serve\(\)"):
        issuer.token()
    with issuer.serve() as served:
        assert served is issuer
        assert issuer.url.startswith("http://127.0.0.1:")
        assert issuer.url.endswith("/id/EXAMPLE")
        discovered = http(issuer.url, path="/id/EXAMPLE/.well-known/openid-configuration")
        document = json.loads(discovered.body)
        assert document == issuer.discovery()
        assert document["issuer"] == issuer.url
        keys = http(issuer.url, path=document["jwks_uri"].removeprefix(issuer.url))
        assert json.loads(keys.body) == issuer.jwks()
        assert http(issuer.url, path="/else").status == 404
        issuer.reachable = False
        assert http(issuer.url, path="/id/EXAMPLE/keys").status == 503


def test_a_given_url_stays_when_it_is_served(issuer: Issuer) -> None:
    with issuer.serve():
        assert issuer.url == "https://oidc.example/id/ABC"
        assert repr(issuer) == "<Issuer https://oidc.example/id/ABC>"
