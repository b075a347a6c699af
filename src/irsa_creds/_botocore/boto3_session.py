"""A boto3 session that can travel: it pickles as its arguments, never with credentials."""

from __future__ import annotations

from functools import partial
from typing import Any

import boto3

from irsa_creds._botocore.install import install

__all__ = ["IrsaBoto3Session"]


class IrsaBoto3Session(boto3.Session):
    """boto3's session with our provider in its chain.

    Args:
        strict: ours comes first in the chain, and its not being configured is an error.
        arguments: those of `boto3.Session`.
    """

    def __init__(self, *, strict: bool = False, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._arguments = {"strict": strict, **arguments}
        install(self, strict=strict)

    def __reduce__(self) -> tuple[Any, ...]:
        if self._arguments.get("aws_secret_access_key"):
            raise TypeError(
                "This session was given static keys, and secrets must not travel in a pickle. "
                "Make it where it is used."
            )
        return partial(type(self), **self._arguments), ()
