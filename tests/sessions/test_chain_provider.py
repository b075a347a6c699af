"""The chain provider for boto3 and botocore."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import InvalidConfigError
from botocore.session import Session

import irsa_creds
from fake_network import KEYS, WEB_IDENTITY, FakeNetwork, set_irsa_environ
from irsa_creds.botocore import IrsaCredentials, IrsaProvider

if TYPE_CHECKING:
    from pathlib import Path


def load(session: Session, **arguments: Any) -> IrsaCredentials | None:
    given = {"disable_env_vars": False, **arguments}
    return IrsaProvider(session, "default", **given).load()


def test_load_makes_no_call_and_the_first_read_fetches(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_irsa_environ(monkeypatch, tmp_path)
    network = FakeNetwork.install(monkeypatch)
    found = load(Session())
    assert found is not None
    assert network.sent == []
    assert found.get_frozen_credentials().access_key == KEYS[WEB_IDENTITY]
    assert network.actions == [WEB_IDENTITY]


def test_sessions_of_one_identity_share_one_provider(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_irsa_environ(monkeypatch, tmp_path)
    one, two = load(Session()), load(Session())
    assert one is not None
    assert two is not None
    assert one.provider is two.provider is irsa_creds.provider()


def test_the_provider_of_an_explicit_profile_pickles_with_that_profile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token = set_irsa_environ(monkeypatch, tmp_path)
    config = tmp_path / "config"
    role = "arn:aws:iam::123456789012:role/of-the-profile"
    config.write_text(f"[profile x]\nrole_arn = {role}\nweb_identity_token_file = {token}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))

    found = IrsaProvider(Session(profile="x"), "x", disable_env_vars=True).load()

    assert found is not None
    assert pickle.loads(pickle.dumps(found.provider)).role_arn == role


def test_without_a_token_file_the_chain_continues() -> None:
    assert load(Session()) is None


def test_with_strict_a_missing_token_file_is_an_error() -> None:
    with pytest.raises(InvalidConfigError, match="AWS_WEB_IDENTITY_TOKEN_FILE") as caught:
        load(Session(), strict=True)
    assert isinstance(caught.value, irsa_creds.ConfigError)
    assert caught.value.__context__ is None


def test_a_token_file_without_a_role_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_irsa_environ(monkeypatch, tmp_path)
    monkeypatch.delenv("AWS_ROLE_ARN")
    with pytest.raises(InvalidConfigError, match="AWS_ROLE_ARN"):
        load(Session())
