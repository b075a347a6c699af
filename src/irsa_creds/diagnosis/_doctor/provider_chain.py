"""C01 and C02: what botocore's chain asks before the web identity, and what it never comes to.

The order is that of botocore 1.43.117, credentials.create_credential_resolver: environment, what a
profile has (`_sources`), with the web identity's variables in the midst of it, container, node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from irsa_creds._identity.validation import quoted
from irsa_creds.diagnosis._checks import Check
from irsa_creds.diagnosis._doctor.profile_sources import LATER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.diagnosis._doctor.pod_facts import Facts, ProfileFacts

__all__ = ["chain_checks"]

_PROCESS = "credential_process"
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_ON = frozenset({"1", "true", "yes", "on"})


class _Winner(NamedTuple):
    what: str
    message: str
    fix: str


def chain_checks(facts: Facts) -> tuple[Check, ...]:
    """Return C01 and C02."""
    return (_wins(facts), _never_runs(facts))


def _wins(facts: Facts) -> Check:
    winner = _keys(facts) or _broken(facts) or _assumed(facts) or _explicit(facts)
    if winner is not None:
        return Check("C01", "fail", winner.message, winner.fix, {"winner": winner.what})
    if facts.variables.get("IRSA_CREDS_DISABLE", "").strip().lower() in _ON:
        return Check(
            "C01",
            "warn",
            "IRSA_CREDS_DISABLE is on: botocore's own provider is used in place of this library's.",
            "unset IRSA_CREDS_DISABLE",
            {"winner": "irsa-creds-disable"},
        )
    if facts.profile.routed:
        return Check(
            "C01",
            "ok",
            f"The profile {facts.profile.name!r} assumes its role from a web identity.",
            data={"winner": "web-identity"},
        )
    if not facts.token_source:
        return Check("C01", "skipped", "There is no web identity to be passed over: see E01.")
    return Check(
        "C01",
        "ok",
        "Nothing comes before the web identity (only profile_name=, or keys, in code would).",
        data={"winner": "web-identity"},
    )


def _keys(facts: Facts) -> _Winner | None:
    """Return the environment's keys; a secret without a key id is passed over by botocore."""
    if facts.profile.explicit or "AWS_ACCESS_KEY_ID" not in facts.names:
        return None
    found = [name for name in _KEYS if name in facts.names]
    message = "AWS_ACCESS_KEY_ID is set: the environment's keys win over IRSA."
    if "AWS_SECRET_ACCESS_KEY" not in facts.names:
        message = (
            "AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY: botocore raises "
            "PartialCredentialsError before it comes to IRSA."
        )
    return _Winner("env", message, f"unset {' '.join(found)}")


def _broken(facts: Facts) -> _Winner | None:
    profile = facts.profile
    if not profile.error:
        return None
    return _Winner(
        "broken-profile",
        profile.error,
        f"unset {profile.source}" if profile.source.startswith("AWS_") else "cat ~/.aws/config",
    )


def _assumed(facts: Facts) -> _Winner | None:
    """Return the profile whose role botocore assumes before it looks at the variables."""
    profile = facts.profile
    keys = profile.keys
    # botocore.credentials.AssumeRoleProvider: a profile with a token's file is not its own.
    if "role_arn" not in keys or "web_identity_token_file" in keys or profile.routed:
        return None
    fix = f"unset {profile.source}" if profile.source.startswith("AWS_") else _without(profile.name)
    role, named = quoted(keys["role_arn"]), _named(facts)
    sources = [name for name in ("source_profile", "credential_source") if name in keys]
    if len(sources) != 1:
        has = "both source_profile and credential_source" if sources else "no source_profile"
        return _Winner(
            "broken-profile",
            f"{named} names the role {role} and {has}: botocore raises an error before it comes to "
            "IRSA.",
            fix,
        )
    source = quoted(keys[sources[0]])
    return _Winner(
        "assume-role",
        f"{named} assumes the role {role} by {sources[0]} {source}, which wins over IRSA.",
        fix,
    )


def _explicit(facts: Facts) -> _Winner | None:
    """Return the profile that code names, where it leads past a web identity."""
    profile = facts.profile
    if not profile.explicit or facts.token_source:
        return None
    return _Winner(
        "explicit-profile",
        f"Session(profile_name={profile.name!r}) switches the web identity variables off: "
        f"{_what_else(profile)} wins.",
        "session = boto3.Session()  # without profile_name",
    )


def _what_else(profile: ProfileFacts) -> str:
    return next((f"its {what}" for what in _sources(profile)), "the node's role")


def _sources(profile: ProfileFacts) -> Iterator[str]:
    """Yield what a profile has of what comes after the web identity, in the chain's order."""
    for source in LATER:
        elsewhere = source.shared is True and not profile.shared
        if not elsewhere and any(key in profile.keys for key in source.keys):
            yield source.what


def _never_runs(facts: Facts) -> Check:
    profile = facts.profile
    if "credential_process" not in profile.keys:
        return Check("C02", "ok", "No credential_process that could be passed over.")
    before = _before_process(facts)
    if not before:
        return Check("C02", "ok", f"The credential_process of {_named(facts, small=True)} runs.")
    return Check(
        "C02",
        "warn",
        f"The credential_process of {_named(facts, small=True)} never runs: {before} before it in "
        "the chain.",
        f"# either remove it from the profile {profile.name!r},\n"
        "# or let it run, in processes that ask for that profile:\n"
        "unset AWS_WEB_IDENTITY_TOKEN_FILE AWS_ROLE_ARN AWS_ACCESS_KEY_ID",
        {"profile": profile.name},
    )


def _before_process(facts: Facts) -> str:
    """Return what comes first, with its verb; empty where nothing does."""
    keys = facts.profile.keys
    if not facts.profile.explicit and "AWS_ACCESS_KEY_ID" in facts.names:
        return "the environment's keys come"
    if "role_arn" in keys and "web_identity_token_file" not in keys:
        return "the profile's own role comes"
    if facts.token_source:
        return "the web identity comes"
    first = next(_sources(facts.profile))
    return "" if first == _PROCESS else f"the profile's own {first} comes"


def _named(facts: Facts, *, small: bool = False) -> str:
    the = "the" if small else "The"
    source = facts.profile.source
    by = f" ({source})" if source.startswith("AWS_") else ""
    return f"{the} profile {facts.profile.name!r}{by}"


def _without(name: str) -> str:
    return f"# ~/.aws/config: remove role_arn from the profile {name!r}"
