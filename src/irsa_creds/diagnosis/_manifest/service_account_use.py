"""M02: pods that do not run as the service account with the role."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from itertools import chain, islice
from typing import TYPE_CHECKING

from irsa_creds._masking import quoted
from irsa_creds.diagnosis._manifest.fields import mapping_at
from irsa_creds.diagnosis._manifest.parse import short_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from irsa_creds.diagnosis._checks import Check
    from irsa_creds.diagnosis._manifest.objects import Account, Objects, Workload

__all__ = ["unused"]

_SIMILAR = 0.8
_COMPARED = 100  # characters of a name
_MOST = 50  # accounts to compare one pod with


def unused(objects: Objects) -> Iterator[Check]:
    """Yield M02: pods that do not run as an annotated account that no other object uses."""
    # A misspelled field explains why a pod runs as another account.
    misspelled = [check for each in objects.workloads for check in _misspelled_field(each)]
    yield from misspelled
    if misspelled:
        return
    used = {workload.account for workload in objects.workloads} | objects.named_elsewhere
    unused_accounts = _by_namespace([each for each in objects.annotated if each.name not in used])
    pods_in = Counter(workload.namespace for workload in objects.complete)
    for workload in objects.complete:
        account = objects.account_of(workload)
        near = _candidates(unused_accounts, workload)
        if near and (account is None or not account.role_arn):
            alone = pods_in[workload.namespace] == len(near) == 1
            yield _runs_as_another(workload, account, near, alone=alone)


def _by_namespace(accounts: Iterable[Account]) -> dict[str | None, list[Account]]:
    found: dict[str | None, list[Account]] = {}
    for account in accounts:
        found.setdefault(account.namespace, []).append(account)
    return found


def _candidates(
    unused_accounts: Mapping[str | None, list[Account]], workload: Workload
) -> list[Account]:
    """Return the unused accounts that may be in a workload's namespace, up to a limit.

    A missing namespace may be any namespace.
    """
    namespaces = unused_accounts if workload.namespace is None else (workload.namespace, None)
    return list(
        islice(chain.from_iterable(unused_accounts.get(each, []) for each in namespaces), _MOST)
    )


def _misspelled_field(workload: Workload) -> Iterator[Check]:
    """Yield a `serviceAccountName` at a path or in a spelling that Kubernetes ignores."""
    if workload.account is not None or workload.is_custom:
        return
    right = (*workload.path, "spec", "serviceAccountName")
    paths = [right[:length] for length in range(len(right))]
    paths += [("metadata",), (*workload.path, "metadata")]
    found = [(path, mapping_at(workload.resource.document, *path)) for path in dict.fromkeys(paths)]
    found += [(("a container",), each.document) for each in workload.containers]
    for path, keys in found:
        for key in keys:
            letters = re.sub("[^a-z]", "", str(key).lower())
            if letters in {"serviceaccountname", "serviceaccount"} and (*path, key) != right:
                yield workload.check(
                    "M02",
                    "fail",
                    f"{workload} has {short_name(key)} in {'.'.join(path) or 'its top level'}, "
                    f"where Kubernetes does not read it: it must be {'.'.join(right)}. The pod "
                    "runs as the account `default`.",
                    f"{'.'.join(right)}: {short_name(keys[key] or 'NAME')}",
                )


def _runs_as_another(
    workload: Workload, account: Account | None, unused_accounts: list[Account], *, alone: bool
) -> Check:
    """Return the check of a pod that should perhaps run as an unused account.

    Args:
        workload: the pod.
        account: its account; None if it is not in the manifest.
        unused_accounts: the candidates.
        alone: whether there is one such pod and one candidate.
    """
    name = workload.account
    wanted = workload.resource.name if name in {None, "default"} else name
    names = [each.name[:_COMPARED] for each in unused_accounts]
    similar = difflib.get_close_matches(str(wanted)[:_COMPARED], names, n=1, cutoff=_SIMILAR)
    candidate = unused_accounts[names.index(similar[0])] if similar else unused_accounts[0]
    right = ".".join((*workload.path, "spec", "serviceAccountName"))
    if name is None:
        what = f"names no {right}, so it runs as the account `default`"
    elif name == "default":
        what = "runs as the account `default`"
    elif account is not None:
        what = f"runs as ServiceAccount {name}, which has no role"
    else:
        what = f"runs as ServiceAccount {name}, which is not in the manifest"
    # Running as an account of another program would grant too many rights.
    known = account is not None or name in {None, "default"}
    sure = bool(similar) or (alone and known)
    return workload.check(
        "M02",
        "fail" if sure else "warn",
        f"{workload} {what}; the role {quoted(candidate.role_arn)} is on {candidate}, which "
        "nothing here uses.",
        f"{right}: {candidate.name}" if sure else f"{right}: NAME  # if it needs the role",
    )
