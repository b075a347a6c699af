"""Which way through the profiles is ours to go, and which is botocore's."""

from __future__ import annotations

from typing import Any

import pytest

from irsa_creds._identity.profile import find_profile_chain
from irsa_creds._identity.roles import RoleConfig

BASE = {"role_arn": "arn:first", "web_identity_token_file": "/token"}
HOP = {"role_arn": "arn:second", "source_profile": "app"}
STATIC = {"aws_access_key_id": "AKID", "aws_secret_access_key": "secret"}


def roles(profiles: dict[str, Any], name: str = "hop") -> list[RoleConfig] | None:
    found = find_profile_chain({"app": BASE, "hop": HOP, **profiles}, name)
    if found is None:
        return None
    assert found.base == "app"
    return [each.role for each in found.roles]


def test_a_source_profile_with_a_web_identity_is_ours() -> None:
    assert roles({}) == [RoleConfig("arn:second")]


def test_roles_come_in_the_order_in_which_they_are_assumed() -> None:
    top = {"role_arn": "arn:third", "source_profile": "hop"}
    assert roles({"top": top}, "top") == [RoleConfig("arn:second"), RoleConfig("arn:third")]


def test_what_botocore_reads_of_a_profile_is_read() -> None:
    keys = {"role_session_name": "me", "external_id": "id-1", "duration_seconds": " 900 "}
    wanted = RoleConfig("arn:second", session_name="me", external_id="id-1", duration_seconds=900)
    assert roles({"hop": {**HOP, **keys, "region": "eu-west-1"}}) == [wanted]


@pytest.mark.parametrize("text", ["an hour", "", "1.5", {"nested": "1"}])
def test_a_duration_that_is_none_counts_for_nothing(text: Any) -> None:
    assert roles({"hop": {**HOP, "duration_seconds": text}}) == [RoleConfig("arn:second")]


def test_an_empty_session_name_is_none_given() -> None:
    assert roles({"hop": {**HOP, "role_session_name": ""}}) == [RoleConfig("arn:second")]


def test_values_are_named_with_their_profile() -> None:
    found = find_profile_chain({"app": BASE, "hop": HOP}, "hop")
    assert found is not None
    assert found.roles[0].source("role_arn") == "role_arn of the profile 'hop'"


@pytest.mark.parametrize(
    "profiles",
    [
        {"app": {**BASE, **STATIC}},
        {"hop": {**HOP, **STATIC}},
        {"app": {**BASE, "mfa_serial": "x", "source_profile": "hop"}},
    ],
    ids=["static keys beside the token", "static keys beside the role", "more beside the token"],
)
def test_what_botocore_would_not_look_at_changes_nothing(profiles: dict[str, Any]) -> None:
    assert roles(profiles) == [RoleConfig("arn:second")]


@pytest.mark.parametrize(
    ("profiles", "name"),
    [
        ({}, "app"),
        ({}, "missing"),
        ({"hop": {**HOP, "mfa_serial": "x"}}, "hop"),
        ({"hop": {**HOP, "mfa_serial": ""}}, "hop"),
        ({"hop": {**HOP, "credential_source": "Environment"}}, "hop"),
        ({"hop": {"role_arn": "arn:second"}}, "hop"),
        ({"hop": {"source_profile": "app"}}, "hop"),
        ({"hop": {**HOP, "source_profile": "missing"}}, "hop"),
        ({"hop": {**HOP, "source_profile": "hop"}}, "hop"),
        ({"app": {**HOP, "source_profile": "hop"}}, "hop"),
        ({"app": STATIC}, "hop"),
        ({"app": "no section"}, "hop"),
        ({"app": {**BASE, "role_arn": ""}}, "hop"),
        ({"app": {**BASE, "web_identity_token_file": ""}}, "hop"),
        ({"app": {"web_identity_token_file": "/token"}}, "hop"),
        ({"top": {"role_arn": "x", "source_profile": "two"}, "two": {**HOP, **STATIC}}, "top"),
    ],
)
def test_all_else_is_botocores(profiles: dict[str, Any], name: str) -> None:
    assert roles(profiles, name) is None
