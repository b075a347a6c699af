"""M01 to M05: all checks of a manifest."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from irsa_creds.diagnosis._checks import Check
from irsa_creds.diagnosis._fixes import ROLE_EXAMPLE
from irsa_creds.diagnosis._manifest import pod_settings, role_annotation
from irsa_creds.diagnosis._manifest.objects import ROLE_ARN, Objects, Other
from irsa_creds.diagnosis._manifest.service_account_use import unused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from irsa_creds.diagnosis._claims import Subject
    from irsa_creds.diagnosis._manifest.parse import Resource

__all__ = ["manifest_checks"]

_OK = {
    "M01": f"The annotation {ROLE_ARN} is on no pod and no workload.",
    "M02": "The pods name the service account with the role.",
    "M03": "Pods and annotated service accounts are in the same namespaces.",
    "M04": f"The annotation {ROLE_ARN} is spelled correctly and names a role.",
    "M05": "No volume, mount or variable hides the token.",
}
_CHECK = "> all.yaml && irsa-creds doctor --manifest all.yaml"
_AUTOMOUNT = (
    " (automountServiceAccountToken: false removes the API server's token, not the one for AWS)"
)


def manifest_checks(
    resources: Sequence[Resource],
    *,
    role_arn: str | None = None,
    without_role: Subject | None = None,
    aws: bool = True,
) -> tuple[Check, ...]:
    """Return M01 to M05: one check for each problem, and at least one of each id.

    Args:
        resources: the result of `parse_manifest`.
        role_arn: `AWS_ROLE_ARN`, if it is set: the annotation should name it.
        without_role: the service account of this pod if it has no `AWS_ROLE_ARN`.
        aws: whether the STS is AWS's own; others accept more ARNs.
    """
    objects = Objects(resources)
    found = (
        *role_annotation.misplaced(objects),
        *unused(objects),
        *role_annotation.namespaces(objects),
        *role_annotation.role_arns(objects, role_arn, aws=aws, without_role=without_role),
        *pod_settings.account_options(objects),
        *pod_settings.pods(objects),
    )
    checks: list[Check] = []
    for check_id in _OK:
        problems = [check for check in found if check.id == check_id]
        checks += problems or [_no_problem(check_id, objects, alone=not found)]
    return tuple(checks)


def _no_problem(check_id: str, objects: Objects, *, alone: bool) -> Check:
    """Return the check without a problem: ok, or skipped if it does not apply.

    Args:
        check_id: of the check.
        objects: of the manifest.
        alone: whether no check found a problem.
    """
    if not objects.accounts and not objects.workloads:
        unread = [each for each in objects.others if each.is_custom]
        if unread:
            return _not_read(check_id, unread[0])
        return Check(check_id, "skipped", "The manifest has neither service accounts nor pods.")
    if check_id != "M04" and objects.unread:
        return _not_read(check_id, objects.unread[0])
    if check_id in {"M02", "M03"} and not (objects.annotated and objects.workloads):
        what = "pods" if objects.annotated else "service account with a role"
        return Check(check_id, "skipped", f"The manifest has no {what}.")
    if check_id == "M04" and not objects.annotated:
        return _no_role(objects) if alone else Check(check_id, "skipped", "No account has a role.")
    message = _OK[check_id]
    if check_id == "M05" and _removes_api_token(objects):
        message = message[:-1] + _AUTOMOUNT + "."
    return Check(check_id, "ok", message)


def _not_read(check_id: str, other: Other) -> Check:
    """Return a check that an object of an unknown kind leaves open; M05 has the fix."""
    render = other.render or f"kubectl get serviceaccounts,pods{other.in_namespace} -o yaml"
    fix = f"{render} {_CHECK}"
    return other.check(
        check_id,
        "unknown",
        f"doctor does not read {other}: any pods that it creates are not checked.",
        fix if check_id == "M05" else "",
    )


def _no_role(objects: Objects) -> Check:
    """Return M04 for a manifest without the role annotation."""
    if any(
        "AWS_WEB_IDENTITY_TOKEN_FILE" in each.environment
        for workload in objects.workloads
        for each in workload.containers
    ):
        return Check(
            "M04", "ok", "The pods configure role and token themselves, without the annotation."
        )
    if not (objects.complete or objects.accounts):
        return Check(
            "M04",
            "unknown",
            f"{objects.workloads[0]} has no selector, so it is a patch for another manifest.",
            f"kubectl kustomize . {_CHECK}",
        )
    missing = [each for each in objects.complete if objects.account_of(each) is None]
    if missing or not objects.complete:
        first = missing[0] if missing else objects.accounts[0]
        name = (missing[0].account or "default") if missing else objects.accounts[0].name
        return Check(
            "M04",
            "unknown",
            f"The manifest does not contain the role of the ServiceAccount {name}"
            f"{f' of {first}' if missing else ''}.",
            f"kubectl get serviceaccount {shlex.quote(name)}{first.in_namespace} -o yaml",
        )
    account = objects.account_of(objects.complete[0])
    owner = "" if account is None else account.owner
    by_operator = f" {owner} owns it: its operator may remove an annotation." if owner else ""
    return Check(
        "M04",
        "warn",
        f"No service account of the manifest has the annotation {ROLE_ARN}; {account} needs it "
        "if its pods call AWS."
        f"{by_operator}",
        (f"# set it in {owner}, for its service account\n" if owner else "")
        + f"metadata:\n  annotations:\n    {ROLE_ARN}: {ROLE_EXAMPLE}",
    )


def _removes_api_token(objects: Objects) -> bool:
    specs = [each.spec for each in objects.workloads]
    documents = [each.resource.document for each in objects.accounts]
    return any(each.get("automountServiceAccountToken") is False for each in (*specs, *documents))
