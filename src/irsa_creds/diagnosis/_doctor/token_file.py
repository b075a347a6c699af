"""F01 to F05: whether the token's file is there, can be read, and is kept fresh."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from irsa_creds._exchange.advice import is_for_api_server
from irsa_creds.diagnosis._checks import Check
from irsa_creds.diagnosis._claims import STS, audiences, seconds, span, told
from irsa_creds.diagnosis._doctor.fixes import annotate, name_role, restart, service_account
from irsa_creds.diagnosis._fixes import WEBHOOK_PATH, mount_token, mount_token_as_comment

if TYPE_CHECKING:
    from irsa_creds._errors import Failure
    from irsa_creds.diagnosis._doctor.file_facts import FileFacts
    from irsa_creds.diagnosis._doctor.pod_facts import Facts

__all__ = ["file_checks"]

_IDS = ("F01", "F02", "F03", "F04", "F05")
# Who finds what, by the codes of `_token`.
_FOUND_BY = {
    "TokenFileMissing": "F01",
    "TokenFileUnreadable": "F02",
    "TokenFileEmpty": "F03",
    "TokenFileInvalid": "F03",
}
_WELL = {"F01": "{path} exists.", "F02": "It can be read."}
_API_TOKENS = "/run/secrets/kubernetes.io/serviceaccount/"
_LEGACY_ISSUER = "kubernetes/serviceaccount"
# Kubernetes, "Configure Service Accounts for Pods": rotated when older than 80 % of its lifetime,
# or than 24 hours. Kubelet looks at each pod about once a minute; it may be a few late.
_ROTATION = 0.8
_DAY = 86_400
_GRACE = 300


def file_checks(facts: Facts) -> tuple[Check, ...]:
    """Return F01 to F05."""
    file = facts.file
    if file is None:
        return tuple(Check(each, "skipped", "No token file is named: see E01.") for each in _IDS)
    failure = file.failure
    if failure is not None:
        return _failed(facts, file, failure)
    return (
        Check("F01", "ok", _WELL["F01"].format(path=file.path), data={"path": file.path}),
        Check("F02", "ok", _WELL["F02"], data={"owner": file.owner}),
        _content(facts, file),
        _wrong_token(facts, file),
        _rotation(facts, file),
    )


def _failed(facts: Facts, file: FileFacts, failure: Failure) -> tuple[Check, ...]:
    """Return all five where no token can be read; those before the one that fails are well."""
    found_by, message = _FOUND_BY[failure.code], failure.message
    fixes = {
        "F01": _mend_missing(facts, file),
        # What is retried is no matter of permissions: a disk's error, say.
        "F02": f"ls -l {file.word}" if failure.retryable else _mend_unreadable(facts, file),
        "F03": mount_token(STS),
    }
    data = {"path": file.path, "owner": file.owner, "nearest_directory": file.nearest}
    if facts.user is not None:
        data |= {"uid": str(facts.user.uid), "gids": " ".join(map(str, facts.user.gids))}
    if facts.refused.startswith(f"{facts.token_source} contains a token"):
        message = facts.refused
    checks = []
    for each in _IDS:
        if each < found_by:
            checks.append(Check(each, "ok", _WELL[each].format(path=file.path)))
        elif each == found_by:
            checks.append(Check(each, "fail", message, fixes[each], data))
        else:
            checks.append(Check(each, "skipped", f"There is no token to look at: see {found_by}."))
    return tuple(checks)


def _mend_missing(facts: Facts, file: FileFacts) -> str:
    if not file.path.startswith("/"):
        # Nobody expands a tilde, takes quotes off, or knows which directory a program runs in.
        return f"export AWS_WEB_IDENTITY_TOKEN_FILE={WEBHOOK_PATH}"
    nearest = quote(file.nearest) if file.nearest.isprintable() else "/"
    there = f"ls -la {nearest}  # the nearest directory that exists"
    return f"{there}\n{name_role(facts)}"


def _mend_unreadable(facts: Facts, file: FileFacts) -> str:
    # Kubelet gives the token to that group: any will do, the pod's processes are put into it.
    group = next((gid for gid in facts.user.gids if gid), 65_534) if facts.user else 65_534
    if not facts.in_pod:
        return f"ls -l {file.word}\nid"
    return f"# the pod's spec\nsecurityContext:\n  fsGroup: {group}"


def _content(facts: Facts, file: FileFacts) -> Check:
    data, path = {"shape": file.shape}, file.word
    signed = file.jwt and file.claims is not None
    if not signed and facts.asks_aws:
        return Check(
            "F03",
            "fail",
            f"The token file holds no JWT ({file.shape}), and AWS's STS takes nothing else.",
            mount_token(STS),
            data,
        )
    if file.padded:
        return Check(
            "F03",
            "warn",
            "There are line ends or blanks around the token: this library strips them, botocore "
            "and other SDKs send them, and STS refuses.",
            # Only what was read is written.
            f"(umask 077; t=$(tr -d '[:space:]' <{path}) && test -n \"$t\" && "
            f'printf %s "$t" >{path}.new && mv {path}.new {path})',
            data,
        )
    kind = "a JWT" if signed else "an opaque token, as this endpoint may take it"
    return Check("F03", "ok", f"It holds {kind} ({file.shape}).", data=data)


def _wrong_token(facts: Facts, file: FileFacts) -> Check:
    why = _api_token(facts, file)
    if not why:
        return Check("F04", "ok", "It is not the cluster's own API token.")
    return Check(
        "F04",
        "fail" if facts.asks_aws else "warn",
        f"It is the token for the cluster's own API server ({why}), which no other server should "
        "see" + (" and STS does not take." if facts.asks_aws else "."),
        f"{annotate(facts)}\n{mount_token_as_comment(STS)}",
        {"path": file.path, "aud": [told(each) for each in audiences(file.claims)]},
    )


def _api_token(facts: Facts, file: FileFacts) -> str:
    """Return by what a token is seen to be the API server's; empty where it is not."""
    named = audiences(file.claims)
    if any("sts." in each for each in named):
        return ""
    if _API_TOKENS in file.real:
        return "by its path"
    if facts.issuer == _LEGACY_ISSUER:
        return "of a Secret, by its issuer"
    if facts.of_kubernetes and any(is_for_api_server(each, facts.issuer) for each in named):
        return "by its audience"
    return ""


