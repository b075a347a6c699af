"""M02: who runs as the service account that has the role."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from itertools import chain, islice
from typing import TYPE_CHECKING

from irsa_creds._identity.validation import quoted
from irsa_creds.diagnosis._manifest.objects import (
    Account,
    Objects,
    Workload,
    finding,
    mapping_at,
)
from irsa_creds.diagnosis._manifest.parse import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from irsa_creds.diagnosis._checks import Check

__all__ = ["unused"]

_ALIKE = 0.8
_COMPARED = 100  # characters of a name
_MOST = 50  # accounts that one pod is compared with


def unused(objects: Objects) -> Iterator[Check]:
    """Yield M02: pods that do not run as the annotated account, where nobody else does either."""
    # Of these, it is known already why they run as another.
    misspelt = [check for each in objects.workloads for check in _misspelt_field(each)]
    yield from misspelt
    if misspelt:
        return
    used = {workload.account for workload in objects.workloads} | objects.named_elsewhere
    orphans = _by_namespace([each for each in objects.annotated if each.name not in used])
    neighbours = Counter(workload.namespace for workload in objects.workloads)
    for workload in objects.workloads:
        account = objects.account_of(workload)
        near = _may_meet(orphans, workload)
        if near and (account is None or not account.role_arn):
            alone = neighbours[workload.namespace] == len(near) == 1
            yield _runs_as_another(workload, account, near, alone=alone)


def _by_namespace(accounts: Iterable[Account]) -> dict[str | None, list[Account]]:
    found: dict[str | None, list[Account]] = {}
    for account in accounts:
        found.setdefault(account.namespace, []).append(account)
    return found


def _may_meet(orphans: Mapping[str | None, list[Account]], workload: Workload) -> list[Account]:
    """Return accounts that may be in a workload's namespace: where one names none, they may.

    Not more than can be compared in no time: who has so many accounts that nobody runs as has them
    run by something else.
    """
    places = orphans if workload.namespace is None else (workload.namespace, None)
    return list(islice(chain.from_iterable(orphans.get(each, []) for each in places), _MOST))


def _misspelt_field(workload: Workload) -> Iterator[Check]:
    """Yield the field `serviceAccountName` in a place or a spelling that nobody reads."""
    if workload.account is not None:
        return
    right = (*workload.way, "spec", "serviceAccountName")
    ways = [right[:length] for length in range(len(right))]
    ways += [("metadata",), (*workload.way, "metadata")]
    found = [(way, mapping_at(workload.resource.document, *way)) for way in dict.fromkeys(ways)]
    found += [(("a container",), each.document) for each in workload.containers]
    for way, keys in found:
        for key in keys:
            letters = re.sub("[^a-z]", "", str(key).lower())
            if letters in {"serviceaccountname", "serviceaccount"} and (*way, key) != right:
                yield finding(
                    "M02",
                    workload,
                    "fail",
                    f"{workload} has {printable(key)} in {'.'.join(way) or 'its top level'}, where "
                    f"Kubernetes does not read it: it must be {'.'.join(right)}, else the pod "
                    "runs as the account `default`.",
                    f"{'.'.join(right)}: {printable(keys[key] or 'NAME')}",
                )


def _runs_as_another(
    workload: Workload, account: Account | None, orphans: list[Account], *, alone: bool
) -> Check:
    """Return the check of a pod that could have meant one of the accounts that nobody runs as.

    Args:
        workload: what runs the pod.
        account: as which; None where the manifest does not have it.
        orphans: the accounts that it could have meant.
        alone: whether there is nobody else who could have meant the one of them.
    """
    name = workload.account
    wanted = workload.resource.name if name in {None, "default"} else name
    names = [each.name[:_COMPARED] for each in orphans]
    similar = difflib.get_close_matches(str(wanted)[:_COMPARED], names, n=1, cutoff=_ALIKE)
    meant = orphans[names.index(similar[0])] if similar else orphans[0]
    right = ".".join((*workload.way, "spec", "serviceAccountName"))
    if name is None:
        what = f"names no {right}, so it runs as the account `default`"
    elif name == "default":
        what = "runs as the account `default`"
    elif account is not None:
        what = f"runs as ServiceAccount {name}, which carries no role"
    else:
        what = f"runs as ServiceAccount {name}, which the manifest does not have"
    # Whoever is told to run as an account that is another's gets rights that he should not have.
    known = account is not None or name in {None, "default"}
    sure = bool(similar) or (alone and known)
    return finding(
        "M02",
        workload,
        "fail" if sure else "warn",
        f"{workload} {what}; the role {quoted(meant.role_arn)} is on {meant}, as which nothing "
        "here runs.",
        f"{right}: {meant.name}" if sure else f"{right}: NAME  # if it is to have a role",
    )
