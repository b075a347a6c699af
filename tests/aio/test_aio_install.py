"""install() and uninstall() for aiobotocore's sessions, in any order of imports."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import aiobotocore
import aiobotocore.credentials
import aiobotocore.session
import botocore
import botocore.credentials
import pytest
from aiobotocore.credentials import AioDeferredRefreshableCredentials
from aiobotocore.session import AioSession, get_session
from botocore.exceptions import InvalidConfigError
from botocore.session import Session

import irsa_creds
from aio.aio_program import AioProgram
from aio.loops import frozen, is_ours, on_asyncio, resolved
from botocore_sessions import (
    SECOND,
    attributes,
    pod,
    warnings,
    write_profiles,
    write_target_profile,
)
from fake_network import KEYS, WEB_IDENTITY, FakeNetwork
from fresh_interpreter import python
from irsa_creds._identity import not_configured
from irsa_creds._sessions import compat, install
from irsa_creds._sessions.chain_provider import ChainProviderMixin
from irsa_creds.aiobotocore import AioIrsaCredentials, AioIrsaProvider

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ASYNC_MODULES = (aiobotocore, aiobotocore.credentials, aiobotocore.session)


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeNetwork:
    return pod(monkeypatch, tmp_path)


# -- affected sessions -----------------------------------------------------------------------------


def test_without_install_sessions_have_aiobotocores_credentials() -> None:
    assert not is_ours(AioSession())


@pytest.mark.parametrize("make", [AioSession, get_session])
def test_install_affects_new_sessions(make: Callable[[], Any]) -> None:
    irsa_creds.install()
    assert is_ours(make())


def test_install_affects_a_session_that_has_not_looked_for_credentials() -> None:
    one, two = AioSession(), AioSession()
    chain = two.get_component("credential_provider")
    irsa_creds.install()
    assert is_ours(one)
    irsa_creds.install(two)
    assert is_ours(two)
    assert two.get_component("credential_provider") is chain


def test_install_of_one_session_affects_no_other() -> None:
    session = AioSession()
    irsa_creds.install(session)
    assert is_ours(session)
    assert not is_ours(AioSession())


def test_a_session_with_aiobotocores_credentials_looks_again_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    session = AioSession()
    assert not is_ours(session)
    for _ in range(2):
        irsa_creds.install(session)
    assert is_ours(session)
    assert ["had looked for credentials" in each for each in warnings(caplog)] == [True]


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    "imports",
    [
        "irsa_creds.install(strict=S); import aiobotocore.session",
        "import aiobotocore.session; irsa_creds.install(strict=S)",
        "import aiobotocore; irsa_creds.install(strict=S); import aiobotocore.session",
    ],
)
def test_the_order_of_imports_does_not_matter(imports: str, *, strict: bool) -> None:
    code = (
        f"import asyncio, irsa_creds; {imports.replace('S', str(strict))}; "
        "s = aiobotocore.session.AioSession(); found = asyncio.run(s.get_credentials()); "
        "first = s.get_component('credential_provider').providers[0]; "
        "print(type(found).__name__, type(first).__name__)"
    )
    first = "AioIrsaProvider" if strict else "AioEnvProvider"
    assert python(code) == f"AioIrsaCredentials {first}"


def test_boto3_programs_never_import_aiobotocore() -> None:
    code = (
        "import irsa_creds, sys, boto3; irsa_creds.install(strict=True); "
        "s = irsa_creds.boto3_session(); s.client('s3'); "
        "irsa_creds.provider().botocore_credentials(); "
        "print(sorted(n for n in sys.modules if 'aiobotocore' in n or n == 'asyncio'))"
    )
    assert python(code) == "[]"


def test_install_may_be_called_in_any_thread() -> None:
    thread = threading.Thread(target=irsa_creds.install)
    thread.start()
    thread.join(10)
    assert is_ours(AioSession())


def test_installing_twice_is_the_same_as_once() -> None:
    original = aiobotocore.session.create_credential_resolver
    session = AioSession()
    for _ in range(2):
        irsa_creds.install(strict=True)
        irsa_creds.install(session, strict=True)
    chain = session.get_component("credential_provider").providers
    assert [isinstance(each, ChainProviderMixin) for each in chain].count(True) == 4
    irsa_creds.uninstall()
    assert aiobotocore.session.create_credential_resolver is original


def test_strict_takes_precedence_and_raises_an_error_without_irsa(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    old, plain = AioSession(), AioSession()
    irsa_creds.install()
    assert frozen(plain).access_key == "AKID"
    irsa_creds.install(strict=True)
    assert is_ours(old)
    assert is_ours(AioSession())

    monkeypatch.delenv("AWS_WEB_IDENTITY_TOKEN_FILE")
    with pytest.raises(InvalidConfigError, match="IRSA is not configured"):
        resolved(AioSession())


def test_a_later_strict_install_affects_existing_sessions() -> None:
    irsa_creds.install()
    session = AioSession()
    assert is_ours(session)
    irsa_creds.install(strict=True)
    chain = session.get_component("credential_provider").providers
    assert isinstance(chain[0], AioIrsaProvider)


def test_source_role_and_target_role_both_come_from_irsa_creds(
    network: FakeNetwork, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_target_profile(monkeypatch, tmp_path)
    irsa_creds.install()
    credentials = resolved(AioSession(profile="target"))

    assert isinstance(credentials, AioIrsaCredentials)
    assert (credentials.method, credentials.provider.role_arn) == ("assume-role", SECOND)
    assert on_asyncio(credentials.get_frozen_credentials).access_key == KEYS["AssumeRole"]
    assert network.actions == [WEB_IDENTITY, "AssumeRole"]
    assert all(each.user_agent.startswith("irsa-creds/") for each in network.sent)


def test_a_target_role_with_an_mfa_device_stays_aiobotocores(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_target_profile(monkeypatch, tmp_path, mfa_serial="arn:aws:iam::123456789012:mfa/user")
    irsa_creds.install()
    assert type(resolved(AioSession(profile="target"))) is AioDeferredRefreshableCredentials


def test_uninstall_restores_the_provider_of_a_target_role(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_target_profile(monkeypatch, tmp_path)
    irsa_creds.install()
    session = AioSession(profile="target")
    assert isinstance(resolved(session), AioIrsaCredentials)
    irsa_creds.uninstall()
    credentials = resolved(session)
    assert credentials.method == "assume-role"
    assert not isinstance(credentials, AioIrsaCredentials)
    assert not isinstance(compat.source_credentials(credentials), AioIrsaCredentials)


def test_an_explicit_profile_switches_the_variables_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_profiles(monkeypatch, tmp_path, "[profile plain]\noutput = json\n")
    irsa_creds.install()
    assert resolved(AioSession(profile="plain")) is None


def test_many_sync_and_async_sessions_make_one_sts_call(network: FakeNetwork) -> None:
    irsa_creds.install()
    for _ in range(3):
        frozen(AioSession())
        Session().get_credentials().get_frozen_credentials()
    assert network.actions == [WEB_IDENTITY]


def test_user_agents_tell_the_source_of_credentials_and_the_application(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        async with AioSession().create_client("s3") as s3:
            await s3.list_buckets()

    monkeypatch.setenv("AWS_SDK_UA_APP_ID", "shop")
    network = AioProgram().tap(monkeypatch)
    irsa_creds.install()
    on_asyncio(main)
    sts, s3 = network.sent
    assert [set(each.features) for each in (sts, s3)] == [{"h"}, {"h", "k"}]
    assert (sts.app_id, s3.app_id) == ("shop", "shop")


def test_a_pod_without_irsa_has_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    not_configured._warn_once.cache_clear()
    for name in ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    irsa_creds.install()
    for _ in range(2):
        assert resolved(AioSession()) is None
    (warning,) = warnings(caplog)
    assert warning.startswith("IRSA is not configured in this pod")


# -- uninstall() -----------------------------------------------------------------------------------


def test_uninstall_restores_every_attribute() -> None:
    before = attributes(*ASYNC_MODULES)
    for _ in range(2):
        irsa_creds.install(strict=True)
    irsa_creds.install(AioSession())
    AioSession()
    assert attributes(*ASYNC_MODULES) != before
    irsa_creds.uninstall()
    assert attributes(*ASYNC_MODULES) == before


@pytest.mark.parametrize("strict", [True, False])
def test_uninstall_restores_the_chains_of_sessions(*, strict: bool) -> None:
    old = AioSession()
    chain = old.get_component("credential_provider")
    before = list(chain.providers)
    irsa_creds.install(old, strict=strict)
    irsa_creds.install(strict=strict)
    new = AioSession()
    assert is_ours(old)
    assert is_ours(new)

    irsa_creds.uninstall()

    assert chain.providers == before
    assert not is_ours(old)
    assert not is_ours(new)
    assert not is_ours(AioSession())


def test_a_second_uninstall_restores_a_session_that_was_resolving_during_the_first() -> None:
    irsa_creds.install()
    session = AioSession()
    ours = resolved(session)
    irsa_creds.uninstall()
    # Another thread may store them just after uninstall().
    session._credentials = ours
    irsa_creds.uninstall()
    assert not is_ours(session)


def test_another_initializer_stays_and_a_missing_one_raises_no_error() -> None:
    irsa_creds.install()
    botocore.unregister_initializer(install._INSTALLATION._on_new_session)
    botocore.register_initializer(id)
    try:
        irsa_creds.uninstall()
        AioSession()
    finally:
        botocore.unregister_initializer(id)


def test_install_keeps_no_session_alive() -> None:
    irsa_creds.install()
    session = AioSession()
    assert is_ours(session)
    gone = weakref.ref(session)
    del session
    gc.collect()
    assert gone() is None


def test_irsa_creds_disable_keeps_aiobotocores_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    irsa_creds.install(strict=True)
    monkeypatch.setenv("IRSA_CREDS_DISABLE", "1")
    assert not is_ours(AioSession())
    assert not is_ours(irsa_creds.aiobotocore_session())


# -- another aiobotocore ---------------------------------------------------------------------------


LACKING = {
    "aiobotocore.credentials.AioProfileProviderBuilder": (
        aiobotocore.credentials,
        "AioProfileProviderBuilder",
    ),
    "aiobotocore.session.AioSession": (aiobotocore.session, "AioSession"),
    "aiobotocore.session.create_credential_resolver": (
        aiobotocore.session,
        "create_credential_resolver",
    ),
    "aiobotocore.credentials.AioRefreshableCredentials": (
        aiobotocore.credentials,
        "AioRefreshableCredentials",
    ),
}


@pytest.mark.parametrize("name", LACKING)
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_aiobotocore_that_lacks_a_name_keeps_its_own_provider_with_one_warning(
    when: str, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    session = AioSession()
    with pytest.MonkeyPatch.context() as patch:
        if when == "before":
            patch.delattr(*LACKING[name])
        else:
            # As if it was not imported yet.
            patch.delitem(sys.modules, "aiobotocore.session")
        irsa_creds.install(strict=True)
        if when == "after":
            patch.undo()
            patch.delattr(*LACKING[name])
        Session()
        irsa_creds.install(session)
        assert "aiobotocore.session" in sys.modules
    (warning,) = warnings(caplog)
    assert name in warning
    assert aiobotocore.__version__ in warning
    assert Session().get_credentials().method == "assume-role-with-web-identity"


def test_a_session_of_an_aiobotocore_that_lacks_a_name_keeps_its_own_provider(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(aiobotocore.session, "create_credential_resolver")
    monkeypatch.setattr(AioSession, "_create_credential_resolver", _chain)
    irsa_creds.install(strict=True)
    assert not is_ours(AioSession())


def test_a_resolved_session_of_an_aiobotocore_that_lacks_a_name_is_not_changed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    session = AioSession()
    credentials, chain = resolved(session), session.get_component("credential_provider")
    providers = list(chain.providers)
    monkeypatch.delattr(aiobotocore.session, "create_credential_resolver")
    irsa_creds.install(session, strict=True)
    assert resolved(session) is credentials
    assert chain.providers == providers
    assert ["create_credential_resolver" in each for each in warnings(caplog)] == [True]


def _chain(session: AioSession) -> Any:
    return aiobotocore.credentials.create_credential_resolver(session)


def test_an_aiobotocore_that_makes_chains_another_way_keeps_its_own_provider(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    builder = aiobotocore.credentials.AioProfileProviderBuilder
    monkeypatch.setattr(builder, "providers", lambda *args: [], raising=False)
    irsa_creds.install()
    (warning,) = warnings(caplog)
    assert "AioProfileProviderBuilder, without providers" in warning


def test_a_botocore_without_its_builder_keeps_aiobotocores_own_provider(
    caplog: pytest.LogCaptureFixture,
) -> None:
    session = AioSession()
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(botocore.credentials, "ProfileProviderBuilder")
        irsa_creds.install(session)
    assert not is_ours(session)
    assert any("ProfileProviderBuilder.providers" in each for each in warnings(caplog))


def test_the_installed_aiobotocore_has_all_private_names() -> None:
    assert compat.missing_in_aiobotocore() == []


@pytest.mark.parametrize("cls", [AioSession, Session])
@pytest.mark.parametrize("given", [True, False])
def test_a_mock_of_a_session_gets_its_librarys_own_chain_without_a_warning(
    cls: type[Any],
    given: bool,  # noqa: FBT001 - a parameter of the table
    caplog: pytest.LogCaptureFixture,
) -> None:
    # As in aiobotocore's own tests: a mock has the methods of the class, and no instance attribute.
    session = Mock(spec=cls)
    known = {"metadata_service_timeout": 1, "metadata_service_num_attempts": 1}
    session.get_config_variable.side_effect = known.get
    session.full_config = {}
    irsa_creds.install(session if given else None)
    library = aiobotocore.session if cls is AioSession else botocore.credentials
    chain = library.create_credential_resolver(session)
    assert chain.get_provider("assume-role-with-web-identity") is not None
    assert not any(isinstance(each, ChainProviderMixin) for each in chain.providers)
    irsa_creds.uninstall()
    assert warnings(caplog) == []
