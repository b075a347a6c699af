"""pytest's door to `irsa_creds.testing`: the fixtures `irsa` and `irsa_token`.

Every pytest run where the library is installed loads this file, so it imports nothing of it until
a test asks for a fixture. For the same reason it is no part of the package, whose own import takes
longer, and comes too early for those who measure its coverage.
"""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from irsa_creds.testing import Irsa, Issuer

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
def _irsa_pod(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, _irsa_issuer: Issuer
) -> Iterator[Irsa]:
    from irsa_creds.testing import _plugin  # noqa: PLC0415 - of an extra

    with _plugin.pod_environment(monkeypatch, _irsa_issuer, _arguments(request)) as made:
        yield made


def _arguments(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """Return what the marker says."""
    from irsa_creds.testing import Sandbox  # noqa: PLC0415 - of an extra

    marker: pytest.Mark | None = request.node.get_closest_marker("irsa")
    if marker is None:
        return {}
    if marker.args:
        pytest.fail(
            f"@pytest.mark.irsa takes keywords alone, and was given {marker.args[0]!r}: "
            'write bucket="reports", or whichever argument of Sandbox.deploy it is.',
            pytrace=False,
        )
    known = signature(Sandbox.deploy).parameters.keys() - {"self"}
    for name in marker.kwargs.keys() - known:
        pytest.fail(
            f"@pytest.mark.irsa was given {name}=, which is no argument of Sandbox.deploy; "
            f"those are {', '.join(sorted(known))}.",
            pytrace=False,
        )
    return marker.kwargs


@pytest.fixture
def irsa(_irsa_pod: Irsa) -> Irsa:
    """A pod with IRSA: an STS that verifies and S3, over real HTTP, and the pod's variables.

    boto3, aiobotocore and processes of the test's own find them in the environment. Further
    arguments of `Sandbox.deploy` come from the marker: `@pytest.mark.irsa(bucket="reports")`.
    """
    return _irsa_pod


@pytest.fixture
def irsa_token(request: pytest.FixtureRequest, irsa: object) -> Callable[..., str]:
    """A call that returns a token of the cluster: `irsa_token(sub=..., aud=..., exp=...)`."""
    from irsa_creds.testing import Irsa  # noqa: PLC0415 - of an extra

    # A project may have an `irsa` of its own: one made by `in_a_pod`, or with something around it.
    pod: Irsa = irsa if isinstance(irsa, Irsa) else request.getfixturevalue("_irsa_pod")
    return pod.token
