"""uninstall() undoes install(); IRSA_CREDS_DISABLE=1 disables install()."""

from __future__ import annotations

import gc
import logging
import weakref
from typing import TYPE_CHECKING

import boto3
import botocore
import botocore.credentials
import pytest
from botocore.session import Session

import irsa_creds
import irsa_creds.botocore
from botocore_sessions import attributes, is_ours, pod, warnings, write_target_profile
from irsa_creds.botocore import IrsaCredentials

if TYPE_CHECKING:
    from pathlib import Path

    from fake_network import FakeNetwork


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeNetwork:
    return pod(monkeypatch, tmp_path)


def test_uninstall_restores_every_attribute() -> None:
    # Another library's initializer stays.
    botocore.register_initializer(print_nothing)
    try:
        before = attributes()
        irsa_creds.install()
        for _ in range(2):
            irsa_creds.install(strict=True)
        irsa_creds.install(boto3.Session())
        assert attributes() != before
        irsa_creds.uninstall()
        assert attributes() == before
    finally:
        botocore.unregister_initializer(print_nothing)


def print_nothing(session: Session) -> None:
    """Do nothing, as an initializer."""


def test_uninstall_restores_the_chains_of_sessions() -> None:
    one, two = Session(), boto3.Session()
    chain = one.get_component("credential_provider")
    before = list(chain.providers)
    irsa_creds.install(one, strict=True)
    irsa_creds.install(two)
    assert is_ours(one)
    assert is_ours(two)

    irsa_creds.uninstall()

    assert chain.providers == before
    assert not is_ours(one)
    assert not is_ours(two)
    assert not is_ours(Session())


def test_uninstall_restores_the_chain_of_the_default_session() -> None:
    irsa_creds.install()
    boto3.setup_default_session()
    assert is_ours(boto3.DEFAULT_SESSION)
    irsa_creds.uninstall()
    assert not is_ours(boto3.DEFAULT_SESSION)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("look", [True, False])
def test_uninstall_restores_the_chains_of_sessions_created_while_installed(
    *, look: bool, strict: bool
) -> None:
    irsa_creds.install(strict=strict)
    session = boto3.Session()
    if look:
        session.client("s3")
    else:
        session._session.get_component("credential_provider")
    irsa_creds.uninstall()
    client = session.client("s3")
    assert not is_ours(session)
    assert not isinstance(client._request_signer._credentials, IrsaCredentials)


def test_uninstall_restores_the_source_of_a_target_role(
    network: FakeNetwork, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_target_profile(monkeypatch, tmp_path)
    irsa_creds.install()
    session = Session(profile="target")
    session.get_credentials()
    irsa_creds.uninstall()
    session.get_credentials().get_frozen_credentials()
    assert [each.user_agent[:4] for each in network.sent] == ["Boto", "Boto"]


def test_botocores_own_provider_for_source_profiles_is_never_changed() -> None:
    session = Session()
    provider = session.get_component("credential_provider").get_provider("assume-role")
    before = dict(vars(provider))
    irsa_creds.install(session)
    assert session.get_component("credential_provider").get_provider("assume-role") is provider
    assert vars(provider) == before
    irsa_creds.uninstall()
    assert session.get_component("credential_provider").get_provider("assume-role") is provider
    assert vars(provider) == before


def test_install_keeps_no_session_alive() -> None:
    irsa_creds.install()
    session = Session()
    session.get_credentials()
    gone = weakref.ref(session)
    del session
    gc.collect()
    assert gone() is None


def test_clients_keep_their_credentials_after_uninstall(network: FakeNetwork) -> None:
    irsa_creds.install()
    client = boto3.client("s3")
    irsa_creds.uninstall()
    client.list_buckets()
    assert network.sent[0].user_agent.startswith("irsa-creds/")


def test_uninstall_without_install_does_nothing() -> None:
    before = attributes()
    irsa_creds.uninstall()
    assert attributes() == before


def test_install_works_again_after_uninstall() -> None:
    irsa_creds.install()
    irsa_creds.uninstall()
    irsa_creds.install()
    assert is_ours(Session())


def test_irsa_creds_disable_keeps_botocores_provider(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("IRSA_CREDS_DISABLE", "1")
    before = attributes()
    with caplog.at_level(logging.INFO, "irsa_creds"):
        irsa_creds.install(strict=True)
    assert attributes() == before
    assert not is_ours(irsa_creds.boto3_session())
    assert "IRSA_CREDS_DISABLE=1" in warnings(caplog)[0]


def test_irsa_creds_disable_affects_new_sessions_after_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    irsa_creds.install(strict=True)
    monkeypatch.setenv("IRSA_CREDS_DISABLE", "1")
    assert not is_ours(Session())
