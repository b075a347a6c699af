"""What a flight imports is there before it starts."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING, Any

import pytest

from irsa_creds import _lazy
from irsa_creds._lazy import (
    CONNECTING,
    EXITS,
    IMPORT_LOCK,
    load_certificates,
    load_exchange_modules,
    load_late,
)
from stsserver import ROLE, StsServer, refuse, success

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = textwrap.dedent(
    """
    import sys
    from irsa_creds._config import Config
    from irsa_creds._lazy import load_certificates, load_exchange_modules, load_late
    from irsa_creds._sts import Answer, Exchange
    from irsa_creds._token import Token

    config = Config(role_arn={role!r}, session_name="pod", region="eu-west-1")
    load_exchange_modules()
    # What https needs beside them is loaded under the same lock.
    load_certificates()
    # Met under the lock as well, at the first error.
    load_late("irsa_creds._advice")
    before = set(sys.modules)
    for url in sys.argv[1:]:
        exchange = Exchange(Config(role_arn={role!r}, session_name="pod", endpoint_url=url))
        exchange.attempt(Token("a.b.c"), 5)
    Exchange(config).url
    print(*sorted(set(sys.modules) - before))
    """
).format(role=ROLE)


def run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_an_exchange_imports_nothing_that_was_not_loaded_before() -> None:
    with StsServer([success()]) as good, StsServer([refuse("AccessDenied")]) as bad:
        assert not run(
            good.url, bad.url, "http://unknown.invalid", "https://localhost:1", good.url + "/é"
        )


def test_importing_the_exchange_imports_no_botocore() -> None:
    program = "import sys, irsa_creds._sts; print('botocore' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["False"]


@pytest.mark.parametrize("name", ["botocore.endpoint_provider", "certifi"])
def test_what_botocore_may_lack_is_not_missed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    load_exchange_modules()
    load_certificates()


def test_whoever_holds_the_lock_may_load() -> None:
    with IMPORT_LOCK:
        load_exchange_modules()


@pytest.fixture
def reborn() -> Iterator[None]:
    """Give other tests a fresh lock and count, as a child has."""
    yield
    IMPORT_LOCK.reset_after_fork()
    CONNECTING.reset_after_fork()


@pytest.mark.usefixtures("reborn")
def test_a_child_born_while_its_thread_imports_leaves_the_block_and_can_import() -> None:
    with IMPORT_LOCK, IMPORT_LOCK:
        IMPORT_LOCK.reset_after_fork()
        with IMPORT_LOCK:
            pass
    taken: list[bool] = []
    other = threading.Thread(target=lambda: taken.append(IMPORT_LOCK.acquire(timeout=0)))
    other.start()
    other.join(10)
    assert taken == [True]


@pytest.mark.usefixtures("reborn")
def test_a_child_born_while_its_thread_connects_counts_its_own_connections_only() -> None:
    with CONNECTING.counted():
        CONNECTING.reset_after_fork()
        assert CONNECTING.wait(0)
    assert CONNECTING.wait(0), "the end of the parent's is none of the child's"
    with CONNECTING.counted():
        assert not CONNECTING.wait(0)
    assert CONNECTING.wait(0)


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="Windows has no alarms")
def test_a_signals_handler_may_fork_while_its_thread_is_counting() -> None:
    # In a process of its own: would it hang, the alarm would end it.
    program = textwrap.dedent(
        """
        import signal, irsa_creds
        from irsa_creds._lazy import CONNECTING, IMPORT_LOCK, quiesce

        def fork(*_):
            assert quiesce(imports=5, connections=0.01)
            IMPORT_LOCK.release()
            print("forked")

        signal.signal(signal.SIGUSR1, fork)
        signal.alarm(20)
        with CONNECTING._count.changed:
            signal.raise_signal(signal.SIGUSR1)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["forked"]


def test_nobody_waits_without_an_end_for_anothers_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lazy, "_IMPORT_PATIENCE", 0.01)
    holding, done = threading.Event(), threading.Event()

    def importing() -> None:
        with IMPORT_LOCK:
            holding.set()
            done.wait(20)

    other = threading.Thread(target=importing)
    other.start()
    assert holding.wait(10)
    with pytest.raises(TimeoutError, match=r"importing for 0\.01 s"):
        load_exchange_modules()
    done.set()
    other.join(10)


def test_a_status_waits_for_nobodys_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    holding, done = threading.Event(), threading.Event()

    def importing() -> None:
        with IMPORT_LOCK:
            holding.set()
            done.wait(30)

    other = threading.Thread(target=importing)
    other.start()
    assert holding.wait(10)
    load_late("colorsys")
    done.set()
    other.join(10)
    assert "colorsys" in sys.modules


@pytest.fixture
def exits() -> Iterator[Any]:
    EXITS.reset_after_fork()
    yield EXITS
    EXITS.reset_after_fork()


def test_who_forks_waits_for_threads_that_are_at_their_end(exits: Any) -> None:
    exits.note()  # a thread that does not end
    assert not exits.wait(0.01)
    thread = threading.Thread(target=exits.note)
    exits.reset_after_fork()
    thread.start()
    thread.join()
    assert exits.wait(10)
    assert exits.wait(0)


def test_threads_that_are_gone_are_forgotten_when_the_next_one_ends(exits: Any) -> None:
    for _ in range(20):
        thread = threading.Thread(target=exits.note)
        thread.start()
        thread.join()
        assert exits.wait(10)
    assert len(exits._ids) <= 1
