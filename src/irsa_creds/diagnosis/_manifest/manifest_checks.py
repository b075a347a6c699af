"""M01 to M05: what a manifest says of IRSA, put together."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from irsa_creds.diagnosis._checks import Check
from irsa_creds.diagnosis._fixes import ROLE_EXAMPLE
from irsa_creds.diagnosis._manifest import pod_settings, role_annotation
from irsa_creds.diagnosis._manifest.objects import ROLE_ARN, Objects
from irsa_creds.diagnosis._manifest.service_account_use import unused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from irsa_creds.diagnosis._manifest.parse import Resource

__all__ = ["manifest_checks"]

_SOUND = {
    "M01": f"The annotation {ROLE_ARN} stands on no pod and no workload.",
    "M02": "What runs here names the service account with the role.",
    "M03": "Pods and annotated service accounts are in the same namespaces.",
    "M04": f"The annotation {ROLE_ARN} is spelt right and names a role.",
    "M05": "No volume, mount or variable is in the token's way.",
}
_AUTOMOUNT = (
    " (automountServiceAccountToken: false keeps the API server's token out, not the one for AWS)"
)


def manifest_checks(
    resources: Sequence[Resource], *, role_arn: str | None = None, aws: bool = True
) -> tuple[Check, ...]:
    """Return M01 to M05, each of them once for each thing it finds, and at least once.

    Args:
        resources: what `parse_manifest` returned.
        role_arn: `AWS_ROLE_ARN`, where it is set: the annotation should name it.
        aws: whether the STS is AWS's own; any other takes more ARNs.
    """
    objects = Objects(resources)
    found = (
        *role_annotation.misplaced(objects),
        *unused(objects),
        *role_annotation.namespaces(objects),
        *role_annotation.role_arns(objects, role_arn, aws=aws),
        *pod_settings.account_options(objects),
        *pod_settings.pods(objects),
    )
    checks: list[Check] = []
    for check_id in _SOUND:
        mine = [check for check in found if check.id == check_id]
        checks += mine or [_nothing_found(check_id, objects, alone=not found)]
    return tuple(checks)


def _nothing_found(check_id: str, objects: Objects, *, alone: bool) -> Check:
    """Return the check that found nothing: all is well, or there is nothing to look at.

    Args:
        check_id: whose it is.
        objects: those of the manifest.
        alone: whether no check at all found anything.
    """
    if not objects.accounts and not objects.workloads:
        return Check(check_id, "skipped", "The manifest has neither service accounts nor pods.")
    if check_id in {"M02", "M03"} and not (objects.annotated and objects.workloads):
        what = "pods" if objects.annotated else "service account with a role"
        return Check(check_id, "skipped", f"The manifest has no {what}.")
    if check_id == "M04" and not objects.annotated:
        return _no_role(objects) if alone else Check(check_id, "skipped", "No account has a role.")
    message = _SOUND[check_id]
    if check_id == "M05" and _keeps_api_token_out(objects):
        message = message[:-1] + _AUTOMOUNT + "."
    return Check(check_id, "ok", message)


def _no_role(objects: Objects) -> Check:
    """Return M04 of a manifest in which no service account names a role."""
    if any(
        "AWS_WEB_IDENTITY_TOKEN_FILE" in each.environment
        for workload in objects.workloads
        for each in workload.containers
    ):
        return Check(
            "M04", "ok", "The pods bring role and token by themselves, without annotation."
        )
    missing = [each for each in objects.workloads if objects.account_of(each) is None]
    if missing or not objects.workloads:
        first = missing[0] if missing else objects.accounts[0]
        name = (missing[0].account or "default") if missing else objects.accounts[0].name
        namespace = f" -n {shlex.quote(first.namespace)}" if first.namespace else ""
        return Check(
            "M04",
            "unknown",
            f"The manifest does not tell the role of the ServiceAccount {name}"
            f"{f', as which {first} runs' if missing else ''}.",
            f"kubectl get serviceaccount {shlex.quote(name)}{namespace} -o yaml",
        )
    account = objects.account_of(objects.workloads[0])
    return Check(
        "M04",
        "warn",
        f"No service account of the manifest has the annotation {ROLE_ARN}, not even {account}.",
        f"metadata:\n  annotations:\n    {ROLE_ARN}: {ROLE_EXAMPLE}",
    )


def _keeps_api_token_out(objects: Objects) -> bool:
    specs = [each.spec for each in objects.workloads]
    documents = [each.resource.document for each in objects.accounts]
    return any(each.get("automountServiceAccountToken") is False for each in (*specs, *documents))
