"""Forks at the worst moment: both parent and child have credentials and can refresh them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine_fakes import eventually
from races.harness import beside, run
from sts_server import StsServer, make_certificate, success

if TYPE_CHECKING:
    from pathlib import Path

    from races.harness import LoopbackSts

# 24 of them, from 1 to 90 ms.
DELAYS = [1 + round(89 * number / 23) for number in range(24)]


def test_a_child_forked_during_the_first_refresh_or_its_imports_gets_credentials(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    ended = run("fork_during_refresh.py", environ, *DELAYS)
    assert ended.status == 0, ended.err
    assert not ended.err
    assert len(sts.calls) >= len(DELAYS)


def test_a_child_forked_during_a_tls_handshake_gets_credentials(
    environ: dict[str, str], tmp_path: Path
) -> None:
    certificate = make_certificate(tmp_path)
    with StsServer([success()], certificate) as sts:
        environ |= {"AWS_ENDPOINT_URL_STS": sts.url, "AWS_CA_BUNDLE": str(certificate[0])}
        ended = run("fork_during_refresh.py", environ, *DELAYS)
    assert ended.status == 0, ended.err
    assert not ended.err


def test_a_child_forked_the_moment_after_a_refresh_gets_credentials(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    ended = run("fork_after_refreshes.py", environ)
    assert (ended.status, ended.out.strip(), ended.err) == (0, "0", "")


def test_a_fork_beside_the_sleeping_timer_warns_of_nothing_and_shares_the_credentials(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    ended = run("fork_asleep.py", environ)
    assert ended.status == 0, ended.err
    assert not ended.err
    key, *children, parent = ended.out.splitlines()
    assert len(children) == 8
    # Each child uses the parent's credentials, and refreshes them at an instant of its own.
    assert {(child.split()[0], child.split()[2]) for child in children} == {(key, "0")}
    assert len({child.split()[1] for child in children}) == 8
    assert parent == "['irsa-creds-timer'] 0.0"
    assert len(sts.calls) == 1


def test_a_fork_while_a_refresh_hangs_leaves_both_sides_able_to_fetch(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    sts.gate.clear()

    def respond_once_the_child_has_called_too() -> None:
        eventually(lambda: len(sts.calls) == 2)
        sts.gate.set()

    with beside(respond_once_the_child_has_called_too):
        ended = run("fork_black_hole.py", environ)
    assert ended.status == 0, ended.err
    assert not ended.err
    names, keys, calls = zip(*(line.split() for line in ended.out.splitlines()), strict=True)
    assert sorted(names) == ["child", "parent"]
    assert len(set(keys)) == 2
    assert set(calls) == {"1"}


def test_forks_under_load_leave_every_child_and_thread_with_credentials(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    sts.lifetime = 0.3
    ended = run("fork_under_load.py", environ)
    assert ended.status == 0, ended.err
    assert not ended.err
    assert int(ended.out) > 1, "no refresh ran: this shows nothing"
