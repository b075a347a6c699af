"""Sign presigned URLs with credentials that last as long as the URL, as far as STS allows it.

A presigned URL ends with the credentials that sign it. So the methods of clients that presign wait
for one refresh if the credentials have too little time left. Requests do not.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import weakref
from typing import TYPE_CHECKING, Any

from irsa_creds._botocore.credentials import CredentialsMixin
from irsa_creds._engine import timing
from irsa_creds._engine.waiting import aacquire, acquire
from irsa_creds._errors import IrsaError
from irsa_creds._sessions.compat import client_credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from irsa_creds._engine.engine import Engine

__all__ = ["wrap_methods"]

_log = logging.getLogger("irsa_creds")

# The methods that sign for later, and for how many seconds if no `ExpiresIn` is given, as in
# botocore 1.44.8.
_DEFAULTS = {
    "generate_presigned_url": 3600.0,
    "generate_presigned_post": 3600.0,
    "generate_db_auth_token": 900.0,
    "generate_db_connect_auth_token": 900.0,
    "generate_db_connect_admin_auth_token": 900.0,
}
_HOUR = 3600.0
# Seconds to wait for a refresh. In botocore these methods do no I/O with valid credentials, so a
# program may call them on the thread of its event loop.
_PATIENCE = 5.0
# The ends of a warning, for roles of STS and for endpoints that choose the lifetime.
_LONGER = (
    "; they last %.0f s at most. Raise duration_seconds, and the role's maximum session duration "
    "if it is lower (12 h at most; 1 h with role chaining)"
)
_CHOSEN = ". The endpoint chose how long they last, and no setting changes that"
# The warnings that were logged, by identity.
_LOGGED: weakref.WeakKeyDictionary[Engine, dict[tuple[str, Any], Any]]
_LOGGED = weakref.WeakKeyDictionary()


def wrap_methods(class_attributes: dict[str, Any], **_: Any) -> None:
    """Handle the event `creating-client-class`: let the class's presigned URLs last."""
    for name, default in _DEFAULTS.items():
        if name in class_attributes:
            class_attributes[name] = _presigning(class_attributes[name], default)


def _presigning(sign: Callable[..., Any], default: float) -> Callable[..., Any]:
    """Return the method `sign` of a client, with a refresh before it if too little time is left.

    Args:
        sign: sync or async.
        default: its seconds without `ExpiresIn`.
    """
    signature = inspect.signature(sign)

    def seconds_of(arguments: tuple[Any, ...], options: dict[str, Any]) -> float:
        given = signature.bind(*arguments, **options).arguments.get("ExpiresIn")
        return default if given is None else _number(given)

    @functools.wraps(sign)
    def presign(*arguments: Any, **options: Any) -> Any:
        seconds = seconds_of(arguments, options)
        credentials = client_credentials(arguments[0])
        if isinstance(credentials, CredentialsMixin):
            _refresh_if_short(credentials, seconds)
        return sign(*arguments, **options)

    @functools.wraps(sign)
    async def presign_async(*arguments: Any, **options: Any) -> Any:
        seconds = seconds_of(arguments, options)
        credentials = client_credentials(arguments[0])
        if isinstance(credentials, CredentialsMixin):
            await _refresh_if_short_async(credentials, seconds)
        return await sign(*arguments, **options)

    return presign_async if inspect.iscoroutinefunction(sign) else presign


def _number(given: Any) -> float:
    """Return `ExpiresIn` in seconds; 0 if it is not a number, which botocore reports."""
    try:
        # The comparison makes 0 of "not a number" as well.
        return max(0.0, float(given))
    except (OverflowError, TypeError, ValueError):
        return 0.0


def _refresh_if_short(credentials: Any, seconds: float) -> None:
    # If none are valid, this raises the error that signing would raise.
    credentials.get_frozen_credentials()
    engine = credentials._engine  # noqa: SLF001 - of the same package
    with _warnings(engine, seconds):
        acquire(engine, _least_left(engine, seconds), _patience(engine))


async def _refresh_if_short_async(credentials: Any, seconds: float) -> None:
    await credentials.get_frozen_credentials()
    engine = credentials._engine  # noqa: SLF001 - of the same package
    with _warnings(engine, seconds):
        await aacquire(engine, _least_left(engine, seconds), _patience(engine))


@contextlib.contextmanager
def _warnings(engine: Engine, seconds: float) -> Iterator[None]:
    """Log that the refresh failed, instead of raising that, and that URLs end too early."""
    try:
        yield
    except IrsaError as error:
        _warn_of_failure(engine, seconds, error)
    _warn_of_lifetime(engine, seconds)


def _patience(engine: Engine) -> float:
    """Return how long to wait; not at all after a failure, for then STS may hang at every URL."""
    return 0.0 if engine.is_failing else _PATIENCE


def _least_left(engine: Engine, seconds: float) -> float:
    """Return the seconds that must be left: of more, each URL could need an STS call."""
    return min(seconds, timing.refresh_window(engine.snapshot.lifetime))


def _warn_of_failure(engine: Engine, seconds: float, error: IrsaError) -> None:
    """Warn once for each key that it signs URLs that end before they should."""
    snapshot = engine.snapshot
    left = snapshot.expires_at - engine.now()
    if 0 < left < _least_left(engine, seconds) and _is_first(
        engine, "failure", snapshot.credentials.access_key_id
    ):
        _log.warning(
            "A presigned URL for %.0f s ends in %.0f s, with the credentials that sign it: the "
            "refresh before it failed (%s). Run irsa-creds doctor --online. %s",
            seconds,
            left,
            error.failure.code if error.failure else type(error).__name__,
            engine.fetcher.label,
        )


def _warn_of_lifetime(engine: Engine, seconds: float) -> None:
    """Warn once an hour of URLs that no credentials of this identity can last for."""
    snapshot, now = engine.snapshot, engine.now()
    # Another thread may have dropped the credentials meanwhile: they have no lifetime then.
    if not snapshot.lifetime or seconds <= snapshot.lifetime + timing.LIFETIME_TOLERANCE:
        return
    first_at = _LOGGED.setdefault(engine, {}).setdefault(("first", None), now)
    if _is_first(engine, "lifetime", (now - first_at) // _HOUR):
        _log.warning(
            "A presigned URL for %.0f s ends in %.0f s, with the credentials that sign it%s. %s",
            seconds,
            snapshot.expires_at - now,
            # Only a role of STS has a lifetime that a setting changes.
            _LONGER % snapshot.lifetime if engine.fetcher.role_arn else _CHOSEN,
            engine.fetcher.label,
        )


def _is_first(engine: Engine, kind: str, period: Any) -> bool:
    """Return whether this is the first warning of its kind for a key or an hour.

    Of many threads one gets True, without a lock: a fork could leave that taken in the child.
    """
    logged, mark = _LOGGED.setdefault(engine, {}), object()
    if logged.setdefault((kind, period), mark) is not mark:
        return False
    for each in tuple(logged):
        if each[0] == kind and each[1] != period:
            logged.pop(each, None)
    return True
