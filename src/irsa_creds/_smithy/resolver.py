"""The identity resolver for clients of the AWS SDK for Python v4."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from irsa_creds._engine.waiting import aacquire
from irsa_creds._errors import IrsaError
from irsa_creds._registry import engine_of
from irsa_creds._smithy.errors import to_smithy
from irsa_creds._smithy.interface import AWSCredentialsIdentity

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from irsa_creds._engine.engine import Engine
    from irsa_creds._engine.snapshot import Snapshot
    from irsa_creds._provider import Provider

__all__ = ["IrsaIdentity", "IrsaResolver"]


class IrsaIdentity(AWSCredentialsIdentity):
    """The SDK's identity; its `repr` shows no secret, and it does not pickle."""

    def __repr__(self) -> str:
        return f"<AWSCredentialsIdentity ...{self.access_key_id[-4:]}>"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "Credentials do not pickle: secrets must not travel. Pickle the resolver instead: it "
            "gets its own credentials in the other process."
        )


class IrsaResolver:
    """An identity resolver of the SDK; the provider has all state.

    A client asks it for every attempt of every request and keeps nothing. It pickles as the
    provider does, never with secrets.

    Args:
        provider: the provider of the credentials.
    """

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def get_identity(self, *, properties: Mapping[str, Any]) -> IrsaIdentity:
        """Return valid credentials; wait only if there are none.

        Args:
            properties: of the SDK; they are not used.

        Raises:
            SmithyIdentityError: none are valid, and the refresh failed. It is also an `IrsaError`.
        """
        del properties
        engine = engine_of(self._provider)
        try:
            snapshot = await aacquire(engine)
        except IrsaError as error:
            caught = error
        else:
            return _identity_of(engine, snapshot)
        # Raised outside of the handler, the error has no context and one traceback.
        raise to_smithy(caught)

    async def invalidate(self) -> None:
        """Refresh soon, because a service called the key expired; it is used meanwhile.

        A key younger than 60 s stays: when a service rejects the key of many tasks, one refresh
        follows.
        """
        engine = engine_of(self._provider)
        engine.mark_stale(engine.snapshot.credentials.access_key_id)

    # The SDK's clients copy their configuration for each call that has plugins.
    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __repr__(self) -> str:
        return f"<IrsaResolver of {self._provider.role_arn}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return IrsaResolver, (self._provider,)


def _identity_of(engine: Engine, snapshot: Snapshot) -> IrsaIdentity:
    given = snapshot.credentials
    # The SDK's signer compares with the local clock and refuses to sign after this time: STS's own
    # expiration would be wrong beside a local clock that is wrong.
    end = time.time() + snapshot.left(engine.now())
    return IrsaIdentity(
        access_key_id=given.access_key_id,
        secret_access_key=given.secret_access_key,
        session_token=given.session_token,
        expiration=datetime.fromtimestamp(end, UTC),
        account_id=given.account_id,
    )
