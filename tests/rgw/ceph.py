"""A Ceph RADOS Gateway for tests: a real STS and S3 server.

One monitor, one OSD that keeps everything in memory, one gateway: all on 127.0.0.1, all in one
temporary directory. The end of the `Cluster` removes everything.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore import UNSIGNED
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ACCOUNT", "REASONS", "REGION", "Cluster", "ClusterError"]

ACCOUNT = "123456789012"
REGION = "us-east-1"

_PROGRAMS = ("setpriv", "monmaptool", "ceph-mon", "ceph-osd", "radosgw-admin", "radosgw")
_FSID = "6d0fca6b-4a2c-4c3e-9b2e-0d5c5e1f7a11"
_GATEWAY = "client.rgw"
_TIMEOUT = 60.0  # seconds for one step; each takes less than one on an idle machine
_CONF = Path(__file__).with_name("ceph.conf.in")

# The gateway's messages, by the fault of the request.
REASONS = {
    "audience": "Client id in token doesn't match",
    "duration": "Incorrect value of duration",
    "expired": "token verification failed: token expired",
    "issuer": "Couldn't get oidc provider info",
    "role": "Role not found",
    "signature": "evp verify final failed",
    "trust policy": "returned deny",
}
_REASON = re.compile("|".join(map(re.escape, REASONS.values())))
# A request of irsa-creds to STS in the gateway's access log.
_EXCHANGE = re.compile(r'"POST / HTTP/1\.1" (\d+) [^"]*"irsa-creds/')


class ClusterError(Exception):
    """The gateway did not start; the message says what to do, or ends with its log."""


class Cluster:
    """A running gateway, its administrator's clients, and methods to kill and start it.

    Each daemon ends with the thread that started it, so start them from a thread that lives long
    enough.
    """

    def __init__(self) -> None:
        self._port, self._mon_port = _free_ports(2)
        self.endpoint_url = f"http://127.0.0.1:{self._port}"
        self._exits = ExitStack()
        self._gateway: subprocess.Popen[bytes] | None = None
        self._keys: dict[str, str] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Create a cluster and wait until its gateway responds."""
        _require_programs()
        with self._exits:
            directory = tempfile.TemporaryDirectory(prefix="rgw-", ignore_cleanup_errors=True)
            self._work = Path(self._exits.enter_context(directory))
            log = self._work / f"{_GATEWAY}.log"
            self._denials = _Search(log, _REASON)
            self._exchanges = _Search(log, _EXCHANGE)
            self._start_storage()
            self._keys = self._create_admin()
            self._exits.callback(self.kill_gateway)
            self.start_gateway()
            # After success, keep the callbacks for `stop`.
            self._exits = self._exits.pop_all()

    def stop(self) -> None:
        """End all daemons, the last one first, and remove their directory."""
        self._exits.close()

    def start_gateway(self) -> None:
        """Start the gateway and wait until it responds."""
        self._gateway = self._spawn("radosgw", "--name", _GATEWAY)
        self._await_gateway(self._gateway)

    def kill_gateway(self) -> None:
        """Kill the gateway, as the kernel's OOM killer does, if it is running."""
        if self._gateway is not None:
            _kill(self._gateway)
            self._gateway = None

    @contextmanager
    def dead_gateway(self) -> Iterator[None]:
        """Kill the gateway, and restart it after the block."""
        self.kill_gateway()
        try:
            yield
        finally:
            self.start_gateway()

    @contextmanager
    def hung_gateway(self) -> Iterator[None]:
        """Let the gateway accept requests, but respond only after the block."""
        assert self._gateway is not None
        self._gateway.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._gateway.send_signal(signal.SIGCONT)

    def denials(self, *, within: float = 5) -> list[str]:
        """Return the reasons of `REASONS` that the gateway has logged since the last call.

        Wait for one, because the gateway writes its log a moment after the response.
        """
        return self._denials.find(1, within)

    def exchanges(self, at_least: int = 1, *, within: float = 5) -> list[int]:
        """Return the HTTP statuses of irsa-creds's requests to STS since the last call.

        Wait for `at_least` so many, as `denials` does.
        """
        return [int(status) for status in self._exchanges.find(at_least, within)]

    @cached_property
    def iam(self) -> Any:
        """IAM as the administrator of the tenant."""
        return self._client("iam", **self._keys)

    @cached_property
    def s3(self) -> Any:
        """S3 as the administrator of the tenant."""
        return self._client("s3", **self._keys)

    @cached_property
    def sts(self) -> Any:
        """STS without credentials: AssumeRoleWithWebIdentity is not signed."""
        # Without validation, because AWS's model has a minimum of 900 s.
        config = Config(signature_version=UNSIGNED, parameter_validation=False)
        return self._client("sts", config=config)

    def _client(self, service: str, **settings: Any) -> Any:
        session = boto3.session.Session(region_name=REGION)
        return session.client(service, endpoint_url=self.endpoint_url, **settings)

    def _start_storage(self) -> None:
        for name in ("mon", "osd", "rgw"):
            (self._work / name).mkdir()
        mon_address = f"[v2:127.0.0.1:{self._mon_port}]"
        conf = _CONF.read_text().format(
            fsid=_FSID,
            work=self._work,
            mon_address=mon_address,
            classes=_class_directory(),
            gateway=_GATEWAY,
            port=self._port,
        )
        (self._work / "ceph.conf").write_text(conf)
        monmap = str(self._work / "monmap")
        self._run("monmaptool", "--create", "--fsid", _FSID, "--addv", "a", mon_address, monmap)
        self._run("ceph-mon", "--id", "a", "--mkfs", "--monmap", monmap)
        self._exits.callback(_kill, self._spawn("ceph-mon", "--id", "a"))
        self._run("ceph-osd", "--id", "0", "--mkfs", "--osd-uuid", _FSID)
        self._exits.callback(_kill, self._spawn("ceph-osd", "--id", "0"))

    def _create_admin(self) -> dict[str, str]:
        user = self._run(
            "radosgw-admin", "--name", _GATEWAY, "user", "create",
            "--tenant", ACCOUNT, "--uid", "admin", "--display-name", "Administrator",
            "--caps", "roles=*;oidc-provider=*;user-policy=*",
        )  # fmt: skip
        key = json.loads(user)["keys"][0]
        return {
            "aws_access_key_id": key["access_key"],
            "aws_secret_access_key": key["secret_key"],
        }

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "CEPH_CONF": str(self._work / "ceph.conf")}

    def _run(self, *command: str) -> str:
        """Run one of Ceph's tools and return its output."""
        try:
            done = subprocess.run(
                command,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT,
                check=True,
            )
        except subprocess.SubprocessError as error:
            raise ClusterError(f"{error}\n{self._log_tails()}") from error
        return done.stdout

    def _spawn(self, *command: str) -> subprocess.Popen[bytes]:
        # The parent-death signal ends the daemons if the test run is killed.
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command, "-f"],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _await_gateway(self, gateway: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _TIMEOUT
        while not self._responds():
            if gateway.poll() is not None or time.monotonic() > deadline:
                raise ClusterError(
                    f"radosgw does not respond (exit status {gateway.poll()}).\n{self._log_tails()}"
                )
            time.sleep(0.02)

    def _responds(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=1)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == HTTPStatus.OK
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def _log_tails(self) -> str:
        logs = sorted(self._work.glob("*.log"))
        return "\n".join(f"{log.name}: ...{log.read_text(errors='replace')[-800:]}" for log in logs)


class _Search:
    """Searches the new lines of a growing log for a pattern."""

    def __init__(self, log: Path, pattern: re.Pattern[str]) -> None:
        self._log = log
        self._pattern = pattern
        self._offset = 0

    def find(self, at_least: int, within: float) -> list[str]:
        """Return new matches; wait up to `within` seconds for `at_least` of them."""
        deadline = time.monotonic() + within
        found = self._pattern.findall(self._new_lines())
        while len(found) < at_least and time.monotonic() < deadline:
            time.sleep(0.02)
            found += self._pattern.findall(self._new_lines())
        return found

    def _new_lines(self) -> str:
        with self._log.open("rb") as log:
            log.seek(self._offset)
            whole, newline, _ = log.read().rpartition(b"\n")
        self._offset += len(whole + newline)
        return whole.decode(errors="replace")


def _kill(daemon: subprocess.Popen[bytes]) -> None:
    daemon.kill()
    daemon.wait(timeout=30)


def _free_ports(count: int) -> list[int]:
    # Outside the ephemeral range: otherwise a client that connects to a dead gateway may get the
    # gateway's own port as its source port, and still have it when the gateway restarts.
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    ports = range(10_000, 65_536)
    candidates = [port for port in ports if not first <= port <= last] or list(ports)
    free: list[int] = []
    for port in random.sample(candidates, len(candidates)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            free.append(port)
        if len(free) == count:
            return free
    raise ClusterError("No port is free on 127.0.0.1.")


def _require_programs() -> None:
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if missing:
        raise ClusterError(
            f"Ceph is not installed here ({', '.join(missing)} missing): "
            "run tests/rgw/install.sh or make test-rgw as root."
        )


def _class_directory() -> Path:
    for directory in Path("/usr/lib").glob("*/rados-classes"):
        return directory
    raise ClusterError("No /usr/lib/*/rados-classes: run tests/rgw/install.sh as root.")
