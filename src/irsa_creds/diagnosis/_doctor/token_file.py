"""F01 to F05: the token file exists, can be read, holds the correct token and is rotated."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from irsa_creds._errors import instant
from irsa_creds._identity.claims import is_for_api_server
from irsa_creds.diagnosis._checks import Check
from irsa_creds.diagnosis._claims import audiences, duration, redacted, seconds
from irsa_creds.diagnosis._doctor.fixes import annotate, name_role, restart, service_account
from irsa_creds.diagnosis._fixes import MOUNT_TOKEN, MOUNT_TOKEN_AS_COMMENT, WEBHOOK_PATH

if TYPE_CHECKING:
    from irsa_creds._errors import Failure
    from irsa_creds.diagnosis._doctor.file_facts import FileFacts
    from irsa_creds.diagnosis._doctor.pod_facts import Facts

__all__ = ["file_checks"]

_IDS = ("F01", "F02", "F03", "F04", "F05")
# The check that reports each error code of `TokenFile`.
_REPORTED_BY = {
    "TokenFileMissing": "F01",
    "TokenFileUnreadable": "F02",
    "TokenFileEmpty": "F03",
    "TokenFileInvalid": "F03",
}
_OK = {"F01": "{path} exists.", "F02": "The token file can be read."}
_API_TOKENS = "/run/secrets/kubernetes.io/serviceaccount/"
_LEGACY_ISSUER = "kubernetes/serviceaccount"
# Kubernetes, "Configure Service Accounts for Pods": rotated when older than 80 % of its lifetime,
# or than 24 hours. The kubelet checks each pod about once a minute and may be a few minutes late.
_ROTATION = 0.8
_DAY = 86_400
_GRACE = 300


def file_checks(facts: Facts) -> tuple[Check, ...]:
    """Return F01 to F05."""
    file = facts.file
    if file is None:
        return tuple(
            Check(each, "skipped", "No token file is configured: see E01.") for each in _IDS
        )
    failure = file.failure
    if failure is not None:
        return _failed(facts, file, failure)
    return (
        Check("F01", "ok", _OK["F01"].format(path=file.path), data={"path": file.path}),
        Check("F02", "ok", _OK["F02"], data={"owner": file.owner}),
        _content(facts, file),
        _wrong_token(facts, file),
        _rotation(facts, file),
    )


def _failed(facts: Facts, file: FileFacts, failure: Failure) -> tuple[Check, ...]:
    """Return all five checks if no token can be read; the checks before the failure are ok."""
    reporter, message = _REPORTED_BY[failure.code], failure.message
    fixes = {
        "F01": _fix_missing(facts, file),
        # A retryable error, such as that of a disk, is not about permissions.
        "F02": f"ls -l {file.shell_word}" if failure.retryable else _fix_unreadable(facts, file),
        "F03": MOUNT_TOKEN,
    }
    data = {"path": file.path, "owner": file.owner, "nearest_directory": file.nearest}
    if facts.user is not None:
        data |= {"uid": str(facts.user.uid), "gids": " ".join(map(str, facts.user.gids))}
    if facts.config_error.startswith(f"{facts.token_origin} contains a token"):
        message = facts.config_error
    checks = []
    for each in _IDS:
        if each < reporter:
            checks.append(Check(each, "ok", _OK[each].format(path=file.path)))
        elif each == reporter:
            checks.append(Check(each, "fail", message, fixes[each], data))
        else:
            checks.append(Check(each, "skipped", f"There is no token: see {reporter}."))
    return tuple(checks)


def _fix_missing(facts: Facts, file: FileFacts) -> str:
    if not file.path.startswith("/"):
        # SDKs expand no tilde, remove no quotes, and may run in any directory.
        return f"export AWS_WEB_IDENTITY_TOKEN_FILE={WEBHOOK_PATH}"
    nearest = quote(file.nearest) if file.nearest.isprintable() else "/"
    there = f"ls -la {nearest}  # the nearest directory that exists"
    return f"{there}\n{name_role(facts)}"


def _fix_unreadable(facts: Facts, file: FileFacts) -> str:
    # The kubelet gives the file to this group and puts the pod's processes into it.
    group = next((gid for gid in facts.user.gids if gid), 65_534) if facts.user else 65_534
    if not facts.in_pod:
        return f"ls -l {file.shell_word}\nid"
    return f"# the pod's spec\nsecurityContext:\n  fsGroup: {group}"


def _content(facts: Facts, file: FileFacts) -> Check:
    data, path = {"shape": file.shape}, file.shell_word
    signed = file.jwt and file.claims is not None
    if not signed and facts.uses_aws_sts:
        return Check(
            "F03",
            "fail",
            f"The token file holds no JWT ({file.shape}), and AWS STS accepts nothing else.",
            MOUNT_TOKEN,
            data,
        )
    if file.padded:
        return Check(
            "F03",
            "warn",
            "There are line ends or blanks around the token: irsa-creds strips them, botocore "
            "and other SDKs send them, and STS denies the token.",
            # `test -n` keeps an empty read from replacing the token.
            f"(umask 077; t=$(tr -d '[:space:]' <{path}) && test -n \"$t\" && "
            f'printf %s "$t" >{path}.new && mv {path}.new {path})',
            data,
        )
    kind = "a JWT" if signed else "an opaque token, which this endpoint may accept"
    return Check("F03", "ok", f"The token file holds {kind} ({file.shape}).", data=data)


def _wrong_token(facts: Facts, file: FileFacts) -> Check:
    why = _api_token(facts, file)
    if not why:
        return Check("F04", "ok", "The token is not the one for the cluster's API server.")
    return Check(
        "F04",
        "fail" if facts.uses_aws_sts else "warn",
        f"The token is for the cluster's API server ({why}), and no other server should "
        "see it" + (", and STS does not accept it." if facts.uses_aws_sts else "."),
        f"{annotate(facts)}\n{MOUNT_TOKEN_AS_COMMENT}",
        {"path": file.path, "aud": [redacted(each) for each in audiences(file.claims)]},
    )


def _api_token(facts: Facts, file: FileFacts) -> str:
    """Return how a token is recognized as the API server's; empty if it is another."""
    named = audiences(file.claims)
    if any("sts." in each for each in named):
        return ""
    if _API_TOKENS in file.real:
        return "by its path"
    if facts.issuer == _LEGACY_ISSUER:
        return "of a Secret, by its issuer"
    if facts.is_kubernetes_token and any(is_for_api_server(each, facts.issuer) for each in named):
        return "by its audience"
    return ""


