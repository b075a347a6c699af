"""The credential provider chain of a session: irsa-creds' providers in it, or only a given one."""

from __future__ import annotations

import functools
import inspect
import logging
from typing import TYPE_CHECKING, Any

from botocore.credentials import CredentialResolver

from irsa_creds._botocore.credentials import ASSUME_ROLE_METHOD, METHOD, CredentialsMixin
from irsa_creds._exchange.sources import sources_in_use
from irsa_creds._registry import engine_of
from irsa_creds._sessions import compat
from irsa_creds._sessions.chain_provider import (
    AioIrsaProvider,
    ChainProviderMixin,
    IrsaProvider,
)
from irsa_creds._sessions.client_handlers import register_handlers, unregister_handlers

if TYPE_CHECKING:
    from botocore.session import Session

    from irsa_creds._provider import Provider

__all__ = [
    "adapt_chain",
    "adapt_existing_session",
    "given_provider",
    "is_supported",
    "replace_providers",
    "restore_session",
    "use_provider",
]

_log = logging.getLogger("irsa_creds")


class _FixedChain(CredentialResolver):
    """The chain of a session with the credentials of one provider, for boto3 and botocore.

    Its list of providers is empty, and has no effect: other code cannot add another identity.

    Args:
        session: the session that has the chain.
        provider: the provider of its credentials.
        credentials: the provider's credentials object for this kind of session.
    """

    def __init__(self, session: Session, provider: Provider, credentials: CredentialsMixin) -> None:
        super().__init__([])
        self._session = session
        self._credentials = credentials
        self.provider = provider

    def load_credentials(self) -> Any:
        """Return the credentials object, always the same, in the place of `get_credentials()`.

        The session's next clients get what goes with it.
        """
        session, credentials = self._session, self._credentials
        if compat.current_credentials(session) is not credentials:
            compat.register_features(self.provider._identity.features)  # noqa: SLF001 - it is not API
            register_handlers(session, engine_of(self.provider))
            compat.keep_credentials(session, credentials)
        return credentials


class _AioFixedChain(_FixedChain):
    """The same for aiobotocore."""

    async def load_credentials(self) -> Any:
        return super().load_credentials()


def replace_providers(
    providers: list[Any], session: Session, profile_name: str, *, explicit_profile: bool
) -> list[Any]:
    """Return the providers with irsa-creds' in the place of botocore's for the same sources.

    Args:
        providers: botocore's list.
        session: the session that they belong to.
        profile_name: the profile that names role and token.
        explicit_profile: whether code named it: the web identity variables are then ignored.
    """
    cls = _provider_class(session)
    return [
        cls(session, profile_name, disable_env_vars=explicit_profile, replaced=each)
        if each.METHOD in _replaced() and not isinstance(each, ChainProviderMixin)
        else each
        for each in providers
    ]


def adapt_chain(chain: CredentialResolver, session: Session, *, strict: bool) -> None:
    """Add irsa-creds' providers to a chain that has botocore's; change nothing the second time.

    They replace botocore's providers of the same sources (`sources_in_use`), but one is inserted
    before botocore's own AssumeRoleProvider, which stays: other code sets its cache or its prompt
    for MFA codes.

    Args:
        chain: the session's.
        session: sync or async.
        strict: one more provider comes first. It raises an error instead of returning nothing, so
            no later provider is used.
    """
    if isinstance(chain, _FixedChain):
        return
    # As in botocore 1.44.8, credentials.create_credential_resolver.
    profile = session.get_config_variable("profile") or "default"
    explicit = session.instance_variables().get("profile") is not None
    create = functools.partial(
        _provider_class(session), session, profile, disable_env_vars=explicit
    )
    providers = replace_providers(chain.providers, session, profile, explicit_profile=explicit)
    ours = [each for each in providers if isinstance(each, ChainProviderMixin)]
    methods = [each.METHOD for each in providers]
    if ASSUME_ROLE_METHOD in methods and not any(each.only_source_profiles for each in ours):
        position = methods.index(ASSUME_ROLE_METHOD)
        providers.insert(position, create(only_source_profiles=True))
    if strict and not getattr(providers[0], "strict", False):
        providers.insert(0, create(strict=True))
    chain.providers = providers


