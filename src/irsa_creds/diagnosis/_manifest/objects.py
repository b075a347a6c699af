"""Service accounts and pods of a manifest, with the parts that IRSA uses.

A manifest is untrusted, so a value of an unexpected type counts as absent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from irsa_creds.diagnosis._checks import Check
from irsa_creds.diagnosis._manifest.parse import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from irsa_creds.diagnosis._checks import Status
    from irsa_creds.diagnosis._manifest.parse import Resource

__all__ = [
    "AUDIENCE",
    "DOMAIN",
    "EKS_LONGEST",
    "LONGEST",
    "LONGEST_KEY",
    "ROLE_ARN",
    "Account",
    "Container",
    "Objects",
    "ProjectedToken",
    "Workload",
    "annotations_of",
    "finding",
    "mapping_at",
    "text_at",
]

# Source of this and all names with this prefix: amazon-eks-pod-identity-webhook, README.md and
# pkg/annotations.go.
DOMAIN = "eks.amazonaws.com"
ROLE_ARN = f"{DOMAIN}/role-arn"
AUDIENCE = f"{DOMAIN}/audience"
# Seconds: Kubernetes API reference, TokenRequestSpec; and the webhook's pkg/constants.go of EKS.
LONGEST = 2**32
EKS_LONGEST = 86_400

#: Kubernetes' limit of an annotation's key: 253 of a domain, a slash, 63 of a name.
LONGEST_KEY = 317
# The path to the pod template, by kind (Kubernetes API reference, workload resources).
_TEMPLATES: dict[str, tuple[str, ...]] = {
    "Pod": (),
    "PodTemplate": ("template",),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    **dict.fromkeys(
        (
            "DaemonSet",
            "Deployment",
            "Job",
            "ReplicaSet",
            "ReplicationController",
            "StatefulSet",
        ),
        ("spec", "template"),
    ),
}
# The fields with which other kinds name a service account: `serviceAccountName` of Argo,
# `driver.serviceAccount` and keys of `sparkConf` of Spark, `serviceAccountRef` of cert-manager and
# External Secrets.
_REFERENCE = r"(?i:.*service_?account(?:_?name|_?ref)?)"
# These need a selector, and only a patch for another manifest lacks it (Kubernetes API reference).
_SELECTING = {"DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"}


class Account(NamedTuple):
    """A service account."""

    resource: Resource

    @property
    def name(self) -> str:
        return self.resource.name

    @property
    def namespace(self) -> str | None:
        return self.resource.namespace

    @property
    def annotations(self) -> Mapping[str, Any]:
        return annotations_of(self.resource.document)

    @property
    def role_arn(self) -> Any:
        """The value of the annotation; None without one."""
        return self.annotations.get(ROLE_ARN)

    def __str__(self) -> str:
        return _named(self.resource)


class ProjectedToken(NamedTuple):
    """A service account's token in a projected volume.

    Attributes:
        volume: the volume's name.
        path: of the file in the volume.
        audience: None is that of the API server.
        expiration: seconds; None is the default of one hour.
        mode: `defaultMode` of the volume.
    """

    volume: str
    path: str
    audience: Any
    expiration: Any
    mode: Any


class Container(NamedTuple):
    """A container, or an init container."""

    name: str
    document: Mapping[str, Any]
    initial: bool

    @property
    def environment(self) -> dict[str, Any]:
        """The values of its variables; None for `valueFrom`."""
        return {
            str(each.get("name")): each.get("value") for each in _mappings(self.document, "env")
        }

    @property
    def has_env_from(self) -> bool:
        """Whether it has `envFrom`, which adds variables that are not in the manifest."""
        return bool(self.document.get("envFrom"))

    @property
    def mounts(self) -> list[Mapping[str, Any]]:
        return _mappings(self.document, "volumeMounts")

    @property
    def security(self) -> Mapping[str, Any]:
        return mapping_at(self.document, "securityContext")


class Workload(NamedTuple):
    """A pod, or an object that creates pods."""

    resource: Resource

    @property
    def namespace(self) -> str | None:
        return self.resource.namespace

    @property
    def path(self) -> tuple[str, ...]:
        """The keys that lead to the pod template."""
        return _TEMPLATES[self.resource.kind]

    @property
    def template(self) -> Mapping[str, Any]:
        return mapping_at(self.resource.document, *self.path)

    @property
    def spec(self) -> Mapping[str, Any]:
        return mapping_at(self.template, "spec")

    @property
    def account(self) -> str | None:
        """The name of its service account; None means `default`."""
        # The older name still works (Kubernetes API reference, PodSpec).
        return text_at(self.spec, "serviceAccountName") or text_at(self.spec, "serviceAccount")

    @property
    def is_patch(self) -> bool:
        """Whether it is a part of an object, such as a patch for Kustomize."""
        document = self.resource.document
        versioned = str(document.get("apiVersion")).startswith("apps/")
        selector = mapping_at(document, "spec").get("selector")
        return versioned and self.resource.kind in _SELECTING and selector is None

    @property
    def containers(self) -> list[Container]:
        """The containers, init containers first."""
        return [
            Container(printable(each.get("name", "?")), each, initial)
            for key, initial in (("initContainers", True), ("containers", False))
            for each in _mappings(self.spec, key)
        ]

    @property
    def token_sources(self) -> list[ProjectedToken]:
        """The service account tokens in the pod's own projected volumes."""
        found = []
        for volume in _mappings(self.spec, "volumes"):
            projected = mapping_at(volume, "projected")
            for source in _mappings(projected, "sources"):
                token = source.get("serviceAccountToken")
                if isinstance(token, Mapping):
                    found.append(
                        ProjectedToken(
                            str(volume.get("name")),
                            str(token.get("path")),
                            token.get("audience"),
                            token.get("expirationSeconds"),
                            projected.get("defaultMode"),
                        )
                    )
        return found

    def __str__(self) -> str:
        return _named(self.resource)


