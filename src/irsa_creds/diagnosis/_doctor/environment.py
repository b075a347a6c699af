"""E01 to E04: the environment names role and token, and no setting contradicts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from irsa_creds._identity.settings import FULL_URI, RELATIVE_URI
from irsa_creds._masking import quoted
from irsa_creds.diagnosis._checks import Check
from irsa_creds.diagnosis._doctor.fixes import annotate, find_cause, name_role, restart

if TYPE_CHECKING:
    from irsa_creds.diagnosis._doctor.pod_facts import Facts

__all__ = ["environment_checks"]

_VARIABLES = ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE")
# The agent's addresses (Amazon EKS user guide, "Learn how EKS Pod Identity grants pods access").
_POD_IDENTITY = ("169.254.170.23", "fd00:ec2::23")


def environment_checks(facts: Facts) -> tuple[Check, ...]:
    """Return E01 to E04."""
    return (_not_configured(facts), _incomplete(facts), _container_endpoint(facts), _invalid(facts))


def _not_configured(facts: Facts) -> Check:
    if facts.token_origin and facts.role:
        return Check(
            "E01",
            "ok",
            f"{facts.token_origin} and {facts.role.origin} are set.",
        )
    if facts.token_origin or facts.role:
        return Check("E01", "skipped", "Only one of token and role is set: see E02.")
    if facts.container is not None:
        return Check("E01", "skipped", "IRSA is not configured, but an endpoint is: see A01.")
    ignored = sorted(facts.names.intersection(_VARIABLES))
    if facts.profile.explicit and ignored:
        return Check(
            "E01",
            "fail",
            f"Session(profile_name=...) with {quoted(facts.profile.name)} makes boto3 ignore "
            f"{' and '.join(ignored)}, and the profile has no web_identity_token_file.",
            "session = boto3.Session()  # without profile_name",
            {"profile": facts.profile.name},
        )
    message = "Neither AWS_ROLE_ARN nor AWS_WEB_IDENTITY_TOKEN_FILE is set: IRSA is not configured."
    if facts.in_pod:
        message = (
            "Neither AWS_ROLE_ARN nor AWS_WEB_IDENTITY_TOKEN_FILE is set: the service account has "
            "no role annotation (or an operator removed it), the pod is older than the annotation, "
            "or the webhook is missing or did not know the service account yet."
        )
    account = "/".join(facts.account) if facts.account else None
    fix = find_cause(facts) if facts.in_pod else name_role(facts)
    return Check("E01", "fail", message, fix, {"service_account": account})


def _incomplete(facts: Facts) -> Check:
    if facts.token_origin and facts.role:
        return Check("E02", "ok", "Token and role are both set.")
    if facts.token_origin:
        return Check(
            "E02",
            "fail",
            f"{facts.token_origin} is set, but no role is.",
            name_role(facts),
            {"missing": "AWS_ROLE_ARN"},
        )
    if facts.role:
        return Check(
            "E02",
            "fail",
            f"{facts.role.origin} is set, but AWS_WEB_IDENTITY_TOKEN_FILE is not: "
            "boto3 uses other credentials, such as the node's role.",
            name_role(facts),
            {"missing": "AWS_WEB_IDENTITY_TOKEN_FILE"},
        )
    return Check("E02", "skipped", "Neither is set: see E01.")


def _container_endpoint(facts: Facts) -> Check:
    full, relative = (facts.variables.get(name) for name in (FULL_URI, RELATIVE_URI))
    if full is None and relative is None:
        return Check(
            "E03",
            "ok",
            "No container credentials, such as those of EKS Pod Identity, are configured.",
        )
    name, url = (FULL_URI, full) if relative is None else (RELATIVE_URI, relative)
    if not facts.has_irsa:
        return Check("E03", "ok", f"{name} is set, and IRSA is not configured: see A01.")
    of_pod = any(host in str(full) for host in _POD_IDENTITY)
    kind = "EKS Pod Identity" if of_pod else "container credentials"
    message = (
        f"{name} configures {kind} too: the web identity takes precedence in botocore; other SDKs "
        "may differ."
    )
    data = {"variable": name, "value": quoted(url)}
    return Check("E03", "warn", message, _one_of_two(facts) if of_pod else f"unset {name}", data)


def _one_of_two(facts: Facts) -> str:
    # Commented out: pasting both halves would leave the pod with neither.
    other = annotate(facts, "eks.amazonaws.com/role-arn-").replace("\n", "\n# ")
    return (
        "# to keep IRSA, where you have eks:DeletePodIdentityAssociation (not in the pod)\n"
        "aws eks delete-pod-identity-association --cluster-name CLUSTER --association-id ID\n"
        f"{restart(facts)}\n"
        f"# to keep EKS Pod Identity\n# {other}"
    )


def _invalid(facts: Facts) -> Check:
    """Return E04: a configuration error that no other check reports."""
    if facts.config_error and not facts.config_error.startswith(
        tuple(_reported_by_other_checks(facts))
    ):
        name = facts.config_error.split()[0]
        of_profile = f"# in ~/.aws/config, correct the profile {quoted(facts.profile.name)}"
        fix = f"unset {name}" if name.isupper() else of_profile
        return Check("E04", "fail", facts.config_error, fix)
    if facts.config is None:
        return Check("E04", "skipped", "The settings are not complete: see the other checks.")
    return Check("E04", "ok", "Endpoint, certificates and lifetime are valid.")


def _reported_by_other_checks(facts: Facts) -> list[str]:
    named = [facts.token_origin, *(f.origin for f in (facts.role, facts.session_name) if f)]
    regions = ["AWS_REGION ", "AWS_DEFAULT_REGION ", "region of the profile "]
    return [f"{source} " for source in named if source] + regions
