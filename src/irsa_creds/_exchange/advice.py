"""What to do about a failure, with the facts at hand; and what of a token may be told.

Loaded at the first error of a process.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from irsa_creds._errors import Failure, instant
from irsa_creds._exchange.classification import meaning
from irsa_creds._identity.endpoint_settings import region_of_issuer
from irsa_creds._identity.validation import quoted_path
from irsa_creds._masking import JWT, one_line, without_userinfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from irsa_creds._exchange.response import ExchangeRequest

__all__ = [
    "OTHER_CLIENTS",
    "POD_IDENTITY",
    "ROLE",
    "SERVICE_ACCOUNT",
    "STS",
    "Advice",
    "advise",
    "claims_told",
    "clean_issuer",
    "failure",
    "is_for_api_server",
    "meaning",
]

_SHOWN_LIMIT = 200
# Seconds: STS tells whole ones, and an answer takes its time.
_WORTH_TELLING = 5
_END_OF_TIME = 253_402_300_799  # the last second of the year 9999
#: The audience that AWS's STS asks for (EKS user guide, "IAM roles for service accounts").
STS = "sts.amazonaws.com"
#: The subject of service accounts' tokens (Kubernetes, "Service accounts"): namespace and name,
#: whose letters need no quotes in a shell and cannot begin an option.
SERVICE_ACCOUNT = r"system:serviceaccount:([a-z0-9][a-z0-9-]{0,62}):([a-z0-9][a-z0-9.-]{0,252})"
# The API server's own audience: EKS and kubeadm, k3s, RKE2.
_API_AUDIENCES = r"https://kubernetes\.default(?:\.svc(?:\.[\w.-]+)?)?/?|k3s|rke2|kubernetes|api"
#: Partition, account and name of a role, whose path may hold anything.
ROLE = r"arn:([^:]+):iam::([^:]*):role/(?:.*/)?([^/]+)"
#: The audience of EKS Pod Identity's own tokens (EKS user guide, "EKS Pod Identity").
POD_IDENTITY = "pods.eks.amazonaws.com"
#: What others have as client ids of IAM's provider: kops (pod identity webhook's add-on), ROSA.
OTHER_CLIENTS = frozenset({"amazonaws.com", "openshift"})


# What a shell takes as one word, and no program for an option or a user's password.
_CLEAN_URL = r"(?ai:https?://(?:[a-z0-9][a-z0-9.-]*|\[[0-9a-f:]+\])(?::\d{1,5})?(?:/[\w.~/%+-]*)?)"
_LONGEST_URL = 255  # IAM's API reference, OpenIDConnectProviderUrlType
_OPAQUE = " The token is not a JWT, so nothing of it can be shown."
_API_SERVER = " It is the token for the cluster's own API server, which no other should see."
_DEFAULT = " The pod runs as the service account 'default': does its spec name the annotated one?"


class Advice(NamedTuple):
    """What to do, in words and as what can be pasted into a shell; neither holds a secret."""

    advice: str
    command: str


def failure(
    asked: ExchangeRequest,
    code: str,
    message: str,
    *,
    words: str = "",
    skew: float | None = None,
    **known: Any,
) -> Failure:
    """Return a failure of an exchange with what was asked, what the token says, and advice.

    Args:
        asked: what was asked of whom.
        code: STS's code, or the class name of a network error.
        message: what happened.
        words: STS's own, masked.
        skew: by how many seconds STS's clock is ahead of this machine's.
        known: further fields of the failure.
    """
    advised = advise(code, words, known.get("status"), asked=asked, skew=skew)
    return Failure(
        kind="exchange",
        code=code,
        message=message,
        endpoint=asked.bare_endpoint,
        role_arn=asked.role_arn,
        operation=asked.operation,
        words=words,
        **{**advised._asdict(), **claims_told(asked.token.claims), **known},
    )


def advise(
    code: str,
    words: str = "",
    status: int | None = None,
    *,
    asked: ExchangeRequest,
    skew: float | None = None,
) -> Advice:
    """Return what to do about a failure.

    Args:
        code: STS's code, or the class name of a network error.
        words: STS's own.
        status: the HTTP status; None where no answer came.
        asked: what was asked of whom.
        skew: by how many seconds STS's clock is ahead of this machine's.
    """
    found = meaning(code, words, status, chained=asked.signer is not None)
    told = claims_told(asked.token.claims)
    return Advice(
        found.advice.format_map(_facts(asked, told, skew)),
        found.command.format_map(_commands(asked, told)),
    )


def claims_told(claims: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what of a token's claims is told, as fields of `Failure`.

    Args:
        claims: anybody's: nothing here believes in their types, lengths or characters.
    """
    given = claims or {}
    exp: Any = given.get("exp")
    # What no clock and no file of ours can hold is none; True is an int, and NaN no number.
    sound = type(exp) in {int, float} and 0 <= exp <= _END_OF_TIME
    return {
        **{name: _claim(given.get(name)) for name in ("iss", "sub", "aud")},
        "exp": float(exp) if sound else None,
    }


