"""An aiobotocore session that can travel: it pickles as its arguments, never with credentials."""

from __future__ import annotations

from functools import partial
from typing import Any

from aiobotocore.session import AioSession

from irsa_creds._install import install

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
        return partial(type(self), **self._arguments), ()
