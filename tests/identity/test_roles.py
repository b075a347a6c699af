"""The roles of `provider(assume=)`: accepted values, and errors for values that STS would deny."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

import irsa_creds
from engine_fakes import ROLE
from irsa_creds import ConfigError, RoleConfig
from irsa_creds._identity.config import Config
from irsa_creds._identity.roles import ChainedRole
from irsa_creds._identity.settings import EnvironSettings

SECOND = "arn:aws:iam::210987654321:role/second"


NOTHING = EnvironSettings({"AWS_CONFIG_FILE": "", "AWS_SHARED_CREDENTIALS_FILE": ""})


def resolved(assume: Any, **arguments: Any) -> Config:
    config = Config.resolve(NOTHING, role_arn=ROLE, token_file="/token", assume=assume, **arguments)
    assert config is not None
    return config


def chained_role(**values: Any) -> ChainedRole:
    (made,) = resolved([RoleConfig(SECOND, **values)]).chained_roles
    return made


@pytest.fixture(autouse=True)
def _host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irsa_creds._identity.config._node_name", lambda: "pod-1")


# -- accepted values ------------------------------------------------------------------------------


def test_an_arn_alone_is_a_role_with_the_hosts_name() -> None:
    assert resolved([SECOND]).chained_roles == (ChainedRole(SECOND, "pod-1"),)
    assert resolved((RoleConfig(SECOND),)).chained_roles == (ChainedRole(SECOND, "pod-1"),)


def test_every_parameter_of_sts_can_be_given() -> None:
    made = chained_role(
        session_name="tenant-7",
        duration_seconds=3600,
        external_id="a/b:c",
        tags={"team": "ünï x", "cost": ""},
        transitive_tag_keys=["Team"],
        source_identity="alice@example.com",
        policy={"Version": "2012-10-17", "Statement": []},
        policy_arns=["arn:aws:iam::aws:policy/ReadOnlyAccess"],
    )
    assert made == ChainedRole(
        SECOND,
        "tenant-7",
        3600,
        "a/b:c",
        "alice@example.com",
        '{"Statement":[],"Version":"2012-10-17"}',
        ("arn:aws:iam::aws:policy/ReadOnlyAccess",),
        (("cost", ""), ("team", "ünï x")),
        ("Team",),
    )


def test_the_session_name_of_the_first_role_is_not_used_for_the_second() -> None:
    config = resolved([SECOND], session_name="first")
    assert (config.session_name, config.chained_roles[0].session_name) == ("first", "pod-1")


def test_chained_roles_are_part_of_the_identity_and_become_json() -> None:
    one, other = resolved([SECOND]), resolved([RoleConfig(SECOND, external_id="id-1")])
    assert len({one, other, resolved([]), resolved([SECOND])}) == 3
    (role,) = other.chained_roles
    assert json.loads(json.dumps(role)) == [*role[:6], [], [], []]


def test_the_provider_returns_the_credentials_of_the_last_role() -> None:
    third = "arn:aws:iam::210987654321:role/third"
    config = resolved([SECOND, RoleConfig(third, duration_seconds=900)], duration_seconds=43_200)
    assert config.name == third
    assert config.lifetime_ceiling == 900
    second = config.source
    assert second == resolved([SECOND], duration_seconds=43_200)
    assert second.lifetime_ceiling == 3600
    first = second.source
    assert first is not None
    assert first.name == ROLE
    assert first.lifetime_ceiling == 43_200
    assert first.source is None


def test_an_sts_other_than_aws_may_give_more_than_an_hour() -> None:
    role = RoleConfig("arn:aws:iam:::role/x", duration_seconds=86_400)
    config = resolved([role], endpoint_url="http://ceph.example:8000")
    assert config.lifetime_ceiling == 86_400


def test_none_and_an_empty_list_mean_no_role_chaining() -> None:
    assert resolved(None) == resolved([]) == resolved(())
    assert resolved(None).name == ROLE


def test_a_role_config_pickles_and_compares_and_hides_its_external_id() -> None:
    role = RoleConfig(SECOND, external_id="passphrase", tags={"a": "b"}, policy={"Version": "x"})
    assert pickle.loads(pickle.dumps(role)) == role
    assert hash(role) == hash(RoleConfig(SECOND, external_id="passphrase"))
    assert "passphrase" not in repr(role)
    assert "passphrase" not in repr(resolved([RoleConfig(SECOND, external_id="passphrase")]))
    assert irsa_creds.RoleConfig is RoleConfig


# -- invalid values --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"duration_seconds": 3601},
            "duration_seconds is 3601, but AWS limits role chaining to 3600 seconds",
        ),
        ({"duration_seconds": 899}, "STS accepts 900 to 43200 seconds"),
        ({"duration_seconds": "an hour"}, "whole number"),
        ({"session_name": "two words"}, "session_name is 'two words'"),
        ({"external_id": "x"}, r"external_id \(1 characters\)"),
        ({"external_id": "two words"}, r"external_id \(9 characters\)"),
        ({"external_id": 17}, r"external_id \(type int\)"),
        ({"source_identity": "aws:me"}, "source_identity is 'aws:me'"),
        ({"source_identity": "AWS:me"}, "source_identity is 'AWS:me'"),
        ({"source_identity": 7}, "source_identity is 7"),
        ({"policy": "{"}, "policy is '{'"),
        ({"policy_arns": ["x"]}, "policy_arns has 'x'"),
        ({"tags": [("a", "b")]}, "must be a dict"),
        ({"tags": {str(n): "" for n in range(51)}}, "has 51 session tags"),
        ({"tags": {"": "x"}}, "has a key that is '', but a key has 1 to 128"),
        ({"tags": {"k" * 129: "x"}}, "1 to 128"),
        ({"tags": {"a!": "x"}}, "has a key that is 'a!'"),
        ({"tags": {"a\tb": "x"}}, "1 to 128"),
        ({"tags": {7: "x"}}, "has a key that is 7"),
        ({"tags": {"AWS:x": "x"}}, "'AWS:x', but .* does not begin with 'aws:'"),
        ({"tags": {"a": "v" * 257}}, "at most 256"),
        ({"tags": {"a": 1}}, r"tags\['a'\] is 1"),
        ({"tags": {"a": "", "A": ""}}, "has 'A' twice"),
        ({"transitive_tag_keys": ["team"]}, "has 'team', which is not one of the session tags"),
        ({"transitive_tag_keys": [7]}, "has 7, which"),
        ({"transitive_tag_keys": "team"}, "must be a list"),
        ({"tags": {"a": ""}, "transitive_tag_keys": ["a", "A"]}, "has 'A' twice"),
    ],
)
def test_values_that_sts_would_deny_are_an_error_that_names_value_and_source(
    values: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        chained_role(**values)
    assert str(caught.value).startswith("The argument assume[0].")


def test_an_error_does_not_show_the_external_id() -> None:
    with pytest.raises(ConfigError) as caught:
        chained_role(external_id="a passphrase!")
    assert "passphrase" not in str(caught.value)


@pytest.mark.parametrize(
    ("assume", "words"),
    [
        (SECOND, "must be a list of role ARNs"),
        ({"role_arn": SECOND}, "must be a list of role ARNs"),
        (7, "must be a list of role ARNs"),
        ([None], r"assume\[0\]\.role_arn is None, but it is not text; give the role's ARN"),
        ([SECOND, "second"], r"assume\[1\]\.role_arn is 'second', but an ARN begins with"),
        ([RoleConfig(7)], r"assume\[0\]\.role_arn is 7"),  # type: ignore[arg-type]
    ],
)
def test_assume_must_be_a_list_of_roles(assume: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        resolved(assume)
