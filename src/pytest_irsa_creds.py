"""pytest's door to `irsa_creds.testing`: the fixtures `irsa` and `irsa_token`.

Every pytest run where the library is installed loads this file, so it imports nothing of it until
a test asks for a fixture. For the same reason it is no part of the package, whose own import takes
longer, and comes too early for those who measure its coverage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from irsa_creds.testing import Issuer
    from irsa_creds.testing._plugin import Irsa

__all__ = ["irsa", "irsa_token", "pytest_configure"]


def pytest_configure(config: pytest.Config) -> None:
    """Let `--strict-markers` know ours."""
    config.addinivalue_line(
        "markers",
        "irsa(**arguments): how the fixture `irsa` sets the pod up; the arguments are those of "
        'irsa_creds.testing.Sandbox.deploy, such as bucket="reports".',
    )


@pytest.fixture(scope="session")
def _irsa_issuer() -> Iterator[Issuer]:
    try:
        from irsa_creds.testing import _plugin  # noqa: PLC0415 - of an extra
    except ImportError as error:
        missing: str | None = f"{error}"
    else:
        missing = None
    if missing is not None:
        pytest.fail(
            f"The fixtures of irsa_creds need its extra `testing` ({missing}): "
            "pip install 'irsa-creds[testing]'.",
            pytrace=False,
        )
    with _plugin.issuer() as served:
        yield served


@pytest.fixture
def irsa(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, _irsa_issuer: Issuer
) -> Iterator[Irsa]:
    """A pod with IRSA: an STS that verifies and S3, over real HTTP, and the pod's variables.

    boto3, aiobotocore and processes of the test's own find them in the environment. Further
    arguments of `Sandbox.deploy` come from the marker: `@pytest.mark.irsa(bucket="reports")`.
    """
    from irsa_creds.testing import _plugin  # noqa: PLC0415 - of an extra

    marker = request.node.get_closest_marker("irsa")
    arguments = {} if marker is None else marker.kwargs
    with _plugin.pod_environment(monkeypatch, _irsa_issuer, arguments) as made:
        yield made


@pytest.fixture
def irsa_token(irsa: Irsa) -> Callable[..., str]:
    """A call that returns a token of the cluster: `irsa_token(sub=..., aud=..., exp=...)`."""
    return irsa.token