class Objects:
    """The objects of a manifest by kind.

    Args:
        resources: all objects.
    """

    def __init__(self, resources: Sequence[Resource]) -> None:
        self.accounts = [Account(each) for each in resources if each.kind == "ServiceAccount"]
        self.workloads = [Workload(each) for each in resources if each.kind in _TEMPLATES]
        self._others = [
            each
            for each in resources
            if each.kind != "ServiceAccount" and each.kind not in _TEMPLATES
        ]

    @cached_property
    def annotated(self) -> list[Account]:
        """The service accounts with a role."""
        return [account for account in self.accounts if account.role_arn]

    @cached_property
    def named_elsewhere(self) -> frozenset[str]:
        """The names of service accounts in objects of other kinds."""
        return frozenset(name for each in self._others for name in _references(each.document))

    @cached_property
    def complete(self) -> list[Workload]:
        """The workloads whose service account is known: the object of a patch may name it."""
        return [each for each in self.workloads if each.account or not each.is_patch]

    def account_of(self, workload: Workload) -> Account | None:
        """Return the account of a workload; None if it is not in the manifest."""
        return self._by_name.get((workload.account or "default", workload.namespace or "default"))

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], Account]:
        """The first account of each name in each namespace; kubectl uses `default` without one."""
        return {(each.name, each.namespace or "default"): each for each in reversed(self.accounts)}


def annotations_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the annotations of an object or a pod template."""
    return mapping_at(document, "metadata", "annotations")


def mapping_at(document: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """Return the mapping at the path `keys`, or an empty one."""
    found: object = document
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def text_at(document: Mapping[str, Any], key: str) -> str | None:
    """Return a text that is not empty; None for anything else."""
    value = document.get(key)
    return value if isinstance(value, str) and value else None


def finding(check_id: str, of: Account | Workload, status: Status, message: str, fix: str) -> Check:
    """Return a check about one object."""
    resource = of.resource
    data = {"kind": resource.kind, "name": resource.name, "namespace": resource.namespace}
    return Check(check_id, status, message, fix, data)


def _mappings(document: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return the mappings in a list."""
    value = document.get(key)
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _named(resource: Resource) -> str:
    where = f" (namespace {resource.namespace})" if resource.namespace else ""
    return f"{resource.kind} {resource.name}{where}"


def _references(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the service accounts that an object names at any depth."""
    stack: list[object] = [document]
    while stack:
        each = stack.pop()
        if isinstance(each, list):
            stack.extend(each)
        elif isinstance(each, Mapping):
            stack.extend(each.values())
            yield from filter(None, (_named_in(*item) for item in each.items()))


def _named_in(key: object, value: object) -> str | None:
    """Return the service account in a field; None for other fields."""
    if not re.fullmatch(_REFERENCE, str(key)[:LONGEST_KEY]):
        return None
    if isinstance(value, Mapping):
        return text_at(value, "name")
    return value if isinstance(value, str) else None
