"""An aiobotocore session that can travel: it pickles as its arguments, never with credentials."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from aiobotocore.session import AioSession

from irsa_creds._botocore.compat import resolved
from irsa_creds._botocore.install import install

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["IrsaAioSession"]


class IrsaAioSession(AioSession):
    """aiobotocore's session with our provider in its chain.

    Args:
        strict: ours comes first in the chain, and its not being configured is an error.
        arguments: those of `aiobotocore.session.AioSession`.
    """

    def __init__(self, *, strict: bool = False, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._arguments = {"strict": strict, **arguments}
        install(self, strict=strict)

    def __reduce__(self) -> tuple[Any, ...]:
        if getattr(resolved(self), "method", None) == "explicit":
            raise TypeError(
                "This session was given static keys, and secrets must not travel in a pickle. "
                "Make it where it is used."
            )
        state = self.instance_variables(), self.get_default_client_config()
        return partial(type(self), **self._arguments), (), state

    def __setstate__(self, state: tuple[Mapping[str, Any], Any]) -> None:
        # There are no arguments for these: code sets a region and the like afterwards.
        variables, client_config = state
        for name, value in variables.items():
            self.set_config_variable(name, value)
        if client_config is not None:
            self.set_default_client_config(client_config)
