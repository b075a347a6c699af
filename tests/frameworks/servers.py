"""Frameworks, run by their own command in processes of their own, as in a pod."""

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

from frameworks.replies import Replies, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from irsa_creds.testing import Sandbox

__all__ = ["LIFETIME", "Cluster", "Server", "listener", "requests", "run"]

#: Lifetime of credentials; a refresh comes within half of it.
LIFETIME = 6.0
# The earliest first refresh; the lifetime counts from the whole second after the request.
_EARLIEST = 0.1 * (LIFETIME - 1)
# A process ignores credentials that expire within a second of its own, and expirations are whole
# seconds. Two refreshes of credentials of an hour are never that close.
_FRESHER = 2.0

_TESTS = Path(__file__).parents[1]
_APPS = Path(__file__).with_name("apps")
_ENDING = 20.0
_CLIENTS = 4


@dataclass(frozen=True)
class Cluster:
    """A sandbox with short credentials, and the variables of its one pod.

    Attributes:
        sandbox: records all calls.
        environ: the variables of every process.
        shared: whether the processes share a cache.
    """

    sandbox: Sandbox
    environ: dict[str, str]
    shared: bool

    def check(self, replies: Replies, *, inherited: bool = False, spare: int = 0) -> None:
        """Check that nothing failed, and that each refresh made one STS call.

        Args:
            replies: the workers' replies.
            inherited: whether workers began with the credentials of their parent.
            spare: number of other processes that may have a key, such as a master.
        """
        calls, users = self.sandbox.sts_calls, replies.users()
        assert {call.outcome for call in calls} == {"OK"}
        assert {call.status for call in self.sandbox.s3_identities} == {200}
        # A worker may have got a last key without another read.
        unused = {call.access_key_id for call in calls} - set(users)
        if self.shared or len(replies.keys) == 1:
            # One call for all, and none before a refresh can be due.
            assert len(unused) <= 1 + spare
            gaps = [later.at - sooner.at for sooner, later in pairwise(calls)]
            for before, gap in pairwise([inf, *gaps]):
                # After such an early refresh, another process may need its own.
                assert gap > _EARLIEST or before < _FRESHER, gaps
        if self.shared:
            assert len(replies.keys) == 1 or max(map(len, users.values())) > 1
            return
        assert len(unused) <= len(replies.keys) + spare
        first = calls[0].access_key_id
        for key, pids in users.items():
            assert len(pids) == 1 or (inherited and key == first), f"{key} was used by {pids}"
        for pid, keys in replies.keys.items():
            # One more refresh may be in progress.
            assert replies.calls[pid] <= len(keys) + 1


@contextlib.contextmanager
def listener() -> Iterator[socket.socket]:
    """Listen on a port of the loopback, for a server that inherits the socket.

    Connections wait in its queue until the server is up, so no test has to poll.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=128) as opened:
        yield opened


class Server:
    """A framework's own command, with its output in the test's output.

    Args:
        arguments: arguments of Python.
        environ: a pod's variables.
        folder: its working directory, also for its log.
        sockets: sockets that it inherits.
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
                # In a new process group, to end all its processes.
                start_new_session=True,
            )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        status = self._end()
        sys.stdout.write(f"--- the server, which ended with {status}:\n{self.output()}\n")

    def _end(self) -> int | None:
        self.send(self._ending)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDING)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return self._process.wait(_ENDING)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the server's first process."""
        self._process.send_signal(number)

    def output(self) -> str:
        """Return the output so far."""
        return self._log.read_text(errors="replace")


def requests(port: int) -> list[Reply]:
    """Send a few requests at once, each over a new connection."""

    def one(_: int) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", "/", headers={"Connection": "close"})
            response = connection.getresponse()
            text = response.read()
        assert response.status == http.HTTPStatus.OK, text.decode(errors="replace")
        return Reply.of(text)

    with ThreadPoolExecutor(_CLIENTS) as pool:
        return list(pool.map(one, range(_CLIENTS)))


def run(
    program: str,
    environ: Mapping[str, str],
    folder: Path,
    *arguments: str,
    below: Sequence[str] = (),
) -> tuple[str, str]:
    """Run a program of `apps/`, which must succeed; return its output and errors.

    Args:
        program: its file name.
        environ: a pod's variables.
        folder: its working directory.
        arguments: its arguments.
        below: a command that starts it.
    """
    process = subprocess.Popen(
        [*below, sys.executable, "-X", "faulthandler", str(_APPS / program), *arguments],
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
        # It prints where it hangs.
        process.send_signal(signal.SIGABRT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_ENDING)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if late:
        # No other process has its pipes any more.
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
