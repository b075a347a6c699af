"""C01 and C02: sources with precedence over the web identity, and processes that never run.

The order is that of botocore 1.43.117, credentials.create_credential_resolver: environment,
profile (`_first_source`) with the web identity among its sources, container, node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from irsa_creds._flags import is_on
from irsa_creds._identity.profile_sources import LATER
from irsa_creds._masking import quoted
from irsa_creds.diagnosis._checks import Check

if TYPE_CHECKING:
    from irsa_creds.diagnosis._doctor.pod_facts import Facts, ProfileFacts

__all__ = ["chain_checks"]

_PROCESS = "credential_process"
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def chain_checks(facts: Facts) -> tuple[Check, ...]:
    """Return C01 and C02."""
    return (_first_in_chain(facts), _unreachable_process(facts))


def _first_in_chain(facts: Facts) -> Check:
    before = _keys(facts) or _broken(facts) or _assumed(facts) or _explicit(facts)
    if before is not None:
        return before
    if is_on(facts.variables.get("IRSA_CREDS_DISABLE")):
        return Check(
            "C01",
            "warn",
            "IRSA_CREDS_DISABLE is set: botocore's own provider is used instead of irsa-creds.",
            "unset IRSA_CREDS_DISABLE",
            {"winner": "irsa-creds-disable"},
        )
    if facts.profile.routed:
        message = f"The profile {facts.profile.name!r} assumes its role with a web identity."
    elif not facts.token_origin:
        return _container(facts)
    elif facts.profile.explicit and facts.profile.own_process:
        message = (
            f"The profile {facts.profile.name!r} gets the web identity from irsa-creds process."
        )
    else:
        message = (
            "Nothing takes precedence over the web identity (except profile_name= or keys in code)."
        )
    return Check("C01", "ok", message, data={"winner": "web-identity"})


def _container(facts: Facts) -> Check:
    """Return C01 of a pod without a web identity: all of a profile's sources come first."""
    if facts.container is None:
        return Check("C01", "skipped", "There is no web identity: see E01.")
    service = facts.container.service
    source = _first_source(facts.profile)
    if source:
        return _takes_precedence(
            source,
            f"{_named(facts)} has a {source}, which takes precedence over {service}.",
            f"# ~/.aws/config: remove the {source} from the profile {facts.profile.name!r}",
        )
    return Check(
        "C01", "ok", f"Nothing takes precedence over {service}.", data={"winner": "container"}
    )


def _takes_precedence(source: str, message: str, fix: str) -> Check:
    """Return C01 of a source that is used instead of the web identity or the container."""
    return Check("C01", "fail", message, fix, {"winner": source})


def _keys(facts: Facts) -> Check | None:
    """Return C01 of keys in the environment; botocore ignores a secret without a key ID."""
    if facts.profile.explicit or "AWS_ACCESS_KEY_ID" not in facts.names:
        return None
    found = [name for name in _KEYS if name in facts.names]
    message = "AWS_ACCESS_KEY_ID is set: keys in the environment take precedence over IRSA."
    if "AWS_SECRET_ACCESS_KEY" not in facts.names:
        message = (
            "AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY: botocore raises "
            "PartialCredentialsError before it tries IRSA."
        )
    return _takes_precedence("env", message, f"unset {' '.join(found)}")


def _broken(facts: Facts) -> Check | None:
    profile = facts.profile
    if not profile.error:
        return None
    return _takes_precedence(
        "broken-profile",
        profile.error,
        f"unset {profile.origin}" if profile.origin.startswith("AWS_") else "cat ~/.aws/config",
    )


def _assumed(facts: Facts) -> Check | None:
    """Return C01 of a profile with a role that takes precedence over the variables."""
    profile = facts.profile
    keys = profile.keys
    # botocore.credentials.AssumeRoleProvider skips a profile with a token file.
    if "role_arn" not in keys or "web_identity_token_file" in keys or profile.routed:
        return None
    fix = f"unset {profile.origin}" if profile.origin.startswith("AWS_") else _without(profile.name)
    role, named = quoted(keys["role_arn"]), _named(facts)
    sources = [name for name in ("source_profile", "credential_source") if name in keys]
    if len(sources) != 1:
        has = "both source_profile and credential_source" if sources else "no source_profile"
        return _takes_precedence(
            "broken-profile",
            f"{named} has the role {role} and {has}: botocore raises an error before "
            "it tries IRSA.",
            fix,
        )
    source = quoted(keys[sources[0]])
    return _takes_precedence(
        "assume-role",
        f"{named} assumes the role {role} with {sources[0]} {source}, which takes precedence.",
        fix,
    )


def _explicit(facts: Facts) -> Check | None:
    """Return C01 of a profile that code names and that has no web identity."""
    profile = facts.profile
    if not profile.explicit or facts.token_origin or profile.own_process:
        return None
    source = _first_source(profile)
    used = f"its {source}" if source else "the node's role"
    return _takes_precedence(
        "explicit-profile",
        f"Session(profile_name={profile.name!r}) makes boto3 ignore the web identity variables and "
        f"use {used}.",
        "session = boto3.Session()  # without profile_name",
    )


def _first_source(profile: ProfileFacts) -> str:
    """Return the first source of a profile after the web identity; empty if it has none."""
    for source in LATER:
        elsewhere = source.shared is True and not profile.shared
        if not elsewhere and any(key in profile.keys for key in source.keys):
            return source.what
    return ""


def _unreachable_process(facts: Facts) -> Check:
    profile = facts.profile
    if "credential_process" not in profile.keys:
        return Check("C02", "ok", "No credential_process is configured.")
    before = _before_process(facts)
    if profile.own_process and facts.token_origin:
        return Check(
            "C02",
            "ok",
            f"The credential_process of {_named(facts, small=True)} is irsa-creds process: the "
            "web identity is used, whether the process runs or not.",
        )
    if not before:
        return Check("C02", "ok", f"The credential_process of {_named(facts, small=True)} runs.")
    return Check(
        "C02",
        "warn",
        f"The credential_process of {_named(facts, small=True)} never runs: {before} before it in "
        "the chain.",
        f"# either remove it from the profile {profile.name!r},\n"
        "# or let it run, in processes that use this profile:\n"
        "unset AWS_WEB_IDENTITY_TOKEN_FILE AWS_ROLE_ARN AWS_ACCESS_KEY_ID",
        {"profile": profile.name},
    )


def _before_process(facts: Facts) -> str:
    """Return the source before the process, with its verb; empty if there is none."""
    keys = facts.profile.keys
    if not facts.profile.explicit and "AWS_ACCESS_KEY_ID" in facts.names:
        return "keys in the environment come"
    if "role_arn" in keys and "web_identity_token_file" not in keys:
        return "the profile's own role comes"
    if facts.token_origin:
        return "the web identity comes"
    first = _first_source(facts.profile)
    return "" if first == _PROCESS else f"the profile's own {first} comes"


def _named(facts: Facts, *, small: bool = False) -> str:
    the = "the" if small else "The"
    source = facts.profile.origin
    by = f" ({source})" if source.startswith("AWS_") else ""
    return f"{the} profile {facts.profile.name!r}{by}"


def _without(name: str) -> str:
    return f"# ~/.aws/config: remove role_arn from the profile {name!r}"