def _rotation(facts: Facts, file: FileFacts) -> Check:
    if not facts.is_kubernetes_token:
        return Check("F05", "skipped", "The kubelet does not rotate this token.")
    if file.mount is not None and file.mount.point == file.real:
        return Check(
            "F05",
            "fail",
            "The token file is mounted with subPath: the mount is not updated when the kubelet "
            "rotates the token, so the token expires.",
            MOUNT_TOKEN,
            {"mount_point": file.mount.point, "mount_root": file.mount.root},
        )
    if not file.projected:
        return Check(
            "F05",
            "warn",
            "The token is not in a projected volume (no symlink ..data). A copy, or a directory "
            "mounted with subPath, is not rotated.",
            MOUNT_TOKEN,
            {"real_path": file.real},
        )
    return _age(facts)


def _age(facts: Facts) -> Check:
    issued, ends = seconds(facts.claims, "iat"), seconds(facts.claims, "exp")
    if issued is None or ends is None:
        missing = "time of issue (iat)" if issued is None else "expiry (exp)"
        return Check("F05", "unknown", f"The token has no {missing}, so its age is not known.")
    if ends <= issued:
        return Check(
            "F05",
            "unknown",
            f"The token was issued after its own expiry: iat {instant(issued)} is not before "
            f"exp {instant(ends)}. The issuer's clock or its lifetime is wrong.",
            "date -u; chronyc tracking  # on the machine that issues the tokens",
            {"iat": instant(issued), "exp": instant(ends)},
        )
    age, due = facts.now - issued, min((ends - issued) * _ROTATION, _DAY)
    data = {"age_seconds": round(age), "rotation_due_seconds": round(due)}
    if age <= due + _GRACE:
        return Check(
            "F05", "ok", "The token is in a projected volume and was rotated in time.", data=data
        )
    return Check(
        "F05",
        "warn",
        f"The token is {duration(age)} old, but the kubelet should have rotated it after "
        f"{duration(due)}. "
        # Kubernetes issue 116481: the token of a terminating pod is not rotated.
        "The pod is terminating, or the node's kubelet does not work.",
        f"kubectl describe pod {facts.host_session_name if facts.in_pod else 'POD'} "
        f"--namespace {service_account(facts)[0]}\n{restart(facts)}",
        data,
    )
