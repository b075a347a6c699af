"""A refresh imports nothing: all modules that an STS call needs are imported before."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING

import pytest

from irsa_creds._engine.forks import FORKS
from irsa_creds._exchange import preload
from irsa_creds._exchange.preload import sts_client
from irsa_creds._exchange.sts import StsClient
from irsa_creds._identity.config import Config
from sts_server import ROLE, StsServer, send_error, success

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = textwrap.dedent(
    """
    import sys
    import threading
    import time

    import irsa_creds
    from irsa_creds._registry import engine_of

    class Watch:
        '''Records the modules that a refresh imports.'''

        found = []

        def find_spec(self, name, *_):
            if threading.current_thread().name == "irsa-creds-refresh":
                self.found.append(name)

    heard = []
    providers = [
        irsa_creds.provider(
            role_arn={role!r},
            token=lambda: "a.b.c",
            session_name="pod",
            region="eu-west-1",
            endpoint_url=url or None,
            assume={assume!r},
        )
        for url in sys.argv[1:]
    ]
    for each in providers:
        each.subscribe(heard.append)
    engines = [engine_of(each) for each in providers]
    sys.meta_path.insert(0, Watch())
    for each in providers:
        each.prefetch()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        # Not `status()`: that loads the classes of events.
        if all(each.last_failure() or not each.snapshot.empty for each in engines):
            break
        time.sleep(0.01)
    for thread in threading.enumerate():
        if thread.name == "irsa-creds-refresh":
            thread.join(20)
    succeeded = sum(isinstance(each, irsa_creds.RefreshSucceeded) for each in heard)
    failed = sum(isinstance(each, irsa_creds.RefreshFailed) for each in heard)
    print(succeeded, failed > 0, *sorted(set(Watch.found)))
    """
)


def refreshed(*urls: str, program: str = PROGRAM, assume: str | None = None) -> list[str]:
    """Return the outcome of refreshes with these endpoints, and the modules that they imported."""
    done = subprocess.run(
        [sys.executable, "-c", program.format(role=ROLE, assume=assume and [assume]), *urls],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.split()


def test_a_refresh_that_succeeds_imports_nothing() -> None:
    with StsServer([success()]) as sts:
        assert refreshed(sts.url) == ["1", "False"]


def test_a_refresh_of_a_target_role_imports_nothing_either() -> None:
    with StsServer([success(), success()]) as sts:
        target = "arn:aws:iam::123456789012:role/target"
        assert refreshed(sts.url, assume=target) == ["1", "False"]
        assert [each.form["Action"] for each in sts.seen] == [
            "AssumeRoleWithWebIdentity",
            "AssumeRole",
        ]


def test_a_refresh_that_fails_imports_nothing_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Only AWS's own endpoint, the last one, is reached through it.
    monkeypatch.setenv("HTTPS_PROXY", "http://localhost:1")
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    with StsServer([send_error("AccessDenied")]) as denying, StsServer([success()]) as sts:
        urls = [denying.url, "http://unknown.invalid", "https://localhost:1", sts.url + "/path", ""]
        assert refreshed(*urls) == ["1", "True"]


def test_a_provider_with_the_shared_cache_imports_no_botocore(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import sys, irsa_creds
        irsa_creds.provider(
            role_arn={role!r}, token=lambda: "a.b.c", session_name="pod", shared_cache=sys.argv[1]
        )
        print("botocore" in sys.modules, "irsa_creds._exchange.sts" in sys.modules)
        """
    )
    assert refreshed(str(tmp_path), program=program) == ["False", "False"]


def test_a_provider_imports_all_that_a_refresh_needs() -> None:
    program = textwrap.dedent(
        """
        import sys, irsa_creds, irsa_creds._provider
        names = "botocore.httpsession", "certifi", "encodings.idna", "ssl"
        print(any(name in sys.modules for name in names[:2]))
        irsa_creds.provider(role_arn={role!r}, token=lambda: "a.b.c", session_name="pod")
        print(all(name in sys.modules for name in names))
        """
    )
    assert refreshed(program=program) == ["False", "True"]


CONFIG = Config(role_arn=ROLE, session_name="pod")


@pytest.fixture
def unloaded() -> Iterator[None]:
    """As in a process that has loaded nothing yet."""
    find_certificates = preload._find_certificates
    find_certificates.cache_clear()
    preload._register_again.cache_clear()
    yield
    find_certificates.cache_clear()


@pytest.mark.usefixtures("unloaded")
def test_certifi_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "certifi", None)
    assert isinstance(sts_client(CONFIG), StsClient)


@pytest.mark.usefixtures("unloaded")
def test_a_fork_waits_for_these_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[bool] = []
    monkeypatch.setattr(
        preload,
        "_find_certificates",
        lambda: waited.append(threading.get_native_id() in FORKS._busy),
    )
    sts_client(CONFIG)
    assert waited == [True]


@pytest.mark.usefixtures("unloaded")
def test_the_hooks_of_forks_are_registered_once_more_and_not_for_each_client() -> None:
    before = FORKS._registered
    for _ in range(2):
        sts_client(CONFIG)
    assert FORKS._registered == before + 1
