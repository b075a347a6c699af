"""Verification of a web identity token, in AWS's order and with AWS's messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jwt

from irsa_creds.testing._responses import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moto.iam.models import OpenIDConnectProvider

    from irsa_creds.testing._issuer import Issuer
    from irsa_creds.testing._moto import Moto

__all__ = ["check_times", "issuer_and_key", "verified_claims", "verify_token"]

# EKS signs with RS256. Source of the list: "Creating OpenID Connect identity providers", IAM.
_ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]
_NO_JWT = (
    "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
)
# The double space is AWS's own.
_NO_KEY = (
    "Couldn't retrieve verification key from your identity provider,  please reference "
    "AssumeRoleWithWebIdentity documentation for requirements"
)
_REQUIRED = ("sub", "aud", "exp", "iat")


def verify_token(
    token: str, role_arn: str, *, moto: Moto, issuers: Mapping[str, Issuer], now: float
) -> tuple[dict[str, Any], str, OpenIDConnectProvider]:
    """Verify a token.

    Args:
        token: the JWT.
        role_arn: names the account of the IAM OIDC provider.
        moto: has the IAM OIDC providers.
        issuers: issuers with reachable keys, by URL.
        now: seconds since the epoch.

    Returns:
        All claims; the audience that is one of the OIDC provider's client IDs; and the provider,
        with host, port and path as its URL, as in condition keys.

    Raises:
        AwsError: with AWS's code and message.
    """
    issuer, kid = issuer_and_key(token)
    provider = moto.provider(role_arn, issuer)
    if provider is None:
        raise _invalid(f"No OpenIDConnect provider found in your account for {issuer}")
    claims = verified_claims(token, kid, issuers.get(issuer))
    for name in _REQUIRED:
        if name not in claims:
            raise _invalid(f"Missing a required claim: {name}")
    check_times(claims, now)
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    accepted = [audience for audience in audiences if audience in provider.client_id_list]
    if not accepted:
        raise _invalid("Incorrect token audience")
    return claims, accepted[0], provider


def issuer_and_key(token: str) -> tuple[str, object]:
    """Return the issuer and the key id that a token names."""
    try:
        kid = jwt.get_unverified_header(token).get("kid")
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise _invalid(_NO_JWT) from None
    if "iss" not in claims:
        raise _invalid("Missing a required claim: iss")
    return str(claims["iss"]), kid


def verified_claims(token: str, kid: object, issuer: Issuer | None) -> dict[str, Any]:
    """Return the claims of a token with a valid signature."""
    keys = issuer.jwks()["keys"] if issuer is not None and issuer.reachable else []
    key = next((key for key in keys if key["kid"] == kid), None)
    if key is None:
        raise _invalid(_NO_KEY)
    try:
        signed = jwt.api_jws.decode(token, jwt.PyJWK(key), algorithms=_ALGORITHMS)
    except jwt.PyJWTError:
        # No public record of AWS's message for this was found.
        raise _invalid("The signature of the ID Token is invalid") from None
    # PyJWT does not check times and audience: AWS has a message of its own for each.
    claims: dict[str, Any] = json.loads(signed)
    return claims


def check_times(claims: Mapping[str, Any], now: float) -> None:
    """Raise `AwsError` if a token is expired, or not valid yet."""
    expires, begins = claims["exp"], claims.get("nbf", 0)
    if not isinstance(expires, int | float) or not isinstance(begins, int | float):
        raise _invalid(_NO_JWT)
    if now >= expires:
        raise AwsError(
            "ExpiredTokenException",
            f"Token expired: current date/time {int(now)} must be before the expiration "
            f"date/time {int(expires)}",
        )
    if now < begins:
        # No public record of AWS's message for this was found either.
        raise _invalid(f"Token is not valid before date/time {int(begins)}")


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidIdentityToken", message)
