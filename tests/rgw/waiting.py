"""Waiting for what a provider does by itself, each time with a deadline."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from irsa_creds import Credentials, Provider

__all__ = ["await_due_refresh", "await_failed_refresh", "await_keys", "await_refresh"]


def await_due_refresh(provider: Provider) -> None:
    """Return some tenths of a second before the next refresh."""
    _await(provider, lambda: 0.1 < (provider.status().next_refresh_in or 0) < 0.5)


def await_failed_refresh(provider: Provider) -> None:
    """Return when a refresh has failed."""
    _await(provider, lambda: provider.status().last_failure is not None)


def await_refresh(provider: Provider, old: Credentials) -> None:
    """Read until the credentials are others than `old`."""
    _await(provider, lambda: provider.get() != old)


def await_keys(number: int, sources: Sequence[Callable[[], str]], within: float = 40) -> None:
    """Ask all sources over and over, and return once they agree on the last of so many keys."""
    deadline = time.monotonic() + within
    seen: set[str] = set()
    while True:
        keys = {source() for source in sources}
        seen |= keys
        if len(seen) >= number and len(keys) == 1:
            break
        assert time.monotonic() < deadline, seen
        time.sleep(0.05)
    assert len(seen) == number, seen


def _await(provider: Provider, happened: Callable[[], bool], within: float = 20) -> None:
    deadline = time.monotonic() + within
    while not happened():
        assert time.monotonic() < deadline, provider.status()
        time.sleep(0.01)
