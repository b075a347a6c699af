"""A boto3 session that can travel: it pickles as its arguments, never with credentials."""

from __future__ import annotations

from typing import Any

import boto3

from irsa_creds._install import install

__all__ = ["IrsaBoto3Session"]


class IrsaBoto3Session(boto3.Session):
    """boto3's session with our provider in its chain.

    Args:
        arguments: those of `irsa_creds.boto3_session()`.
    """

    def __init__(self, arguments: dict[str, Any]) -> None:
        given = dict(arguments)
        strict = given.pop("strict", False)
        super().__init__(**given)
        self._arguments = arguments
        install(self, strict=strict)

    def __reduce__(self) -> tuple[Any, ...]:
        if "aws_secret_access_key" in self._arguments:
            raise TypeError(
                "This session was given static keys, and secrets must not travel in a pickle. "
                "Make it where it is used."
            )
        return IrsaBoto3Session, (self._arguments,)
