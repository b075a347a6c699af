"""Describe how the provider in a policy differs from the token's issuer."""

from __future__ import annotations

import re

from irsa_creds.diagnosis._explain.finding import quoted_if_odd

__all__ = ["difference", "is_other_issuer", "is_similar"]

# EKS's issuers, plain and dual stack: EKS User Guide, "Create an IAM OIDC provider".
_EKS = r"(?:oidc\.eks|oidc-eks)\.(?P<region>[a-z0-9-]+)\.(?P<suffix>[a-z0-9.-]+)"
_CLUSTER = re.compile(rf"{_EKS}/id/(?P<id>[^/:]+)", re.IGNORECASE)
_TRANSPOSED = re.compile(r"oidc\.(?P<region>[a-z0-9-]+)\.eks\.(?P<rest>.+)", re.IGNORECASE)
_WITHOUT_ID = re.compile(rf"(?P<host>{_EKS})/(?!id/)(?P<id>[^/:]+)", re.IGNORECASE)
# No host has these characters; one without a dot is no public issuer.
_PLACEHOLDER = re.compile(r"[^*?]*[<>{}$%\[\]][^*?]*|[^.*?]+")
_CLUSTER_ID = re.compile(r"[0-9A-F]{32}", re.IGNORECASE)
_LONGEST = 300
_MOST_EDITS = 6


def difference(found: str, wanted: str) -> str:
    """Return what is wrong with a provider, as a clause; empty if it is correct.

    Args:
        found: the host and path that a policy names.
        wanted: the issuer without `https://`.
    """
    if found == wanted:
        return ""
    bare = found.strip().strip("'\"")
    if bare != found:
        return "there are blanks or quotes around it"
    without = re.sub(r"(?i)^https?://", "", found)
    if without != found:
        rest = difference(without, wanted)
        scheme = found[: len(found) - len(without)].lower()
        return f"'{scheme}' is left in" + (f", and {rest}" if rest else "")
    if found.rstrip("/") == wanted.rstrip("/"):
        return "it ends with a slash" if found.endswith("/") else "the slash at the end is missing"
    if found.lower() == wanted.lower():
        return "upper and lower case differ"
    return _of_eks(found, wanted) or _of_any(found, wanted)


def is_other_issuer(found: str, wanted: str) -> bool:
    """Return whether a provider is another one, and not a misspelling of the wanted one."""
    return bool(found) and difference(found, wanted).startswith(("that is another", "its region"))


def _of_eks(found: str, wanted: str) -> str:
    """Return the same for an EKS issuer and a provider that looks similar."""
    if not (right := _CLUSTER.fullmatch(wanted)):
        return ""
    if swapped := _TRANSPOSED.fullmatch(found):
        straight = f"oidc.eks.{swapped['region']}.{swapped['rest']}"
        also = difference(straight, wanted)
        return (
            f"'eks' and the region are swapped: it is oidc.eks.{right['region']}, "
            f"not oidc.{swapped['region']}.eks" + (f"; and {also}" if also else "")
        )
    if without := _WITHOUT_ID.fullmatch(found):
        also = difference(f"{without['host']}/id/{without['id']}", wanted)
        return "'/id/' is missing before the cluster's id" + (f"; and {also}" if also else "")
    left = _CLUSTER.fullmatch(found)
    return _of_clusters(left, right) if left else ""


def _of_clusters(found: re.Match[str], wanted: re.Match[str]) -> str:
    region, id_ = found["region"], found["id"]
    if id_ == wanted["id"]:
        if region != wanted["region"]:
            return f"its region is {region}, the issuer's is {wanted['region']}"
        return f"its host ends in {found['suffix']}, the issuer's in {wanted['suffix']}"
    if is_similar(id_, wanted["id"]):
        return (
            f"the cluster's id is misspelled: {quoted_if_odd(id_[:40])} for "
            f"{quoted_if_odd(wanted['id'])}"
        )
    if not _CLUSTER_ID.fullmatch(id_):
        return "the cluster ID after '/id/' does not have 32 hexadecimal digits"
    where = "" if region == wanted["region"] else f", in {region}"
    return f"that is another cluster (id {id_[:40]}{where})"


def _of_any(found: str, wanted: str) -> str:
    if not found:
        return "it is empty"
    if _PLACEHOLDER.fullmatch(found):
        return "it is a placeholder, not an issuer"
    if "*" in found or "?" in found:
        return "IAM does not expand wildcards here"
    if wanted.startswith(found):
        return "it is truncated"
    if is_similar(found, wanted):
        return "it is misspelled"
    return "that is another issuer"


def is_similar(one: str, other: str) -> bool:
    """Return whether one text may be a misspelling of the other, by their beginnings.

    difflib's ratio is too low for texts with repetitions, such as some cluster ids.
    """
    one, other = one[:_LONGEST].lower(), other[:_LONGEST].lower()
    most = min(_MOST_EDITS, max(1, len(other) // 4))
    return abs(len(one) - len(other)) <= most and _edits(one, other, most) <= most


def _edits(one: str, other: str, most: int) -> int:
    """Return how many letters are wrong, added, missing or swapped with the next.

    Source: optimal string alignment, in a band around the diagonal, which takes linear time.
    """
    far = most + 1
    before: list[int] = []
    row = [min(n, far) for n in range(len(other) + 1)]
    for i, letter in enumerate(one, 1):
        older, before = before, row
        row = [far] * (len(other) + 1)
        row[0] = min(i, far)
        for j in range(max(1, i - most), min(len(other), i + most) + 1):
            wrong = letter != other[j - 1]
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + wrong)
            if older and j > 1 and wrong and letter == other[j - 2] and one[i - 2] == other[j - 1]:
                row[j] = min(row[j], older[j - 2] + 1)
    return row[-1]
