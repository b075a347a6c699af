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
    """Measure the coverage of child processes only where a test is marked to need it.

    Coverage takes seven times as long to start as the interpreter.
    """
    with pytest.MonkeyPatch.context() as patch:
        if not item.get_closest_marker("measures_children"):
            patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        return (yield)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Let `no_cover` end all measurement: pytest-cov has two in a worker, and pauses one."""
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
def _descriptions_of_services_are_read_once() -> Iterator[None]:
    """Let all sessions share botocore's loader: else each reads the service of its first client.

    That takes ten times as long as the client itself.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(botocore.session.create_loader))
        yield


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield paths for directories; pytest reads the names of all that exist to number the next."""
    place = tmp_path_factory.mktemp("homes")
    return (place / str(number) for number in count())


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, _homes: Iterator[Path]) -> Iterator[None]:
    """No variable and no file of the machine reaches a test, and no provider outlives it."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "IRSA_CREDS_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    nowhere = next(_homes)
    nowhere.mkdir()
    monkeypatch.setenv("HOME", str(nowhere))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    yield
    irsa_creds.uninstall()
    irsa_creds.reset()


@pytest.fixture
def engine_rig() -> Rig:
    """An engine on a fake clock, token and STS; every draw is the lower end."""
    return rig()


@pytest.fixture
def here() -> Iterator[Rig]:
    """The same with every draw the upper end; its flights have landed when the test is over."""
    made = rig(draw=high)
    yield made
    made.finish()


@pytest.fixture
def clock() -> FakeClock:
    """A clock moved by hand."""
    return FakeClock()


@pytest.fixture
def sts(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeSts:
    """The STS that providers made from now on ask."""
    made = FakeSts(clock)
    monkeypatch.setattr("irsa_creds._registry.StsClient", lambda _: made)
    return made


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A verifying STS, IAM and S3 on the loopback."""
    with Sandbox() as opened:
        yield opened
