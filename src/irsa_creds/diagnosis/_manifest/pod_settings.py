"""M05: what a pod does to the token that the webhook gives it, or projects by itself.

`automountServiceAccountToken: false` is no fault: it keeps the API server's token out, and the
webhook's volume is one of its own (amazon-eks-pod-identity-webhook, pkg/handler/handler.go; the
Kubernetes documentation, "Configure Service Accounts for Pods"). Neither is `hostNetwork`.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from irsa_creds._identity.validation import quoted
from irsa_creds.diagnosis._manifest.objects import (
    AUDIENCE,
    DOMAIN,
    EKS_LONGEST,
    LONGEST,
    Account,
    Container,
    Objects,
    Workload,
    annotations_of,
    finding,
    mapping_at,
)
from irsa_creds.diagnosis._manifest.token_volumes import TOKEN_FILE, is_near_miss, volumes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.diagnosis._checks import Check

__all__ = ["account_options", "pods"]

_EXPIRATION = f"{DOMAIN}/token-expiration"
_SKIP = f"{DOMAIN}/skip-containers"
# The webhook's configuration on EKS leaves out what has this label.
_SKIP_LABEL = f"{DOMAIN}/skip-pod-identity-webhook"
_ROLE = "AWS_ROLE_ARN"
_WEBHOOK_SHORTEST = 3_600  # seconds; pkg/constants.go


def account_options(objects: Objects) -> Iterator[Check]:
    """Yield M05 of the service accounts' further annotations."""
    for account in objects.annotated:
        audience = account.annotations.get(AUDIENCE)
        if audience is not None and is_near_miss(audience):
            yield finding(
                "M05",
                account,
                "fail",
                f"The annotation {AUDIENCE} of {account} is {quoted(audience)}, which looks like a "
                "slip of sts.amazonaws.com.",
                f"metadata:\n  annotations:\n    {AUDIENCE}: sts.amazonaws.com",
            )
        yield from _expiration_annotation(account, account.annotations.get(_EXPIRATION))
        if _SKIP in account.annotations:
            yield _skip_in_wrong_place(account)


def pods(objects: Objects) -> Iterator[Check]:
    """Yield M05 of each pod."""
    for workload in objects.workloads:
        account = objects.account_of(workload)
        annotated = account is not None and bool(account.role_arn)
        annotations = annotations_of(workload.template)
        yield from _expiration_annotation(workload, annotations.get(_EXPIRATION))
        own = workload.resource.document
        if workload.template is not own and _SKIP in annotations_of(own):
            yield _skip_in_wrong_place(workload)
        if annotated:
            yield from _left_alone(workload, annotations.get(_SKIP))
        for container in workload.containers:
            yield from _variables(workload, container, annotated=annotated)
        yield from volumes(workload, account)


def _expiration_annotation(of: Account | Workload, value: Any) -> Iterator[Check]:
    """Yield what is wrong with `token-expiration`, which a pod and an account may have."""
    if value is None:
        return
    text = str(value)
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(LONGEST))):
        trouble = "is not a whole number of seconds, so the webhook ignores it"
    elif int(text) < _WEBHOOK_SHORTEST:
        trouble = f"is less than the webhook's least: it takes {_WEBHOOK_SHORTEST}"
    elif int(text) > EKS_LONGEST:
        trouble = f"is more than a day, and EKS gives at most {EKS_LONGEST}"
    else:
        return
    yield finding(
        "M05",
        of,
        "warn",
        f"The annotation {_EXPIRATION} of {of} is {quoted(value)}, which {trouble}.",
        f'{_EXPIRATION}: "{EKS_LONGEST}"',
    )


def _skip_in_wrong_place(of: Account | Workload) -> Check:
    return finding(
        "M05",
        of,
        "warn",
        f"The annotation {_SKIP} on {of} has no effect: the webhook reads it on the pod.",
        f"# move {_SKIP} to the annotations of the pod template",
    )


def _left_alone(workload: Workload, skipped: Any) -> Iterator[Check]:
    """Yield why the webhook leaves a pod alone, wholly or in part.

    Args:
        workload: what runs it, as an annotated account.
        skipped: what its `skip-containers` says.
    """
    # Who names the file by hand needs no webhook.
    needy = {
        each.name
        for each in workload.containers
        if not each.initial and TOKEN_FILE not in each.environment
    }
    if not needy:
        return
    if _SKIP_LABEL in mapping_at(workload.template, "metadata", "labels"):
        yield finding(
            "M05",
            workload,
            "fail",
            f"{workload} has the label {_SKIP_LABEL}, so the webhook leaves its pods alone.",
            f"# remove the label {_SKIP_LABEL} from the pod template",
        )
    skipped = _names_in(skipped)
    unknown = skipped - {each.name for each in workload.containers}
    if needy <= skipped:
        yield finding(
            "M05",
            workload,
            "fail",
            f"{_SKIP} of {workload} names all of its containers ({', '.join(sorted(needy))}), "
            "so none of them gets a token.",
            f"# take the container that needs AWS out of {_SKIP}",
        )
    elif unknown:
        yield finding(
            "M05",
            workload,
            "warn",
            f"{_SKIP} of {workload} names {quoted(min(unknown))}, and no container is called so: "
            "names are separated by commas, without blanks.",
            f"{_SKIP}: NAME,NAME",
        )


def _names_in(skipped: Any) -> set[str]:
    """Return the containers in a line of CSV, as the webhook reads it; of anything else, none."""
    if not isinstance(skipped, str):
        return set()
    try:
        return set(next(csv.reader([skipped], strict=True), []))
    except csv.Error:
        return set()


def _variables(workload: Workload, container: Container, *, annotated: bool) -> Iterator[Check]:
    """Yield what a container's own variables do to those of the webhook."""
    environment = container.environment
    where = f"The container {container.name} of {workload}"
    by_hand = TOKEN_FILE in environment
    if (annotated or by_hand) and environment.get("AWS_ACCESS_KEY_ID", "") != "":
        yield finding(
            "M05",
            workload,
            "fail",
            f"{where} sets AWS_ACCESS_KEY_ID, and keys in the environment win over IRSA.",
            "# remove AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY from the container's env",
        )
    halves = [name for name in (_ROLE, TOKEN_FILE) if name in environment]
    if len(halves) != 1 or container.takes_more_variables or not (annotated or by_hand):
        return
    missing = _ROLE if by_hand else TOKEN_FILE
    yield finding(
        "M05",
        workload,
        "fail",
        f"{where} sets {halves[0]} but not {missing}, and the webhook sets neither of the two "
        "where one is already there.",
        f"# remove {halves[0]} from the container's env, or add {missing}",
    )
