"""A fast STS on the loopback, a pod's environment for it, and programs run under a deadline."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sts_server import ROLE, SECRET_KEY, SESSION_TOKEN, credentials_xml, error_xml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["ROLE", "LoopbackSts", "at_once", "beside", "eventually", "run"]

PROGRAMS = Path(__file__).with_name("programs")


class _Server(ThreadingHTTPServer):
    # A thousand clients may connect at once, and none waits for another at the end.
    request_queue_size = 1024
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing about clients that died: these tests kill them."""


@dataclass
class LoopbackSts:
    """An STS that returns numbered credentials until the end of the `with` block.

    Attributes:
        lifetime: seconds that they last.
        error: the code of an error to return instead.
        gate: cleared, responses wait until it is set.
        arrived: set whenever a request has been read.
        calls: the tokens that came, in order.
        expiries: when each key ends, by the wall.
    """

    lifetime: float = 3600.0
    error: str = ""
    gate: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Event = field(default_factory=threading.Event)
    calls: list[str] = field(default_factory=list)
    expiries: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.gate.set()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()

    def respond(self, body: str) -> tuple[int, str, str]:
        """Return status, document and `Date` for a form."""
        with self._lock:
            self.calls.append(body)
            number = len(self.calls)
        self.arrived.set()
        self.gate.wait(60)
        # `Date` has whole seconds, so the client assumes a second more.
        second = int(time.time())
        date = datetime.fromtimestamp(second, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        if self.error:
            return 403, error_xml(self.error, "Not for you"), date
        key = f"ASIA{number:016d}"
        self.expiries[key] = second + 1 + self.lifetime
        expiration = datetime.fromtimestamp(self.expiries[key], UTC).isoformat()
        document = credentials_xml(expiration, key=key)
        document = document.replace(SECRET_KEY, f"secret-{key}")
        return 200, document.replace(SESSION_TOKEN, f"session-{key}"), date

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        sts = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, document, date = sts.respond(body)
                self.send_response_only(status)
                self.send_header("Date", date)
                self.send_header("Content-Length", str(len(document)))
                self.end_headers()
                self.wfile.write(document.encode())

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        return Handler

    def pod(self, folder: Path) -> dict[str, str]:
        """Return the environment of a pod that uses this STS; its token is in `folder`."""
        token = folder / "token"
        token.write_text("eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJl")
        return {
            "AWS_ROLE_ARN": ROLE,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL_STS": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    status: int
    out: str
    err: str
    seconds: float


def run(
    program: str, environ: Mapping[str, str], *arguments: object, seconds: float = 250
) -> Ended:
    """Run a program of `programs/`; kill it and all its children at the deadline."""
    started = time.monotonic()
    process = subprocess.Popen(
        # Warnings are errors there as they are here, and a hang dumps its tracebacks.
        [sys.executable, "-X", "faulthandler", str(PROGRAMS / program), *map(str, arguments)],
        env={**_plain_environ(), "PYTHONWARNINGS": "error", **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGABRT)
        out, err = process.communicate()
        raise AssertionError(f"{program} hung.\n{out}\n{err}") from None
    return Ended(process.returncode, out, err, time.monotonic() - started)


def _plain_environ() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "IRSA_CREDS_"))
    }


def at_once(count: int, work: Callable[[], Any]) -> list[Any]:
    """Let `count` threads call `work` at the same instant; return all results or exceptions."""
    barrier = threading.Barrier(count)

    def one() -> Any:
        barrier.wait(60)
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - the test looks at them all
            return error

    with ThreadPoolExecutor(count) as pool:
        return [future.result(60) for future in [pool.submit(one) for _ in range(count)]]


def eventually(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait until `condition` holds, by looking; fail when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.002)


@contextlib.contextmanager
def beside(work: Callable[[], None]) -> Iterator[None]:
    """Call `work` on another thread during the block; it must end there without an exception."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        yield
        future.result(60)
