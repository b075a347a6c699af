"""M05: projected token volumes of a pod, and how its containers read them."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from irsa_creds._masking import quoted
from irsa_creds.diagnosis._claims import (
    POD_IDENTITY,
    STS_AUDIENCES,
    is_known_audience,
    is_misspelled_sts,
)
from irsa_creds.diagnosis._fixes import MOUNT_TOKEN
from irsa_creds.diagnosis._manifest.fields import mapping_at
from irsa_creds.diagnosis._manifest.objects import (
    AUDIENCE,
    DOMAIN,
    EKS_LONGEST,
    LONGEST,
    Container,
    ProjectedToken,
    Workload,
)
from irsa_creds.diagnosis._manifest.parse import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from irsa_creds.diagnosis._checks import Check, Status
    from irsa_creds.diagnosis._manifest.objects import Account

__all__ = ["TOKEN_FILE", "is_misspelled", "volumes"]

TOKEN_FILE = "AWS_WEB_IDENTITY_TOKEN_FILE"  # noqa: S105 - a variable's name
# amazon-eks-pod-identity-webhook, pkg/handler/handler.go: its volume and mount path.
_VOLUME = "aws-iam-token"
_MOUNT = f"/var/run/secrets/{DOMAIN}/serviceaccount"
_API_SERVER_MOUNT = "/run/secrets/kubernetes.io/serviceaccount"
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_REGIONAL = "AWS_STS_REGIONAL_ENDPOINTS"
_SHORTEST = 600  # seconds; Kubernetes API reference, ServiceAccountTokenProjection
_READ_BY_OTHERS = 0o004


def volumes(workload: Workload, account: Account | None) -> Iterator[Check]:
    """Yield M05 for a pod's volumes and mounts.

    Args:
        workload: the pod.
        account: its account; None if it is not in the manifest.
    """
    # If the manifest lacks the account, the webhook may add its volume.
    injected = account is None or bool(account.role_arn)
    for container in workload.containers:
        yield from _token_file(workload, container, injected=injected)
    audience = None if account is None else account.annotations.get(AUDIENCE)
    sources = _for_aws(workload)
    for source in sources:
        yield from _projected(workload, source, audience)
    yield from _sub_paths(workload, sources)


def is_misspelled(audience: object) -> bool:
    """Return whether an audience looks like a misspelling of sts.amazonaws.com."""
    return not isinstance(audience, str) or is_misspelled_sts(audience)


def _token_file(workload: Workload, container: Container, *, injected: bool) -> Iterator[Check]:
    """Yield a configured token file that does not exist or has another token."""
    path = container.environment.get(TOKEN_FILE)
    if not isinstance(path, str) or not path.startswith("/"):
        return
    path = posixpath.normpath(path)
    where = f"The container {container.name} of {workload}"
    mounts = [m for m in container.mounts if _is_below(path, str(m.get("mountPath")))]
    if _is_below(path.removeprefix("/var"), _API_SERVER_MOUNT):
        yield workload.check(
            "M05",
            "fail",
            f"{where} uses the token of the cluster's API server ({quoted(path)}) for "
            "AWS, but its audience is another.",
            MOUNT_TOKEN,
        )
    elif mounts:
        mount = max(mounts, key=lambda each: len(str(each["mountPath"])))
        yield from _file_in_volume(workload, where, path, mount)
    elif injected and _is_below(path, _MOUNT):
        yield from _not_mounted_by_webhook(workload, container, where)
    else:
        yield workload.check(
            "M05",
            "warn",
            f"{where} reads its token from {quoted(path)}, but no volume is mounted there.",
            MOUNT_TOKEN,
        )


def _not_mounted_by_webhook(
    workload: Workload, container: Container, where: str
) -> Iterator[Check]:
    """Yield a container that sets all of the webhook's variables: the webhook leaves it alone.

    It then gets no mount either (pkg/handler/handler.go, addEnvToContainer).
    """
    if not any(name in container.environment for name in _REGIONS) or (
        _REGIONAL not in container.environment
    ):
        return
    yield workload.check(
        "M05",
        "warn",
        f"{where} sets all of the webhook's variables itself, and the webhook mounts no token into "
        "such a container.",
        f"# remove AWS_ROLE_ARN, {TOKEN_FILE} and {_REGIONAL} from the container's env: the "
        "webhook sets them",
    )


def _file_in_volume(
    workload: Workload, where: str, path: str, mount: Mapping[str, Any]
) -> Iterator[Check]:
    """Yield a token file that its volume does not contain."""
    volume, directory = str(mount.get("name")), str(mount["mountPath"])
    sources = [each for each in workload.token_sources if each.volume == volume]
    inside = posixpath.relpath(path, directory)
    if sources and not _sub_path(mount) and inside not in {each.path for each in sources}:
        right = short_name(posixpath.join(directory, sources[0].path))
        yield workload.check(
            "M05",
            "fail",
            f"{where} reads its token from {quoted(path)}, but the volume {short_name(volume)} has "
            f"it at {right}.",
            f"{TOKEN_FILE}={right}",
        )


def _for_aws(workload: Workload) -> list[ProjectedToken]:
    """Return the projected tokens for AWS; others may be for Vault or similar."""
    known_paths = {_MOUNT}
    mounted: dict[str, list[str]] = {}
    for container in workload.containers:
        known_paths.add(str(container.environment.get(TOKEN_FILE)))
        for mount in container.mounts:
            path = posixpath.normpath(str(mount.get("mountPath")))
            mounted.setdefault(str(mount.get("name")), []).append(path)
    return [
        source
        for source in workload.token_sources
        if source.volume == _VOLUME
        or str(source.audience) in STS_AUDIENCES
        or is_misspelled_sts(str(source.audience))
        or any(
            {path, posixpath.join(path, source.path)} & known_paths
            for path in mounted.get(source.volume, ())
        )
    ]


def _projected(workload: Workload, source: ProjectedToken, annotated: Any) -> Iterator[Check]:
    """Yield what is wrong with a projected token for AWS."""
    where = f"The volume {short_name(source.volume)} of {workload}"
    audience, seconds = source.audience, source.expiration
    known = isinstance(audience, str) and is_known_audience(audience)
    if not known and (audience != annotated or audience is None):
        custom = isinstance(audience, str) and audience != POD_IDENTITY
        what = "no audience, so its token is for the cluster's API server"
        if audience is not None:
            what = f"the audience {quoted(audience)}" + (
                ", that of EKS Pod Identity" if audience == POD_IDENTITY else ""
            )
        yield workload.check(
            "M05",
            "warn" if custom and not is_misspelled(audience) else "fail",
            f"{where} has {what}; AWS accepts sts.amazonaws.com unless the IAM OIDC provider "
            "lists another.",
            MOUNT_TOKEN,
        )
    if seconds is not None:
        yield from _expiration(workload, where, seconds)
    if isinstance(source.mode, int) and not source.mode & _READ_BY_OTHERS:
        yield from _unreadable(workload, where, source.mode)


def _expiration(workload: Workload, where: str, seconds: Any) -> Iterator[Check]:
    status: Status = "fail"
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        problem = "is not a whole number, so Kubernetes rejects the pod"
    elif not _SHORTEST <= seconds <= LONGEST:
        problem = f"is not between {_SHORTEST} and 2^32, so Kubernetes rejects the pod"
    elif seconds > EKS_LONGEST:
        status, problem = "warn", f"is more than a day, and EKS allows {EKS_LONGEST} at most"
    else:
        return
    yield workload.check(
        "M05",
        status,
        f"expirationSeconds of {where[0].lower()}{where[1:]} is {quoted(seconds)}, "
        f"which {problem}.",
        f"expirationSeconds: {EKS_LONGEST}",
    )


def _unreadable(workload: Workload, where: str, mode: int) -> Iterator[Check]:
    """Yield a volume that a container without root cannot read.

    With `fsGroup` the file belongs to that group; if all containers run as one user, to that user.
    Otherwise the volume's mode decides (Kubernetes, pkg/volume/projected and pkg/volume/util,
    FsUserFrom).
    """
    pod = mapping_at(workload.spec, "securityContext")
    securities = [{**pod, **each.security} for each in workload.containers]
    users = [each.get("runAsUser") for each in securities]
    rootless = any(each.get("runAsUser") or each.get("runAsNonRoot") is True for each in securities)
    if (
        "fsGroup" in pod
        or not rootless
        or (None not in users and users.count(users[0]) == len(users))
    ):
        return
    yield workload.check(
        "M05",
        "fail",
        f"{where} has the mode {mode:04o}, and its containers do not run as root: they cannot "
        "read the token.",
        "securityContext:\n  fsGroup: 65534",
    )


def _sub_paths(workload: Workload, sources: list[ProjectedToken]) -> Iterator[Check]:
    names = {_VOLUME, *(each.volume for each in sources)}
    for container in workload.containers:
        for mount in container.mounts:
            if str(mount.get("name")) in names and _sub_path(mount):
                yield workload.check(
                    "M05",
                    "fail",
                    f"The container {container.name} of {workload} mounts the token with subPath, "
                    "and such a mount is never updated: it works until the first token expires.",
                    f"volumeMounts:\n- name: {short_name(mount['name'])}\n  mountPath: {_MOUNT}\n"
                    "  readOnly: true",
                )


def _sub_path(mount: Mapping[str, Any]) -> bool:
    return bool(mount.get("subPath") or mount.get("subPathExpr"))


def _is_below(path: str, directory: str) -> bool:
    directory = posixpath.normpath(directory)
    return path == directory or path.startswith(f"{directory}/")
