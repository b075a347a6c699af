"""The sync and async providers in a session's credential provider chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.credentials import AssumeRoleWithWebIdentityProvider

from irsa_creds._botocore.credentials import ASSUME_ROLE_METHOD, METHOD, as_botocore_error
from irsa_creds._botocore.sync import IrsaCredentials
from irsa_creds._engine.forks import FORKS
from irsa_creds._errors import IrsaError
from irsa_creds._exchange.sources import SOURCES, find_identity
from irsa_creds._provider import REGISTRY
from irsa_creds._registry import engine_of
from irsa_creds._sessions.client_handlers import register_handlers
from irsa_creds._sessions.compat import register_features
from irsa_creds._sessions.session_settings import SessionSettings

if TYPE_CHECKING:
    from irsa_creds._botocore.aio import AioIrsaCredentials
    from irsa_creds._identity.identity import Identity
    from irsa_creds._provider import Provider

__all__ = ["AioIrsaProvider", "ChainProviderMixin", "IrsaProvider"]


class ChainProviderMixin:
    """irsa-creds' provider in a chain, under the name of botocore's own provider.

    Args:
        session: the session that has the chain.
        profile_name: the profile that names role and token.
        disable_env_vars: ignore the web identity variables, because code named a profile.
        strict: raise an error if no source of irsa-creds is configured.
        replaced: the provider that it replaces; None if it is an additional one.
        only_source_profiles: provide only roles that a profile assumes by `source_profile`. A
            strict provider provides these as well, because they take precedence.
    """

    METHOD: str = METHOD
    CANONICAL_NAME = "custom-irsa-creds"

    # botocore's constructor needs a function that creates an STS client; this one needs none.
    def __init__(
        self,
        session: Any,
        profile_name: str,
        *,
        disable_env_vars: bool,
        strict: bool = False,
        replaced: Any = None,
        only_source_profiles: bool = False,
    ) -> None:
        self.replaced = replaced
        if replaced is not None:
            self.METHOD = replaced.METHOD
        self.strict = strict
        self.only_source_profiles = only_source_profiles
        if only_source_profiles:
            # `get_provider("assume-role-with-web-identity")` must go on to find the other one.
            self.METHOD = "irsa-creds-source-profile"
        self._session = session
        self._settings = SessionSettings(session, profile_name, explicit_profile=disable_env_vars)
        self._arguments = {"profile": profile_name} if disable_env_vars else {}

    def _provider(self) -> Provider | None:
        """Return the provider of the session's identity; None if the source is not configured."""
        try:
            # It may import what few identities need.
            identity = FORKS.during(self._identity)
        except IrsaError as error:
            caught = error
        else:
            if identity is None:
                return None
            register_features(identity.features)
            provider = REGISTRY.of(identity, self._arguments)
            register_handlers(self._session, engine_of(provider))
            return provider
        # Raised outside of the handler, the error has no context and one traceback.
        raise as_botocore_error(caught)

    def _identity(self) -> Identity | None:
        if self.strict:
            return find_identity(self._settings, {})
        method = ASSUME_ROLE_METHOD if self.only_source_profiles else self.METHOD
        found = SOURCES[method].find(self._settings, {})
        if found is None and not self.only_source_profiles:
            from irsa_creds._identity.not_configured import warn_of_other_provider  # noqa: PLC0415 - see the package

            warn_of_other_provider(self._settings)
        return found


class IrsaProvider(ChainProviderMixin, AssumeRoleWithWebIdentityProvider):
    """Provider of irsa-creds in the credential provider chain of botocore's sessions."""

    # Tracebacks and the docs use the public module.
    __module__ = "irsa_creds.botocore"

    def load(self) -> IrsaCredentials | None:
        """Return the credentials object; None if IRSA is not configured, so the chain continues.

        Raises:
            InvalidConfigError: a value is malformed or missing. It is also a `ConfigError`.
        """
        provider = self._provider()
        return None if provider is None else IrsaCredentials(provider)


class AioIrsaProvider(ChainProviderMixin, AssumeRoleWithWebIdentityProvider):
    """Provider of irsa-creds in the credential provider chain of aiobotocore's sessions."""

    __module__ = "irsa_creds.aiobotocore"

    async def load(self) -> AioIrsaCredentials | None:
        """Return the credentials object; None if IRSA is not configured, so the chain continues.

        Raises:
            InvalidConfigError: a value is malformed or missing. It is also a `ConfigError`.
        """
        # Only programs that have imported aiobotocore get here.
        from irsa_creds._botocore.aio import AioIrsaCredentials  # noqa: PLC0415

        provider = self._provider()
        return None if provider is None else AioIrsaCredentials(provider)
