"""`doctor`: run the checks of all packages."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from irsa_creds._errors import ConfigError, TokenError
from irsa_creds._identity.token import TokenFile
from irsa_creds._masking import quoted, quoted_path, safe_str
from irsa_creds.diagnosis._checks import Check, Diagnosis
from irsa_creds.diagnosis._claims import subject_of
from irsa_creds.diagnosis._doctor.container import container_checks
from irsa_creds.diagnosis._doctor.environment import environment_checks
from irsa_creds.diagnosis._doctor.pod_facts import gather_facts
from irsa_creds.diagnosis._doctor.provider_chain import chain_checks
from irsa_creds.diagnosis._doctor.role import role_checks
from irsa_creds.diagnosis._doctor.token import token_checks
from irsa_creds.diagnosis._doctor.token_file import file_checks
from irsa_creds.diagnosis._doctor.versions import version_checks
from irsa_creds.diagnosis._explain.explain import explain
from irsa_creds.diagnosis._manifest.manifest_checks import manifest_checks
from irsa_creds.diagnosis._manifest.objects import Objects
from irsa_creds.diagnosis._manifest.parse import MANIFEST_LIMIT, parse_manifest
from irsa_creds.diagnosis._policy.parse import parse_policy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from irsa_creds.diagnosis._checks import Status
    from irsa_creds.diagnosis._doctor.pod_facts import Facts
    from irsa_creds.diagnosis._explain.explain import Explanation
    from irsa_creds.diagnosis._manifest.parse import Resource

__all__ = ["doctor", "offline_checks"]

_OFFLINE = (
    environment_checks,
    container_checks,
    file_checks,
    token_checks,
    role_checks,
    chain_checks,
    version_checks,
)
_MANIFEST_IDS = tuple(f"M{number:02}" for number in range(1, 6))
_ONLINE_IDS = (*(f"N{number:02}" for number in range(1, 7)), "S01", "S02")
_POLICY_LIMIT = 1024 * 1024  # bytes; IAM allows 4,096 characters at most
# A file name of at least this many characters may be a token by mistake.
_SHORTEST_SECRET = 40
_SEVERITIES: dict[str, Status] = {"error": "fail", "warning": "warn", "info": "ok"}
_VERDICTS: dict[str, Status] = {"allow": "ok", "deny": "fail", "unknown": "unknown"}


def doctor(
    *,
    online: bool = False,
    manifest: str | os.PathLike[str] | None = None,
    policy: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
    profile: str | None = None,
) -> Diagnosis:
    """Check why this process does or does not get its role by IRSA.

    `doctor` changes nothing, returns no secret, and uses the network only with `online`.

    Args:
        online: also contact DNS, STS and the token's issuer; STS is called with the token once.
        manifest: a file of Kubernetes objects to check, YAML (extra `manifest`) or JSON.
        policy: a file with the role's trust policy, evaluated for this token.
        environ: the environment variables; None means this process's.
        profile: the profile that code names, as in `boto3.Session(profile_name=...)`.

    Raises:
        ConfigError: `manifest` or `policy` cannot be read or is invalid.
    """
    environ = os.environ if environ is None else environ
    # Errors in the user's files are raised before the pod is checked.
    trust = None if policy is None else _policy(policy)
    resources = None if manifest is None else _resources(manifest)
    facts = gather_facts(environ, profile=profile)
    here = resources is None or _is_of(resources, facts)
    return Diagnosis(
        (
            *_of_pod(facts, wanted=here or online or trust is not None),
            *_of_manifest(resources, facts, here=here),
            *_of_policy(trust, facts),
            *_of_network(environ, profile, facts, online=online),
        )
    )


def offline_checks(facts: Facts) -> tuple[Check, ...]:
    """Return E01 to V02."""
    return tuple(check for group in _OFFLINE for check in group(facts))


def _of_pod(facts: Facts, *, wanted: bool) -> tuple[Check, ...]:
    """Return the offline checks, skipped on a machine that only checks a manifest."""
    checks = offline_checks(facts)
    if wanted:
        return checks
    ids = tuple(check.id for check in checks)
    return _skipped(
        ids, "Only the manifest is checked: this process does not run in one of its pods."
    )


def _is_of(resources: tuple[Resource, ...], facts: Facts) -> bool:
    """Return whether this is a pod of the manifest, by its service account."""
    mine = subject_of(facts.claims) or facts.account
    objects = Objects(resources)
    named = [(each.namespace, each.name) for each in objects.accounts]
    named += [(each.namespace, each.account or "default") for each in objects.workloads]
    return mine is not None and any(
        name == mine.name and namespace in {mine.namespace, None} for namespace, name in named
    )


def _resources(path: str | os.PathLike[str]) -> tuple[Resource, ...]:
    return parse_manifest(
        _read(path, "manifest", MANIFEST_LIMIT), f"The manifest {os.fspath(path)}"
    )


def _of_manifest(
    resources: tuple[Resource, ...] | None, facts: Facts, *, here: bool
) -> tuple[Check, ...]:
    if resources is None:
        return _skipped(_MANIFEST_IDS, "No manifest is given; use --manifest FILE.")
    role = facts.role.value if facts.role and here else None
    injected = facts.role or facts.token_origin or facts.container
    return manifest_checks(
        resources,
        role_arn=role,
        without_role=None if injected or not here else facts.account,
        aws=facts.uses_aws_sts,
    )


def _policy(path: str | os.PathLike[str]) -> str:
    """Return the text of a valid trust policy.

    Raises:
        ConfigError: it is invalid.
    """
    text = _read(path, "policy", _POLICY_LIMIT).decode("utf-8-sig", errors="replace")
    parse_policy(text)
    return text


def _of_policy(text: str | None, facts: Facts) -> tuple[Check, ...]:
    """Return the verdict of `explain` as P00, and its findings as checks."""
    if text is None:
        return _skipped(("P00",), "No trust policy is given; use --policy FILE.")
    config = facts.config
    if config is None or config.token_file is None or facts.claims is None:
        return (_not_evaluated("there is no token or no role"),)
    try:
        token = TokenFile(config.token_file).read().value
        return _as_checks(explain(text, token=token, role_arn=config.role_arn))
    # The file is gone meanwhile, or the token has no issuer.
    except TokenError as error:
        return (
            _not_evaluated(error.failure.message.rstrip(".") if error.failure else safe_str(error)),
        )


def _not_evaluated(why: str) -> Check:
    """Return a failed P00: a policy that was not evaluated must not look like a success."""
    return Check(
        "P00",
        "fail",
        f"The trust policy was not evaluated: {why}.",
        "irsa-creds explain --service-account NAMESPACE/NAME --issuer URL --policy trust.json",
    )


def _as_checks(explanation: Explanation) -> tuple[Check, ...]:
    verdict = Check(
        "P00",
        _VERDICTS[explanation.verdict],
        {
            "allow": "The trust policy allows this token.",
            "deny": f"The trust policy denies this token: {explanation.cause}.",
            "unknown": "Only AWS can decide whether the trust policy allows this token.",
        }[explanation.verdict],
        data={"verdict": explanation.verdict},
    )
    findings = tuple(
        Check(
            each.id,
            _SEVERITIES[each.severity],
            each.message,
            each.fix,
            {"statement": each.statement},
        )
        for each in explanation.findings
    )
    return (verdict, *findings)


def _of_network(
    environ: Mapping[str, str], profile: str | None, facts: Facts, *, online: bool
) -> tuple[Check, ...]:
    ids = (*_ONLINE_IDS, "A03") if facts.container else _ONLINE_IDS
    if not online:
        return _skipped(ids, "The network is not used; use --online.")
    from irsa_creds.diagnosis._network import container, gather, network_checks  # noqa: PLC0415

    used = facts.container is not None and not facts.token_origin
    a03 = (container.container_check(environ, profile, used=used),) if facts.container else ()
    if used:
        return *_skipped(_ONLINE_IDS, "IRSA is not configured, so STS is not needed."), *a03
    return *network_checks.online_checks(gather.gather_online(environ, profile=profile)), *a03


def _skipped(ids: tuple[str, ...], why: str) -> tuple[Check, ...]:
    return tuple(Check(each, "skipped", why) for each in ids)


def _read(path: str | os.PathLike[str], what: str, limit: int) -> bytes:
    """Return the content of a file that the user names, up to `limit` bytes."""
    name = os.fspath(path)
    named = f"The {what} {quoted(name) if len(name) < _SHORTEST_SECRET else quoted_path(name)}"
    try:
        with Path(path).open("rb") as file:
            content = file.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        if isinstance(error, IsADirectoryError) and what == "manifest":
            reason = f"{reason}; use the output of `kubectl kustomize` or `helm template`"
        raise ConfigError(f"{named} cannot be read: {reason}.") from None
    if len(content) > limit:
        raise ConfigError(f"{named} has more than {limit:,} bytes.")
    return content
