"""Which profiles are followed to a web identity, and which are left to botocore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from irsa_creds._identity.profile import find_profile_chain
from irsa_creds._identity.roles import RoleConfig
from irsa_creds._identity.settings import EnvironSettings, find_web_identity, follow_source_profiles

if TYPE_CHECKING:
    from pathlib import Path

BASE = {"role_arn": "arn:first", "web_identity_token_file": "/token"}
CHAINED = {"role_arn": "arn:second", "source_profile": "app"}
STATIC = {"aws_access_key_id": "AKID", "aws_secret_access_key": "secret"}


def roles(profiles: dict[str, Any], name: str = "target") -> list[RoleConfig] | None:
    found = find_profile_chain({"app": BASE, "target": CHAINED, **profiles}, name)
    if found is None:
        return None
    base, requested = found
    assert base == "app"
    return [each.role for each in requested]


def test_a_source_profile_with_a_web_identity_is_a_chain() -> None:
    assert roles({}) == [RoleConfig("arn:second")]


def test_roles_are_in_the_order_in_which_they_are_assumed() -> None:
    top = {"role_arn": "arn:third", "source_profile": "target"}
    assert roles({"top": top}, "top") == [RoleConfig("arn:second"), RoleConfig("arn:third")]


def test_what_botocore_reads_of_a_profile_is_read() -> None:
    keys = {"role_session_name": "me", "external_id": "id-1", "duration_seconds": " 900 "}
    wanted = RoleConfig("arn:second", session_name="me", external_id="id-1", duration_seconds=900)
    assert roles({"target": {**CHAINED, **keys, "region": "eu-west-1"}}) == [wanted]


@pytest.mark.parametrize("text", ["an hour", "", "1.5", {"nested": "1"}])
def test_an_invalid_duration_is_ignored(text: Any) -> None:
    assert roles({"target": {**CHAINED, "duration_seconds": text}}) == [RoleConfig("arn:second")]


def test_an_empty_session_name_is_ignored() -> None:
    assert roles({"target": {**CHAINED, "role_session_name": ""}}) == [RoleConfig("arn:second")]


def test_values_are_named_with_their_profile() -> None:
    found = find_profile_chain({"app": BASE, "target": CHAINED}, "target")
    assert found is not None
    assert found[1][0].origin("role_arn") == "role_arn of the profile 'target'"


@pytest.mark.parametrize(
    "profiles",
    [
        {"app": {**BASE, **STATIC}},
        {"target": {**CHAINED, **STATIC}},
        {"app": {**BASE, "mfa_serial": "x", "source_profile": "target"}},
    ],
    ids=["static keys beside the token", "static keys beside the role", "more beside the token"],
)
def test_keys_that_botocore_ignores_are_ignored(profiles: dict[str, Any]) -> None:
    assert roles(profiles) == [RoleConfig("arn:second")]


@pytest.mark.parametrize(
    ("profiles", "name"),
    [
        ({}, "app"),
        ({}, "missing"),
        ({"target": {**CHAINED, "mfa_serial": "x"}}, "target"),
        ({"target": {**CHAINED, "mfa_serial": ""}}, "target"),
        ({"target": {**CHAINED, "credential_source": "Environment"}}, "target"),
        ({"target": {"role_arn": "arn:second"}}, "target"),
        ({"target": {"source_profile": "app"}}, "target"),
        ({"target": {**CHAINED, "source_profile": {"nested": "app"}}}, "target"),
        ({"target": {**CHAINED, "source_profile": "missing"}}, "target"),
        ({"target": {**CHAINED, "source_profile": "target"}}, "target"),
        ({"app": {**CHAINED, "source_profile": "target"}}, "target"),
        ({"app": STATIC}, "target"),
        ({"app": "not a section"}, "target"),
        ({"app": {**BASE, "role_arn": ""}}, "target"),
        ({"app": {**BASE, "web_identity_token_file": ""}}, "target"),
        ({"app": {"web_identity_token_file": "/token"}}, "target"),
        ({"top": {"role_arn": "x", "source_profile": "two"}, "two": {**CHAINED, **STATIC}}, "top"),
    ],
)
def test_all_other_profiles_are_left_to_botocore(profiles: dict[str, Any], name: str) -> None:
    assert roles(profiles, name) is None


CONFIG = """
[profile app]
role_arn = arn:first
web_identity_token_file = /token
[profile target]
role_arn = arn:second
source_profile = app
region = eu-west-1
[profile keys]
role_arn = arn:second
source_profile = target
credential_source = Environment
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "config").write_text(CONFIG)
    return {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": "",
        "AWS_ROLE_ARN": "arn:variable",
    }


def test_settings_of_the_source_profile_name_its_web_identity_and_keep_the_rest(
    environ: dict[str, str],
) -> None:
    environ["AWS_PROFILE"] = "target"
    settings, roles = follow_source_profiles(EnvironSettings(environ))
    assert [each.role for each in roles] == [RoleConfig("arn:second")]
    assert find_web_identity(settings, "role_arn") == ("arn:first", "role_arn of the profile 'app'")
    assert settings.profile("region") == "eu-west-1"


@pytest.mark.parametrize("name", ["app", "keys"])
def test_settings_of_other_profiles_stay_as_they_are(name: str, environ: dict[str, str]) -> None:
    settings = EnvironSettings(environ, name)
    assert follow_source_profiles(settings) == (settings, ())
