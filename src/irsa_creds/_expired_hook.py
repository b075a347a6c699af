"""When a service answers that the key is expired: what the signed request says, and to whom."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from irsa_creds._engine import Engine

__all__ = ["watch_for_expired"]

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException"})
_KEY_ID = r"Credential=([^/]+)/"
_CONTEXT = "irsa_creds_access_key_id"


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
            engine.distrust(key)

    events = session.get_component("event_emitter")
    # The same session may resolve again: one pair of handlers is enough.
    name = f"irsa-creds-{id(engine)}"
    # After the signer, which is a handler of this event too.
    events.register_last("request-created", note_key, unique_id=f"{name}-key")
    events.register("response-received", hear_answer, unique_id=f"{name}-answer")
