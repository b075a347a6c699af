"""The request that a token makes, and its values for condition keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from irsa_creds._errors import ConfigError, TokenError
from irsa_creds._identity.arns import role_arn as checked_role_arn
from irsa_creds._identity.claims import SERVICE_ACCOUNT, STS
from irsa_creds._identity.token import claims_of
from irsa_creds._masking import JWT, quoted
from irsa_creds.diagnosis._policy.issuer_claims import BUILT_IN, condition_claims
from irsa_creds.diagnosis._policy.logic import UNKNOWN, Truth, Values
from irsa_creds.diagnosis._policy.templates import ACTION, checked_audience, names_of, provider_in

__all__ = [
    "SOURCE_IDENTITY",
    "TAGS",
    "UNKNOWN",
    "AccessRequest",
    "from_service_account",
    "from_subject",
    "from_token",
    "is_service_key",
]

# "Pass session tags in AWS STS" and "Monitor and control actions taken with assumed roles", IAM
# User Guide: one claim with all tags, or one claim for each.
TAGS = "https://aws.amazon.com/tags"
SOURCE_IDENTITY = "https://aws.amazon.com/source_identity"
# Condition keys of AWS services. An issuer's begin with a host, or by mistake with a URL, an ARN or
# a placeholder. Of AWS's own keys, only SAML's are named sub or aud, and none is named subject or
# audience.
_SERVICE_KEY = re.compile(
    r"saml:.*|(?!(?:https?|arn):)(?![^:]*:(?:sub(?:jects?)?|aud(?:iences?)?)\s*\Z)[a-z0-9-]+:.*",
    re.DOTALL | re.IGNORECASE,
)
# A provider's URL begins with https:// (IAM API Reference, CreateOpenIDConnectProvider); issuers on
# loopback are for tests.
_SECURE = re.compile(
    r"https://.*|http://(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?(?:/.*)?", re.DOTALL
)
# This issuer omits https:// in some tokens (Google's documentation of OpenID Connect).
_WITHOUT_SCHEME = "accounts.google.com"
_ARN_PARTS = 6
# The first part of default subjects, and the issuer: "OpenID Connect reference" in GitHub's
# documentation, and "OpenID Connect (OIDC) authentication using ID tokens" in GitLab's. A job of
# GitLab names its audience itself; GitLab's page on AWS takes the instance's URL.
_GITLAB = "project_path"
_PUBLIC_ISSUERS = {
    "repo": "https://token.actions.githubusercontent.com",
    _GITLAB: "https://gitlab.com",
}
_ACCOUNT = r"(?a:aws(?:-[a-z0-9]+)*:\d{12})"


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """A call of AssumeRoleWithWebIdentity with a token.

    Attributes:
        issuer: the token's `iss`.
        claims: all claims of the token.
        role_arn: gives account and partition of the provider; None if not known.
        facts: values of other condition keys, in lower case; None: absent; UNKNOWN: not told.
    """

    issuer: str
    claims: Mapping[str, object] = field(default_factory=dict)
    role_arn: str | None = None
    facts: Mapping[str, Values] = field(default_factory=dict)

    @property
    def provider(self) -> str:
        """Return the issuer without `https://`, as in ARNs and condition keys."""
        return self.issuer.partition("://")[2] or self.issuer

    @property
    def subject(self) -> str:
        """Return the token's `sub` as text, which is "None" without one."""
        return str(self.claims.get("sub"))

    @property
    def secure(self) -> bool:
        """Return whether IAM can have a provider with this URL."""
        return self.issuer == _WITHOUT_SCHEME or _SECURE.fullmatch(self.issuer) is not None

    @property
    def actions(self) -> tuple[str, ...]:
        """Return all required actions, AssumeRoleWithWebIdentity first."""
        tags = ("sts:TagSession",) if any(self._tags()) else ()
        source = ("sts:SetSourceIdentity",) if self.claims.get(SOURCE_IDENTITY) else ()
        return (ACTION, *tags, *source)

    def trusts(self, kind: str, name: str) -> Truth:
        """Return whether a policy's principal is the issuer's provider.

        Args:
            kind: "Federated", "AWS", ...; "*" for `"Principal": "*"`.
            name: an ARN, or the host of an issuer that is built into IAM.
        """
        if not self.secure:
            return False
        if name == "*":
            return None
        if kind != "Federated":
            return False
        if self.provider in BUILT_IN:
            # AWS does not document an OIDC provider for an issuer that is built in.
            return name == self.provider or (None if self._is_provider(name) else False)
        return self._is_provider(name)

    def _is_provider(self, arn: str) -> bool:
        """Return whether this is the ARN of the issuer's provider in the role's account."""
        start, partition, service, region, account, resource = _parts(arn)
        # Placeholders in the place of the account or the partition are none.
        of_iam = (start, service, region) == ("arn", "iam", "")
        if not of_iam or not re.fullmatch(_ACCOUNT, f"{partition}:{account}"):
            return False
        role = _parts(self.role_arn) if self.role_arn else ("", partition, "", "", account, "")
        return resource == f"oidc-provider/{self.provider}" and (partition, account) == (
            role[1],
            role[4],
        )

    def resembles(self, kind: str, name: str) -> bool:
        """Return whether a policy's principal is an identity provider, or meant to be one."""
        return kind == "Federated" or "oidc-provider" in name

    def values(self, key: str) -> Values:
        """Return the values of a condition key; None: absent; UNKNOWN: only AWS knows.

        Args:
            key: in upper or lower case.
        """
        key = key.lower()
        if key in self.facts:
            return self.facts[key]
        issuer = f"{self.provider.lower()}:"
        if key.startswith(issuer):
            return self._claim(key.removeprefix(issuer))
        vendor, _, name = key.partition(":")
        if vendor == "sts":
            return self._of_sts(name)
        if vendor == "aws":
            return self._of_tags(name)
        # Keys of SAML exist only in other requests.
        return UNKNOWN if vendor != "saml" and is_service_key(key) else None

    def _claim(self, name: str) -> Values:
        if name not in condition_claims(self.provider):
            return None
        if name == "aud" and self.claims.get("azp"):
            return _texts(self.claims["azp"])
        found = self.claims.get("aud" if name == "oaud" else name)
        # Google's key is part of a claim with an undocumented format.
        return UNKNOWN if found is None and name.startswith("google/") else _texts(found)

    def _of_sts(self, name: str) -> Values:
        if name == "sourceidentity":
            return _texts(self.claims.get(SOURCE_IDENTITY))
        if name == "transitivetagkeys":
            tags = self.claims.get(TAGS)
            inner = tags.get("transitive_tag_keys") if isinstance(tags, Mapping) else None
            return _texts(inner or self.claims.get(f"{TAGS}/transitive_tag_keys"))
        # AssumeRoleWithWebIdentity has no external id.
        return None if name == "externalid" else UNKNOWN

    def _of_tags(self, name: str) -> Values:
        if name == "tagkeys":
            return tuple(self._tags()) or None
        prefix, slash, tag = name.partition("/")
        if prefix == "requesttag" and slash:
            return next((_texts(v) for k, v in self._tags().items() if k.lower() == tag), None)
        return UNKNOWN

    def _tags(self) -> dict[str, object]:
        """Return the session tags in the token."""
        tags = self.claims.get(TAGS)
        inner = tags.get("principal_tags") if isinstance(tags, Mapping) else None
        found = dict(inner) if isinstance(inner, Mapping) else {}
        prefix = f"{TAGS}/principal_tags/"
        flat = {k.removeprefix(prefix): v for k, v in self.claims.items() if k.startswith(prefix)}
        return found | flat


