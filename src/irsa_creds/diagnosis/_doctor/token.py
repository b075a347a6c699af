"""T01 to T05: what the token says of itself, against the clock and against what AWS takes."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from irsa_creds._errors import instant
from irsa_creds._exchange.advice import is_for_api_server
from irsa_creds._identity.endpoint_settings import region_of_issuer
from irsa_creds._identity.validation import quoted
from irsa_creds.diagnosis._checks import Check
from irsa_creds.diagnosis._claims import (
    POD_IDENTITY,
    STS,
    STS_AUDIENCES,
    audiences,
    is_known_audience,
    is_slip_of_sts,
    seconds,
    span,
    subject_of,
    told,
)
from irsa_creds.diagnosis._doctor.fixes import annotate, restart
from irsa_creds.diagnosis._fixes import WEBHOOK_PATH, mount_token, mount_token_as_comment

if TYPE_CHECKING:
    from irsa_creds.diagnosis._doctor.pod_facts import Facts

__all__ = ["token_checks"]

_IDS = ("T01", "T02", "T03", "T04", "T05")
# Seconds. IAM user guide, "Elements of an AWS API request signature": five minutes are tolerated.
_SKEW_REFUSED = 300
_SKEW_TOLD = 60
_LOCAL_SUFFIXES = (".local", ".internal", ".svc", ".localhost")


def token_checks(facts: Facts) -> tuple[Check, ...]:
    """Return T01 to T05."""
    file = facts.file
    if file is None or file.failure is not None:
        why = "There is no token to look at: see the checks before."
    elif file.claims is None:
        why = "The token is opaque: it says nothing of itself."
    else:
        return (_expiry(facts), _issued(facts), _audience(facts), _issuer(facts), _subject(facts))
    return tuple(Check(each, "skipped", why) for each in _IDS)


def _expiry(facts: Facts) -> Check:
    ends = seconds(facts.claims, "exp")
    if ends is None:
        return Check(
            "T01",
            "fail" if facts.asks_aws else "warn",
            "The token has no expiry (exp), which STS asks for: a Secret's legacy token has none.",
            mount_token(STS),
        )
    left = ends - facts.now
    data = {"exp": instant(ends), "seconds_left": round(left)}
    if left > 0:
        return Check("T01", "ok", f"The token is valid until {instant(ends)}.", data=data)
    return Check(
        "T01",
        "fail",
        f"The token expired at {instant(ends)}, {span(-left)} ago.",
        f"date -u  # is this clock right?\n{restart(facts)}"
        if facts.of_kubernetes
        else "date -u  # is this clock right? If so, have a new token issued",
        data,
    )


def _issued(facts: Facts) -> Check:
    starts = [s for s in (seconds(facts.claims, name) for name in ("iat", "nbf")) if s is not None]
    if not starts:
        return Check("T02", "unknown", "The token does not say when it was issued.")
    ahead = max(starts) - facts.now
    data = {"iat": instant(max(starts)), "seconds_ahead": round(max(ahead, 0))}
    if ahead <= _SKEW_TOLD:
        return Check("T02", "ok", f"The token was issued at {instant(max(starts))}.", data=data)
    return Check(
        "T02",
        "fail" if ahead > _SKEW_REFUSED else "warn",
        f"By this machine's clock the token will be issued in {span(ahead)}: the clock is behind, "
        "and AWS refuses what is signed with a clock more than five minutes off.",
        "date -u; chronyc tracking  # on the node",
        data,
    )


def _audience(facts: Facts) -> Check:
    named = audiences(facts.claims)
    data = {"aud": [told(each) for each in named]}
    # Bounded: a token is anybody's text.
    said = quoted(", ".join(named))
    if not facts.asks_aws:
        message = f"The audience is {said}; this endpoint is not AWS's, so it is not judged."
        return Check("T03", "ok", message, "", data)
    if not named:
        return Check("T03", "fail", "The token has no audience (aud).", mount_token(STS), data)
    if STS_AUDIENCES.intersection(named):
        return Check("T03", "ok", f"The audience is {said}.", "", data)
    if POD_IDENTITY in named:
        return Check(
            "T03",
            "fail",
            f"The audience is {POD_IDENTITY}: this is EKS Pod Identity's token, which STS does "
            "not take.",
            f"export AWS_WEB_IDENTITY_TOKEN_FILE={WEBHOOK_PATH}",
            data,
        )
    if any(is_slip_of_sts(each) for each in named):
        return Check(
            "T03",
            "fail",
            f"The audience is {said}: is {STS} meant?",
            f"{annotate(facts, f'eks.amazonaws.com/audience={STS}')}\n"
            f"{mount_token_as_comment(STS)}",
            data,
        )
    return _foreign_audience(facts, named)


def _foreign_audience(facts: Facts, named: tuple[str, ...]) -> Check:
    """Return T03 of an audience that works only where somebody has said so to IAM."""
    said, data = quoted(", ".join(named)), {"aud": [told(each) for each in named]}
    listed = "the IAM OIDC provider must list it as a client id"
    if subject_of(facts.claims) and not any(_is_told_or_known(facts, each) for each in named):
        return Check(
            "T03",
            "warn",
            f"The audience is {said}, another system's: {listed}, or is {STS} meant?",
            mount_token(STS),
            data,
        )
    return Check("T03", "ok", f"The audience is {said}: {listed}.", "", data)


def _is_told_or_known(facts: Facts, audience: str) -> bool:
    """Whether F04 tells of an audience, or others than EKS have it."""
    return is_known_audience(audience) or is_for_api_server(audience, facts.issuer)


def _issuer(facts: Facts) -> Check:
    issuer = facts.issuer
    data = {"iss": told(facts.issuer)}
    if not issuer:
        return Check("T04", "fail", "The token names no issuer (iss).", mount_token(STS), data)
    if not facts.asks_aws:
        return Check("T04", "ok", f"The issuer is {quoted(issuer)}, for this endpoint.", "", data)
    trouble = _unreachable(issuer)
    if trouble:
        return Check(
            "T04",
            "fail",
            f"The issuer is {quoted(issuer)}, which {trouble}: AWS fetches the keys from there.",
            "# kube-apiserver; IAM's OIDC provider is then made for that URL\n"
            "--service-account-issuer=https://PUBLIC.EXAMPLE.COM",
            data,
        )
    region, asked = region_of_issuer(issuer), facts.config.region if facts.config else None
    if region and asked and region != asked:
        return Check(
            "T04",
            "ok",
            f"The cluster is in {region} and STS is asked in {asked}, which is legal.",
            "",
            data | {"issuer_region": region, "sts_region": asked},
        )
    return Check("T04", "ok", f"The issuer is {quoted(issuer)}.", "", data)


def _unreachable(issuer: str) -> str:
    """Return why AWS cannot fetch an issuer's keys, as a predicate; empty where it may."""
    try:
        parts = urlsplit(issuer)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return "is no URL"
    if parts.scheme != "https":
        return "does not begin with https://"
    if "." not in host and ":" not in host:
        return "is known inside the cluster only"
    if host.endswith(_LOCAL_SUFFIXES):
        return "is known inside the cluster or network only"
    try:
        private = not ipaddress.ip_address(host).is_global
    except ValueError:
        private = False
    return "is a private address" if private else ""


def _subject(facts: Facts) -> Check:
    subject = (facts.claims or {}).get("sub")
    data = {"sub": told(subject)}
    if not isinstance(subject, str) or not subject:
        return Check("T05", "fail", "The token names no subject (sub).", mount_token(STS), data)
    if not facts.of_kubernetes:
        return Check("T05", "ok", f"The subject is {quoted(subject)}.", "", data)
    if subject_of(facts.claims) is None:
        return Check(
            "T05",
            "warn",
            f"The subject is {quoted(subject)}, which is no service account's.",
            mount_token(STS),
            data,
        )
    if subject.endswith(":default"):
        return Check(
            "T05",
            "warn",
            f"The subject is {quoted(subject)}, the service account of all pods that name none: is "
            "another meant?",
            "# the pod's spec\nserviceAccountName: NAME",
            data,
        )
    return Check("T05", "ok", f"The subject is {quoted(subject)}.", "", data)
