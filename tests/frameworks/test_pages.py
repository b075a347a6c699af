"""The programs of the how-to pages on frameworks, run by their own commands."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
from contextlib import closing
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest

from docs.markdown import block
from frameworks.replies import CONTENT
from frameworks.servers import Server, listener

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from irsa_creds.testing import Sandbox

pytestmark = pytest.mark.real

#: The test's own, as an application has them beside its code: a broker and a backend in folders.
CELERYCONFIG = """\
broker_url = "filesystem://"
broker_transport_options = {"data_folder_in": ".", "data_folder_out": ".", "control_folder": "."}
broker_connection_retry_on_startup = True
result_backend = "file://."
"""

LOCAL_CLUSTER = """\
import irsa_creds

irsa_creds.install()

import boto3
from distributed import Client, LocalCluster


def provider():
    return type(boto3.Session().get_credentials()).__module__


if __name__ == "__main__":
    with LocalCluster(n_workers=1, host="127.0.0.1", dashboard_address=None) as cluster:
        with Client(cluster) as client:
            print(client.submit(provider).result())
"""


@pytest.fixture
def environ(sandbox: Sandbox) -> Mapping[str, str]:
    """The variables of a pod with the object `greeting`."""
    pod = sandbox.deploy(bucket="data")
    sandbox.client("s3").put_object(Bucket="data", Key="greeting", Body=CONTENT.encode())
    return pod.environ


def start(
    folder: Path, environ: Mapping[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(
        [sys.executable, *arguments],
        check=False,
        cwd=folder,
        env={**environ, "HOME": str(folder), "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=90,
    )


def run(folder: Path, environ: Mapping[str, str], *arguments: str) -> str:
    """Run a program, which must succeed, and return its output."""
    done = start(folder, environ, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def get(port: int, path: str) -> tuple[int, str]:
    """Wait for the server; return the status and text of a response."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        return response.status, response.read().decode()


