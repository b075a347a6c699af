"""Service accounts and pods of a manifest, with the parts that IRSA uses.

A manifest is untrusted, so a value of an unexpected type counts as absent.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from irsa_creds.diagnosis._checks import Check
from irsa_creds.diagnosis._manifest.fields import (
    annotations_of,
    describes_pods,
    entries,
    mapping_at,
    mappings,
    references,
    text_at,
)
from irsa_creds.diagnosis._manifest.parse import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from irsa_creds.diagnosis._checks import Status
    from irsa_creds.diagnosis._manifest.parse import Resource

__all__ = [
    "AUDIENCE",
    "DOMAIN",
    "EKS_LONGEST",
    "LONGEST",
    "ROLE_ARN",
    "Account",
    "Container",
    "Objects",
    "Other",
    "ProjectedToken",
    "Workload",
]

# Source of this and all names with this prefix: amazon-eks-pod-identity-webhook, README.md and
# pkg/annotations.go.
DOMAIN = "eks.amazonaws.com"
ROLE_ARN = f"{DOMAIN}/role-arn"
AUDIENCE = f"{DOMAIN}/audience"
# Seconds: Kubernetes API reference, TokenRequestSpec; and the webhook's pkg/constants.go of EKS.
LONGEST = 2**32
EKS_LONGEST = 86_400

# The path to the pod template, by kind (Kubernetes API reference, workload resources). In other
# kinds, such as a Rollout of Argo or a Service of Knative, it is what looks like one.
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
# API groups of Kubernetes that look like an operator's (Kubernetes API reference).
_BUILT_IN = {
    f"{name}.k8s.io"
    for name in (
        "admissionregistration",
        "apiextensions",
        "apiregistration",
        "authentication",
        "authorization",
        "certificates",
        "coordination",
        "discovery",
        "events",
        "flowcontrol.apiserver",
        "networking",
        "node",
        "rbac.authorization",
        "resource",
        "scheduling",
        "storage",
    )
}
# The commands that print the objects of a chart (of Flux, of k3s) or of a Kustomization (of Flux).
_HELM = "helm template NAME CHART --values values.yaml"
_RENDERED = {
    "HelmChart": _HELM,
    "HelmRelease": _HELM,
    "Kustomization": "kubectl kustomize DIRECTORY",
}
# These need a selector, and only a patch for another manifest lacks it (Kubernetes API reference).
_SELECTING = {"DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"}


@dataclass(frozen=True, slots=True)
class Object:
    """An object of a manifest."""

    resource: Resource

    @property
    def namespace(self) -> str | None:
        return self.resource.namespace

    @property
    def in_namespace(self) -> str:
        """The option of kubectl, with a blank before it; empty without a namespace."""
        return f" -n {shlex.quote(self.namespace)}" if self.namespace else ""

    @property
    def is_custom(self) -> bool:
        """Whether an operator defines the kind: its API group has a domain of its own."""
        group = str(self.resource.document.get("apiVersion")).rpartition("/")[0]
        return "." in group and group not in _BUILT_IN

    def check(self, check_id: str, status: Status, message: str, fix: str) -> Check:
        """Return a check about this object."""
        resource = self.resource
        data = {"kind": resource.kind, "name": resource.name, "namespace": resource.namespace}
        return Check(check_id, status, message, fix, data)

    def __str__(self) -> str:
        where = f" (namespace {self.namespace})" if self.namespace else ""
        return f"{self.resource.kind} {self.resource.name}{where}"


@dataclass(frozen=True, slots=True)
class Account(Object):
    """A service account."""

    @property
    def name(self) -> str:
        return self.resource.name

    @property
    def annotations(self) -> Mapping[str, Any]:
        return annotations_of(self.resource.document)

    @property
    def role_arn(self) -> Any:
        """The value of the annotation; None without one."""
        return self.annotations.get(ROLE_ARN)

    @property
    def owner(self) -> str:
        """Kind and name of the object whose controller made it; empty without one."""
        for each in mappings(mapping_at(self.resource.document, "metadata"), "ownerReferences"):
            return short_name(f"{each.get('kind')} {each.get('name')}")
        return ""


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

    @property
    def environment(self) -> dict[str, Any]:
        """The values of its variables; None for `valueFrom`."""
        return {str(each.get("name")): each.get("value") for each in mappings(self.document, "env")}

    @property
    def has_env_from(self) -> bool:
        """Whether it has `envFrom`, which adds variables that are not in the manifest."""
        return bool(self.document.get("envFrom"))

    @property
    def mounts(self) -> list[Mapping[str, Any]]:
        return mappings(self.document, "volumeMounts")

    @property
    def security(self) -> Mapping[str, Any]:
        return mapping_at(self.document, "securityContext")


@dataclass(frozen=True, slots=True)
class Workload(Object):
    """A pod, or an object that creates pods.

    Attributes:
        path: the keys, and indices in lists, that lead to the pod template.
        template: the pod template.
    """

    path: tuple[str, ...]
    template: Mapping[str, Any]

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
            Container(short_name(each.get("name", "?")), each)
            for key in ("initContainers", "containers")
            for each in mappings(self.spec, key)
        ]

    @property
    def token_sources(self) -> list[ProjectedToken]:
        """The service account tokens in the pod's own projected volumes."""
        found = []
        for volume in mappings(self.spec, "volumes"):
            projected = mapping_at(volume, "projected")
            for source in mappings(projected, "sources"):
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


@dataclass(frozen=True, slots=True)
class Other(Object):
    """An object without a pod template that is known."""

    @property
    def render(self) -> str:
        """The command that prints the objects that it installs; empty for other kinds."""
        return _RENDERED.get(self.resource.kind, "")


class Objects:
    """The objects of a manifest by kind.

    Args:
        resources: all objects.
    """

    def __init__(self, resources: Sequence[Resource]) -> None:
        self.accounts: list[Account] = []
        self.workloads: list[Workload] = []
        self.others: list[Other] = []
        for each in resources:
            if each.kind == "ServiceAccount":
                self.accounts.append(Account(each))
            elif workloads := list(_workloads_of(each)):
                self.workloads += workloads
            else:
                self.others.append(Other(each))

    @cached_property
    def unread(self) -> list[Other]:
        """The objects of operators that may create pods."""
        return [
            each
            for each in self.others
            if each.is_custom and (each.render or describes_pods(each.resource.document))
        ]

    @cached_property
    def annotated(self) -> list[Account]:
        """The service accounts with a role."""
        return [account for account in self.accounts if account.role_arn]

    @cached_property
    def named_elsewhere(self) -> frozenset[str]:
        """The names of service accounts in objects of kinds that Kubernetes does not define."""
        own = (each.resource for each in self.workloads if each.resource.kind not in _TEMPLATES)
        resources = (*(each.resource for each in self.others), *own)
        return frozenset(name for each in resources for name in references(each.document))

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


def _workloads_of(resource: Resource) -> Iterator[Workload]:
    """Yield the pod templates of an object."""
    document = resource.document
    if resource.kind in _TEMPLATES:
        path = _TEMPLATES[resource.kind]
        yield Workload(resource, path, mapping_at(document, *path))
        return
    for path, value in entries(document):
        if path[-1].lower().endswith("template") and mappings(
            mapping_at(value, "spec"), "containers"
        ):
            yield Workload(resource, path, value)
