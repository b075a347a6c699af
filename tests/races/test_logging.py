"""Reads while `logging` is configured, which holds a lock that all threads need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from races.harness import run

if TYPE_CHECKING:
    from races.harness import LoopbackSts


@pytest.mark.parametrize("before", ["cold", "prefetched"])
def test_a_log_handler_gets_credentials_while_logging_is_configured(
    before: str, sts: LoopbackSts, environ: dict[str, str]
) -> None:
    ended = run("configure_logging.py", environ, before)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("ASIA")
    assert 1 <= len(sts.calls) <= 3


def test_beside_a_refresh_that_imports_it_gets_credentials_or_a_typed_error_and_does_not_hang(
    environ: dict[str, str],
) -> None:
    # The importing thread holds a module's lock and needs logging's; the handler the reverse.
    ended = run("configure_logging.py", environ, "importing")
    assert ended.status == 0
    # The prefetch may get the first key, and the handler's own refresh the second.
    keys = {"ASIA0000000000000001", "ASIA0000000000000002"}
    assert ended.out.strip() in {"ExchangeError", "RefreshTimeout"} | keys
