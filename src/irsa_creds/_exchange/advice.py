"""What a failure quotes: the facts of its request, and the values of advice and command."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from irsa_creds._errors import instant
from irsa_creds._exchange.causes import classify
from irsa_creds._identity.claims import (
    OTHER_CLIENTS,
    POD_IDENTITY,
    SERVICE_ACCOUNT,
    STS,
    is_for_api_server,
    plain_issuer,
)
from irsa_creds._identity.endpoint_settings import region_of_issuer
from irsa_creds._masking import mask, quoted_path
from irsa_creds._record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Any, Protocol

    from irsa_creds._errors import Failure
    from irsa_creds._exchange.causes import Cause

    class Assertion(Protocol):
        """Proves the identity to STS: a token, or the credentials that sign a request."""

        @property
        def value(self) -> str: ...
        @property
        def secrets(self) -> tuple[str, ...]: ...
        @property
        def claims(self) -> Mapping[str, Any] | None: ...
        @property
        def written(self) -> datetime | None: ...
        def shape(self) -> str: ...


__all__ = ["ExchangeRequest", "role_parts", "values"]

# Seconds: STS's `Date` has whole ones, and a response takes time.
_LEAST_SKEW = 5
# A shorter external ID is not a secret, and may be an ordinary word.
_SHORTEST_SECRET = 8


class ExchangeRequest(Record):
    """The facts of a call of STS that its failure quotes, and the secrets that no text may have.

    Attributes:
        role_arn: the role to assume.
        endpoint: STS's URL.
        duration: the requested lifetime in seconds; None leaves it to STS.
        assertion: the token that was sent, or the credentials that signed the request.
        signer: the source role, which signed, in role chaining.
        token_file: the token's file; None if a callable returns the token.
        external_id: of role chaining; some organizations use a passphrase.
    """

    __slots__ = ()

    role_arn: str
    endpoint: str
    duration: int | None
    assertion: Assertion
    signer: str | None = None
    token_file: str | None = None
    external_id: str | None = None

    def __repr__(self) -> str:
        # Without the external ID.
        return f"<ExchangeRequest {self.operation} of {self.role_arn}>"

    @property
    def operation(self) -> str:
        """The name of the API call."""
        return "AssumeRole" if self.signer else "AssumeRoleWithWebIdentity"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What was sent or used to sign."""
        external = self.external_id or ""
        sent = self.assertion.secrets
        return (*sent, external) if len(external) >= _SHORTEST_SECRET else sent

    def cause(self, code: str, words: str = "", status: int | None = None) -> Cause:
        """Return the likely cause of an error of this request."""
        return classify(code, words, status, chained=self.signer is not None)

    def mask(self, text: str) -> str:
        """Return `text` without this request's secrets, and without what looks like one."""
        return mask(text, *self.secrets, *map(quote_plus, self.secrets))


def values(failure: Failure, request: ExchangeRequest, skew: float | None) -> dict[str, str | None]:
    """Return the values for the templates of causes.

    A value that may be empty begins with its own blank or separator. Claims have arbitrary text, so
    each value of a command is quoted for a shell; a word in capitals stands for an unknown one.

    Args:
        failure: has the token's claims, sanitized.
        request: the request that failed.
        skew: seconds by which STS's clock is ahead of this machine's; None if it is unknown.
    """
    assertion, duration = request.assertion, request.duration
    partition, account, role_name = role_parts(failure.role_arn) or ("aws", "", "ROLE")
    written = instant(assertion.written.timestamp()) if assertion.written else None
    provider = re.sub(r"^https?://", "", plain_issuer(failure.iss) or "ISSUER").rstrip("/")
    provider_arn = shlex.quote(
        f"arn:{partition}:iam::{account or 'ACCOUNT'}:oidc-provider/{provider}"
    )
    region = re.search(r"//sts(?:-fips)?\.([a-z]+-[a-z0-9-]+)\.", failure.endpoint or "")
    return {
        # Of sentences.
        "account": account and f" {account}",
        "audience": _audience_advice(failure),
        "clue": " The token is not a JWT." if assertion.claims is None else _clue(failure),
        "duration": "STS's default" if duration is None else f"{duration} s",
        "endpoint": failure.endpoint,
        "role": failure.role_arn,
        "shape": assertion.shape(),
        "signer": request.signer,
        "skew": _skew(skew),
        "subject": failure.sub or "the token",
        "written": f"; its file was written at {written}" if written else "",
        # Of commands.
        "provider_arn": provider_arn,
        "quoted_role": shlex.quote(failure.role_arn or ""),
        "quoted_signer": shlex.quote(request.signer or ""),
        "region": region[1] if region else "REGION",
        "role_name": shlex.quote(role_name),
        "token_options": _token_options(failure, request),
        # Whole commands, which depend on the claims.
        "correct_audience": _correct_audience(failure, provider_arn),
        "create_provider": _create_provider(failure),
        "fetch_discovery": _fetch_discovery(failure),
        "mount_token": _mount_token(failure),
    }


