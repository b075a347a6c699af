"""Callers with valid credentials start no thread and do no I/O; cold identities share threads."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

import irsa_creds
from irsa_creds._registry import engine_of
from races.harness import beside, eventually, run

if TYPE_CHECKING:
    from pathlib import Path

    from races.harness import LoopbackSts


@pytest.mark.usefixtures("pod")
def test_the_timer_starts_background_refreshes_and_callers_start_no_thread(
    sts: LoopbackSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = irsa_creds.provider()
    first = provider.get()
    engine = engine_of(provider)
    eventually(lambda: any(each.name == "irsa-creds-timer" for each in threading.enumerate()))
    started_by: list[str] = []
    start = threading.Thread.start

    def noting(thread: threading.Thread) -> None:
        if thread.name.startswith("irsa-creds"):
            started_by.append(threading.current_thread().name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", noting)
    engine.snapshot.refresh_at = float("-inf")
    engine.leave_fast_path()
    assert provider.get() is first
    eventually(lambda: len(sts.calls) == 2)
    eventually(lambda: provider.get() is not first)
    assert started_by == ["irsa-creds-timer"]


@pytest.mark.parametrize(
    "written_at",
    [1_700_000_000, pytest.param(400_000_000_000, id="in the year 14645")],
)
def test_a_slow_volume_of_a_denied_token_blocks_no_caller_with_valid_credentials(
    written_at: float, sts: LoopbackSts, environ: dict[str, str], tmp_path: Path
) -> None:
    deny = tmp_path / "deny"
    respond = sts.respond

    def denying(body: str) -> Any:
        sts.error = "InvalidIdentityToken" if deny.exists() else ""
        return respond(body)

    sts.respond = denying  # type: ignore[method-assign]
    ended = run("slow_volume.py", {**environ, "DENY": str(deny)}, written_at)
    assert ended.status == 0, ended.err
    assert ended.out == "True\n"


def test_two_hundred_and_fifty_cold_identities_take_turns_in_sixty_four_threads(
    sts: LoopbackSts, environ: dict[str, str], tmp_path: Path
) -> None:
    go_on = tmp_path / "go-on"
    sts.gate.clear()

    def answer_when_all_wait() -> None:
        eventually(go_on.exists, 60)
        sts.gate.set()

    with beside(answer_when_all_wait):
        ended = run("cold_identities.py", {**environ, "GO_ON": str(go_on)}, 250)
    assert (ended.status, ended.err) == (0, "")
    most, keys = ended.out.split()
    assert int(most) == 64
    assert int(keys) == len(sts.calls) == 250
