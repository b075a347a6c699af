"""Fixtures that all tests share."""

from __future__ import annotations

import os
import sys
import threading
from functools import cache
from itertools import count
from typing import TYPE_CHECKING

import botocore.session
import pytest

import irsa_creds
import signal_dispositions
from engine_fakes import FakeClock, FakeSts, Rig, high, rig
from irsa_creds.testing import Sandbox

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

signal_dispositions.unignore()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Measure the coverage of child processes only if a test is marked for it.

    Starting coverage takes seven times as long as starting the interpreter.
    """
    with pytest.MonkeyPatch.context() as patch:
        if not item.get_closest_marker("measures_children"):
            patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        return (yield)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Let `no_cover` stop all measurement: in a worker, pytest-cov stops only one of two."""
    if not item.get_closest_marker("no_cover"):
        return (yield)
    here, elsewhere = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(here)
        threading.settrace(elsewhere)


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
        if name.startswith(("AWS_", "IRSA_CREDS_")) or name.lower().endswith("_proxy"):
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
    monkeypatch.setattr("irsa_creds._registry.StsClient", lambda _: made)
    return made


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A verifying STS, IAM and S3 on the loopback."""
    with Sandbox() as opened:
        yield opened
