"""The members of an identity that all layers use."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Identity"]


class Identity(Protocol):
    """Names credentials: equal identities share them, unequal ones never do. It is hashable."""

    @property
    def method(self) -> str:
        """The row of `SOURCES`, and `method` of botocore's credentials objects."""
        ...

    @property
    def name(self) -> str:
        """The role's ARN; without a role, the name of the source, also as `role_arn` of events."""
        ...

    @property
    def region(self) -> str | None:
        """The region that settings name; None if they name none."""
        ...

    @property
    def features(self) -> frozenset[str]:
        """The ids of AWS's features that botocore adds to the user agents of such credentials."""
        ...

    @property
    def source(self) -> Identity | None:
        """The source role, which signs the request in role chaining; else None."""
        ...
