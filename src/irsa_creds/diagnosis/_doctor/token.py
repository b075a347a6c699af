"""T01 to T05: the token's claims, compared with the clock and with what AWS accepts."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from irsa_creds._errors import instant
from irsa_creds._identity.claims import is_for_api_server
from irsa_creds._identity.endpoint_settings import region_of_issuer
from irsa_creds._masking import quoted
from irsa_creds.diagnosis._checks import Check
from irsa_creds.diagnosis._claims import (
    POD_IDENTITY,
    STS,
    STS_AUDIENCES,
    audiences,
    duration,
    is_known_audience,
    is_misspelled_sts,
    redacted,
    seconds,
    subject_of,
)
from irsa_creds.diagnosis._doctor.fixes import annotate, restart
from irsa_creds.diagnosis._fixes import MOUNT_TOKEN, MOUNT_TOKEN_AS_COMMENT, WEBHOOK_PATH

if TYPE_CHECKING:
    from irsa_creds.diagnosis._doctor.pod_facts import Facts

__all__ = ["token_checks"]

_IDS = ("T01", "T02", "T03", "T04", "T05")
# Seconds. IAM User Guide, "Elements of an AWS API request signature": AWS tolerates five minutes.
_FATAL_SKEW = 300
_NOTABLE_SKEW = 60
_LOCAL_SUFFIXES = (".local", ".internal", ".svc", ".localhost")


def token_checks(facts: Facts) -> tuple[Check, ...]:
    """Return T01 to T05."""
    file = facts.file
    if file is None or file.failure is not None:
        why = "There is no token: see F01 to F03."
    elif file.claims is None:
        why = "The token is opaque: it has no claims."
    else:
        return (_expiry(facts), _issued(facts), _audience(facts), _issuer(facts), _subject(facts))
    return tuple(Check(each, "skipped", why) for each in _IDS)


def _expiry(facts: Facts) -> Check:
    ends = seconds(facts.claims, "exp")
    if ends is None:
        return Check(
            "T01",
            "fail" if facts.uses_aws_sts else "warn",
            "The token has no expiry (exp), which STS requires; legacy tokens of a Secret "
            "have none.",
            MOUNT_TOKEN,
        )
    left = ends - facts.now
    data = {"exp": instant(ends), "seconds_left": round(left)}
    if left > 0:
        return Check("T01", "ok", f"The token is valid until {instant(ends)}.", data=data)
    return Check(
        "T01",
        "fail",
        f"The token expired at {instant(ends)}, {duration(-left)} ago.",
        f"date -u  # compare with the current time\n{restart(facts)}"
        if facts.is_kubernetes_token
        else "date -u  # compare with the current time; if it is correct, get a new token",
        data,
    )


def _issued(facts: Facts) -> Check:
    starts = [s for s in (seconds(facts.claims, name) for name in ("iat", "nbf")) if s is not None]
    if not starts:
        return Check("T02", "unknown", "The token has no time of issue (iat, nbf).")
    ahead = max(starts) - facts.now
    data = {"iat": instant(max(starts)), "seconds_ahead": round(max(ahead, 0))}
    if ahead <= _NOTABLE_SKEW:
        return Check("T02", "ok", f"The token was issued at {instant(max(starts))}.", data=data)
    return Check(
        "T02",
        "fail" if ahead > _FATAL_SKEW else "warn",
        f"By this machine's clock the token will be issued in {duration(ahead)}: the clock is "
        "slow, and AWS denies requests that are signed more than five minutes off.",
        "date -u; chronyc tracking  # on the node, which has the pod's clock",
        data,
    )


def _audience(facts: Facts) -> Check:
    named = audiences(facts.claims)
    data = {"aud": [redacted(each) for each in named]}
    # `quoted` limits the length.
    text = quoted(", ".join(named))
    if not facts.uses_aws_sts:
        message = (
            f"The audience is {text}; the endpoint is not AWS's, so any audience may be correct."
        )
        return Check("T03", "ok", message, "", data)
    if not named:
        return Check("T03", "fail", "The token has no audience (aud).", MOUNT_TOKEN, data)
    if STS_AUDIENCES.intersection(named):
        return Check("T03", "ok", f"The audience is {text}.", "", data)
    if POD_IDENTITY in named:
        return Check(
            "T03",
            "fail",
            f"The audience is {POD_IDENTITY}: this is the token of EKS Pod Identity, which STS "
            "does not accept.",
            f"export AWS_WEB_IDENTITY_TOKEN_FILE={WEBHOOK_PATH}",
            data,
        )
    if any(is_misspelled_sts(each) for each in named):
        return Check(
            "T03",
            "fail",
            f"The audience is {text}, probably a misspelling of {STS}.",
            f"{annotate(facts, f'eks.amazonaws.com/audience={STS}')}\n{MOUNT_TOKEN_AS_COMMENT}",
            data,
        )
    return _foreign_audience(facts, named, text, data)


def _foreign_audience(
    facts: Facts, named: tuple[str, ...], text: str, data: dict[str, list[str | None]]
) -> Check:
    """Return T03 for an audience that works only if the IAM OIDC provider lists it."""
    listed = "the IAM OIDC provider must list it as a client ID"
    # F04 reports an audience of the API server.
    known = any(is_known_audience(a) or is_for_api_server(a, facts.issuer) for a in named)
    if subject_of(facts.claims) and not known:
        message = f"The audience is {text}, not {STS}: {listed}."
        return Check("T03", "warn", message, MOUNT_TOKEN, data)
    return Check("T03", "ok", f"The audience is {text}: {listed}.", "", data)


def _issuer(facts: Facts) -> Check:
    issuer = facts.issuer
    data = {"iss": redacted(facts.issuer)}
    if not issuer:
        return Check("T04", "fail", "The token has no issuer (iss).", MOUNT_TOKEN, data)
    if not facts.uses_aws_sts:
        return Check("T04", "ok", f"The issuer is {quoted(issuer)}, for this endpoint.", "", data)
    trouble = _unreachable(issuer)
    if trouble:
        return Check(
            "T04",
            "fail",
            f"The issuer is {quoted(issuer)}, which {trouble}, but AWS must fetch its keys.",
            "# option of kube-apiserver; then create the IAM OIDC provider for this URL\n"
            "--service-account-issuer=https://PUBLIC.EXAMPLE.COM",
            data,
        )
    region, called = region_of_issuer(issuer), facts.config.region if facts.config else None
    if region and called and region != called:
        return Check(
            "T04",
            "ok",
            f"The cluster is in {region} and STS is called in {called}, which is allowed.",
            "",
            data | {"issuer_region": region, "sts_region": called},
        )
    return Check("T04", "ok", f"The issuer is {quoted(issuer)}.", "", data)


def _unreachable(issuer: str) -> str:
    """Return why AWS cannot fetch an issuer's keys, as a predicate; else empty."""
    try:
        parts = urlsplit(issuer)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return "is not a URL"
    if parts.scheme != "https":
        return "does not begin with https://"
    if "." not in host and ":" not in host:
        return "exists only inside the cluster"
    if host.endswith(_LOCAL_SUFFIXES):
        return "exists only inside the cluster or network"
    try:
        private = not ipaddress.ip_address(host).is_global
    except ValueError:
        private = False
    return "is a private address" if private else ""


def _subject(facts: Facts) -> Check:
    subject = (facts.claims or {}).get("sub")
    data = {"sub": redacted(subject)}
    if not isinstance(subject, str) or not subject:
        return Check("T05", "fail", "The token has no subject (sub).", MOUNT_TOKEN, data)
    if facts.is_kubernetes_token and subject_of(facts.claims) is None:
        return Check(
            "T05",
            "warn",
            f"The subject is {quoted(subject)}, which is not a service account.",
            MOUNT_TOKEN,
            data,
        )
    if facts.is_kubernetes_token and subject.endswith(":default"):
        return Check(
            "T05",
            "warn",
            f"The subject is {quoted(subject)}, the account of all pods without "
            "serviceAccountName; probably another one is intended.",
            "# the pod's spec\nserviceAccountName: NAME",
            data,
        )
    return Check("T05", "ok", f"The subject is {quoted(subject)}.", "", data)