def _rotation(facts: Facts, file: FileFacts) -> Check:
    if not facts.of_kubernetes:
        return Check("F05", "skipped", "It is no token that kubelet would rotate.")
    if file.mount is not None and file.mount.point == file.real:
        return Check(
            "F05",
            "fail",
            "The token's file is mounted alone, as subPath does: it stays as it is when kubelet "
            "rotates the token, and ends with it.",
            mount_token(STS),
            {"mount_point": file.mount.point, "mount_root": file.mount.root},
        )
    if not file.projected:
        return Check(
            "F05",
            "warn",
            "The token is not in a projected volume (no symlink ..data): a copy, or a directory "
            "mounted by subPath, is not rotated.",
            mount_token(STS),
            {"real_path": file.real},
        )
    return _age(facts)


def _age(facts: Facts) -> Check:
    issued, ends = seconds(facts.claims, "iat"), seconds(facts.claims, "exp")
    if issued is None or ends is None or ends <= issued:
        return Check("F05", "unknown", "The token does not say how long it lives.")
    age, due = facts.now - issued, min((ends - issued) * _ROTATION, _DAY)
    data = {"age_seconds": round(age), "rotation_due_seconds": round(due)}
    if age <= due + _GRACE:
        return Check("F05", "ok", "The token is in a projected volume and fresh.", data=data)
    return Check(
        "F05",
        "warn",
        f"The token is {span(age)} old, but kubelet should have rotated it after {span(due)}: is "
        # Kubernetes' issue 116481: no rotation for a pod that is on its way out.
        "the pod being terminated, or the node's kubelet in trouble?",
        f"kubectl describe pod {facts.host_session_name if facts.in_pod else 'POD'} "
        f"--namespace {service_account(facts)[0]}\n{restart(facts)}",
        data,
    )
