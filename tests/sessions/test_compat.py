"""A botocore that lacks a private name keeps its own provider; so do unknown async sessions."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any

import botocore
import botocore.credentials
import pytest
from botocore.credentials import (
    AssumeRoleWithWebIdentityProvider,
    ProfileProviderBuilder,
    RefreshableCredentials,
)
from botocore.session import Session

import irsa_creds
from botocore_sessions import attributes, is_ours, pod, warnings
from irsa_creds._exchange.sources import SOURCES
from irsa_creds._sessions import compat
from irsa_creds.botocore import IrsaProvider

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fake_network import FakeNetwork


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeNetwork:
    return pod(monkeypatch, tmp_path)


def _lacking() -> dict[str, Callable[[pytest.MonkeyPatch], None]]:
    def without(cls: Any, name: str) -> Callable[[pytest.MonkeyPatch], None]:
        return lambda patch: patch.delattr(cls, name)

    def providers(self: Any, profile_name: str) -> list[Any]:
        return []

    def changed(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(ProfileProviderBuilder, "providers", providers)

    original = botocore.credentials.AssumeRoleWithWebIdentityProvider
    return {
        "AssumeRoleWithWebIdentityProvider.METHOD": without(original, "METHOD"),
        "ProfileProviderBuilder.providers": without(ProfileProviderBuilder, "providers"),
        "providers(profile_name, disable_env_vars)": changed,
        "ProfileProviderBuilder": without(botocore.credentials, "ProfileProviderBuilder"),
        "botocore.register_initializer": without(botocore, "register_initializer"),
        "botocore.unregister_initializer": without(botocore, "unregister_initializer"),
        "RefreshableCredentials._refresh": without(RefreshableCredentials, "_refresh"),
        "RefreshableCredentials.refresh_needed": without(RefreshableCredentials, "refresh_needed"),
        "Session._register_credential_provider": without(Session, "_register_credential_provider"),
        "create_credential_resolver": without(botocore.credentials, "create_credential_resolver"),
    }


LACKING = _lacking()


@pytest.mark.parametrize(("name", "remove"), LACKING.items(), ids=LACKING)
def test_a_botocore_that_lacks_a_private_name_keeps_its_own_provider_with_one_warning(
    name: str, remove: Callable[[pytest.MonkeyPatch], None], caplog: pytest.LogCaptureFixture
) -> None:
    session = Session()
    with pytest.MonkeyPatch.context() as patch:
        remove(patch)
        before = attributes()
        irsa_creds.install()
        irsa_creds.install(strict=True)
        irsa_creds.install(session)
        assert attributes() == before
    assert not is_ours(session)
    (warning,) = warnings(caplog)
    assert name in warning
    assert botocore.__version__ in warning


def test_the_installed_botocore_has_all_private_names() -> None:
    assert compat.missing_in_botocore() == []


def test_without_botocores_context_user_agents_lack_the_source_of_credentials(
    network: FakeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "botocore.context")
    irsa_creds.install()
    Session().create_client("s3").list_buckets()
    assert [each.features for each in network.sent] == [{"h"}, set()]


def test_a_wrapped_method_still_counts_as_present(monkeypatch: pytest.MonkeyPatch) -> None:
    original = ProfileProviderBuilder.providers

    @functools.wraps(original)
    def traced(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **kwargs)

    monkeypatch.setattr(ProfileProviderBuilder, "providers", traced)
    assert compat.missing_in_botocore() == []


def _without_deferred(session: Session) -> None:
    del session._components._deferred


def _without_components(session: Session) -> None:
    del session._components


def _without_credentials(session: Session) -> None:
    del session._credentials


def _without_client_region(session: Session) -> None:
    del session._last_client_region_used


@pytest.mark.parametrize(
    ("name", "remove"),
    [
        ("ComponentLocator._deferred", _without_deferred),
        ("ComponentLocator._deferred", _without_components),
        ("Session._credentials", _without_credentials),
        ("Session._last_client_region_used", _without_client_region),
    ],
)
def test_a_session_that_lacks_a_private_name_is_not_changed_with_one_warning(
    name: str, remove: Callable[[Session], None], caplog: pytest.LogCaptureFixture
) -> None:
    session = Session()
    chain = session.get_component("credential_provider")
    remove(session)
    before = list(chain.providers)
    irsa_creds.install(session)
    irsa_creds.install(session, strict=True)
    irsa_creds.uninstall()
    assert chain.providers == before
    (warning,) = warnings(caplog)
    assert name in warning
    assert botocore.__version__ in warning


def test_a_new_session_that_lacks_a_private_name_gets_botocores_own_chain(
    caplog: pytest.LogCaptureFixture,
) -> None:
    irsa_creds.install(strict=True)
    session = Session()
    del session._credentials
    chain = session.get_component("credential_provider")
    assert not any(isinstance(each, IrsaProvider) for each in chain.providers)
    # `strict` may warn about sessions of other tests as well.
    (warning,) = [each for each in warnings(caplog) if "lacks" in each]
    assert "Session._credentials" in warning


def test_a_builder_without_its_session_builds_botocores_own_chain(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    original = [AssumeRoleWithWebIdentityProvider(dict, None, "default")]

    def providers(self: Any, profile_name: str, disable_env_vars: bool = False) -> list[Any]:  # noqa: FBT001, FBT002
        return original

    monkeypatch.setattr(ProfileProviderBuilder, "providers", providers)
    irsa_creds.install()
    builder = ProfileProviderBuilder(Session())
    del builder._session
    assert builder.providers("default") is original
    (warning,) = warnings(caplog)
    assert "ProfileProviderBuilder._session" in warning


class AsyncSession(Session):  # type: ignore[misc]
    """An async session as aiobotocore's."""

    async def get_credentials(self) -> None:
        """Do nothing."""


class AsyncBuilder(ProfileProviderBuilder):  # type: ignore[misc]
    """A builder as aiobotocore's, without a `providers` method of its own."""

    def _create_web_identity_provider(self, profile_name: str, disable_env_vars: bool) -> Any:  # noqa: FBT001
        class Provider(botocore.credentials.AssumeRoleWithWebIdentityProvider):  # type: ignore[misc]
            async def load(self) -> None:
                """Do nothing."""

        return Provider(dict, None, profile_name)


def test_the_chain_of_an_unknown_async_session_is_not_changed() -> None:
    session = AsyncSession()
    irsa_creds.install(strict=True)
    chain = AsyncBuilder(session).providers("default")
    assert not any(isinstance(each, IrsaProvider) for each in chain)
    assert AsyncSession()._components._deferred["credential_provider"].__func__ is (
        Session._create_credential_resolver
    )


@pytest.mark.parametrize("session", [AsyncSession(), "default", object()])
def test_install_raises_a_type_error_for_an_object_that_is_not_a_session(
    session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if aiobotocore was not imported.
    monkeypatch.delitem(sys.modules, "aiobotocore.session", raising=False)
    with pytest.raises(TypeError, match=rf"boto3, botocore, aio.*{type(session).__name__}"):
        irsa_creds.install(session)


def test_every_source_has_a_provider_of_botocore_in_the_chain() -> None:
    chain = Session().get_component("credential_provider")
    assert SOURCES.keys() <= {each.METHOD for each in chain.providers}
