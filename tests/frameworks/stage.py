"""Frameworks as they are run: by their own command, in processes of their own, as in a pod."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Self

from frameworks.ledger import Ledger, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from irsa_creds.testing import Sandbox

__all__ = ["LIFETIME", "Cluster", "Server", "listener", "requests", "run"]

#: Seconds that credentials last here: a refresh comes within half of them.
LIFETIME = 6.0
# From the moment of sending they count from the next whole second on; the earliest first refresh.
_EARLIEST = 0.1 * (LIFETIME - 1)
# A process does not take what ends within a second of its own, and an end is known to a second.
# Two refreshes of an hour's credentials are never that near to each other.
_FRESHER = 2.0

_TESTS = Path(__file__).parents[1]
_APPS = Path(__file__).with_name("apps")
_ENDING = 20.0
_CLIENTS = 4


@dataclass(frozen=True)
class Cluster:
    """A sandbox whose credentials are short, and the variables of its one pod.

    Attributes:
        sandbox: sees all calls.
        environ: of every process.
        shared: whether they share a cache.
    """

    sandbox: Sandbox
    environ: dict[str, str]
    shared: bool

    def check(self, ledger: Ledger, *, inherited: bool = False, spare: int = 0) -> None:
        """See that nothing failed, and that STS was asked once for each refresh.

        Args:
            ledger: what workers replied.
            inherited: whether workers began with what the process had that forked them.
            spare: processes that may hold a key that no reply came from: a master, who ended.
        """
        calls, users = self.sandbox.sts_calls, ledger.users()
        assert {call.outcome for call in calls} == {"OK"}
        assert {call.status for call in self.sandbox.s3_identities} == {200}
        # A worker may have brought a key that it was not asked to use any more.
        unused = {call.access_key_id for call in calls} - set(users)
        if self.shared or len(ledger.keys) == 1:
            # One for all, and not again before a refresh may be due.
            assert len(unused) <= 1 + spare
            gaps = [later.at - sooner.at for sooner, later in pairwise(calls)]
            for before, gap in pairwise([inf, *gaps]):
                # After a refresh that came so early, another process may need one of its own.
                assert gap > _EARLIEST or before < _FRESHER, gaps
        if self.shared:
            assert len(ledger.keys) == 1 or max(map(len, users.values())) > 1
            return
        assert len(unused) <= len(ledger.keys) + spare
        first = calls[0].access_key_id
        for key, pids in users.items():
            assert len(pids) == 1 or (inherited and key == first), f"{key} was used by {pids}"
        for pid, keys in ledger.keys.items():
            # The one more is under way, or was.
            assert ledger.calls[pid] <= len(keys) + 1


@contextlib.contextmanager
def listener() -> Iterator[socket.socket]:
    """Listen on a port of the loopback, for a server that takes the socket over.

    Whoever connects before the server is there waits in its queue: nobody has to poll for it.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=128) as opened:
        yield opened


class Server:
    """A framework's own command; what it says comes out where the test fails.

    Args:
        arguments: of Python.
        environ: a pod's variables.
        folder: where it runs, and leaves its log.
        sockets: that it takes over.
        ending: the signal that ends it.
    """

    def __init__(
        self,
        arguments: list[str],
        environ: Mapping[str, str],
        folder: Path,
        sockets: tuple[socket.socket, ...] = (),
        ending: signal.Signals = signal.SIGTERM,
    ) -> None:
        self._ending = ending
        self._log = folder / "server.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-X", "faulthandler", *arguments],
                env=_environ(environ),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[each.fileno() for each in sockets],
                # Of a group of its own, by which nothing of it is left behind.
                start_new_session=True,
            )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        status = self._end()
        sys.stdout.write(f"--- the server, which ended with {status}:\n{self.said()}\n")

    def _end(self) -> int | None:
        self.send(self._ending)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDING)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return self._process.wait(_ENDING)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to its first process."""
        self._process.send_signal(number)

    def said(self) -> str:
        """Return what it has printed so far."""
        return self._log.read_text(errors="replace")


def requests(port: int) -> list[Reply]:
    """Ask a server a few times at once, each over a connection of its own."""

    def one(_: int) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", "/", headers={"Connection": "close"})
            answer = connection.getresponse()
            text = answer.read()
        assert answer.status == http.HTTPStatus.OK, text.decode(errors="replace")
        return Reply.of(text)

    with ThreadPoolExecutor(_CLIENTS) as pool:
        return list(pool.map(one, range(_CLIENTS)))


def run(program: str, environ: Mapping[str, str], folder: Path, *arguments: str) -> tuple[str, str]:
    """Run a program of `apps/` to its end, which must be a good one; return what it printed."""
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", str(_APPS / program), *arguments],
        env=_environ(environ),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    late = False
    try:
        out, err = process.communicate(timeout=90)
    except subprocess.TimeoutExpired:
        late = True
        # It says where it hangs.
        process.send_signal(signal.SIGABRT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_ENDING)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if late:
        # Whoever else had its pipes is gone.
        out, err = process.communicate(timeout=_ENDING)
    sys.stdout.write(f"--- {program}, which ended with {process.returncode}:\n{err}\n")
    assert not late, f"{program} hung"
    assert process.returncode == 0, err
    return out, err


def _environ(pod: Mapping[str, str]) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(_TESTS),
        "PYTHONUNBUFFERED": "1",
        **pod,
    }
