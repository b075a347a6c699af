"""Read fields of an object.

A manifest is untrusted, so a value of an unexpected type counts as absent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "LONGEST_KEY",
    "annotations_of",
    "describes_pods",
    "entries",
    "mapping_at",
    "mappings",
    "references",
    "text_at",
]

#: Kubernetes' limit of an annotation's key: 253 of a domain, a slash, 63 of a name.
LONGEST_KEY = 317
# The fields with which other kinds name a service account: `serviceAccountName` of Argo,
# `driver.serviceAccount` and keys of `sparkConf` of Spark, `serviceAccountRef` of cert-manager and
# External Secrets, `serviceAccountTemplate` of Crossplane.
_REFERENCE = r"(?i:.*service_?account(?:_?name|_?ref|_?template)?)"
# Fields of the pods that operators create: of Argo's workflows, Spark, Prometheus and others.
_OF_PODS = {"container", "containers", "image", "podMetadata"}


def annotations_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the annotations of an object or a pod template."""
    return mapping_at(document, "metadata", "annotations")


def mapping_at(document: object, *keys: str) -> Mapping[str, Any]:
    """Return the mapping at the path `keys`, or an empty one."""
    found = document
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def text_at(document: Mapping[str, Any], key: str) -> str | None:
    """Return a text that is not empty; None for anything else."""
    value = document.get(key)
    return value if isinstance(value, str) and value else None


def mappings(document: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return the mappings in a list."""
    value = document.get(key)
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def entries(document: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield each value at any depth with its path: keys, and indices in lists."""
    stack: list[tuple[tuple[str, ...], Any]] = [((), document)]
    while stack:
        path, value = stack.pop()
        if path:
            yield path, value
        if isinstance(value, Mapping):
            parts = [((*path, str(key)), each) for key, each in value.items()]
        elif isinstance(value, list):
            parts = [((*path, str(index)), each) for index, each in enumerate(value)]
        else:
            continue
        stack.extend(reversed(parts))


def describes_pods(document: Mapping[str, Any]) -> bool:
    """Return whether an object of an operator seems to have pods: fields or a service account.

    With a `serviceAccountRef`, a controller requests a token itself.
    """
    return any(
        path[-1] in _OF_PODS
        or (not path[-1].lower().endswith("ref") and _named_in(path[-1], value))
        for path, value in entries(document)
    )


def references(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the service accounts that an object names at any depth."""
    for path, value in entries(document):
        yield from filter(None, [_named_in(path[-1], value)])


def _named_in(key: str, value: object) -> str | None:
    """Return the service account in a field; None for other fields."""
    if not re.fullmatch(_REFERENCE, key[:LONGEST_KEY]):
        return None
    if isinstance(value, Mapping):
        return text_at(value, "name") or text_at(mapping_at(value, "metadata"), "name")
    return value if isinstance(value, str) else None
