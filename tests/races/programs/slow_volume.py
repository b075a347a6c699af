"""An event loop with valid credentials, while a read of the denied token takes seconds.

Args: the instant that the token's file was written, in seconds.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import irsa_creds
from irsa_creds._identity import token
from irsa_creds._registry import engine_of

SECONDS = 3.0


def deny() -> None:
    Path(os.environ["DENY"]).touch()


def rewrite_token(written_at: float) -> None:
    token = Path(os.environ["AWS_WEB_IDENTITY_TOKEN_FILE"])
    token.write_text(token.read_text() + "x")
    os.utime(token, (written_at, written_at))


async def main(written_at: float) -> None:
    """Read for a while; print how long the loop was blocked, and the exceptions of reads."""
    provider = irsa_creds.provider()
    await provider.aget()
    # The refresh that is due is denied because of the token.
    deny()
    engine_of(provider).snapshot.refresh_at = float("-inf")
    engine_of(provider).snapshot.check_at = float("-inf")
    await provider.aget()
    for _ in range(2000):
        if provider.status().last_failure is not None:
            break
        await asyncio.sleep(0.01)

    original = token.TokenFile.version

    def slow(self: token.TokenFile) -> object:
        time.sleep(SECONDS)
        return original(self)

    token.TokenFile.version = slow  # type: ignore[method-assign]
    rewrite_token(written_at)
    longest, raised = 0.0, set()
    ends = time.monotonic() + 2 * SECONDS
    while time.monotonic() < ends:
        started = time.monotonic()
        try:
            # On the slow path each time, as when a refresh is due.
            await provider.aget(min_ttl=1)
        except Exception as error:  # noqa: BLE001 - it is printed
            raised.add(type(error).__name__)
        await asyncio.sleep(0.01)
        longest = max(longest, time.monotonic() - started)
    sys.stdout.write(" ".join([str(longest < SECONDS / 2), *sorted(raised)]) + "\n")


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
