"""Run many processes on one directory, and kill, stop, fill and damage at random.

As a program: python chaos.py --processes 32 --seconds 60 --seed 1; it prints the counts.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from irsa_creds.testing import Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping

PROGRAM = Path(__file__).with_name("programs") / "reader.py"
#: Seconds that credentials last: a refresh of each identity every few seconds.
LIFETIME = 12.0
_PAUSE = 0.02, 0.08
_STOPPED = 0.2, 2.0
# Of the whole run.
_PATIENCE = 200.0


@dataclass
class Chaos:
    """Disturb readers and their directory, and collect what the readers report.

    Attributes:
        wrong: reports of credentials that STS did not issue, or that had expired.
        failed: reads that failed while credentials were valid.
        actions: how often each disturbance was made, by name.
        keys: the first report of each key.
    """

    processes: int
    cache_dir: Path
    dice: random.Random
    wrong: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    failed_without_valid: list[str] = field(default_factory=list)
    actions: Counter[str] = field(default_factory=Counter)
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    reports: int = 0
    _alive: dict[int, str] = field(default_factory=dict)
    _stopped: dict[int, float] = field(default_factory=dict)
    _full: dict[int, float] = field(default_factory=dict)

    def run(self, sandbox: Sandbox, seconds: float) -> None:
        """Run readers of two identities, and disturb them all the time."""
        sandbox.lifetime = LIFETIME
        pods = [sandbox.deploy(role=role, service_account=role) for role in ("one", "two")]
        environ = {**os.environ, **pods[0].environ, "IRSA_CREDS_CACHE_DIR": str(self.cache_dir)}
        roles = [f"{pod.role_arn} {pod.token_file}\n" for pod in pods]
        with self._readers(environ) as spawner:
            assert spawner.stdin is not None
            deadline = time.monotonic() + _PATIENCE
            for number in range(self.processes):
                spawner.stdin.write(roles[number % 2])
            spawner.stdin.flush()
            while len(self._alive) < self.processes or len({*self.seen_roles()}) < len(roles):
                assert time.monotonic() < deadline, "the readers did not start"
                time.sleep(0.01)
            end = time.monotonic() + seconds
            # On a slow machine, longer: until some readers took what another one fetched.
            while (now := time.monotonic()) < end or not (self._shows_sharing() or now > deadline):
                self._act()
                for _ in range(self.processes - len(self._alive)):
                    spawner.stdin.write(self.dice.choice(roles))
                spawner.stdin.flush()
                time.sleep(self.dice.uniform(*_PAUSE))
        given = {call.access_key_id: call.role_arn for call in sandbox.sts_calls}
        for key, report in self.keys.items():
            if given.get(key) != report["role"]:
                self.wrong.append(f"{key} was not issued to {report['role']}")

    def _shows_sharing(self) -> bool:
        return self.reports > len(self.keys) > 2

    def seen_roles(self) -> list[str]:
        return [report["role"] for report in self.keys.values()]

    @contextlib.contextmanager
    def _readers(self, environ: Mapping[str, str]) -> Any:
        spawner = subprocess.Popen(
            [sys.executable, str(PROGRAM)],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        listener = threading.Thread(target=self._listen, args=(spawner,), daemon=True)
        listener.start()
        try:
            yield spawner
        finally:
            # All readers, running or stopped, are in that session.
            os.killpg(spawner.pid, signal.SIGKILL)
            spawner.wait(20)
            listener.join(20)
            for pipe in (spawner.stdin, spawner.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]

    def _listen(self, spawner: subprocess.Popen[str]) -> None:
        assert spawner.stdout is not None
        for line in spawner.stdout:
            try:
                report = json.loads(line)
            except ValueError:
                # An incomplete line of a killed reader.
                continue
            if "started" in report:
                self._alive[report["started"]] = report["role"]
            elif "failed" in report:
                (self.failed if report["while_valid"] else self.failed_without_valid).append(
                    report["failed"]
                )
            elif "wrong" in report:
                self.wrong.append(f"{report['key']}: {report['wrong']}")
            else:
                self._record(report)

    def _record(self, report: dict[str, Any]) -> None:
        self.reports += 1
        first = self.keys.setdefault(report["key"], report)
        if any(first[name] != report[name] for name in ("values", "assumed", "role")):
            self.wrong.append(f"{report['key']} was seen with other values")

    # -- actions ---------------------------------------------------------------------------------

    def _act(self) -> None:
        now = time.monotonic()
        for pid, until in list(self._stopped.items()):
            if now > until:
                del self._stopped[pid]
                self._signal(pid, signal.SIGCONT)
        for pid, until in list(self._full.items()):
            if now > until:
                del self._full[pid]
                self._limit(pid, resource.RLIM_INFINITY)
        actions = [self._kill, self._kill, self._stop, self._stop, self._fill, self._damage]
        self.dice.choice([*actions, self._damage, self._remove])()

    def _signal(self, pid: int, number: int) -> None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            self._alive.pop(pid, None)

    def _any_reader(self) -> int:
        return self.dice.choice(list(self._alive) or [0])

    def _kill(self) -> None:
        if pid := self._any_reader():
            self.actions["killed"] += 1
            self._signal(pid, signal.SIGKILL)
            self._alive.pop(pid, None)
            self._stopped.pop(pid, None)

    def _stop(self) -> None:
        if pid := self._any_reader():
            self.actions["stopped"] += 1
            self._signal(pid, signal.SIGSTOP)
            self._stopped[pid] = time.monotonic() + self.dice.uniform(*_STOPPED)

    def _fill(self) -> None:
        """Let one reader find the disk full: it can write nothing to its files."""
        if pid := self._any_reader():
            self.actions["full"] += 1
            self._limit(pid, 0)
            self._full[pid] = time.monotonic() + self.dice.uniform(*_STOPPED)

    @staticmethod
    def _limit(pid: int, size: int) -> None:
        hard = resource.RLIM_INFINITY
        with contextlib.suppress(ProcessLookupError, PermissionError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))

    def _remove(self) -> None:
        self.actions["removed"] += 1
        shutil.rmtree(self.cache_dir, ignore_errors=True)

    def _damage(self) -> None:
        self.actions["damaged"] += 1
        with contextlib.suppress(OSError, ValueError, IndexError):
            ending = self.dice.choice([".json", ".json", ".json", ""])
            found = self.dice.choice(
                [each for each in self.cache_dir.rglob(f"*{ending}") if each.is_file()]
            )
            self.dice.choice(_DAMAGES)(found)


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _scribble(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 3)
        file.write(b'"\x00\xff{')


def _change_a_letter(path: Path) -> None:
    """Change one letter of a secret in an entry that stays valid JSON."""
    before, name, after = path.read_text().partition('"secret_access_key": "')
    with path.open("r+") as file:
        file.write(f"{before}{name}{chr(ord(after[0]) ^ 1)}{after[1:]}")


def _open(path: Path) -> None:
    path.chmod(0o666)


def _plant_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _plant_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/null")


def _unlink(path: Path) -> None:
    path.unlink()


_DAMAGES = (
    _truncate,
    _scribble,
    _change_a_letter,
    _change_a_letter,
    _open,
    _plant_fifo,
    _plant_link,
    _unlink,
)


def run_chaos(processes: int, seconds: float, seed: int) -> Chaos:
    """Run the chaos test, and return its result."""
    with tempfile.TemporaryDirectory() as folder, Sandbox() as sandbox:
        chaos = Chaos(processes, Path(folder) / "cache", random.Random(seed))
        chaos.run(sandbox, seconds)
        return chaos


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    chaos = run_chaos(given.processes, given.seconds, given.seed)
    result = {
        "wrong": chaos.wrong,
        "failed while valid": chaos.failed,
        "failed with nothing valid": Counter(chaos.failed_without_valid),
        "actions": chaos.actions,
        "STS calls": len(chaos.keys),
        "keys taken": chaos.reports,
    }
    sys.stdout.write(f"{json.dumps(result, indent=2)}\n")
    sys.exit(bool(chaos.wrong or chaos.failed))


if __name__ == "__main__":
    main()
