"""M01, M03 and M04: the place, the namespace and the value of the role annotation."""

from __future__ import annotations

import difflib
import re
import shlex
from typing import TYPE_CHECKING

from irsa_creds._errors import ConfigError
from irsa_creds._identity import arns
from irsa_creds._masking import quoted
from irsa_creds.diagnosis._fixes import ROLE_EXAMPLE
from irsa_creds.diagnosis._manifest.fields import LONGEST_KEY, annotations_of, entries, mapping_at
from irsa_creds.diagnosis._manifest.objects import (
    DOMAIN,
    ROLE_ARN,
    Account,
    Objects,
    Other,
    Workload,
)
from irsa_creds.diagnosis._manifest.parse import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.diagnosis._checks import Check
    from irsa_creds.diagnosis._claims import Subject

__all__ = ["misplaced", "namespaces", "role_arns"]

# kube2iam and kiam read this one on pods (their README files), but not on service accounts.
_KUBE2IAM = "iam.amazonaws.com"
_SIMILAR = 0.8
_MOST = 50  # accounts to compare one pod with
_PLACEHOLDER = r"[<>{}$]|\bACCOUNT_ID\b|\bXXX"


def misplaced(objects: Objects) -> Iterator[Check]:
    """Yield M01: the annotation is not among the annotations of a service account."""
    for account in objects.accounts:
        if not account.role_arn:
            yield from _outside_annotations(account)
    for workload in objects.workloads:
        own, template = workload.resource.document, workload.template
        parts = [("", own)] if template is own else [("", own), ("the pod template of ", template)]
        for where, document in parts:
            for key, value in annotations_of(document).items():
                if _is_like_role_arn(str(key), kube2iam=False):
                    yield _on_workload(
                        objects, workload, f"{where}{workload}", short_name(key), value
                    )

    for other in objects.others:
        yield from _on_other(other, annotated=bool(objects.annotated))


def _on_other(other: Other, *, annotated: bool) -> Iterator[Check]:
    """Yield the annotation in an object that is neither a service account nor a workload.

    Args:
        other: the object.
        annotated: whether a service account has a role; a chart may add the annotation to all of
            its objects.
    """
    inside = next(_places(other), None)
    own = annotations_of(other.resource.document)
    if inside is None and (annotated or ROLE_ARN not in own):
        return
    if inside is not None or other.is_custom:
        place = ("metadata", "annotations") if inside is None else inside
        where = ".".join(map(short_name, place)) or "its top level"
        yield other.check(
            "M01",
            "unknown",
            f"{other} has the annotation {ROLE_ARN} in {where}: it has an effect only if the "
            "controller of this kind puts it on the service account of the pods.",
            f"kubectl get serviceaccounts -o yaml{other.in_namespace} | grep {ROLE_ARN}",
        )
        return
    yield other.check(
        "M01",
        "fail",
        f"The annotation {ROLE_ARN} is on {other}, where it has no effect: it belongs on the "
        "ServiceAccount of the pods.",
        _annotate("NAME", other.in_namespace, own[ROLE_ARN]),
    )


def _places(other: Other) -> Iterator[tuple[str, ...]]:
    """Yield where an object has the annotation, but for its own: as a key, or in a chart's values.

    Texts of Kubernetes' own kinds, such as definitions of other kinds, only describe it.
    """
    for path, value in entries(other.resource.document):
        if path[-1] == ROLE_ARN:
            if path[:-1] != ("metadata", "annotations"):
                yield path[:-1]
        elif other.is_custom and isinstance(value, str) and ROLE_ARN in value:
            yield path


def _outside_annotations(account: Account) -> Iterator[Check]:
    document = account.resource.document
    for where, found in (
        ("among the labels", mapping_at(document, "metadata", "labels")),
        ("in the metadata itself", mapping_at(document, "metadata")),
        ("outside the metadata", mapping_at(document, "annotations")),
        ("outside the metadata", document),
    ):
        if ROLE_ARN in found:
            yield account.check(
                "M01",
                "fail",
                f"{ROLE_ARN} is {where} of {account}, where the webhook does not read it: it "
                "belongs under metadata.annotations.",
                _annotate(account.name, account.in_namespace, found[ROLE_ARN]),
            )


def _on_workload(
    objects: Objects, workload: Workload, where: str, key: str, value: object
) -> Check:
    account = objects.account_of(workload)
    if account is not None and account.role_arn:
        return workload.check(
            "M01",
            "warn",
            f"The annotation {key} on {where} has no effect: the role comes from {account}, "
            f"{quoted(account.role_arn)}.",
            f"# remove the annotation {key} from {where}",
        )
    name = workload.account or "default"
    return workload.check(
        "M01",
        "fail",
        f"The annotation {key} is on {where}, where it has no effect: it belongs on the "
        f"ServiceAccount that the pod runs as, {name}.",
        _annotate(name, workload.in_namespace, value),
    )


def namespaces(objects: Objects) -> Iterator[Check]:
    """Yield M03: the pod's account is annotated in another namespace."""
    named: dict[str, list[Account]] = {}
    for account in objects.annotated:
        named.setdefault(account.name, []).append(account)
    for workload in objects.workloads:
        if objects.account_of(workload) is None:
            for account in named.get(workload.account or "", [])[:_MOST]:
                yield _elsewhere(workload, account)


