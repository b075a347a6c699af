"""What to do about a failure, and the next command to run.

A caller that gets the first failure of a process imports this module; a refresh does not.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

from irsa_creds._exchange.classification import CAUSES
from irsa_creds._identity.arns import ROLE_PARTS
from irsa_creds._identity.claims import (
    OTHER_CLIENTS,
    POD_IDENTITY,
    SERVICE_ACCOUNT,
    STS,
    clean_issuer,
    is_for_api_server,
)
from irsa_creds._identity.endpoint_settings import region_of_issuer
from irsa_creds._identity.validation import quoted_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds._errors import Failure
    from irsa_creds._exchange.request import ExchangeFacts

__all__ = ["add_advice"]


def add_advice(failure: Failure, facts: ExchangeFacts) -> Failure:
    """Return `failure` with advice and command in place of its facts."""
    fix, command = _FIXES[facts.cause]
    values = {
        **facts.values(failure),
        "duration": "STS's default" if facts.duration is None else f"{facts.duration} s",
        "audience": _audience_advice(failure),
        "clue": _clue(failure) if facts.is_jwt else " The token is not a JWT.",
    }
    return failure._replace(
        advice=f"{CAUSES[facts.cause]} {fix}".lstrip().format_map(values),
        command=command(failure, facts) if command else "",
        facts=None,
    )


def _clue(failure: Failure) -> str:
    """Return what is unusual about a token, as a further sentence."""
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


# Commands: shlex quotes their words, because claims have arbitrary text. A word in capitals stands
# for an unknown value. Sources: AWS CLI command reference; eksctl's schema of
# `utils associate-iam-oidc-provider`.


def _create_provider(failure: Failure, _: ExchangeFacts) -> str:
    iss = clean_issuer(failure.iss) or "ISSUER"
    region = region_of_issuer(iss)
    if region:
        eksctl = ["eksctl", "utils", "associate-iam-oidc-provider", "--cluster", "CLUSTER"]
        return shlex.join([*eksctl, "--region", region, "--approve"])
    aud = STS if _is_for_others(failure) else _audience(failure)
    aws = ["aws", "iam", "create-open-id-connect-provider"]
    return shlex.join([*aws, "--url", iss, "--client-id-list", aud])


def _correct_audience(failure: Failure, __: ExchangeFacts) -> str:
    """Return the command that adds the audience, or that prints a pod with a token for STS."""
    if _may_be_client_id(failure):
        partition, account, _ = _role_parts(failure)
        provider = re.sub(r"^https?://", "", clean_issuer(failure.iss) or "ISSUER").rstrip("/")
        arn = f"arn:{partition}:iam::{account or 'ACCOUNT'}:oidc-provider/{provider}"
        add = ["aws", "iam", "add-client-id-to-open-id-connect-provider"]
        add += ["--open-id-connect-provider-arn", arn, "--client-id", _audience(failure)]
        return shlex.join(add)
    subject = _service_account(failure)
    if not subject:
        return ""
    manifest = ["irsa-creds", "manifest", "--service-account", f"{subject[1]}/{subject[2]}"]
    return shlex.join([*manifest, "--role-arn", failure.role_arn or ""])


def _fetch_discovery(failure: Failure, _: ExchangeFacts) -> str:
    iss = clean_issuer(failure.iss)
    if not iss:
        return ""
    return shlex.join(["curl", "-sS", f"{iss.rstrip('/')}/.well-known/openid-configuration"])


def _enable_region(failure: Failure, _: ExchangeFacts) -> str:
    found = re.search(r"//sts(?:-fips)?\.([a-z]+-[a-z0-9-]+)\.", failure.endpoint or "")
    return f"aws account enable-region --region-name {found[1] if found else 'REGION'}"


def _read_longest_session(failure: Failure, _: ExchangeFacts) -> str:
    read = ["aws", "iam", "get-role", "--role-name", _role_parts(failure)[2]]
    return shlex.join([*read, "--query", "Role.MaxSessionDuration"])


def _validate_policy(_: Failure, __: ExchangeFacts) -> str:
    return (
        "aws accessanalyzer validate-policy --policy-type IDENTITY_POLICY "
        "--policy-document file://policy.json"
    )


def _simulate(failure: Failure, facts: ExchangeFacts) -> str:
    simulate = ["aws", "iam", "simulate-principal-policy"]
    simulate += ["--policy-source-arn", facts.signer or "", "--action-names", "sts:AssumeRole"]
    return shlex.join([*simulate, "--resource-arns", failure.role_arn or ""])


def _explain_command(failure: Failure, facts: ExchangeFacts) -> str:
    """Return the commands that read the trust policy and compare the token with it.

    The pod has no credentials to read the policy with. If the claims say everything, the commands
    need no token and run wherever iam:GetRole is allowed.
    """
    iss, aud, account = clean_issuer(failure.iss), _whole(failure.aud), _service_account(failure)
    if account and iss and aud:
        token = ["--service-account", f"{account[1]}/{account[2]}", "--issuer", iss]
        token += ["--audience", aud]
    else:
        token = ["--token", _printable(facts.token_file) or "FILE"]
    read = ["aws", "iam", "get-role", "--role-name", _role_parts(failure)[2]]
    explain = ["irsa-creds", "explain", "--policy", "role.json", *token]
    return f"{shlex.join(read)} > role.json && {shlex.join(explain)}"


def _role_parts(failure: Failure) -> tuple[str, ...]:
    """Return partition, account and name of the role."""
    role = re.fullmatch(ROLE_PARTS, failure.role_arn or "")
    return role.groups() if role else ("aws", "", "ROLE")


def _audience(failure: Failure) -> str:
    return _whole(failure.aud) or "AUDIENCE"


def _whole(claim: str | None) -> str | None:
    """Return a claim if it is one value, neither cut nor masked, and not like an option."""
    return None if claim is None or re.search(r"^-|, |\*\*\*|\.\.\.", claim) else claim


def _printable(path: str | None) -> str | None:
    """Return the token file's path; None if it may not be shown as it is."""
    return path if path and path.isprintable() and quoted_path(path) == repr(path) else None


