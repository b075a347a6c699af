"""Log handlers that read credentials: neither they nor refreshes wait for each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from races.harness import run

if TYPE_CHECKING:
    from races.harness import LoopbackSts


@pytest.mark.parametrize("kind", ["debug", "token"])
def test_a_log_handler_that_reads_credentials_holds_up_no_refresh(
    kind: str, sts: LoopbackSts, environ: dict[str, str]
) -> None:
    ended = run("log_handler.py", environ, kind)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == "True served\n"
    assert len(sts.calls) <= 3


def test_a_log_handler_that_gets_the_lines_of_an_outage_holds_up_no_refresh(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    sts.error = "AccessDenied"
    ended = run("log_handler.py", environ, "outage")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == "True ExchangeError\n"
