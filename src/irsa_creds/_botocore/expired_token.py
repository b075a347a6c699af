"""When a service answers that the key is expired: what the signed request says, and to whom."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from irsa_creds._engine.engine import Engine

__all__ = ["forget_expired", "watch_for_expired"]

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException"})
_KEY_ID = r"Credential=([^/]+)/"
_CONTEXT = "irsa_creds_access_key_id"
# The events, and the names of our handlers there.
_SIGNED, _NOTE = "request-created", "irsa-creds-key"
_ANSWERED, _HEAR = "response-received", "irsa-creds-answer"


def watch_for_expired(session: Any, engine: Engine) -> None:
    """Tell `engine` of every key that a service refuses as expired, in clients made from now on.

    Args:
        session: a botocore session of either colour; plain functions work in both.
        engine: hears of its current key only.
    """

    def note_key(request: Any, **_: Any) -> None:
        value = request.headers.get("Authorization", "")
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        found = re.search(_KEY_ID, text)
        if found:
            request.context[_CONTEXT] = found[1]

    def hear_answer(
        parsed_response: dict[str, Any] | None = None,
        context: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        code = ((parsed_response or {}).get("Error") or {}).get("Code")
        key = (context or {}).get(_CONTEXT)
        if code in _EXPIRED and key:
            engine.mark_stale(key)

    # The same session may resolve again, and to another identity: one pair of handlers is enough.
    forget_expired(session)
    events = session.get_component("event_emitter")
    # After the signer, which is a handler of this event too.
    events.register_last(_SIGNED, note_key, unique_id=_NOTE)
    events.register(_ANSWERED, hear_answer, unique_id=_HEAR)


def forget_expired(session: Any) -> None:
    """Hear no more of clients that a session makes from now on."""
    events = session.get_component("event_emitter")
    events.unregister(_SIGNED, unique_id=_NOTE)
    events.unregister(_ANSWERED, unique_id=_HEAR)
