"""The credentials that STS gave, as one immutable value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Self

__all__ = ["Credentials"]


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """Temporary credentials, all from one answer of STS.

    Attributes:
        access_key_id: the public half of the key.
        secret_access_key: the secret half.
        session_token: to be sent with every request.
        expiration: when AWS stops taking them, in STS's own clock (aware, UTC).
        account_id: the twelve digits of the assumed role's account; None where STS named none.
        assumed_role_arn: who S3 and the others will see; None where STS named none.
    """

    access_key_id: str
    secret_access_key: str
    session_token: str
    expiration: datetime
    account_id: str | None = None
    assumed_role_arn: str | None = None

    def __repr__(self) -> str:
        key = self.access_key_id[-4:]
        return f"<Credentials ...{key} expiring {self.expiration:%Y-%m-%dT%H:%M:%SZ}>"

    # A copy inside the process is no travel, and nobody can change one of two equals.
    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "Credentials do not pickle: secrets must not travel. "
            "Pickle the provider instead; it asks STS again where it arrives."
        )