def _claim(value: object) -> str | None:
    if isinstance(value, list):
        value = ", ".join(each for each in value if isinstance(each, str))
    if not isinstance(value, str):
        return None
    # Nothing is masked for its length alone: an honest subject or issuer is long.
    return one_line(re.sub(JWT, "***", without_userinfo(value)), _SHOWN_LIMIT) or None


def _facts(asked: ExchangeRequest, told: Mapping[str, Any], skew: float | None) -> dict[str, str]:
    """Return what the sentences of the table quote."""
    token, duration = asked.token, asked.duration
    written = token.written and instant(token.written.timestamp())
    return {
        "role": asked.role_arn,
        "account": _account(asked.role_arn),
        "signer": asked.signer or "",
        "endpoint": asked.bare_endpoint,
        "duration": "STS's default" if duration is None else f"{duration} s",
        "shape": token.shape(),
        "written": f"; its file was written at {written}" if written else "",
        "skew": _skewed(skew),
        "audience": _mend_audience(told),
        "clue": _clue(told) if token.claims is not None else _OPAQUE,
    }


def _account(role_arn: str) -> str:
    role = re.fullmatch(ROLE, role_arn)
    return f" {role[2]}" if role and role[2] else ""


def _skewed(skew: float | None) -> str:
    """Return how far STS's clock is from this machine's, as a clause; nothing worth it: empty."""
    if skew is None or abs(skew) < _WORTH_TELLING:
        return ""
    where = "ahead of" if skew > 0 else "behind"
    return f", and STS's clock is {abs(skew):,.0f} s {where} this machine's"


def _clue(told: Mapping[str, Any]) -> str:
    """Return what catches the eye in a token, as a further sentence."""
    named = _audiences(told)
    if POD_IDENTITY in named:
        return " It is a token of EKS Pod Identity, which is not meant for STS."
    if _is_for_others(told):
        return _API_SERVER
    account = re.fullmatch(SERVICE_ACCOUNT, told["sub"] or "")
    if account and account[2] == "default":
        return _DEFAULT
    return ""


def clean_issuer(iss: str | None) -> str | None:
    """Return an issuer that may stand in a command; None for anything but a plain http(s) URL."""
    # Three dots stand where a longer one was cut.
    if not iss or len(iss) > _LONGEST_URL or "..." in iss:
        return None
    return iss if re.fullmatch(_CLEAN_URL, iss) else None


def is_for_api_server(audience: str, issuer: str | None) -> bool:
    """Whether an audience is that of a cluster's own API server.

    Args:
        audience: one of a token.
        issuer: its issuer, which many API servers take for their own name.
    """
    return audience == issuer or re.fullmatch(_API_AUDIENCES, audience) is not None


def _audiences(told: Mapping[str, Any]) -> list[str]:
    return (told["aud"] or "").split(", ")


def _is_for_others(told: Mapping[str, Any]) -> bool:
    """Whether a token is meant for Pod Identity or the API server.

    IAM must never list such an audience: every pod has a token with it.
    """
    return any(
        each == POD_IDENTITY or is_for_api_server(each, told["iss"]) for each in _audiences(told)
    )


def _mend_audience(told: Mapping[str, Any]) -> str:
    """Return what to do about an audience that IAM's provider does not list, as a clause."""
    if _is_for_others(told):
        return f"mount a token for {STS}, for this one's audience must not be added there"
    if _belongs_there(told):
        return "add it there"
    return (
        f"mount a token for {STS} (the webhook's, or a projected volume with that audience), or "
        "add the token's own there (aws iam add-client-id-to-open-id-connect-provider)"
    )


def _belongs_there(told: Mapping[str, Any]) -> bool:
    """Whether an audience is one that IAM's provider is to list, and not another system's."""
    account = re.fullmatch(SERVICE_ACCOUNT, told["sub"] or "")
    return told["aud"] in {STS, *OTHER_CLIENTS} or not account


