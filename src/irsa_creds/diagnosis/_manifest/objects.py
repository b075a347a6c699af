"""What IRSA looks at in a manifest: service accounts, and pods with their containers and volumes.

A manifest is anybody's text, so each of these takes what is of another type for what is not there.
"""

from __future__ import annotations

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
    "ROLE_ARN",
    "Account",
    "Container",
    "Objects",
    "TokenSource",
    "Workload",
    "annotations_of",
    "finding",
    "mapping_at",
    "text_at",
]

# Source of this and all names that begin with it: amazon-eks-pod-identity-webhook, README.md and
# pkg/annotations.go.
DOMAIN = "eks.amazonaws.com"
ROLE_ARN = f"{DOMAIN}/role-arn"
AUDIENCE = f"{DOMAIN}/audience"
# Seconds: Kubernetes API reference, TokenRequestSpec; and the webhook's pkg/constants.go of EKS.
LONGEST = 2**32
EKS_LONGEST = 86_400

# Where a kind has the pod (Kubernetes API reference, workload resources).
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
# How kinds that we do not know (Spark's, Argo's, Knative's) name the account they run as.
_REFERENCES = {"serviceAccount", "serviceAccountName"}


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
        """The annotation's value as it stands there; None where there is none."""
        return self.annotations.get(ROLE_ARN)

    def __str__(self) -> str:
        return _named(self.resource)


class TokenSource(NamedTuple):
    """A service account's token in a projected volume.

    Attributes:
        volume: the volume's name.
        path: of the file in the volume.
        audience: None is the API server's own.
        expiration: seconds; None is Kubernetes' default, an hour.
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
        """The values of its variables; None for one that comes from elsewhere (`valueFrom`)."""
        return {
            str(each.get("name")): each.get("value") for each in _mappings(self.document, "env")
        }

    @property
    def takes_more_variables(self) -> bool:
        """Whether it has `envFrom`: then nobody here knows all variables."""
        return bool(self.document.get("envFrom"))

    @property
    def mounts(self) -> list[Mapping[str, Any]]:
        return _mappings(self.document, "volumeMounts")

    @property
    def security(self) -> Mapping[str, Any]:
        return mapping_at(self.document, "securityContext")


class Workload(NamedTuple):
    """Something that runs pods, or a pod."""

    resource: Resource

    @property
    def namespace(self) -> str | None:
        return self.resource.namespace

    @property
    def way(self) -> tuple[str, ...]:
        """The keys that lead to the pod."""
        return _TEMPLATES[self.resource.kind]

    @property
    def template(self) -> Mapping[str, Any]:
        return mapping_at(self.resource.document, *self.way)

    @property
    def spec(self) -> Mapping[str, Any]:
        return mapping_at(self.template, "spec")

    @property
    def account(self) -> str | None:
        """The service account it names; None where it names none, which is `default`."""
        # The older name still works (Kubernetes API reference, PodSpec).
        return text_at(self.spec, "serviceAccountName") or text_at(self.spec, "serviceAccount")

    @property
    def containers(self) -> list[Container]:
        """The containers, those that run first before the others."""
        return [
            Container(printable(each.get("name", "?")), each, initial)
            for key, initial in (("initContainers", True), ("containers", False))
            for each in _mappings(self.spec, key)
        ]

    @property
    def token_sources(self) -> list[TokenSource]:
        """The service account tokens that the pod projects by itself."""
        found = []
        for volume in _mappings(self.spec, "volumes"):
            projected = mapping_at(volume, "projected")
            for source in _mappings(projected, "sources"):
                token = source.get("serviceAccountToken")
                if isinstance(token, Mapping):
                    found.append(
                        TokenSource(
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
    """The objects of a manifest, sorted.

    Args:
        resources: all of them.
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
        """The service accounts that name a role."""
        return [account for account in self.accounts if account.role_arn]

    @cached_property
    def named_elsewhere(self) -> frozenset[str]:
        """The names of accounts that objects of other kinds run as."""
        return frozenset(name for each in self._others for name in _references(each.document))

    def account_of(self, workload: Workload) -> Account | None:
        """Return the account that a workload runs as; None where the manifest does not have it."""
        return self._by_name.get((workload.account or "default", workload.namespace))

    @cached_property
    def _by_name(self) -> dict[tuple[str, str | None], Account]:
        """The first account of each name in each namespace."""
        return {(each.name, each.namespace): each for each in reversed(self.accounts)}


def annotations_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the annotations of an object, or of a pod's template."""
    return mapping_at(document, "metadata", "annotations")


def mapping_at(document: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """Return the mapping that `keys` lead to; an empty one where there is none."""
    found: object = document
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def text_at(document: Mapping[str, Any], key: str) -> str | None:
    """Return a text that is not empty; None for anything else."""
    value = document.get(key)
    return value if isinstance(value, str) and value else None


def finding(check_id: str, of: Account | Workload, status: Status, message: str, fix: str) -> Check:
    """Return the check that tells of one object."""
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
    """Yield the accounts that an object of any kind names, however deep."""
    waiting: list[object] = [document]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting.extend(each)
        elif isinstance(each, Mapping):
            waiting.extend(each.values())
            yield from (
                value
                for key, value in each.items()
                if key in _REFERENCES and isinstance(value, str)
            )