def is_service_key(key: str) -> bool:
    """Return whether a condition key is one of an AWS service, and not of an OIDC provider."""
    return _SERVICE_KEY.fullmatch(key) is not None


def from_token(token: str, *, role_arn: str | None = None) -> AccessRequest:
    """Return the request with a token, which is not verified.

    Args:
        token: a JWT.
        role_arn: of the role; None if not known.

    Raises:
        TokenError: it is not a JWT, or has no issuer.
        ConfigError: the role's ARN is malformed.
    """
    claims = claims_of(token.strip())
    if claims is None:
        raise TokenError(
            f"The token ({len(token):,} characters) is not a JWT, so its claims cannot be read; "
            "use the file in AWS_WEB_IDENTITY_TOKEN_FILE."
        )
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or not issuer:
        raise TokenError("The token has no issuer (claim iss), which STS requires.")
    return AccessRequest(issuer=issuer, claims=claims, role_arn=_checked(role_arn))


def from_service_account(
    name: str, *, issuer: str, audience: str | None = None, role_arn: str | None = None
) -> AccessRequest:
    """Return the request with a token of a service account.

    Args:
        name: "NAMESPACE/NAME".
        issuer: of the cluster, with or without `https://`.
        audience: of the projected token; None means sts.amazonaws.com.
        role_arn: of the role; None if not known.

    Raises:
        ConfigError: an argument is malformed.
    """
    namespace, account = names_of(name)
    url = issuer if "://" in issuer or not issuer else f"https://{issuer}"
    if not (url.startswith("http://") and _SECURE.fullmatch(url)):
        provider_in(url)
    subject = f"system:serviceaccount:{namespace}:{account}"
    told = checked_audience(STS if audience is None else audience)
    claims: dict[str, Any] = {"iss": url, "aud": [told], "sub": subject}
    return AccessRequest(issuer=url, claims=claims, role_arn=_checked(role_arn))


