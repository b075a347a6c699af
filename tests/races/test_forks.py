"""Processes that fork at the worst moment: parent and child go on, each on its own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from irsa_creds._clock import SystemClock
from irsa_creds._flight import Flight, Hangar
from irsa_creds._lazy import CONNECTING, EXITS, IMPORT_LOCK, quiesce
from irsa_creds._registry import REGISTRY
from races.lab import beside, eventually, run
from stsserver import StsServer, make_certificate, success

if TYPE_CHECKING:
    from pathlib import Path

    from races.lab import LoopbackSts

pytestmark = pytest.mark.timeout(110)

# 60 of them, from 1 to 90 ms.
DELAYS = [1 + round(89 * number / 59) for number in range(60)]


def test_whoever_forks_while_the_first_flight_runs_or_imports_has_a_child_that_gets_credentials(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    ended = run("fork_in_flight.py", environ, *DELAYS, seconds=100)
    assert ended.status == 0, ended.err
    assert not ended.err
    assert len(sts.calls) >= len(DELAYS)


def test_so_has_whoever_forks_in_the_middle_of_a_handshake(
    environ: dict[str, str], tmp_path: Path
) -> None:
    certificate = make_certificate(tmp_path)
    with StsServer([success()], certificate) as sts:
        environ |= {"AWS_ENDPOINT_URL_STS": sts.url, "AWS_CA_BUNDLE": str(certificate[0])}
        ended = run("fork_in_flight.py", environ, *DELAYS, seconds=100)
    assert ended.status == 0, ended.err
    assert not ended.err


def test_so_has_whoever_forks_the_moment_after_a_flight(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    ended = run("fork_after_flights.py", environ, seconds=100)
    assert (ended.status, ended.out.strip(), ended.err) == (0, "0", "")


def test_for_that_a_fork_waits_for_the_threads_that_are_at_their_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # How often it goes wrong without depends on the machine: of 250 children, one or none.
    flight, hangar = Flight.for_readers(0.0), Hangar(SystemClock())
    noted = threading.Event()
    waited: list[float] = []
    monkeypatch.setattr(EXITS, "note", noted.set)
    monkeypatch.setattr(EXITS, "wait", waited.append)
    assert hangar.start(flight, lambda _: None)
    assert noted.wait(10)
    REGISTRY.before_fork()
    REGISTRY.after_in_parent()
    assert waited == [0.05]


def test_a_fork_beside_the_sleeping_refresher_warns_of_nothing_and_shares_the_credentials(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    ended = run("fork_asleep.py", environ)
    assert ended.status == 0, ended.err
    assert not ended.err
    key, *children, parent = ended.out.splitlines()
    assert len(children) == 8
    # Each serves what the parent had, without a call of its own, until an instant of its own.
    assert {(child.split()[0], child.split()[2]) for child in children} == {(key, "0")}
    assert len({child.split()[1] for child in children}) == 8
    assert parent == "['irsa-creds-refresher'] 0.0"
    assert len(sts.calls) == 1


def test_a_fork_while_a_flight_hangs_leaves_both_sides_able_to_fetch(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    sts.gate.clear()

    def answer_when_the_child_has_asked_as_well() -> None:
        eventually(lambda: len(sts.calls) == 2)
        sts.gate.set()

    with beside(answer_when_the_child_has_asked_as_well):
        ended = run("fork_black_hole.py", environ)
    assert ended.status == 0, ended.err
    assert not ended.err
    who, keys, calls = zip(*(line.split() for line in ended.out.splitlines()), strict=True)
    assert sorted(who) == ["child", "parent"]
    assert len(set(keys)) == 2
    assert set(calls) == {"1"}


def test_forks_under_load_lose_nobody(sts: LoopbackSts, environ: dict[str, str]) -> None:
    sts.lifetime = 0.3
    ended = run("fork_under_load.py", environ)
    assert ended.status == 0, ended.err
    assert not ended.err
    assert int(ended.out) > 1, "no refresh ran: this shows nothing"


def test_a_fork_waits_for_a_connection_that_is_being_opened_and_not_for_ever() -> None:
    order: list[str] = []
    opening, opened = threading.Event(), threading.Event()

    def connect() -> None:
        with CONNECTING.counted():
            opening.set()
            opened.wait(20)
            order.append("connected")

    thread = threading.Thread(target=connect)
    thread.start()
    opening.wait(20)
    # A server that is silent must not hold up a fork for ever.
    assert quiesce(imports=20, connections=0.01)
    order.append("too late")
    IMPORT_LOCK.release()
    threading.Timer(0.05, opened.set).start()
    assert quiesce(imports=20, connections=20)
    order.append("forked")
    IMPORT_LOCK.release()
    thread.join(20)
    assert order == ["too late", "connected", "forked"]