def _commands(asked: ExchangeRequest, told: Mapping[str, Any]) -> dict[str, str]:
    """Return what the commands of the table are made of, quoted for a shell: claims are anybody's.

    What is not known is a word in capitals. Sources: AWS CLI command reference; eksctl's schema of
    `utils associate-iam-oidc-provider`.
    """
    role = re.fullmatch(ROLE, asked.role_arn)
    partition, account, name = role.groups() if role else ("aws", "", "ROLE")
    iss, aud = clean_issuer(told["iss"]), _whole(told["aud"]) or "AUDIENCE"
    arn = f"arn:{partition}:iam::{account or 'ACCOUNT'}:oidc-provider/{_bare(iss or 'ISSUER')}"
    words = {"role": asked.role_arn, "signer": asked.signer or "", "role_name": name}
    lines = {
        "make_provider": _make_provider(iss or "ISSUER", STS if _is_for_others(told) else aud),
        "mend_audience": [
            *("aws", "iam", "add-client-id-to-open-id-connect-provider"),
            *("--open-id-connect-provider-arn", arn, "--client-id", aud),
        ]
        if _belongs_there(told) and not _is_for_others(told)
        else _change_audience(asked, told),
        "discovery": ["curl", "-sS", f"{iss.rstrip('/')}/.well-known/openid-configuration"]
        if iss
        else [],
        "enable_region": [
            *("aws", "account", "enable-region", "--region-name", _region(asked.endpoint))
        ],
    }
    return {
        **{name: shlex.quote(word) for name, word in words.items()},
        **{name: shlex.join(line) for name, line in lines.items()},
        "explain": _explain(asked, told, name),
    }


def _change_audience(asked: ExchangeRequest, told: Mapping[str, Any]) -> list[str]:
    """Return the command that prints a pod whose token is for STS; none where nobody is known."""
    account = re.fullmatch(SERVICE_ACCOUNT, told["sub"] or "")
    if not account:
        return []
    who = f"{account[1]}/{account[2]}"
    return ["irsa-creds", "manifest", "--service-account", who, "--role-arn", asked.role_arn]


def _make_provider(iss: str, aud: str) -> list[str]:
    region = region_of_issuer(iss)
    if region:
        eksctl = ["eksctl", "utils", "associate-iam-oidc-provider", "--cluster", "CLUSTER"]
        return [*eksctl, "--region", region, "--approve"]
    aws = ["aws", "iam", "create-open-id-connect-provider"]
    return [*aws, "--url", iss, "--client-id-list", aud]


def _explain(asked: ExchangeRequest, told: Mapping[str, Any], role_name: str) -> str:
    """Return the commands that read the trust policy and compare the token with it.

    The pod cannot read it: it has no credentials just now. Where the claims say it all, neither
    needs the token, and both run wherever somebody may call iam:GetRole.
    """
    iss, aud = clean_issuer(told["iss"]), _whole(told["aud"])
    account = re.fullmatch(SERVICE_ACCOUNT, told["sub"] or "")
    if account and iss and aud:
        who = ["--service-account", f"{account[1]}/{account[2]}", "--issuer", iss]
        who += ["--audience", aud]
    else:
        who = ["--token", _shown_file(asked.token_file) or "FILE"]
    read = ["aws", "iam", "get-role", "--role-name", role_name]
    explain = ["irsa-creds", "explain", "--policy", "role.json", *who]
    return f"{shlex.join(read)} > role.json && {shlex.join(explain)}"


def _whole(claim: str | None) -> str | None:
    """Return a claim that is one value, neither cut nor masked, and looks like no option."""
    return None if claim is None or re.search(r"^-|, |\*\*\*|\.\.\.", claim) else claim


def _bare(iss: str) -> str:
    return re.sub(r"^https?://", "", iss).rstrip("/")


def _region(endpoint: str) -> str:
    """Return the region in the name of a regional endpoint of STS."""
    found = re.search(r"//sts(?:-fips)?\.([a-z]+-[a-z0-9-]+)\.", endpoint)
    return found[1] if found else "REGION"


def _shown_file(path: str | None) -> str | None:
    """Return the token's file for a command; None where its name may not be shown as it is."""
    return path if path and path.isprintable() and quoted_path(path) == repr(path) else None
