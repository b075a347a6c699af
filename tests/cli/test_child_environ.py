"""The variables of a child's environment."""

from __future__ import annotations

import os

import pytest

from irsa_creds.cli._child_environ import (
    REMOVED,
    child_environ,
    defaults,
    with_defaults,
    without_proxy,
)

KEPT = {
    "AWS_REGION": "x",
    "AWS_CONFIG_FILE": "x",
    "AWS_ENDPOINT_URL": "x",
    "PATH": "x",
    "IRSA_CREDS_CACHE_DIR": "x",
}
NO_PROXY = ("NO_PROXY", "no_proxy")
METADATA = "AWS_EC2_METADATA_DISABLED"


def test_variables_of_other_credentials_are_removed() -> None:
    named = {
        "AMAZON_ACCESS_KEY_ID",
        "AMAZON_SECRET_ACCESS_KEY",
        "AMAZON_SESSION_TOKEN",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_BEARER_TOKEN_BEDROCK",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_ROLE_ARN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_ROLE_SESSION_NAME",
        "AWS_CREDENTIAL_FILE",
        "AWS_CREDENTIAL_PROFILES_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    }
    assert named <= set(REMOVED)
    assert child_environ({**KEPT, **dict.fromkeys(REMOVED, "x")}) == KEPT


def test_files_can_be_hidden() -> None:
    names = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "BOTO_CONFIG")
    assert child_environ(KEPT, files=False) == {**KEPT, **dict.fromkeys(names, os.devnull)}


@pytest.mark.parametrize(
    ("own", "region", "given"),
    [
        ({}, "eu-west-1", ("eu-west-1", "eu-west-1")),
        ({"AWS_REGION": "a"}, "eu-west-1", ("a", "a")),
        ({"AWS_DEFAULT_REGION": "b"}, "eu-west-1", ("b", "b")),
        ({"AWS_REGION": "a", "AWS_DEFAULT_REGION": "b"}, "eu-west-1", ("a", "b")),
        ({"AWS_REGION": ""}, "eu-west-1", ("eu-west-1", "eu-west-1")),
        ({}, None, (None, None)),
        ({}, "aws-global", (None, None)),
    ],
    ids=str,
)
def test_the_region_is_the_pods_if_the_environment_has_none(
    own: dict[str, str], region: str | None, given: tuple[str | None, str | None]
) -> None:
    child = with_defaults(own, region)
    assert (child.get("AWS_REGION"), child.get("AWS_DEFAULT_REGION")) == given


@pytest.mark.parametrize(
    ("own", "given"), [({}, "true"), ({METADATA: ""}, "true"), ({METADATA: "false"}, "false")]
)
def test_the_nodes_role_is_disabled_by_default(own: dict[str, str], given: str) -> None:
    assert with_defaults(own, None)[METADATA] == given
    assert defaults(None) == {METADATA: "true"}


@pytest.mark.parametrize(
    ("own", "given"),
    [
        ({}, ("127.0.0.1", "127.0.0.1")),
        ({"NO_PROXY": "", "no_proxy": ""}, ("127.0.0.1", "127.0.0.1")),
        ({"NO_PROXY": "a,b"}, ("a,b,127.0.0.1", "a,b,127.0.0.1")),
        ({"no_proxy": "a"}, ("a,127.0.0.1", "a,127.0.0.1")),
        ({"NO_PROXY": "a", "no_proxy": "b"}, ("a,127.0.0.1", "b,127.0.0.1")),
        ({"NO_PROXY": "a, 127.0.0.1"}, ("a, 127.0.0.1", "a, 127.0.0.1")),
        ({"NO_PROXY": "*"}, ("*", "*")),
    ],
    ids=str,
)
def test_the_endpoint_is_reached_without_a_proxy_and_other_exceptions_stay(
    own: dict[str, str], given: tuple[str, str]
) -> None:
    assert without_proxy(own, "127.0.0.1") == dict(zip(NO_PROXY, given, strict=True))
