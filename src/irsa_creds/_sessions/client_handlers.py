"""What a session does for its clients: presigned URLs last, and an expired key is refreshed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from irsa_creds._errors import EXPIRED_TOKEN
from irsa_creds._sessions.presign import wrap_methods

if TYPE_CHECKING:
    from irsa_creds._engine.engine import Engine

__all__ = ["register_handlers", "unregister_handlers"]

_KEY_ID = r"Credential=([^/]+)/"
_CONTEXT = "irsa_creds_access_key_id"
# The events, and the ids of the handlers there.
_CLASS = "creating-client-class", "irsa-creds-presign"
_SIGNED = "request-created", "irsa-creds-key"
_RESPONSE = "response-received", "irsa-creds-response"


def register_handlers(session: Any, engine: Engine) -> None:
    """Wrap the methods that presign, and refresh when a service returns `ExpiredToken` for a key.

    Both are for clients that the session creates from now on.

    Args:
        session: a botocore session, sync or async; plain functions work in both.
        engine: ignores any key but its current one.
    """

    def remember_key(request: Any, **_: Any) -> None:
        value = request.headers.get("Authorization", "")
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        found = re.search(_KEY_ID, text)
        if found:
            request.context[_CONTEXT] = found[1]

    def check_response(
        parsed_response: dict[str, Any] | None = None,
        context: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        code = ((parsed_response or {}).get("Error") or {}).get("Code")
        key = (context or {}).get(_CONTEXT)
        if code in EXPIRED_TOKEN and key:
            engine.mark_stale(key)

    # The session may have resolved another identity before: only the last one counts.
    unregister_handlers(session)
    events = session.get_component("event_emitter")
    # After the signer, which handles the same event.
    events.register_last(_SIGNED[0], remember_key, unique_id=_SIGNED[1])
    events.register(_RESPONSE[0], check_response, unique_id=_RESPONSE[1])
    # After botocore's own handlers, which add the methods.
    events.register_last(_CLASS[0], wrap_methods, unique_id=_CLASS[1])


def unregister_handlers(session: Any) -> None:
    """Remove the handlers, for clients that the session creates from now on."""
    events = session.get_component("event_emitter")
    for event, handler_id in (_CLASS, _SIGNED, _RESPONSE):
        events.unregister(event, unique_id=handler_id)
