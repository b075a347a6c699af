"""Temporary credentials as one immutable value.

Imports inside of functions, and the milliseconds that they save a process that does not need them:

    dataclasses  5   _credentials: code tries to change a value
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, dataclass_transform

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Self

__all__ = ["Credentials"]

_Class = TypeVar("_Class")


@dataclass_transform(frozen_default=True)
def _frozen(cls: type[_Class]) -> type[_Class]:
    """Let type checkers see a frozen data class."""
    return cls


# Not a data class: `dataclasses` imports `inspect`, an eighth of the time of `irsa-creds process`.
@_frozen
class Credentials:
    """Temporary credentials, all values from one response of STS.

    Attributes:
        access_key_id: the id of the key, which is not secret.
        secret_access_key: the secret key.
        session_token: the token that every request needs.
        expiration: when they expire, by STS's clock (aware, UTC).
        account_id: the twelve digits of the assumed role's account; None if STS named none.
        assumed_role_arn: the principal that AWS services see; None if STS named none.
    """

    __slots__ = (
        "access_key_id",
        "account_id",
        "assumed_role_arn",
        "expiration",
        "secret_access_key",
        "session_token",
    )

    access_key_id: str
    secret_access_key: str
    session_token: str
    expiration: datetime
    account_id: str | None
    assumed_role_arn: str | None

    def __init__(  # noqa: PLR0917 - the order is public
        self,
        access_key_id: str,
        secret_access_key: str,
        session_token: str,
        expiration: datetime,
        account_id: str | None = None,
        assumed_role_arn: str | None = None,
    ) -> None:
        put = super().__setattr__
        put("access_key_id", access_key_id)
        put("secret_access_key", secret_access_key)
        put("session_token", session_token)
        put("expiration", expiration)
        put("account_id", account_id)
        put("assumed_role_arn", assumed_role_arn)

    def _raise_frozen(self, name: str, _: object = None) -> NoReturn:
        from dataclasses import FrozenInstanceError  # noqa: PLC0415

        raise FrozenInstanceError(f"cannot assign to or delete field {name!r}")

    # Type checkers would allow any attribute if they saw these.
    if not TYPE_CHECKING:  # pragma: no branch - it always runs
        __setattr__ = __delattr__ = _raise_frozen

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Credentials) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def _values(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __repr__(self) -> str:
        key = self.access_key_id[-4:]
        return f"<Credentials ...{key} expiring {self.expiration:%Y-%m-%dT%H:%M:%SZ}>"

    # Immutable: a copy would be the same.
    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "Credentials do not pickle: secrets must not travel. "
            "Pickle the provider instead: it gets its own credentials in the other process."
        )
