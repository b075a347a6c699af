"""An aiobotocore session that pickles as its arguments, never with credentials."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from aiobotocore.session import AioSession

from irsa_creds._sessions.chain import given_provider
from irsa_creds._sessions.compat import current_credentials
from irsa_creds._sessions.install import install

if TYPE_CHECKING:
    from collections.abc import Mapping

    from irsa_creds._provider import Provider

__all__ = ["IrsaAioSession"]


class IrsaAioSession(AioSession):
    """aiobotocore's session with the provider of irsa-creds in its chain.

    Args:
        strict: irsa-creds comes first in the chain, and raises an error if IRSA is not configured.
        provider: the only source of credentials; None: the chain.
        arguments: the arguments of `aiobotocore.session.AioSession`.
    """

    def __init__(
        self, *, strict: bool = False, provider: Provider | None = None, **arguments: Any
    ) -> None:
        super().__init__(**arguments)
        self._arguments = {"strict": strict, **arguments}
        install(self, strict=strict, provider=provider)

    def __reduce__(self) -> tuple[Any, ...]:
        if getattr(current_credentials(self), "method", None) == "explicit":
            raise TypeError(
                "This session has static keys, and a pickle must not contain secrets. "
                "Create the session where it is used."
            )
        state = self.instance_variables(), self.get_default_client_config()
        # `install(session, provider=)` may have given it another one since.
        provider = given_provider(self)
        return partial(type(self), provider=provider, **self._arguments), (), state

    def __setstate__(self, state: tuple[Mapping[str, Any], Any]) -> None:
        # The constructor has no arguments for these: code sets a region, for example, afterwards.
        variables, client_config = state
        for name, value in variables.items():
            self.set_config_variable(name, value)
        if client_config is not None:
            self.set_default_client_config(client_config)