def from_subject(
    subject: str,
    *,
    issuer: str | None = None,
    audience: str | None = None,
    role_arn: str | None = None,
) -> AccessRequest:
    """Return the request with a token of a subject, whose other claims are not known.

    Args:
        subject: the claim `sub`.
        issuer: None for a subject of GitHub Actions or GitLab means github.com's or gitlab.com's.
        audience: None means sts.amazonaws.com, or for GitLab its issuer.
        role_arn: of the role; None if not known.

    Raises:
        ConfigError: an argument is malformed or missing.
    """
    # The corrected policy has the subject, as it is.
    if re.search(JWT, subject):
        raise ConfigError(
            "The subject is a token. Give it as the token (--token), not as its subject."
        )
    if account := re.fullmatch(SERVICE_ACCOUNT, subject):
        name = "/".join(account.groups())
        return from_service_account(name, issuer=issuer or "", audience=audience, role_arn=role_arn)
    kind = subject.partition(":")[0]
    url = _PUBLIC_ISSUERS.get(kind) if issuer is None else issuer
    if not subject.isprintable() or not subject or url is None:
        raise ConfigError(
            f"The subject is {quoted(subject)}; use one of GitHub Actions (repo:...), GitLab "
            "(project_path:...), or another one with its issuer."
        )
    provider = provider_in(url if "://" in url else f"https://{url}")
    usual = f"https://{provider}" if kind == _GITLAB else STS
    told = checked_audience(usual if audience is None else audience)
    unknown = condition_claims(provider) - {"sub", "aud", "oaud"}
    return AccessRequest(
        issuer=f"https://{provider}",
        claims={"iss": f"https://{provider}", "aud": [told], "sub": subject},
        role_arn=_checked(role_arn),
        facts={f"{provider}:{claim}".lower(): UNKNOWN for claim in unknown},
    )


def _checked(role_arn: str | None) -> str | None:
    return None if role_arn is None else checked_role_arn(role_arn, "The role", aws=True)


def _parts(arn: str) -> tuple[str, ...]:
    parts = arn.split(":", _ARN_PARTS - 1)
    return tuple(parts) if len(parts) == _ARN_PARTS else ("",) * _ARN_PARTS


def _texts(claim: object) -> Values:
    """Return a claim's values as text; UNKNOWN for other types than text, number and Boolean."""
    if claim is None or claim == []:
        return None
    values = claim if isinstance(claim, list) else [claim]
    if not all(isinstance(value, str | bool | int | float) for value in values):
        return UNKNOWN
    return tuple(str(v).lower() if isinstance(v, bool) else str(v) for v in values)
