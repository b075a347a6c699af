"""A process that ends during a refresh or beside the timer.

Args: what is to be under way, or to happen, at the end.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

import irsa_creds

if TYPE_CHECKING:
    from collections.abc import Callable


def read(provider: irsa_creds.Provider, timeout: float = 20) -> None:
    try:
        key = provider.get(timeout=timeout).access_key_id
    except irsa_creds.IrsaError as error:
        key = type(error).__name__
    sys.stdout.write(f"{key}\n")


def wait_for_call(provider: irsa_creds.Provider) -> None:
    deadline = time.monotonic() + 20
    while not provider.status().sts_calls:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def hung_refresh(provider: irsa_creds.Provider) -> None:
    provider.prefetch()
    wait_for_call(provider)


def hung_callers(provider: irsa_creds.Provider) -> None:
    for _ in range(4):
        threading.Thread(target=read, args=(provider,), daemon=True).start()
    wait_for_call(provider)


def hung_task(provider: irsa_creds.Provider) -> None:
    async def main() -> None:
        task = asyncio.create_task(provider.aget())
        await asyncio.to_thread(wait_for_call, provider)
        task.cancel()

    asyncio.run(main())


def asleep(provider: irsa_creds.Provider) -> None:
    read(provider)


def atexit_cold(provider: irsa_creds.Provider) -> None:
    atexit.register(read, provider)


def atexit_warm(provider: irsa_creds.Provider) -> None:
    read(provider)
    atexit.register(read, provider)


def atexit_stale(provider: irsa_creds.Provider) -> None:
    from irsa_creds._registry import engine_of

    read(provider)

    def read_when_due() -> None:
        engine = engine_of(provider)
        engine.snapshot.refresh_at = engine.snapshot.check_at = engine.now()
        read(provider)

    atexit.register(read_when_due)


def atexit_hung(provider: irsa_creds.Provider) -> None:
    atexit.register(read, provider, 0.5)


def thread_at_shutdown(provider: irsa_creds.Provider) -> None:
    def read_later() -> None:
        threading.main_thread().join(20)
        read(provider)

    threading.Thread(target=read_later).start()


class Mourner:
    """An object that reads credentials in its finalizer at interpreter exit."""

    def __init__(self, provider: irsa_creds.Provider) -> None:
        self.get = provider.get
        # At that time the names of this module and `sys.stdout` may be gone.
        self.errors = irsa_creds.IrsaError
        self.write = os.write

    def __del__(self) -> None:
        try:
            key = self.get(timeout=0.5).access_key_id
        except self.errors as error:
            key = type(error).__name__
        self.write(1, f"{key}\n".encode())


def finalizer(provider: irsa_creds.Provider) -> None:
    globals()["mourner"] = Mourner(provider)


def finalizer_hung(provider: irsa_creds.Provider) -> None:
    hung_refresh(provider)
    globals()["mourner"] = Mourner(provider)


WAYS: dict[str, Callable[[irsa_creds.Provider], None]] = {
    each.__name__: each
    for each in (
        hung_refresh, hung_callers, hung_task, asleep, atexit_cold, atexit_warm, atexit_stale,
        atexit_hung, thread_at_shutdown, finalizer, finalizer_hung,
    )
}  # fmt: skip

if __name__ == "__main__":
    WAYS[sys.argv[1]](irsa_creds.provider())
