"""Fixtures that all tests share."""

from __future__ import annotations

import importlib
import os
import pkgutil
from functools import cache
from itertools import count
from typing import TYPE_CHECKING

import botocore.session
import pytest
from coverage import Coverage

import irsa_creds
import signal_dispositions
from engine_fakes import FakeClock, FakeSts, Rig, high, join_refreshes, rig
from irsa_creds.testing import Sandbox

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

signal_dispositions.unignore()

# The tests of the AWS SDK for Python v4 import these, with the SDK or a stand-in for it.
NEED_THE_V4_SDK = ("_smithy.errors", "_smithy.interface", "_smithy.resolver")


def pytest_collection_finish() -> None:
    """Import all modules while they are measured, because no program imports a module of types."""
    if Coverage.current():
        for module in pkgutil.walk_packages(irsa_creds.__path__, "irsa_creds."):
            if not module.name.endswith(("__main__", *NEED_THE_V4_SDK)):
                importlib.import_module(module.name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Measure child processes only if a test is marked for it.

    Starting coverage takes seven times as long as starting the interpreter.
    """
    with pytest.MonkeyPatch.context() as patch:
        if not item.get_closest_marker("measures_children"):
            patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def _shared_service_models() -> Iterator[None]:
    """Let all sessions share botocore's loader.

    Reading a service model takes ten times as long as creating a client.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(botocore.session.create_loader))
        yield


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield paths for home directories, because `mktemp` gets slower with each directory."""
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(number) for number in count())


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, _homes: Iterator[Path]) -> Iterator[None]:
    """Hide the machine's variables and files from a test, and reset the providers after it."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "IRSA_CREDS_", "KUBERNETES_")) or name.lower().endswith(
            "_proxy"
        ):
            monkeypatch.delenv(name)
    home = next(_homes)
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    yield
    irsa_creds.uninstall()
    irsa_creds.reset()


@pytest.fixture
def engine_rig() -> Rig:
    """An engine on a fake clock, token and STS; every random number is the lower bound."""
    return rig()


@pytest.fixture
def here() -> Iterator[Rig]:
    """The same with every random number the upper bound; its refreshes end with the test."""
    made = rig(uniform=high)
    yield made
    made.finish()


@pytest.fixture
def clock() -> FakeClock:
    """A clock moved by hand."""
    return FakeClock()


@pytest.fixture
def sts(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeSts:
    """The STS of all providers that are created from now on."""
    made = FakeSts(clock)
    monkeypatch.setattr("irsa_creds._exchange.sources.sts_client", lambda _: made)
    return made


@pytest.fixture
def pod_without_timer(
    clock: FakeClock, sts: FakeSts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """Set up a pod on a fake clock; only reads start refreshes, from 45 minutes on."""
    from botocore_sessions import pod

    pod(monkeypatch, tmp_path)
    monkeypatch.setenv("IRSA_CREDS_BACKGROUND", "0")
    monkeypatch.setattr("irsa_creds._provider.REGISTRY._clock", clock)
    clock.uniform = high
    irsa_creds.install()
    yield
    sts.hold.set()
    join_refreshes()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A verifying STS, IAM and S3 on the loopback."""
    with Sandbox() as opened:
        yield opened


@pytest.fixture
def tenant(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> irsa_creds.Provider:
    """Make this process a pod; return a provider that may use only `red/` in its bucket `data`."""
    for name, value in sandbox.deploy().environ.items():
        monkeypatch.setenv(name, value)
    # A service's `ExpiredToken` for a young key would be ignored.
    monkeypatch.setattr("irsa_creds._engine.timing.DEMAND_INTERVAL", -1.0)
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::data/red/*"}
    sandbox.reset_calls()
    return irsa_creds.provider(
        policy={"Version": "2012-10-17", "Statement": statement}, session_name="red"
    )
