"""Fixes that several checks share: kubectl commands for a pod, shell commands elsewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from irsa_creds.diagnosis._claims import Subject, subject_of
from irsa_creds.diagnosis._fixes import ROLE_EXAMPLE

if TYPE_CHECKING:
    from irsa_creds.diagnosis._doctor.pod_facts import Facts

__all__ = ["annotate", "find_cause", "name_role", "restart", "service_account"]

_ROLE = r"(?a:arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+)"


def service_account(facts: Facts) -> Subject:
    """Return the pod's service account, or placeholders in capitals."""
    found = subject_of(facts.claims) or facts.account
    return found or Subject("NAMESPACE", "SERVICE_ACCOUNT")


def annotate(facts: Facts, annotation: str = "") -> str:
    """Return the commands that annotate the service account and restart the pods.

    Args:
        facts: name the service account.
        annotation: an argument of `kubectl annotate`; by default the role's.
    """
    namespace, name = service_account(facts)
    given = annotation or f"eks.amazonaws.com/role-arn={_role(facts)}"
    return (
        f"{_rights(namespace)}\n"
        f"kubectl annotate --overwrite serviceaccount {name} --namespace {namespace} \\\n"
        f"  {given}\n"
        f"{_restart(namespace)}"
    )


def find_cause(facts: Facts) -> str:
    """Return the commands that tell why a pod has no variables, each with its fix.

    Source: amazon-eks-pod-identity-webhook, deploy/mutatingwebhook.yaml and issue 174.
    """
    namespace, name = service_account(facts)
    return (
        f"{_rights(namespace)}\n"
        "# 1. is eks.amazonaws.com/role-arn there? On a pod or a Deployment it has no effect\n"
        f"kubectl get serviceaccount {name} --namespace {namespace} -o yaml\n"
        "# 2. if not: if an operator, Helm or GitOps owns the account, set it there; else\n"
        f"kubectl annotate --overwrite serviceaccount {name} --namespace {namespace} \\\n"
        f"  eks.amazonaws.com/role-arn={_role(facts)}\n"
        "# 3. does the webhook run?\n"
        "kubectl get mutatingwebhookconfiguration pod-identity-webhook\n"
        "# 4. it changes only new pods\n"
        f"{_restart(namespace)}"
    )


def restart(facts: Facts) -> str:
    """Return the command that recreates the pods: the webhook acts only when a pod is created."""
    namespace, _ = service_account(facts)
    return f"{_rights(namespace)}\n{_restart(namespace)}"


def _rights(namespace: str) -> str:
    return f"# where kubectl may change the namespace {namespace} (not in the pod)"


def _restart(namespace: str) -> str:
    return f"kubectl rollout restart deployment NAME --namespace {namespace}"


def name_role(facts: Facts) -> str:
    """Return the commands that configure the role, and the token if it is missing too."""
    if facts.in_pod or facts.is_kubernetes_token:
        return annotate(facts)
    role = f"export AWS_ROLE_ARN={_role(facts)}"
    if facts.token_origin:
        return role
    return f"{role}\nexport AWS_WEB_IDENTITY_TOKEN_FILE=/path/of/the/token"


def _role(facts: Facts) -> str:
    """Return the role's ARN if it is valid, else a placeholder."""
    named = str(facts.role.value) if facts.role else ""
    return named if re.fullmatch(_ROLE, named) else ROLE_EXAMPLE
