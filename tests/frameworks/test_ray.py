"""Ray: workers that begin with a new interpreter, reached by its hook or by `irsa-creds run`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from docs.markdown import block
from frameworks.replies import CONTENT
from frameworks.servers import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

pytestmark = pytest.mark.real

OURS, THEIRS = "irsa_creds.botocore", "botocore.credentials"
RUN = [sys.executable, "-m", "irsa_creds", "run", "--"]
# Without another interface than the loopback, and the kernel ends every process that Ray left.
ISOLATED = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]


@pytest.fixture
def isolated() -> list[str]:
    """A command that starts a program in namespaces of its own, with the loopback alone."""
    command = ISOLATED if os.geteuid() == 0 else [*ISOLATED, "--map-root-user"]
    tried = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.fail(
            "This test runs Ray in a network namespace with the loopback alone, because Ray may "
            f"listen on all interfaces. It cannot be created here: {tried.stderr.strip()}. Run the "
            "test as root (in a container, with CAP_SYS_ADMIN), or where users may create "
            "namespaces.",
            pytrace=False,
        )
    return command


@pytest.fixture
def ray_folder() -> Iterator[str]:
    """A folder for Ray, whose sockets need a short path."""
    with TemporaryDirectory(prefix="ray-") as folder:
        yield folder


@pytest.fixture
def reply(
    isolated: list[str],
    ray_folder: str,
    tmp_path: Path,
    record_property: Callable[[str, str], None],
) -> Callable[..., dict[str, Any]]:
    """Run a program that starts Ray, use workers, and return what each replied."""

    def of(program: str, *, cache: Path | None = None, below: Sequence[str] = ()) -> dict[str, Any]:
        (tmp_path / "ray_program.py").write_text(program)
        environ = {"HOME": str(tmp_path), "RAY_USAGE_STATS_ENABLED": "0"}
        if cache:
            environ["IRSA_CREDS_CACHE_DIR"] = str(cache)
            cache.mkdir(mode=0o700)
        arguments = ["ray_program.py", ray_folder]
        out, _ = run("ray_workers.py", environ, tmp_path, *arguments, below=[*isolated, *below])
        replies: dict[str, Any] = json.loads(out.splitlines()[-1])
        check(replies, shared=cache is not None)
        readers = {each["key"] for each in workers(replies)}
        record_property(
            "counted", f"{len(replies['sts'])} STS calls, workers with {len(readers)} keys"
        )
        return replies

    return of


def workers(replies: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all reads of workers."""
    return [*replies["tasks"], *replies["actors"], *replies["restarted"], *replies["again"]]


def check(replies: dict[str, Any], *, shared: bool) -> None:
    """Check that all tasks and actors read with irsa-creds, and the number of STS calls."""
    read = workers(replies)
    assert {(each["provider"], each["body"]) for each in read} == {(OURS, CONTENT)}
    tasks, actors, restarted, again = (
        [each["pid"] for each in replies[name]]
        for name in ("tasks", "actors", "restarted", "again")
    )
    assert len(set(tasks)) == len(set(actors)) == 2
    assert restarted[0] not in {*tasks, *actors}
    assert again == [restarted[0], actors[1]]
    calls = 1 if shared else len({each["pid"] for each in read})
    assert [outcome for outcome, _ in replies["sts"]] == ["OK"] * calls
    assert {key for _, key in replies["sts"]} == {each["key"] for each in read}


@pytest.mark.parametrize("shared", [False, True], ids=["apart", "shared"])
def test_the_hook_reaches_tasks_and_actors_and_not_the_driver(
    *, shared: bool, reply: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    program = block("howto/worker-processes.md", "ray_program.py")
    replies = reply(program, cache=tmp_path / "cache" if shared else None)
    assert replies["driver"] == THEIRS


def test_irsa_creds_run_reaches_tasks_and_actors_and_the_driver(
    reply: Callable[..., dict[str, Any]],
) -> None:
    replies = reply("import ray\n\nray.init()\n", below=RUN)
    assert replies["driver"] == OURS
