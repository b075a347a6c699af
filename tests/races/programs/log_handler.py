"""A handler on the root logger that reads credentials in `emit`, with the usual guard.

Each thread that logs holds the handler's lock meanwhile, and so does the thread that reads in it.

Args: "debug" for all lines of all libraries, "outage" for our own lines while STS denies, "token"
for a token callable that logs.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from pathlib import Path

import irsa_creds

# After 5 s waiting callers look again by themselves, which would hide that the refresh waits for
# the handler.
TIMEOUT = 4
TOKEN_FILE = os.environ["AWS_WEB_IDENTITY_TOKEN_FILE"]
results: list[str] = []


def token() -> str:
    logging.getLogger("app").warning("The token is read.")
    return Path(TOKEN_FILE).read_text(encoding="utf-8")


def note(provider: irsa_creds.Provider) -> None:
    """Read once, and note what came of it, and whether that took the whole timeout."""
    started = time.monotonic()
    try:
        provider.get(timeout=TIMEOUT)
        results.append("served")
    except irsa_creds.IrsaError as error:
        results.append(f"{type(error).__name__} {getattr(error, 'code', '')}")
    if time.monotonic() - started >= TIMEOUT:
        results.append("late")


class ToCloudWatch(logging.Handler):
    """Sends records to AWS with these credentials."""

    def __init__(self, provider: irsa_creds.Provider) -> None:
        super().__init__()
        self._provider = provider
        self._here = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(self._here, "busy", False):
            return
        self._here.busy = True
        try:
            note(self._provider)
        finally:
            self._here.busy = False


def main(kind: str) -> None:
    """Read once in a handler and once beside it."""
    provider = irsa_creds.provider(token=token) if kind == "token" else irsa_creds.provider()
    logging.getLogger().addHandler(ToCloudWatch(provider))
    logging.getLogger().setLevel(logging.DEBUG if kind == "debug" else logging.WARNING)
    beside = threading.Thread(target=logging.getLogger("app").warning, args=("Beside.",))
    beside.start()
    logging.getLogger("app").warning("It begins.")
    note(provider)
    beside.join()
    sys.stdout.write("\n".join(sorted(set(results))))


if __name__ == "__main__":
    main(sys.argv[1])
