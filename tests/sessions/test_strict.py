"""With strict=True irsa-creds comes first in the chain, and no other identity is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.credentials import CredentialResolver, EnvProvider
from botocore.exceptions import InvalidConfigError
from botocore.session import Session

import irsa_creds
from botocore_sessions import (
    SECOND,
    give_node_role,
    is_ours,
    pod,
    warnings,
    write_profiles,
    write_target_profile,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fake_network import FakeNetwork


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeNetwork:
    return pod(monkeypatch, tmp_path)


def make_strict_everywhere() -> Any:
    irsa_creds.install(strict=True)
    return Session()


def make_strict_boto3() -> Any:
    irsa_creds.install(strict=True)
    return boto3.Session()


def make_strict_one() -> Any:
    session = Session()
    irsa_creds.install(session, strict=True)
    return session


def make_strict_with_a_chain() -> Any:
    session = Session()
    session.get_component("credential_provider")
    irsa_creds.install(session, strict=True)
    return session


def make_strict_default() -> Any:
    boto3.setup_default_session()
    irsa_creds.install(strict=True)
    return boto3.DEFAULT_SESSION


def make_strict_earlier() -> Any:
    session = Session()
    irsa_creds.install(strict=True)
    return session


def make_strict_boto3_earlier() -> Any:
    session = boto3.Session()
    irsa_creds.install(strict=True)
    return session


def make_strict_with_a_chain_of_another_class() -> Any:
    session = Session()
    session.register_component("credential_provider", object())
    irsa_creds.install(session, strict=True)
    return session


def make_strict_with_a_chain_while_all_sessions_are() -> Any:
    session = Session()
    session.get_component("credential_provider")
    irsa_creds.install(strict=True)
    irsa_creds.install(session)
    return session


def make_strict_with_a_chain_made_before_strict() -> Any:
    irsa_creds.install()
    session = Session()
    session.get_component("credential_provider")
    irsa_creds.install(strict=True)
    return session


STRICT = [
    make_strict_with_a_chain_made_before_strict,
    make_strict_boto3_earlier,
    make_strict_earlier,
    make_strict_with_a_chain_of_another_class,
    make_strict_with_a_chain_while_all_sessions_are,
    make_strict_everywhere,
    make_strict_boto3,
    make_strict_one,
    make_strict_with_a_chain,
    make_strict_default,
]


@pytest.mark.parametrize("make", STRICT)
def test_strict_takes_precedence_over_static_keys(
    make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert is_ours(make())


@pytest.mark.parametrize("make", STRICT)
def test_with_strict_missing_irsa_settings_are_an_error(
    make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_WEB_IDENTITY_TOKEN_FILE")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with pytest.raises(InvalidConfigError, match="IRSA is not configured"):
        make().get_credentials()


@pytest.mark.parametrize("make", STRICT)
def test_uninstall_ends_strict(make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_WEB_IDENTITY_TOKEN_FILE")
    session = make()
    irsa_creds.uninstall()
    assert session.get_credentials() is None
    assert Session().get_credentials() is None


@pytest.mark.parametrize("default", [True, False])
def test_strict_replaces_other_credentials_with_one_warning(
    *, default: bool, caplog: pytest.LogCaptureFixture
) -> None:
    boto3.setup_default_session()
    session = boto3.DEFAULT_SESSION
    give_node_role(session)
    for _ in range(2):
        irsa_creds.install(None if default else session, strict=True)
        assert is_ours(session)
    (warning,) = warnings(caplog)
    name = "boto3's default session" if default else "The session given to"
    assert warning.startswith(name)
    assert "(iam-role)" in warning


def test_a_target_role_of_irsa_creds_stays_with_strict(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_target_profile(monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_PROFILE", "target")
    irsa_creds.install()
    session = Session()
    current = session.get_credentials()
    irsa_creds.install(session, strict=True)
    assert session.get_credentials() is current
    assert current.provider.role_arn == SECOND
    assert warnings(caplog) == []


def test_a_target_role_with_an_mfa_device_is_replaced_with_strict(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_target_profile(monkeypatch, tmp_path, mfa_serial="arn:aws:iam::123456789012:mfa/user")
    monkeypatch.setenv("AWS_PROFILE", "target")
    irsa_creds.install()
    session = Session()
    assert session.get_credentials().method == "assume-role"
    irsa_creds.install(session, strict=True)
    assert is_ours(session)
    assert len(warnings(caplog)) == 1


def test_a_strict_session_has_the_target_role_of_its_profile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_target_profile(monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_PROFILE", "target")
    irsa_creds.install(strict=True)
    assert Session().get_credentials().provider.role_arn == SECOND


def test_explicit_keys_stay_with_strict(caplog: pytest.LogCaptureFixture) -> None:
    boto3.setup_default_session(aws_access_key_id="AKID", aws_secret_access_key="secret")
    irsa_creds.install(strict=True)
    assert boto3.DEFAULT_SESSION.get_credentials().access_key == "AKID"
    assert warnings(caplog) == []


def test_strict_for_one_session_affects_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    irsa_creds.install()
    session = Session()
    irsa_creds.install(session, strict=True)
    irsa_creds.install(session)
    assert is_ours(session)
    assert Session().get_credentials().method == "env"


def test_strict_uses_the_profile_that_boto3_sets_after_it_created_the_session(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    role = "arn:aws:iam::123456789012:role/of-the-profile"
    write_profiles(
        monkeypatch,
        tmp_path,
        f"[profile x]\nrole_arn = {role}\nweb_identity_token_file = {tmp_path / 'token'}\n",
    )
    irsa_creds.install(strict=True)
    assert boto3.Session(profile_name="x").get_credentials().provider.role_arn == role


def test_uninstall_restores_a_strict_session_completely(
    network: FakeNetwork, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_profiles(
        monkeypatch,
        tmp_path,
        "[profile target]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = app\n"
        "[profile app]\naws_access_key_id = AKID\naws_secret_access_key = secret\n",
    )
    monkeypatch.setenv("AWS_PROFILE", "target")
    session = make_strict_everywhere()
    irsa_creds.uninstall()
    session.create_client("sts", region_name="us-west-2")
    session.get_credentials().get_frozen_credentials()
    assert network.sent[-1].url == "https://sts.us-west-2.amazonaws.com/"


def test_a_strict_chain_finds_other_providers_by_name() -> None:
    chain = make_strict_one().get_component("credential_provider")
    assert isinstance(chain, CredentialResolver)
    assert chain.get_provider("assume-role").METHOD == "assume-role"


def test_strict_takes_precedence_again_over_a_provider_that_was_put_first_since() -> None:
    session = Session()
    irsa_creds.install(session, strict=True)
    chain = session.get_component("credential_provider")
    chain.providers.insert(0, EnvProvider({"AWS_ACCESS_KEY_ID": "X", "AWS_SECRET_ACCESS_KEY": "Y"}))
    irsa_creds.install(session, strict=True)
    assert type(session.get_credentials()).__name__ == "IrsaCredentials"


def test_strict_does_not_change_the_chain_of_an_unknown_async_session() -> None:
    class Asynchronous(Session):  # type: ignore[misc]
        async def get_credentials(self) -> None:
            """Do nothing."""

    irsa_creds.install()
    session = Asynchronous()
    chain = session.get_component("credential_provider")
    before = list(chain.providers)
    irsa_creds.install(strict=True)
    assert chain.providers == before


def test_a_variable_makes_install_strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRSA_CREDS_STRICT", "1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    irsa_creds.install()
    assert is_ours(Session())
    irsa_creds.uninstall()
    monkeypatch.setenv("IRSA_CREDS_STRICT", "0")
    irsa_creds.install()
    assert Session().get_credentials().method == "env"
