"""The AWS SDK for JavaScript on Node.js, with credentials from `irsa-creds exec`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.container import Container
from irsa_creds.testing import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

HERE = Path(__file__).parent
# The first key has expired by the time of the fourth.
KEYS = 4
LIFETIME = 8.0


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`read.mjs` with the packages that it needs."""
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "read.mjs"):
        shutil.copy(HERE / name, folder)
    quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error"]
    subprocess.run(["npm", "install", *quiet], cwd=folder, check=True, timeout=500)
    return folder / "read.mjs"


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    with Sandbox() as sandbox:
        pod = sandbox.deploy()
        sandbox.client("s3").put_object(Bucket="data", Key="greeting", Body=b"hello")
        sandbox.reset_calls()
        made = Container(sandbox, pod, tmp_path)
        # Ignore warnings that this Node.js will be too old in future.
        made.environ["NODE_NO_WARNINGS"] = "1"
        yield made


def test_an_unchanged_program_reads_a_bucket_through_refreshes(
    container: Container, program: Path
) -> None:
    container.sandbox.lifetime = LIFETIME
    done = container.run("exec", "--", "node", str(program), str(KEYS))
    assert (done.returncode, done.stderr) == (0, "")
    shown = [line.split() for line in done.stdout.splitlines()]
    assert shown == [[key, "hello"] for key in container.given[:KEYS]]
    requests = container.sandbox.s3_identities
    assert {each.status for each in requests} == {200}
    assert {each.access_key_id for each in requests} >= set(container.given[:KEYS])


def test_in_a_read_only_container_it_takes_the_token_from_the_environment(
    container: Container, program: Path
) -> None:
    container.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "not this one"
    code = (
        "import sys; from irsa_creds.cli import _endpoint_token, main;"
        "_endpoint_token._DIRECTORIES = (); sys.exit(main(sys.argv[1:]))"
    )
    container.environ["TMPDIR"] = str(container.directory / "nowhere")
    done = container.python(code, "exec", "--", "node", str(program), "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [container.given[0], "hello"]