class _Fix(NamedTuple):
    """What to do: a template over the values of `add_advice`, and the command."""

    text: str
    command: Callable[[Failure, ExchangeFacts], str] | None = None


_FIXES = {
    "issuer_keys": _Fix(
        "The refresh is retried. If the error stays, check that the issuer is reachable from AWS.",
        _fetch_discovery,
    ),
    "no_provider": _Fix(
        "Create the provider in that account, once for each cluster.", _create_provider
    ),
    "audience": _Fix("{audience}.{clue}", _correct_audience),
    "invalid_token": _Fix(
        "Check that the token file holds the token that the cluster projects; irsa-creds reads it "
        "again.",
    ),
    "expired_token": _Fix(
        "Do not mount it with subPath (such a file is never updated), and check the kubelet and "
        "the clocks.",
    ),
    "issuer_unreachable": _Fix("Check that it is up and reachable from AWS.", _fetch_discovery),
    "rejected_claim": _Fix("Check the claims; irsa-creds tries again when the token changes."),
    "trust_policy": _Fix(
        "If it does, the role may not exist, or an SCP or the policy of a VPC endpoint denies the "
        "call.{clue} `irsa-creds explain` names the condition that fails; run it where "
        "iam:GetRole is allowed.",
        _explain_command,
    ),
    "parameter": _Fix(
        "Compare the duration ({duration}) with the role's maximum session duration, and check "
        "the role ARN {role} and the session name.",
        _read_longest_session,
    ),
    "session_policy": _Fix(
        "Correct the argument `policy`.",
        _validate_policy,
    ),
    "policy_size": _Fix("Shorten the policy, or use fewer policy ARNs or tags."),
    "region": _Fix(
        "Enable the region in the account, or set AWS_REGION to another region.", _enable_region
    ),
    "throttled": _Fix("irsa-creds waits longer between its attempts."),
    "no_connection": _Fix(
        "Check DNS, network policies and routes from the pod to {endpoint}. AWS_REGION selects "
        "the endpoint; without internet access the pod needs a VPC endpoint.",
    ),
    "tls": _Fix(
        "Check that AWS_CA_BUNDLE names an existing file with the CA that signed the certificate "
        "of {endpoint}. A TLS proxy has a certificate and a CA of its own.",
    ),
    "proxy": _Fix("Check HTTPS_PROXY and HTTP_PROXY, or add the host of {endpoint} to NO_PROXY."),
    "malformed": _Fix(
        "Check that {endpoint} is an STS endpoint and that no proxy responds in its place."
    ),
    "outage": _Fix("Check that {endpoint} is reachable and healthy. The next read tries again."),
    "forbidden": _Fix("Check that {endpoint} is the STS that knows the role {role}."),
    "unknown": _Fix("Check that {endpoint} is an STS endpoint."),
    "source_role": _Fix(
        "In a policy of the source role, allow sts:AssumeRole (sts:TagSession for session tags, "
        "sts:SetSourceIdentity for a source identity). In the target role's trust policy, allow "
        "the source role, with the external ID if the policy requires one.",
        _simulate,
    ),
    "expired_source": _Fix("irsa-creds refreshes them. Check the clocks."),
    "unknown_source": _Fix(
        "Credentials from the global endpoint are not valid in opt-in regions: set AWS_REGION."
    ),
    "signature": _Fix("Check this machine's clock, and that no proxy changes the request."),
    "chained_parameter": _Fix(
        "Check the duration ({duration}; at most one hour in role chaining), the role ARN {role}, "
        "the session name, the external ID, the tags and the source identity.",
        _read_longest_session,
    ),
}
