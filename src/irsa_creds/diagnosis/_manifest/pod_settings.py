"""M05: settings of a pod or an account that hide the token or make the webhook skip the pod.

`automountServiceAccountToken: false` and `hostNetwork` are correct: the former removes only the API
server's token, because the webhook adds a volume of its own (amazon-eks-pod-identity-webhook,
pkg/handler/handler.go; Kubernetes, "Configure Service Accounts for Pods").
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from irsa_creds._masking import quoted
from irsa_creds.diagnosis._manifest.fields import annotations_of, mapping_at
from irsa_creds.diagnosis._manifest.objects import (
    AUDIENCE,
    DOMAIN,
    EKS_LONGEST,
    LONGEST,
    Account,
    Container,
    Objects,
    Workload,
)
from irsa_creds.diagnosis._manifest.token_volumes import TOKEN_FILE, is_misspelled, volumes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.diagnosis._checks import Check

__all__ = ["account_options", "pods"]

_EXPIRATION = f"{DOMAIN}/token-expiration"
_SKIP = f"{DOMAIN}/skip-containers"
# The webhook configuration of EKS excludes pods with this label.
_SKIP_LABEL = f"{DOMAIN}/skip-pod-identity-webhook"
_ROLE = "AWS_ROLE_ARN"
_WEBHOOK_SHORTEST = 3_600  # seconds; pkg/constants.go


def account_options(objects: Objects) -> Iterator[Check]:
    """Yield M05 for the other annotations of service accounts."""
    for account in objects.annotated:
        audience = account.annotations.get(AUDIENCE)
        if audience is not None and is_misspelled(audience):
            yield account.check(
                "M05",
                "fail",
                f"The annotation {AUDIENCE} of {account} is {quoted(audience)}, probably a "
                "misspelling of sts.amazonaws.com.",
                f"metadata:\n  annotations:\n    {AUDIENCE}: sts.amazonaws.com",
            )
        yield from _expiration_annotation(account, account.annotations.get(_EXPIRATION))
        if _SKIP in account.annotations:
            yield _misplaced_skip(account)


def pods(objects: Objects) -> Iterator[Check]:
    """Yield M05 for each pod."""
    for workload in objects.workloads:
        account = objects.account_of(workload)
        annotated = account is not None and bool(account.role_arn)
        annotations = annotations_of(workload.template)
        yield from _expiration_annotation(workload, annotations.get(_EXPIRATION))
        own = workload.resource.document
        if workload.template is not own and _SKIP in annotations_of(own):
            yield _misplaced_skip(workload)
        if annotated:
            yield from _skipped_by_webhook(workload, annotations.get(_SKIP))
        for container in workload.containers:
            yield from _variables(workload, container, annotated=annotated)
        yield from volumes(workload, account)


def _expiration_annotation(of: Account | Workload, value: Any) -> Iterator[Check]:
    """Yield a wrong `token-expiration` of a pod or an account."""
    if value is None:
        return
    text = str(value)
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(LONGEST))):
        problem = "is not a whole number of seconds, so the webhook ignores it"
    elif int(text) < _WEBHOOK_SHORTEST:
        problem = f"is less than the webhook's minimum: it uses {_WEBHOOK_SHORTEST}"
    elif int(text) > EKS_LONGEST:
        problem = f"is more than a day, and EKS allows {EKS_LONGEST} at most"
    else:
        return
    yield of.check(
        "M05",
        "warn",
        f"The annotation {_EXPIRATION} of {of} is {quoted(value)}, which {problem}.",
        f'{_EXPIRATION}: "{EKS_LONGEST}"',
    )


def _misplaced_skip(of: Account | Workload) -> Check:
    return of.check(
        "M05",
        "warn",
        f"The annotation {_SKIP} on {of} has no effect: the webhook reads it on the pod.",
        f"# move {_SKIP} to the annotations of the pod template",
    )


def _skipped_by_webhook(workload: Workload, skipped: Any) -> Iterator[Check]:
    """Yield why the webhook skips a pod or some of its containers.

    Args:
        workload: with an annotated account.
        skipped: the value of its `skip-containers`.
    """
    # A container with its own token file needs no webhook.
    needing = {each.name for each in workload.containers if TOKEN_FILE not in each.environment}
    if not needing:
        return
    if _SKIP_LABEL in mapping_at(workload.template, "metadata", "labels"):
        yield workload.check(
            "M05",
            "fail",
            f"{workload} has the label {_SKIP_LABEL}, so the webhook skips its pods.",
            f"# remove the label {_SKIP_LABEL} from the pod template",
        )
    skipped = _names_in(skipped)
    unknown = skipped - {each.name for each in workload.containers}
    if needing <= skipped:
        yield workload.check(
            "M05",
            "fail",
            f"{_SKIP} of {workload} names all of its containers ({', '.join(sorted(needing))}), "
            "so none of them gets a token.",
            f"# take the container that needs AWS out of {_SKIP}",
        )
    elif unknown:
        yield workload.check(
            "M05",
            "warn",
            f"{_SKIP} of {workload} names {quoted(min(unknown))}, which is not a container: "
            "separate names by commas, without blanks.",
            f"{_SKIP}: NAME,NAME",
        )


def _names_in(skipped: Any) -> set[str]:
    """Return the names in a line of CSV, as the webhook parses it; none for another value."""
    if not isinstance(skipped, str):
        return set()
    try:
        return set(next(csv.reader([skipped], strict=True), []))
    except csv.Error:
        return set()


def _variables(workload: Workload, container: Container, *, annotated: bool) -> Iterator[Check]:
    """Yield variables of a container that conflict with the webhook's."""
    environment = container.environment
    where = f"The container {container.name} of {workload}"
    by_hand = TOKEN_FILE in environment
    if (annotated or by_hand) and environment.get("AWS_ACCESS_KEY_ID", "") != "":
        yield workload.check(
            "M05",
            "fail",
            f"{where} sets AWS_ACCESS_KEY_ID, and keys in the environment take precedence over "
            "IRSA.",
            "# remove AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY from the container's env",
        )
    halves = [name for name in (_ROLE, TOKEN_FILE) if name in environment]
    if len(halves) != 1 or container.has_env_from or not (annotated or by_hand):
        return
    missing = _ROLE if by_hand else TOKEN_FILE
    yield workload.check(
        "M05",
        "fail",
        f"{where} sets {halves[0]} but not {missing}, and the webhook sets neither of the two "
        "if one is already set.",
        f"# remove {halves[0]} from the container's env, or add {missing}",
    )
