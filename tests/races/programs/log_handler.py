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

TOKEN_FILE = os.environ["AWS_WEB_IDENTITY_TOKEN_FILE"]
results: list[str] = []


def token() -> str:
    logging.getLogger("app").warning("The token is read.")
    return Path(TOKEN_FILE).read_text(encoding="utf-8")


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
            self._provider.get(timeout=20)
            results.append("served")
        except irsa_creds.IrsaError as error:
            results.append(type(error).__name__)
        finally:
            self._here.busy = False


def main(kind: str) -> None:
    """Read once in a handler and once beside it."""
    provider = irsa_creds.provider(token=token) if kind == "token" else irsa_creds.provider()
    logging.getLogger().addHandler(ToCloudWatch(provider))
    logging.getLogger().setLevel(logging.DEBUG if kind == "debug" else logging.WARNING)
    started = time.monotonic()
    beside = threading.Thread(target=logging.getLogger("app").warning, args=("Beside.",))
    beside.start()
    logging.getLogger("app").warning("It begins.")
    try:
        provider.get(timeout=20)
    except irsa_creds.IrsaError as error:
        results.append(type(error).__name__)
    beside.join(40)
    sys.stdout.write(f"{time.monotonic() - started < 5} {' '.join(sorted(set(results)))}\n")


if __name__ == "__main__":
    main(sys.argv[1])