def test_fastapi_with_aioboto3(environ: Mapping[str, str], tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(block("howto/fastapi.md", "app.py"))
    with listener() as bound:
        arguments = ["-m", "uvicorn", "--fd", f"{bound.fileno()}", "app:app"]
        with Server(arguments, environ, tmp_path, (bound,)):
            port = bound.getsockname()[1]
            assert get(port, "/files/greeting") == (HTTPStatus.OK, CONTENT)
            assert get(port, "/ready") == (HTTPStatus.OK, '"fresh"')


def test_fastapi_can_be_imported_without_irsa(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(block("howto/fastapi.md", "app.py"))
    environ = {"PATH": os.environ["PATH"]}
    assert run(tmp_path, environ, "-c", "import app; print(app.app.title)") == "FastAPI\n"


def test_fastapi_reports_missing_credentials(
    sandbox: Sandbox, environ: Mapping[str, str], tmp_path: Path
) -> None:
    sandbox.faults.fail("AccessDenied")
    (tmp_path / "app.py").write_text(block("howto/fastapi.md", "app.py"))
    with listener() as bound:
        arguments = ["-m", "uvicorn", "--fd", f"{bound.fileno()}", "app:app"]
        with Server(arguments, environ, tmp_path, (bound,)):
            port = bound.getsockname()[1]
            status, text = get(port, "/files/greeting")
            assert (status, text) == (503, "This service has no AWS credentials.")
            assert get(port, "/ready") == (503, '"empty"')


def test_django(environ: Mapping[str, str], tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text(block("howto/django.md", "settings.py"))
    (tmp_path / "urls.py").write_text(block("howto/django.md", "urls.py"))
    (tmp_path / "wsgi.py").write_text(block("howto/django.md", "wsgi.py"))
    with listener() as bound:
        arguments = ["-m", "gunicorn", "--bind", f"fd://{bound.fileno()}", "wsgi"]
        with Server(arguments, environ, tmp_path, (bound,)):
            assert get(bound.getsockname()[1], "/files/greeting") == (HTTPStatus.OK, CONTENT)


def test_tests_of_a_django_view(tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text(block("howto/django.md", "settings.py"))
    (tmp_path / "urls.py").write_text(block("howto/django.md", "urls.py"))
    (tmp_path / "test_files.py").write_text(block("howto/django.md", "test_files.py"))
    environ = {"DJANGO_SETTINGS_MODULE": "settings", "PATH": os.environ["PATH"]}
    # By name, because the installed environment may be older than the entry point.
    plugins = ["-p", "pytest_irsa_creds", "-p", "no:cacheprovider"]
    output = run(tmp_path, environ, "-m", "pytest", "-q", *plugins, ".")
    assert "2 passed" in output


def test_gunicorn(sandbox: Sandbox, environ: Mapping[str, str], tmp_path: Path) -> None:
    (tmp_path / "web.py").write_text(block("howto/gunicorn-and-celery.md", "web.py"))
    configuration = block("howto/gunicorn-and-celery.md", "gunicorn.conf.py")
    (tmp_path / "gunicorn.conf.py").write_text(configuration)
    with listener() as bound:
        arguments = ["-m", "gunicorn", "--bind", f"fd://{bound.fileno()}", "web"]
        with Server(arguments, environ, tmp_path, (bound,)):
            port = bound.getsockname()[1]
            assert {get(port, "/greeting") for _ in range(4)} == {(HTTPStatus.OK, CONTENT)}
    assert [call.outcome for call in sandbox.sts_calls] == ["OK"], "one exchange for all workers"


def test_gunicorn_ends_if_the_role_is_denied(
    sandbox: Sandbox, environ: Mapping[str, str], tmp_path: Path
) -> None:
    sandbox.faults.fail("AccessDenied")
    (tmp_path / "web.py").write_text(block("howto/gunicorn-and-celery.md", "web.py"))
    configuration = block("howto/gunicorn-and-celery.md", "gunicorn.conf.py")
    (tmp_path / "gunicorn.conf.py").write_text(configuration)
    done = start(tmp_path, environ, "-m", "gunicorn", "--bind", "127.0.0.1:0", "web")
    assert done.returncode != 0
    assert "STS denied AssumeRoleWithWebIdentity (AccessDenied)" in done.stderr


def test_celery(environ: Mapping[str, str], tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(block("howto/gunicorn-and-celery.md", "tasks.py"))
    (tmp_path / "celeryconfig.py").write_text(CELERYCONFIG)
    caller = "import tasks; print(tasks.size.delay('greeting').get(timeout=60))"
    worker = ["-m", "celery", "-A", "tasks", "worker", "--concurrency", "2"]
    with Server(worker, environ, tmp_path):
        assert run(tmp_path, {}, "-c", caller) == f"{len(CONTENT)}\n"


def test_s3fs(environ: Mapping[str, str], tmp_path: Path) -> None:
    (tmp_path / "files.py").write_text(block("howto/dask-and-s3fs.md", "files.py"))
    assert run(tmp_path, environ, "files.py") == f"{CONTENT}\n"


def test_dask_with_a_pickled_session(environ: Mapping[str, str], tmp_path: Path) -> None:
    (tmp_path / "cluster.py").write_text(block("howto/dask-and-s3fs.md", "cluster.py"))
    assert run(tmp_path, environ, "cluster.py") == f"{CONTENT}\n"


def test_dask_with_workers_that_install(environ: Mapping[str, str], tmp_path: Path) -> None:
    (tmp_path / "preload.py").write_text(block("howto/dask-and-s3fs.md", "preload.py"))
    program = (
        "import distributed\n"
        "def provider():\n"
        "    import boto3\n"
        "    return type(boto3.Session().get_credentials()).__module__\n"
        "if __name__ == '__main__':\n"
        "    with distributed.LocalCluster(n_workers=1, preload=['preload.py'], host='127.0.0.1',"
        " dashboard_address=None) as cluster, distributed.Client(cluster) as client:\n"
        "        print(client.submit(provider).result())\n"
    )
    (tmp_path / "program.py").write_text(program)
    assert run(tmp_path, environ, "program.py") == "irsa_creds.botocore\n"


def test_dask_with_install_in_the_main_module(environ: Mapping[str, str], tmp_path: Path) -> None:
    """The page "Worker processes" says in its table that this is the place."""
    (tmp_path / "local_cluster.py").write_text(LOCAL_CLUSTER)
    assert run(tmp_path, environ, "local_cluster.py") == "irsa_creds.botocore\n"