def _skew(skew: float | None) -> str:
    """Return the difference of the clocks as a clause; empty if it is small or unknown."""
    if skew is None or abs(skew) < _LEAST_SKEW:
        return ""
    where = "ahead of" if skew > 0 else "behind"
    return f", and STS's clock is {abs(skew):,.0f} s {where} this machine's"


def _clue(failure: Failure) -> str:
    """Return the unusual property of a token as a sentence."""
    if POD_IDENTITY in _audiences(failure):
        return " It is a token of EKS Pod Identity, which is not meant for STS."
    if _is_for_others(failure):
        return " It is the token for the cluster's API server; send it nowhere else."
    account = _service_account(failure)
    if account and account[2] == "default":
        return (
            " The pod runs as the service account 'default': set serviceAccountName to the "
            "annotated one."
        )
    return ""


def _service_account(failure: Failure) -> re.Match[str] | None:
    """Return the service account that the token's subject names."""
    return re.fullmatch(SERVICE_ACCOUNT, failure.sub or "")


def _audiences(failure: Failure) -> list[str]:
    return (failure.aud or "").split(", ")


def _is_for_others(failure: Failure) -> bool:
    """Whether a token is meant for Pod Identity or the API server.

    IAM must never list such an audience: every pod has a token with it.
    """
    return any(
        each == POD_IDENTITY or is_for_api_server(each, failure.iss) for each in _audiences(failure)
    )


def _may_be_client_id(failure: Failure) -> bool:
    """Whether the IAM OIDC provider should list the audience: it is not another system's."""
    return not _is_for_others(failure) and (
        failure.aud in {STS, *OTHER_CLIENTS} or _service_account(failure) is None
    )


def _audience_advice(failure: Failure) -> str:
    if _is_for_others(failure):
        return f"Mount a token for {STS}; this token's audience must not be added there"
    if _may_be_client_id(failure):
        return "Add it there"
    return (
        f"Mount a token for {STS} (the webhook's, or a projected volume with that audience), or "
        "add this token's audience (aws iam add-client-id-to-open-id-connect-provider)"
    )


# Sources of the commands: AWS CLI command reference; eksctl's schema of
# `utils associate-iam-oidc-provider`.


def _token_options(failure: Failure, request: ExchangeRequest) -> str:
    """Return the options of `irsa-creds explain` that say which token was denied.

    A pod may not read the trust policy. If the claims say everything, the command needs no token
    and runs wherever iam:GetRole is allowed.
    """
    iss, aud, account = plain_issuer(failure.iss), _whole(failure.aud), _service_account(failure)
    if account and iss and aud:
        token = ["--service-account", f"{account[1]}/{account[2]}", "--issuer", iss]
        return shlex.join([*token, "--audience", aud])
    return shlex.join(["--token", _printable(request.token_file) or "FILE"])


def _create_provider(failure: Failure) -> str:
    iss = plain_issuer(failure.iss) or "ISSUER"
    region = region_of_issuer(iss)
    if region:
        eksctl = "eksctl utils associate-iam-oidc-provider --cluster CLUSTER"
        return f"{eksctl} --region {shlex.quote(region)} --approve"
    aud = STS if _is_for_others(failure) else _whole(failure.aud) or "AUDIENCE"
    create = "aws iam create-open-id-connect-provider"
    return f"{create} --url {shlex.quote(iss)} --client-id-list {shlex.quote(aud)}"


def _correct_audience(failure: Failure, provider_arn: str) -> str:
    """Return the command that adds the audience, or that prints a pod with a token for STS."""
    if not _may_be_client_id(failure):
        return _mount_token(failure)
    return (
        "aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn "
        f"{provider_arn} --client-id {shlex.quote(_whole(failure.aud) or 'AUDIENCE')}"
    )


def _mount_token(failure: Failure) -> str:
    """Return the command that prints a pod with a token for STS; empty for other tokens."""
    subject = _service_account(failure)
    if not subject:
        return ""
    manifest = ["irsa-creds", "manifest", "--service-account", f"{subject[1]}/{subject[2]}"]
    return shlex.join([*manifest, "--role-arn", failure.role_arn or ""])


def _fetch_discovery(failure: Failure) -> str:
    iss = plain_issuer(failure.iss)
    if not iss:
        return ""
    return shlex.join(["curl", "-sS", f"{iss.rstrip('/')}/.well-known/openid-configuration"])


def role_parts(role_arn: str | None) -> tuple[str, ...] | None:
    """Return partition, account and name of a role, without its path; None for other text."""
    role = re.fullmatch(r"arn:([^:]+):iam::([^:]*):role/(?:.*/)?([^/]+)", role_arn or "")
    return role.groups() if role else None


def _whole(claim: str | None) -> str | None:
    """Return a claim if it is one value, neither cut nor masked, and not like an option."""
    return None if claim is None or re.search(r"^-|, |\*\*\*|\.\.\.", claim) else claim


def _printable(path: str | None) -> str | None:
    """Return the token file's path; None if it may not be shown as it is."""
    return path if path and path.isprintable() and quoted_path(path) == repr(path) else None