def adapt_existing_session(session: Session, *, strict: bool, name: str) -> str | None:
    """Add irsa-creds' providers to a session that may have made its chain already.

    Args:
        session: sync or async.
        strict: irsa-creds comes first.
        name: the session's, for the warning.

    Returns:
        The method of the session's current credentials if they stay, as botocore names it; None if
        irsa-creds provides the next ones.
    """
    current = compat.current_credentials(session)
    if _stay(current, strict=strict):
        return _method(current)
    chain = compat.existing_chain(session)
    if isinstance(chain, CredentialResolver):
        adapt_chain(chain, session, strict=strict)
    elif strict:
        # It may be of any class, and no provider could be put first in it.
        compat.discard_chain(session)
    if current is not None and not isinstance(
        current if strict else _source(current), CredentialsMixin
    ):
        compat.discard_credentials(session)
        _log.warning(
            "%s had looked for credentials (%s) before irsa_creds.install(): new clients get "
            "irsa-creds' credentials, existing clients keep the old ones. Call install() earlier.",
            name,
            _method(current),
        )
    return None


def use_provider(session: Session, provider: Provider) -> None:
    """Give the new clients of a session the credentials of a provider, in place of earlier ones.

    Args:
        session: sync or async.
        provider: the provider.

    Raises:
        ValueError: code gave the session static keys.
    """
    current = compat.current_credentials(session)
    if _method(current) == "explicit":
        raise ValueError(
            "The session has static keys, and provider= would replace them. Create the session "
            "without keys."
        )
    chain = (
        _AioFixedChain(session, provider, provider.aiobotocore_credentials())
        if _is_async(session)
        else _FixedChain(session, provider, provider.botocore_credentials())
    )
    session.register_component("credential_provider", chain)
    compat.discard_credentials(session)
    # botocore's method returns what the session has, and a thread that is looking for credentials
    # now, with the chain from before, stores them there later.
    vars(session)["get_credentials"] = chain.load_credentials
    if current is not None and getattr(current, "provider", None) is not provider:
        _log.warning(
            "The session had looked for credentials (%s) before irsa_creds.install(provider=): new "
            "clients get the provider's, existing clients keep the old ones.",
            _method(current),
        )


def restore_session(session: Session) -> None:
    """Give a session botocore's own chain back, unless it was given a provider."""
    unregister_handlers(session)
    if isinstance(_source(compat.current_credentials(session)), CredentialsMixin):
        compat.discard_credentials(session)
    chain = compat.existing_chain(session)
    if isinstance(chain, CredentialResolver):
        providers = chain.providers
        originals = [p.replaced if isinstance(p, ChainProviderMixin) else p for p in providers]
        chain.providers = [each for each in originals if each is not None]


def given_provider(session: Session) -> Provider | None:
    """Return the provider that a session was given; None if it was given none."""
    chain = compat.existing_chain(session)
    return chain.provider if isinstance(chain, _FixedChain) else None


def is_supported(session: Session) -> bool:
    """Whether a session is sync, or async and of an aiobotocore that has all names used here."""
    return not _is_async(session) or compat.is_aiobotocore_session(session)


def _is_async(session: Session) -> bool:
    return inspect.iscoroutinefunction(session.get_credentials)


def _provider_class(session: Session) -> type[ChainProviderMixin]:
    return AioIrsaProvider if _is_async(session) else IrsaProvider


def _stay(current: Any, *, strict: bool) -> bool:
    """Whether a session's current credentials stay."""
    if current is None or isinstance(current, CredentialsMixin):
        return False
    if strict:
        # Code chose static keys on purpose.
        return _method(current) == "explicit"
    # Another provider's stay: it takes precedence.
    source = _source(current)
    # botocore's provider for target roles stays: it also reads `credential_source`.
    return _method(source) not in (_replaced() if source is current else {METHOD})


def _replaced() -> set[str]:
    """Return the `METHOD`s of botocore's providers that are replaced; AssumeRoleProvider stays."""
    return sources_in_use().keys() - {ASSUME_ROLE_METHOD}


def _source(credentials: Any) -> Any:
    """Return the credentials with which the given ones assume their role; others as they are."""
    source = credentials
    while _method(source) == ASSUME_ROLE_METHOD and compat.source_credentials(source) is not None:
        source = compat.source_credentials(source)
    return source


def _method(credentials: Any) -> str:
    return str(getattr(credentials, "method", "unknown"))
