"""What the checks say of the chain, against the chain of the installed botocore itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError
from botocore.session import Session

from diagnosis.sample_pod import ROLE, SECRET, Lab
from irsa_creds._identity import profile_sources
from irsa_creds.diagnosis._checks import Diagnosis
from irsa_creds.diagnosis._doctor.provider_chain import chain_checks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from irsa_creds.diagnosis._doctor.pod_facts import Facts

NO_IRSA = {"AWS_ROLE_ARN": None, "AWS_WEB_IDENTITY_TOKEN_FILE": None}
KEYS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": SECRET}
STATIC = f"aws_access_key_id = AKIA\naws_secret_access_key = {SECRET}\n"
HOP = "[profile dev]\nrole_arn = arn:aws:iam::123456789012:role/dev\nsource_profile = keys\n"
HOPS = f"{HOP}[profile keys]\n{STATIC}"
PROCESS = "credential_process = /bin/sh -c 'touch {root}/ran; echo nothing'\n"
DEV = {"AWS_PROFILE": "dev"}
WEB_IDENTITY = f"role_arn = {ROLE}\nweb_identity_token_file = {{token_file}}\n"

# What is changed of a sound pod, the winner that C01 names, and the method that botocore names.
WINNERS: dict[str, tuple[dict[str, Any], str, str]] = {
    "nothing else": ({}, "web-identity", "assume-role-with-web-identity"),
    "keys": ({"environ": KEYS}, "env", "env"),
    "half of the keys": ({"environ": {"AWS_ACCESS_KEY_ID": "A"}}, "env", "error"),
    "the other half": (
        {"environ": {"AWS_SECRET_ACCESS_KEY": SECRET}},
        "web-identity",
        "assume-role-with-web-identity",
    ),
    "empty keys": (
        {"environ": {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}},
        "web-identity",
        "assume-role-with-web-identity",
    ),
    "a role by source_profile": (
        {"environ": DEV, "config": HOPS},
        "assume-role",
        "assume-role",
    ),
    "keys before a role by source_profile": (
        {"environ": {**DEV, **KEYS}, "config": HOPS},
        "env",
        "env",
    ),
    "a role without a source": (
        {"environ": DEV, "config": f"[profile dev]\nrole_arn = {ROLE}\n"},
        "broken-profile",
        "error",
    ),
    "a role with two sources": (
        {"environ": DEV, "config": f"{HOP}credential_source = Environment\n"},
        "broken-profile",
        "error",
    ),
    "a profile that is nowhere": ({"environ": DEV}, "broken-profile", "error"),
    "a profile with keys": (
        {"environ": DEV, "config": f"[profile dev]\n{STATIC}"},
        "web-identity",
        "assume-role-with-web-identity",
    ),
    "the older variable for the profile comes first": (
        {
            "environ": {"AWS_PROFILE": "keys", "AWS_DEFAULT_PROFILE": "dev"},
            "config": HOPS,
        },
        "assume-role",
        "assume-role",
    ),
    "Session(profile_name=) with keys": (
        {"profile": "dev", "config": f"[profile dev]\n{STATIC}"},
        "explicit-profile",
        "shared-credentials-file config-file",
    ),
    "Session(profile_name=) and keys in the environment": (
        {"profile": "dev", "config": f"[profile dev]\n{STATIC}", "environ": KEYS},
        "explicit-profile",
        "shared-credentials-file config-file",
    ),
    "Session(profile_name=) with nothing": (
        {"profile": "dev", "config": "[profile dev]\nregion = eu-central-1\n"},
        "explicit-profile",
        "none",
    ),
    "Session(profile_name=) with a web identity": (
        {"profile": "dev", "config": f"[profile dev]\n{WEB_IDENTITY}"},
        "web-identity",
        "assume-role-with-web-identity",
    ),
}


@pytest.fixture
def enter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Facts]:
    """Return a function that makes this process that pod, and gives its facts."""

    def environ(lab: Lab, file: Path) -> dict[str, str]:
        found = original(lab, file)
        for name, value in found.items():
            monkeypatch.setenv(name, value)
        return found

    original = Lab._environ
    monkeypatch.setattr(Lab, "_environ", environ)
    monkeypatch.setenv("BOTO_CONFIG", os.devnull)

    def entered(config: str | None = None, **changes: Any) -> Facts:
        if config is not None:
            config = config.replace("{root}", str(tmp_path))
        return Lab(tmp_path, config=config, **changes).facts()

    return entered


def method(profile: str | None) -> str:
    """Return the method of the credentials that botocore's chain comes to."""
    try:
        found = Session(profile=profile).get_credentials()
    except (BotoCoreError, ValueError):
        return "error"
    return "none" if found is None else str(found.method)


