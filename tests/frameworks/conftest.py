"""A pod with short credentials, for frameworks in processes of their own."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest

from frameworks.replies import CONTENT
from frameworks.servers import LIFETIME, Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from irsa_creds.testing import Sandbox

_COUNTED = "counted"
_SHOWN = (
    "aioboto3",
    "aiobotocore",
    "botocore",
    "celery",
    "ddtrace",
    "deltalake",
    "distributed",
    "duckdb",
    "fastapi",
    "gevent",
    "gunicorn",
    "opentelemetry-instrumentation",
    "pandas",
    "pyarrow",
    "pyiceberg",
    "ray",
    "s3fs",
    "uvicorn",
)


@pytest.fixture(params=[False, True], ids=["apart", "shared"])
def cluster(request: pytest.FixtureRequest, sandbox: Sandbox, tmp_path: Path) -> Iterator[Cluster]:
    """A cluster without the shared cache, and one with it."""
    shared: bool = request.param
    pod = sandbox.deploy(bucket="data")
    sandbox.client("s3").put_object(Bucket="data", Key="greeting", Body=CONTENT.encode())
    sandbox.lifetime = LIFETIME
    sandbox.reset_calls()
    environ = dict(pod.environ)
    if shared:
        environ["IRSA_CREDS_CACHE_DIR"] = str(tmp_path / "cache")
        (tmp_path / "cache").mkdir(mode=0o700)
    yield Cluster(sandbox, environ, shared)
    readers = {call.access_key_id for call in sandbox.s3_identities}
    counted = f"{len(sandbox.sts_calls)} STS calls, {len(sandbox.s3_identities)} reads"
    request.node.user_properties.append((_COUNTED, f"{counted} with {len(readers)} keys"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the versions and the number of STS calls of each test."""
    lines = {
        report.nodeid.rpartition("/")[2]: dict(report.user_properties)[_COUNTED]
        for reports in terminalreporter.stats.values()
        for report in reports
        if _COUNTED in dict(getattr(report, "user_properties", ()))
    }
    if lines:
        terminalreporter.section("frameworks")
        terminalreporter.line(", ".join(f"{name} {version(name)}" for name in _SHOWN))
        for name, counted in sorted(lines.items()):
            terminalreporter.line(f"{name}: {counted}")
