"""pytest plugin with the fixtures `irsa` and `irsa_token`.

Every pytest run loads this file if the library is installed. It imports the library only when a
test uses a fixture, and it stands outside the package: importing the package takes time, and at
that point it would be too early to measure the package's coverage.
"""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import ModuleType
    from typing import Any

    from irsa_creds.testing import Irsa, Issuer

__all__ = ["irsa", "irsa_token", "pytest_configure"]


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker `irsa`."""
    config.addinivalue_line(
        "markers",
        "irsa(**arguments): arguments of irsa_creds.testing.Sandbox.deploy for the fixture `irsa`, "
        'such as bucket="reports".',
    )


@pytest.fixture(scope="session")
def _irsa_plugin() -> ModuleType:
    """The module with the code of these fixtures, imported when a test uses one of them."""
    try:
        from irsa_creds.testing import _plugin  # noqa: PLC0415 - of an extra
    except ImportError as error:
        missing = f"{error}"
    else:
        return _plugin
    pytest.fail(
        f"The fixtures of irsa_creds need its extra `testing` ({missing}): "
        "pip install 'irsa-creds[testing]'.",
        pytrace=False,
    )


@pytest.fixture(scope="session")
def _irsa_issuer(_irsa_plugin: ModuleType) -> Iterator[Issuer]:
    """An issuer for all tests of a process, because creating its key is slow."""
    with _irsa_plugin.Issuer().serve() as served:
        yield served


@pytest.fixture
def _irsa_pod(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    _irsa_plugin: ModuleType,
    _irsa_issuer: Issuer,
) -> Iterator[Irsa]:
    arguments = _arguments(request, _irsa_plugin.Sandbox.deploy)
    with _irsa_plugin.pod_environment(monkeypatch, _irsa_issuer, arguments) as made:
        yield made


def _arguments(request: pytest.FixtureRequest, deploy: Callable[..., object]) -> Mapping[str, Any]:
    """Return the marker's arguments, which are passed to `deploy`."""
    marker: pytest.Mark | None = request.node.get_closest_marker("irsa")
    if marker is None:
        return {}
    if marker.args:
        pytest.fail(
            f"@pytest.mark.irsa got the positional argument {marker.args[0]!r}. It takes keyword "
            'arguments of Sandbox.deploy only, such as bucket="reports".',
            pytrace=False,
        )
    known = signature(deploy).parameters.keys() - {"self"}
    for name in marker.kwargs.keys() - known:
        pytest.fail(
            f"@pytest.mark.irsa got {name}=, which is not an argument of Sandbox.deploy. Its "
            f"arguments are {', '.join(sorted(known))}.",
            pytrace=False,
        )
    return marker.kwargs


@pytest.fixture
def irsa(_irsa_pod: Irsa) -> Irsa:
    """A pod with IRSA: a verifying STS, S3, and the pod's environment variables.

    boto3, aiobotocore and child processes of the test use these variables. The marker passes
    arguments to `Sandbox.deploy`: `@pytest.mark.irsa(bucket="reports")`.
    """
    return _irsa_pod


@pytest.fixture
def irsa_token(
    request: pytest.FixtureRequest, irsa: object, _irsa_plugin: ModuleType
) -> Callable[..., str]:
    """A function that returns a token of the cluster: `irsa_token(sub=..., aud=..., exp=...)`."""
    # A project may override `irsa` with its own fixture, of another type.
    pod: Irsa = (
        irsa if isinstance(irsa, _irsa_plugin.Irsa) else request.getfixturevalue("_irsa_pod")
    )
    return pod.token