def _elsewhere(workload: Workload, account: Account) -> Check:
    if workload.namespace and account.namespace:
        return workload.check(
            "M03",
            "fail",
            f"{workload} runs as the ServiceAccount {account.name} of its own namespace, but the "
            f"one with the role is in the namespace {account.namespace}.",
            _annotate(account.name, workload.in_namespace, account.role_arn)
            + f"\n# and allow in the role's trust policy: "
            f"system:serviceaccount:{workload.namespace}:{account.name}",
        )
    named, nameless = (workload, account) if workload.namespace else (account, workload)
    return workload.check(
        "M03",
        "unknown",
        f"{named} has a namespace and {nameless} has none: they match only if the manifest "
        f"is applied with -n {named.namespace}.",
        f"metadata:\n  namespace: {named.namespace}",
    )


def role_arns(
    objects: Objects, role_arn: str | None, *, aws: bool, without_role: Subject | None
) -> Iterator[Check]:
    """Yield M04: the key or the value of the annotation is wrong, or this pod has another role.

    Args:
        objects: of the manifest.
        role_arn: `AWS_ROLE_ARN`, if it is set.
        aws: whether the STS is AWS's own; others accept more ARNs.
        without_role: the service account of this pod if it has no `AWS_ROLE_ARN`.
    """
    for account in objects.accounts:
        if ROLE_ARN in account.annotations:
            yield from _bad_value(account, aws=aws)
        else:
            yield from _bad_key(account)
    roles = [account.role_arn for account in objects.annotated]
    if role_arn and roles and role_arn not in roles:
        account = objects.annotated[0]
        yield account.check(
            "M04",
            "warn",
            f"AWS_ROLE_ARN is {quoted(role_arn)}, but {account} has {quoted(roles[0])}. "
            "A pod keeps the role that was annotated when it started.",
            "kubectl rollout restart deployment NAME" + account.in_namespace,
        )

    for account in objects.annotated:
        if without_role and account.name == without_role.name:
            yield _not_injected(account)


def _not_injected(account: Account) -> Check:
    """Return the check of an account with a role whose pod has no variables."""
    return account.check(
        "M04",
        "warn",
        f"{account} has a role, but this pod of it has no AWS_ROLE_ARN: the pod is older than the "
        "annotation, the webhook is missing or was late, or an operator removed the annotation.",
        "kubectl get mutatingwebhookconfiguration pod-identity-webhook\n"
        f"kubectl get serviceaccount {shlex.quote(account.name)}{account.in_namespace} "
        f"-o yaml | grep {ROLE_ARN}\n"
        f"kubectl rollout restart deployment NAME{account.in_namespace}",
    )


def _bad_key(account: Account) -> Iterator[Check]:
    for key, value in account.annotations.items():
        if _is_like_role_arn(str(key), kube2iam=True):
            yield account.check(
                "M04",
                "fail",
                f"{account} has the annotation {quoted(key)}, which the webhook does not read: the "
                f"key is {ROLE_ARN}.",
                _annotate(account.name, account.in_namespace, value)
                + f"\nkubectl annotate serviceaccount {shlex.quote(account.name)}"
                + account.in_namespace
                + f" {shlex.quote(f'{short_name(key)}-')}",
            )


def _bad_value(account: Account, *, aws: bool) -> Iterator[Check]:
    value = account.role_arn
    error = ""
    if isinstance(value, str) and re.search(_PLACEHOLDER, value):
        error = f"{_name(account)} is {quoted(value)}, which contains a placeholder."
    else:
        try:
            arns.role_arn(value, _name(account), aws=aws)
        except ConfigError as invalid:
            error = str(invalid)
    if error:
        fix = _annotate(account.name, account.in_namespace, _corrected(value))
        yield account.check("M04", "fail", error, fix)


def _name(account: Account) -> str:
    return f"The annotation {ROLE_ARN} of {account}"


def _corrected(value: object) -> object:
    """Return the role's ARN if it follows from the value, such as a session's ARN."""
    text = str(value).strip(" \t\r\n\"'")
    session = re.fullmatch(r"arn:([a-z-]{1,20}):sts::(\d{12}):assumed-role/([^/\s]{1,64})/.*", text)
    return "arn:{}:iam::{}:role/{}".format(*session.groups()) if session else text


def _is_like_role_arn(key: str, *, kube2iam: bool) -> bool:
    """Return whether an annotation's key is `ROLE_ARN` or a mistake for it."""
    domain, _, name = key[:LONGEST_KEY].lower().rpartition("/")
    if "role" in name and (domain == DOMAIN or (kube2iam and domain == _KUBE2IAM)):
        return True
    letters, wanted = (re.sub("[^a-z]", "", each.lower()) for each in (key, ROLE_ARN))
    similar = difflib.SequenceMatcher(None, letters[:LONGEST_KEY], wanted).ratio() >= _SIMILAR
    return similar and domain != _KUBE2IAM


def _annotate(name: str, in_namespace: str, arn: object) -> str:
    """Return the command that annotates an account; an invalid ARN becomes a placeholder."""
    try:
        role = arns.role_arn(arn, "", aws=True)
    except ConfigError:
        role = ROLE_EXAMPLE
    return (
        f"kubectl annotate serviceaccount {shlex.quote(name)}{in_namespace} "
        f"--overwrite {ROLE_ARN}={shlex.quote(role)}"
    )