@pytest.mark.parametrize(("changes", "first", "methods"), WINNERS.values(), ids=WINNERS)
def test_the_first_source_is_botocores(
    changes: Mapping[str, Any], first: str, methods: str, enter: Callable[..., Facts]
) -> None:
    facts = enter(**changes)
    check = Diagnosis(chain_checks(facts))["C01"]
    assert check.data["winner"] == first
    assert (check.status == "ok") == (first == "web-identity")
    assert method(changes.get("profile")) in methods.split()


RUNS: dict[str, tuple[dict[str, Any], bool]] = {
    "where nothing else is": ({"environ": NO_IRSA, "config": f"[default]\n{PROCESS}"}, True),
    "where the profile is named in code": (
        {"profile": "dev", "config": f"[profile dev]\n{PROCESS}"},
        True,
    ),
    "and there keys of the environment do not matter": (
        {"profile": "dev", "config": f"[profile dev]\n{PROCESS}", "environ": KEYS},
        True,
    ),
    "not behind the variables of IRSA": ({"config": f"[default]\n{PROCESS}"}, False),
    "not behind them in a profile that a variable names": (
        {"environ": DEV, "config": f"[profile dev]\n{PROCESS}"},
        False,
    ),
    "not behind a web identity of the same profile": (
        {"environ": NO_IRSA, "config": f"[default]\n{WEB_IDENTITY}{PROCESS}"},
        False,
    ),
    "not behind keys": (
        {"environ": {**NO_IRSA, **KEYS}, "config": f"[default]\n{PROCESS}"},
        False,
    ),
    "before keys of the same file": (
        {"environ": NO_IRSA, "config": f"[default]\n{STATIC}{PROCESS}"},
        True,
    ),
    "not behind keys in the credentials file": (
        {
            "environ": NO_IRSA,
            "config": f"[default]\n{PROCESS}",
            "credentials": f"[default]\n{STATIC}",
        },
        False,
    ),
    "not behind a role of the same profile": (
        {
            "environ": {**NO_IRSA, **DEV},
            "config": f"{HOPS}[default]\n".replace("source_profile", PROCESS + "source_profile"),
        },
        False,
    ),
}


@pytest.mark.parametrize(("changes", "runs"), RUNS.values(), ids=RUNS)
def test_whether_a_credential_process_runs_is_seen_by_running_it(
    changes: Mapping[str, Any],
    runs: bool,  # noqa: FBT001 - a column of the table
    enter: Callable[..., Facts],
    tmp_path: Path,
) -> None:
    check = Diagnosis(chain_checks(enter(**changes)))["C02"]
    assert check.status == ("ok" if runs else "warn")
    method(changes.get("profile"))
    assert (tmp_path / "ran").exists() == runs


# botocore's names of the sources of a profile; `shared` selects the file of a key.
METHODS = {
    ("role", None): "assume-role",
    ("web identity", None): "assume-role-with-web-identity",
    ("single sign-on", None): "sso",
    ("key", True): "shared-credentials-file",
    ("login", None): "login",
    ("credential_process", None): "custom-process",
    ("key", False): "config-file",
}


def test_the_sources_of_a_profile_are_in_the_order_of_botocores_chain() -> None:
    chain = [each.METHOD for each in Session().get_component("credential_provider").providers]
    own = [
        METHODS[each.what, each.shared]
        for each in (profile_sources.ASSUMED, profile_sources.WEB_IDENTITY, *profile_sources.LATER)
    ]
    assert [method for method in chain if method in METHODS.values()] == own


def test_the_command_of_a_credential_process_is_not_shown(enter: Callable[..., Facts]) -> None:
    facts = enter(config=f"[default]\ncredential_process = /bin/x --password {SECRET}\n")
    assert SECRET not in str(Diagnosis(chain_checks(facts)))
