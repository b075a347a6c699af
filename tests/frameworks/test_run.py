"""Frameworks below `irsa-creds run`, with applications that do not know irsa-creds."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from docs.markdown import block, commands
from frameworks.servers import Server, listener
from frameworks.test_pages import CELERYCONFIG, get, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from irsa_creds.testing import Sandbox

pytestmark = pytest.mark.real

RUN = ["-m", "irsa_creds", "run", "--"]
OURS = "irsa_creds.botocore"
PROVIDER = """\
import boto3
def provider(): return type(boto3.Session().get_credentials()).__module__
"""
WEB = """\
import worker
def application(environ, start_response):
    start_response("200 OK", [])
    return [worker.provider().encode()]
"""
TASKS = """\
import worker
from celery import Celery
app = Celery("tasks")
app.config_from_object("celeryconfig")
provider = app.task(worker.provider)
"""
CLUSTER = """\
from distributed import Client, LocalCluster
import worker
if __name__ == "__main__":
    with LocalCluster(n_workers=1, host="127.0.0.1", dashboard_address=None) as cluster:
        with Client(cluster) as client:
            print(client.submit(worker.provider).result())
"""


@pytest.fixture
def environ(sandbox: Sandbox, tmp_path: Path) -> Mapping[str, str]:
    """The variables of a pod; programs find the module `worker`."""
    (tmp_path / "worker.py").write_text(PROVIDER)
    return sandbox.deploy(bucket="data").environ


def command(name: str) -> str:
    """Return the path of an installed command."""
    return str(Path(sys.executable).with_name(name))


@pytest.mark.parametrize("more", [[], ["--preload"], ["-k", "gevent"]])
def test_gunicorn(more: list[str], environ: Mapping[str, str], tmp_path: Path) -> None:
    (tmp_path / "web.py").write_text(WEB)
    with listener() as bound:
        options = ["--bind", f"fd://{bound.fileno()}", "--chdir", str(tmp_path), *more]
        arguments = [*RUN, command("gunicorn"), *options, "web"]
        with Server(arguments, environ, tmp_path, (bound,)) as server:
            port = bound.getsockname()[1]
            assert get(port, "/") == (HTTPStatus.OK, OURS)
            # The process that the test started is gunicorn's master now.
            assert f"Listening at: http://127.0.0.1:{port} ({server.pid})" in server.output()


def test_celery(environ: Mapping[str, str], tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(TASKS)
    (tmp_path / "celeryconfig.py").write_text(CELERYCONFIG)
    caller = "import tasks; print(tasks.provider.delay().get(timeout=60))"
    worker = [*RUN, command("celery"), "-A", "tasks", "worker", "--concurrency", "2"]
    with Server(worker, environ, tmp_path):
        assert run(tmp_path, {}, "-c", caller) == f"{OURS}\n"


def test_dask(environ: Mapping[str, str], tmp_path: Path) -> None:
    (tmp_path / "cluster.py").write_text(CLUSTER)
    program = [*RUN, sys.executable, "cluster.py"]
    assert run(tmp_path, environ, *program) == f"{OURS}\n"


def test_tools_of_the_same_kind_work_before_and_after_it(
    environ: Mapping[str, str], tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text("import worker\nprint(worker.provider())\n")
    shown = [line for line, _ in commands(block("howto/run.md", "tools"))]
    others = [
        "opentelemetry-instrument irsa-creds run -- python app.py",
        "irsa-creds run -- ddtrace-run python app.py",
    ]
    assert len({*shown, *others}) == 4
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # ddtrace sends nothing.
    quiet = {"DD_TRACE_ENABLED": "false", "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false"}
    for command_line in [*shown, *others]:
        done = subprocess.run(
            shlex.split(command_line),
            cwd=tmp_path,
            env={**environ, **quiet, "HOME": str(tmp_path), "PATH": path},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, f"{OURS}\n"), (command_line, done.stderr)
