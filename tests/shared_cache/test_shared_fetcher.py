"""Which process calls STS, and what the others take from the cache."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import time
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from engine_fakes import ROLE, failure, high, low, outcome_of, rig
from irsa_creds import RefreshTimeout
from irsa_creds._credentials import Credentials
from irsa_creds._engine import timing
from irsa_creds._engine.backoff import Backoff
from irsa_creds._engine.snapshot import Snapshot
from irsa_creds._errors import Failure
from irsa_creds._identity.endpoint_settings import HttpSettings
from irsa_creds._identity.roles import ChainedRole
from irsa_creds._identity.token import Token
from irsa_creds._identity.user_agent import UserAgent
from irsa_creds._shared_cache import entry
from irsa_creds._shared_cache.entry import load
from irsa_creds._shared_cache.shared_fetcher import SharedFetcher, _entry_name
from irsa_creds._shared_cache.store import Store
from races.harness import eventually
from shared_cache.pods import CONFIG, Pod, change, content_of
from sts_server import CLAIMS, JWT, jwt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from irsa_creds._engine.refresh import Refresh
    from irsa_creds._identity.config import Config

DENIED = failure("AccessDenied", retryable=False, status=403)
THROTTLED = failure("Throttling", throttled=True, status=400)


@pytest.fixture(autouse=True)
def _upper_ends(pod: Pod) -> None:
    pod.rig.clock.uniform = high


@contextlib.contextmanager
def locked_by_another(pod: Pod, age: float = 0.0) -> Iterator[None]:
    """Keep the entry's lock in another process that took it `age` seconds ago."""
    store, name = Store(str(pod.cache_dir)), _entry_name(pod.config, Token(pod.rig.token.value))
    assert name is not None
    with contextlib.ExitStack() as stack:
        assert store.lock(name, stack, 5.0)
        taken_at = time.time() - age
        os.utime(pod.cache_dir / f"{name}.lock", (taken_at, taken_at))
        yield


def during_first_wait(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]
) -> None:
    """Do `work` while a process waits for the first time."""
    sleep = pod.rig.clock.sleep

    def once(seconds: float) -> None:
        monkeypatch.setattr(pod.rig.clock, "sleep", sleep)
        work()
        sleep(seconds)

    monkeypatch.setattr(pod.rig.clock, "sleep", once)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


# -- one call for all ------------------------------------------------------------------------------


def test_one_process_calls_sts_and_all_others_take_its_credentials(pod: Pod) -> None:
    fetched = [pod.fetched(pod.process()) for _ in range(16)]
    assert pod.rig.sts.calls == 1
    assert {each.credentials for each in fetched} == {fetched[0].credentials}
    assert {each.end_of_use for each in fetched} == {fetched[0].end_of_use}


def test_the_refresh_time_is_random_once_and_other_processes_refresh_a_little_later(
    pod: Pod,
) -> None:
    first = pod.fetched(pod.process())
    pod.rig.clock.advance(100)
    second = pod.fetched(pod.process())
    assert second.refresh_at == first.refresh_at + 5


def test_other_processes_refresh_sooner_with_short_lived_credentials(pod: Pod) -> None:
    pod.rig.sts.lifetime = 60
    first = pod.fetched(pod.process())
    assert pod.fetched(pod.process()).refresh_at == first.refresh_at + 3


def test_a_later_refresh_is_one_call_for_all_processes(pod: Pod) -> None:
    processes = [pod.process() for _ in range(8)]
    current = [pod.fetched(process) for process in processes]
    pod.rig.clock.advance(3000)
    renewed = [pod.fetched(*each) for each in zip(processes, current, strict=True)]
    assert pod.rig.sts.calls == 2
    assert {each.credentials.access_key_id for each in renewed} == {"ASIA0000000000000002"}


def test_a_due_refresh_does_not_take_the_credentials_that_are_due(pod: Pod) -> None:
    process = pod.process()
    current = pod.fetched(process)
    assert pod.fetched(process, current).credentials != current.credentials
    assert pod.rig.sts.calls == 2


def test_expired_credentials_are_not_taken(pod: Pod) -> None:
    pod.fetched(pod.process())
    pod.rig.clock.advance(3596)
    assert pod.fetched(pod.process()).credentials.access_key_id == "ASIA0000000000000002"


@pytest.mark.parametrize("step", [-86_400.0, -60.0, 60.0, 86_400.0])
def test_expired_credentials_are_not_taken_after_the_wall_clock_was_set(
    pod: Pod, step: float
) -> None:
    pod.fetched(pod.process())
    pod.rig.clock.advance(3500)
    pod.rig.clock.step_wall(step)
    taken = pod.fetched(pod.process())
    end = 4600 - 5 if pod.rig.sts.calls == 1 else pod.rig.clock.now() + 3600 - 5
    assert taken.end_of_use <= end
    # After a step back they are still valid; after a step ahead their age is not known.
    assert pod.rig.sts.calls == (1 if step < 0 or step == 60 else 2)


def test_credentials_older_than_the_current_ones_are_not_taken(pod: Pod) -> None:
    process, other = pod.process(), pod.process()
    pod.fetched(other)
    entry = pod.entry.read_bytes()
    pod.rig.clock.advance(1000)
    current = share(pod, process)
    pod.entry.write_bytes(entry)
    assert pod.fetched(process, current).credentials.access_key_id == "ASIA0000000000000003"


def test_an_entry_of_another_boot_is_not_used(pod: Pod, caplog: pytest.LogCaptureFixture) -> None:
    pod.fetched(pod.process())
    boot = content_of(pod.entry)["boot_id"]
    change(pod.entry, boot_id="another")
    pod.fetched(pod.process())
    assert pod.rig.sts.calls == 2
    assert content_of(pod.entry)["boot_id"] == boot
    assert not warnings(caplog), "a machine may be restarted"


def test_subscribers_get_an_event_of_attempt_0_for_a_shared_result(pod: Pod) -> None:
    def events() -> list[tuple[str, tuple[object, ...]]]:
        refresh = pod.refresh()
        pod.process().fetch(refresh, Snapshot.nothing())
        return refresh.events

    expiration = datetime.fromtimestamp(pod.rig.clock.wall() + 3601, UTC)
    assert events() == [("RefreshSucceeded", (ROLE, 1, 0.0, expiration))]
    assert events() == [("RefreshSucceeded", (ROLE, 0, 0.0, expiration))]
    pod.rig.sts.script.append(DENIED)
    pod.rig.clock.advance(3600)
    assert events() == [("RefreshFailed", (ROLE, "AccessDenied", 1, 0.0))]
    assert events() == [("RefreshFailed", (ROLE, "AccessDenied", 0, 0.0))]


# -- waiting for the lock holder -------------------------------------------------------------------


def test_a_waiting_process_takes_the_entry_of_the_lock_holder(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder, waiter = pod.process(), pod.process()
    with locked_by_another(pod):
        # The test has the lock, so the lock holder calls STS without one.
        during_first_wait(pod, monkeypatch, lambda: share(pod, holder))
        taken = pod.fetched(waiter)
    assert taken.credentials.access_key_id == "ASIA0000000000000001"
    assert pod.rig.sts.calls == 1
    assert pod.rig.clock.slept == [0.1]


def share(pod: Pod, process: SharedFetcher) -> Snapshot:
    """Let a process fetch and share credentials as the lock holder does."""
    refresh = pod.refresh()
    entry_id = process._entry_id(process._fetcher.token_source.read)
    assert entry_id is not None
    outcome = pod.rig.fetcher.fetch(refresh, Snapshot.nothing())
    assert isinstance(outcome, Snapshot)
    process._share(entry_id, outcome, refresh, Snapshot.nothing())
    return outcome


def test_an_entry_written_just_before_the_lock_is_taken_is_used(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder, waiter = pod.process(), pod.process()
    lock = waiter._store.lock

    def late(*args: Any) -> bool:
        share(pod, holder)
        return lock(*args)

    monkeypatch.setattr(waiter._store, "lock", late)
    pod.fetched(waiter)
    assert pod.rig.sts.calls == 1


def test_the_lock_of_a_stopped_holder_is_replaced(pod: Pod) -> None:
    with locked_by_another(pod, age=6.0):
        taken = pod.fetched(pod.process())
        assert taken.credentials.access_key_id == "ASIA0000000000000001"
        assert pod.rig.clock.slept == [0.1]
        # The new lock is free, and the next refresh does not wait for the stopped process.
        pod.fetched(pod.process(), taken)
    assert pod.rig.clock.slept == [0.1]
    assert pod.rig.sts.calls == 2


def test_a_process_waits_ten_seconds_at_most_without_a_new_lock(pod: Pod) -> None:
    with locked_by_another(pod):
        taken = pod.fetched(pod.process())
    assert taken.credentials.access_key_id == "ASIA0000000000000001"
    assert 10 <= pod.rig.clock.now() - 1000 <= 10.2


def test_not_all_processes_replace_a_lock_at_the_same_time(pod: Pod) -> None:
    pod.rig.clock.uniform = low
    with locked_by_another(pod, age=4.1):
        pod.fetched(pod.process())
    assert pod.rig.clock.slept == [0.03]


def test_a_background_refresh_does_not_wait_for_a_stopped_holder_for_ever(pod: Pod) -> None:
    process = pod.process()
    current = pod.fetched(process)
    with locked_by_another(pod):
        renewed = pod.fetched(process, current)
        assert renewed.credentials.access_key_id == "ASIA0000000000000002"
        assert pod.fetched(pod.process(), current).credentials == renewed.credentials
    assert pod.rig.sts.calls == 2


def test_only_one_of_the_processes_waiting_for_a_stopped_holder_calls_sts(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, waiter = pod.process(), pod.process()
    with locked_by_another(pod, age=6.0):
        during_first_wait(pod, monkeypatch, lambda: pod.fetched(first))
        pod.fetched(waiter)
    assert pod.rig.sts.calls == 1


def test_a_holder_whose_lock_was_replaced_does_not_release_the_new_lock(pod: Pod) -> None:
    store, name = (
        Store(str(pod.cache_dir)),
        str(_entry_name(pod.config, Token(pod.rig.token.value))),
    )
    with contextlib.ExitStack() as stack:
        with locked_by_another(pod, age=6.0):
            assert not store.lock(name, stack, 5.0)
            assert store.lock(name, stack, 5.0)
        with contextlib.ExitStack() as other:
            assert not store.lock(name, other, 5.0)


def test_a_refresh_with_little_time_waits_for_a_third_of_it(pod: Pod) -> None:
    pod.rig.sts.lifetime = 40
    process = pod.process()
    current = pod.fetched(process)
    pod.rig.clock.advance(24)
    # The credentials can be used for 12 s more, so the refresh has 3 s.
    with locked_by_another(pod):
        assert pod.fetched(process, current).credentials != current.credentials
    assert 2 <= pod.rig.clock.now() - 1024 <= 2.2


def test_a_refresh_with_little_time_replaces_a_lock_sooner(pod: Pod) -> None:
    pod.rig.sts.lifetime = 40
    process = pod.process()
    current = pod.fetched(process)
    pod.rig.clock.advance(24)
    with locked_by_another(pod, age=1.1):
        pod.fetched(process, current)
    assert pod.rig.clock.slept == [0.1]


def test_all_attempts_of_a_refresh_happen_inside_the_lock(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod.rig.sts.script.extend([failure(status=503), failure(status=503)])
    other = pod.process()
    free: list[bool] = []

    def look(_: float) -> None:
        with contextlib.ExitStack() as stack:
            name = pod.files(".lock")[0].name.partition(".")[0]
            free.append(other._store.lock(name, stack, 5.0))
        assert not pod.files(".json"), "a failure per attempt would stop the second attempt"

    monkeypatch.setattr(pod.rig.clock, "sleep", look)
    pod.fetched(pod.process())
    assert pod.rig.sts.calls == 3
    assert free == [False, False]


def test_the_lock_is_released_after_a_refresh_that_raised(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Snapshot:
        raise KeyboardInterrupt

    process = pod.process()
    lock, stacks = process._store.lock, []

    def kept(name: str, until: contextlib.ExitStack, patience: float) -> bool:
        # The garbage collector must not release the lock.
        stacks.append(until)
        return lock(name, until, patience)

    monkeypatch.setattr(process._store, "lock", kept)
    monkeypatch.setattr(pod.rig.fetcher, "fetch", broken)
    with pytest.raises(KeyboardInterrupt):
        pod.fetch(process)
    with locked_by_another(pod):
        assert stacks


# -- writing the entry -----------------------------------------------------------------------------


def test_a_holder_that_continues_late_does_not_replace_newer_credentials(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeper, other = pod.process(), pod.process()
    fetch = pod.rig.fetcher.fetch

    def stopped(*args: Any) -> Snapshot | Failure:
        old = fetch(*args)
        monkeypatch.setattr(pod.rig.fetcher, "fetch", fetch)
        pod.rig.clock.advance(600)
        share(pod, other)
        return old

    monkeypatch.setattr(pod.rig.fetcher, "fetch", stopped)
    assert pod.fetched(sleeper).credentials.access_key_id == "ASIA0000000000000001"
    assert pod.fetched(pod.process()).credentials.access_key_id == "ASIA0000000000000002"


def test_a_network_failure_is_not_shared(pod: Pod) -> None:
    pod.rig.sts.down = failure("ConnectTimeoutError", unreachable=True)
    pod.failed(pod.process())
    assert not pod.files(".json")
    calls = pod.rig.sts.calls
    pod.failed(pod.process())
    assert pod.rig.sts.calls == 2 * calls


def test_a_failure_of_the_source_role_is_not_in_the_targets_entry(pod: Pod) -> None:
    pod.rig.sts.down = DENIED._replace(again_in=40.0)
    pod.failed(pod.process())
    assert not pod.files(".json")


def test_a_token_that_cannot_be_read_is_not_a_shared_failure(pod: Pod) -> None:
    pod.rig.token.failure = failure("TokenFileMissing", kind="token", retryable=False)
    assert pod.failed(pod.process()) == pod.rig.token.failure
    assert not pod.cache_dir.exists()


# -- shared failures ------------------------------------------------------------------------------


def test_a_failure_of_sts_is_cached_for_all_processes_until_its_time(pod: Pod) -> None:
    pod.rig.sts.down = DENIED
    first = pod.failed(pod.process())
    told_at = pod.rig.clock.wall()
    assert first.again_in is first.told_at is None
    pod.rig.clock.advance(2)
    second = pod.failed(pod.process())
    assert second == first._replace(again_in=3.0, told_at=told_at)
    assert pod.rig.sts.calls == 1
    pod.rig.clock.advance(3)
    pod.failed(pod.process())
    assert pod.rig.sts.calls == 2


def test_fifty_processes_share_the_calls_that_sts_denies(pod: Pod) -> None:
    pod.rig.sts.down = DENIED
    processes = [pod.process() for _ in range(50)]
    for _ in range(30):
        for process in processes:
            pod.failed(process)
        pod.rig.clock.advance(1)
    # After 0, 5, 15 and 35 s.
    assert pod.rig.sts.calls == 3


def test_a_success_clears_the_failure_and_its_count(pod: Pod) -> None:
    pod.rig.sts.script.extend([DENIED, DENIED])
    for _ in range(3):
        pod.fetch(pod.process())
        pod.rig.clock.advance(10)
    assert content_of(pod.entry)["failure"] is None
    pod.rig.clock.advance(3600)
    pod.rig.sts.down = DENIED
    pod.failed(pod.process())
    assert content_of(pod.entry)["failure"]["in_a_row"] == 1


def test_pauses_match_a_single_process_after_many_background_failures(
    pod: Pod,
) -> None:
    process, alone, clock = pod.process(), Backoff(f"role={ROLE}", high, deque()), pod.rig.clock
    current = pod.fetched(process)
    unwell = failure(status=500)
    pod.rig.sts.down = unwell
    pauses = []
    for number in range(9):
        if number == 6:
            clock.advance(current.left(clock.now()))
        left, wall = current.left(clock.now()), clock.wall()
        pod.failed(process, current)
        now = clock.now()
        alone.record_failure(unwell, left=left, blocking=left <= 0, now=now, wall=wall)
        there = content_of(pod.entry)["failure"]
        pauses.append(there["not_before"] - there["failed_at"])
        assert pauses[-1] == (alone.not_before if left > 0 else alone.cached_until) - now
        clock.advance(pauses[-1])
    assert pauses[5:] == [64, 2, 4, 8]


def test_a_failure_of_background_refreshes_only_does_not_delay_callers(pod: Pod) -> None:
    process = pod.process()
    current = pod.fetched(process)
    pod.rig.sts.down = DENIED
    clock = pod.rig.clock
    clock.advance(current.left(clock.now()) - 2)
    pod.failed(process, current)
    clock.advance(2)
    calls = pod.rig.sts.calls
    assert pod.failed(process, current).again_in is None
    assert pod.rig.sts.calls == calls + 1


def test_a_failure_keeps_the_credentials_in_the_entry(pod: Pod) -> None:
    process = pod.process()
    current = pod.fetched(process)
    pod.rig.sts.down = DENIED
    assert pod.failed(process, current).code == "AccessDenied"
    assert pod.fetched(pod.process()).credentials == current.credentials
    # The file must not be removed before its credentials expire.
    assert pod.entry.stat().st_mtime - time.time() > 3500


def test_while_credentials_are_valid_a_failure_is_cached_for_the_background_pause(pod: Pod) -> None:
    process = pod.process()
    current = pod.fetched(process)
    pod.rig.sts.down = THROTTLED
    assert pod.failed(process, current).again_in is None
    other = pod.failed(pod.process(), current)
    assert other.again_in == timing.background_pause(THROTTLED, 1, 3000, high)
    assert pod.rig.sts.calls == 2


def test_a_rejected_token_does_not_stop_a_process_with_another_token(pod: Pod) -> None:
    pod.rig.sts.script.append(
        failure("ExpiredTokenException", retryable=False, status=400, bad_token=True)
    )
    stale, fresh = pod.process(), pod.process()
    assert pod.failed(stale).code == "ExpiredTokenException"
    assert pod.failed(pod.process()).code == "ExpiredTokenException"
    pod.rig.token.value = jwt({**CLAIMS, "exp": 2_000_000_000})
    pod.fetched(fresh)
    assert pod.rig.sts.calls == 2


# -- revoked keys ----------------------------------------------------------------------------------


def test_no_process_takes_a_revoked_key_from_the_cache(pod: Pod) -> None:
    process, other = pod.process(), pod.process()
    revoked_key = pod.fetched(process).credentials
    process.revoke(revoked_key.access_key_id)
    assert pod.fetched(other).credentials != revoked_key
    assert pod.fetched(process).credentials != revoked_key
    assert pod.rig.sts.calls == 2


def test_an_expired_key_is_not_taken_before_its_revocation_is_written(pod: Pod) -> None:
    process = pod.process()
    current = pod.fetched(process)
    current.expire()
    assert pod.fetched(process, current).credentials != current.credentials


def test_a_process_can_revoke_a_key_that_another_process_fetched(pod: Pod) -> None:
    revoked_key = pod.fetched(pod.process()).credentials
    pod.process().revoke(revoked_key.access_key_id)
    assert pod.fetched(pod.process()).credentials != revoked_key


def test_a_revocation_that_was_lost_is_written_again(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = pod.process()
    revoked = pod.fetched(process).credentials
    with monkeypatch.context() as full:
        full.setattr(process._store, "revoke", lambda *_: None)
        process.revoke(revoked.access_key_id)
    # The same happens if another user moves the directory away and back.
    assert not pod.files(".revoked")
    entry = pod.entry.read_bytes()
    assert pod.fetched(process).credentials != revoked
    pod.entry.write_bytes(entry)
    assert pod.fetched(pod.process()).credentials != revoked


def test_without_credentials_there_is_nothing_to_revoke(pod: Pod) -> None:
    pod.process().revoke(Snapshot.nothing().credentials.access_key_id)
    assert pod.rig.token.reads == 0
    assert not pod.cache_dir.exists()


def test_revoking_a_key_does_not_read_the_token(pod: Pod) -> None:
    revoked = pod.fetched(pod.process()).credentials
    reads = pod.rig.token.reads
    pod.process().revoke(revoked.access_key_id)
    assert pod.rig.token.reads == reads
    assert pod.fetched(pod.process()).credentials != revoked


def test_without_a_token_there_is_nothing_to_purge(pod: Pod) -> None:
    pod.rig.token.failure = failure("TokenFileMissing", kind="token")
    pod.process().purge()
    assert not pod.cache_dir.exists()


def test_purge_removes_the_files_of_this_identity_only(pod: Pod) -> None:
    process = pod.process()
    pod.fetched(process)
    other = replace(pod, config=CONFIG._replace(session_name="other"))
    other.fetched(other.process())
    process.purge()
    assert {each.suffix for each in pod.files()} == {".json", ".lock"}
    pod.process().purge()
    other.process().purge()
    assert not pod.files()


def test_credentials_of_an_overdue_refresh_are_not_written_under_another_tokens_name(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = pod.process()
    first, fetch = pod.rig.token.value, pod.rig.fetcher.fetch
    second = jwt({**CLAIMS, "sub": "system:serviceaccount:shop:other"})

    def overtaken(refresh: Refresh, current: Snapshot) -> Snapshot | Failure:
        outcome = fetch(refresh, current)
        monkeypatch.setattr(pod.rig.fetcher, "fetch", fetch)
        # While the first refresh hung, the pod got another token and refreshed with it.
        pod.rig.token.value = second
        pod.fetched(process)
        return outcome

    monkeypatch.setattr(pod.rig.fetcher, "fetch", overtaken)
    fetched_first = pod.fetched(process)
    fetched_later = pod.fetched(pod.process())
    assert fetched_later.credentials != fetched_first.credentials
    pod.rig.token.value = first
    assert pod.fetched(pod.process()).credentials == fetched_first.credentials


def test_credentials_for_a_token_that_has_just_changed_are_not_written_under_the_old_name(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = pod.rig.fetcher.fetch

    def rotated(refresh: Refresh, current: Snapshot) -> Snapshot | Failure:
        pod.rig.token.value = jwt({**CLAIMS, "sub": "system:serviceaccount:shop:other"})
        return fetch(refresh, current)

    monkeypatch.setattr(pod.rig.fetcher, "fetch", rotated)
    pod.fetched(pod.process())
    assert not pod.files(".json")


def test_a_refresh_that_must_not_wait_for_threads_does_not_wait_for_a_lock_holder(
    pod: Pod,
) -> None:
    refresh = pod.refresh()
    refresh.must_not_wait = True
    with locked_by_another(pod):
        assert isinstance(pod.process().fetch(refresh, Snapshot.nothing()), Snapshot)
    assert pod.rig.clock.slept == []


# -- a file system that hangs ----------------------------------------------------------------------


@pytest.fixture
def hanging(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Let a refresh hang in a call to the file system until this is set."""
    woken, opened = threading.Event(), os.open

    def hang_once(path: Any, *args: Any, **kwargs: Any) -> int:
        if str(path) == str(pod.cache_dir):
            monkeypatch.setattr(os, "open", opened)
            entered.set()
            assert woken.wait(10)
        return opened(path, *args, **kwargs)

    entered = threading.Event()
    pod.rig.engine.shared_fetcher = pod.process()
    monkeypatch.setattr(os, "open", hang_once)
    pod.rig.joined()
    assert entered.wait(10)
    yield woken
    woken.set()


def read_after_timeout(pod: Pod) -> Snapshot:
    """Read as callers do: the first one gets the timeout, and the next one waits."""
    pod.rig.clock.advance(31)
    with pytest.raises(RefreshTimeout):
        pod.rig.read()
    pod.rig.clock.advance(2)
    return read(pod)


def read(pod: Pod) -> Snapshot:
    found = pod.rig.read()
    outcome = found if isinstance(found, Snapshot) else outcome_of(found)
    assert isinstance(outcome, Snapshot)
    return outcome


@pytest.mark.usefixtures("hanging")
def test_a_hanging_file_system_fails_one_refresh_only(
    pod: Pod, caplog: pytest.LogCaptureFixture
) -> None:
    fetched = read_after_timeout(pod)
    assert fetched.credentials.access_key_id == "ASIA0000000000000001"
    # The warning is logged after the callers are released.
    eventually(lambda: [each for each in warnings(caplog) if "shared cache" in each])
    (message,) = [each for each in warnings(caplog) if "shared cache" in each]
    assert message.endswith("an earlier access to it has not returned.")
    # No caller hangs in the file system either.
    pod.rig.engine.invalidate(None)
    assert pod.rig.engine.shared_fetcher is not None
    pod.rig.engine.shared_fetcher.purge()
    assert not pod.cache_dir.exists()
    assert read(pod).credentials != fetched.credentials


def test_the_cache_is_used_again_when_the_file_system_responds(
    pod: Pod, hanging: threading.Event
) -> None:
    read_after_timeout(pod)
    shared_fetcher = pod.rig.engine.shared_fetcher
    assert isinstance(shared_fetcher, SharedFetcher)
    assert shared_fetcher._is_hanging()
    hanging.set()
    eventually(lambda: not shared_fetcher._is_hanging())
    pod.rig.engine.invalidate(None)
    read(pod)
    assert pod.files(".json")


@pytest.mark.usefixtures("hanging")
def test_a_forked_child_uses_the_cache_that_hangs_in_its_parent(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The hanging thread does not exist in a child.
    monkeypatch.setattr(os, "getpid", lambda: 1)
    read_after_timeout(pod)
    assert pod.files(".json")


# -- names -----------------------------------------------------------------------------------------


def name(config: Config = CONFIG, **claims: object) -> str | None:
    return _entry_name(config, Token(jwt({**CLAIMS, **claims})))


CHAINED = ChainedRole(role_arn="arn:aws:iam::123456789012:role/second", session_name="pod")
DIFFERENT: dict[str, Any] = {
    "role_arn": "arn:aws:iam::123456789012:role/other",
    "session_name": "other",
    "duration_seconds": 900,
    "duration_optional": True,
    "policy": "{}",
    "policy_arns": ("arn:aws:iam::aws:policy/ReadOnlyAccess",),
    "region_identity": "aws-global",
    "endpoint_url": "https://sts.example",
    "use_fips": True,
    "use_dualstack": True,
    "legacy_global": True,
    "http": HttpSettings(verify=False),
    "chained_roles": (CHAINED,),
}


def test_an_entry_name_is_a_hash() -> None:
    assert str(name()).isalnum()
    assert len(str(name())) == 64


def test_every_field_of_the_identity_changes_the_entry_name() -> None:
    chains = {"chained_roles": (CHAINED._replace(external_id="hidden"),)}
    given = [{field: value} for field, value in DIFFERENT.items()] + [chains]
    names = {name(CONFIG._replace(**each)) for each in given}
    assert len(names | {name()}) == len(given) + 1
    compared = {*CONFIG._fields} - {"region", "token", "token_file", "user_agent"}
    assert set(DIFFERENT) == compared, "a field without a test"


@pytest.mark.parametrize("claim", ["iss", "sub", "aud"])
def test_the_issuer_subject_and_audience_change_the_entry_name(claim: str) -> None:
    assert name(CONFIG, **{claim: "other"}) != name()


def test_claims_that_a_renewal_changes_do_not_change_the_entry_name() -> None:
    assert name(exp=1, iat=2) == name()


def test_what_is_not_part_of_the_identity_does_not_change_the_entry_name() -> None:
    assert name(CONFIG._replace(user_agent=UserAgent(("h",), "shop"))) == name()
    assert name(CONFIG._replace(token_file="/elsewhere", region="eu-west-1")) == name()
    assert name(CONFIG._replace(token_file=None, token=lambda: JWT)) == name()


def test_the_format_of_the_content_changes_the_entry_name(monkeypatch: pytest.MonkeyPatch) -> None:
    before = name()
    number, *fields = entry.FORMAT
    monkeypatch.setattr("irsa_creds._shared_cache.shared_fetcher.FORMAT", (number + 1, *fields))
    assert name() != before


@pytest.mark.parametrize(
    "fields",
    [entry.Entry._fields, entry.SharedFailure._fields, Failure._fields, Credentials.__slots__],
)
def test_each_field_that_an_entry_contains_is_in_its_format(fields: tuple[str, ...]) -> None:
    assert fields in entry.FORMAT


@pytest.mark.parametrize(
    "token",
    [
        "opaque",
        jwt([]),
        jwt({}),
        *(jwt({key: value for key, value in CLAIMS.items() if key != gone}) for gone in CLAIMS),
        jwt({**CLAIMS, "aud": []}),
    ],
)
def test_a_token_without_issuer_subject_or_audience_is_not_shared(
    token: str, pod: Pod, caplog: pytest.LogCaptureFixture
) -> None:
    pod.rig.token.value = token
    process = pod.process()
    pod.fetched(process)
    pod.fetched(process)
    assert pod.rig.sts.calls == 2
    assert not pod.cache_dir.exists()
    (message,) = warnings(caplog)
    assert message.endswith("the token lacks the claim iss, sub or aud.")
    assert not process.is_sharing


# -- errors and secrets ----------------------------------------------------------------------------


def test_works_is_false_while_the_directory_is_not_usable(pod: Pod) -> None:
    process = pod.process()
    assert not process.is_sharing
    pod.fetched(process)
    assert process.is_sharing
    pod.entry.write_bytes(b"damaged")
    pod.fetched(process)
    assert process.is_sharing
    process._store.warn("no space")
    assert not process.is_sharing


def test_an_unexpected_error_in_the_cache_does_not_fail_a_refresh(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("irsa_creds._shared_cache.shared_fetcher.load", broken)
    monkeypatch.setattr("irsa_creds._shared_cache.shared_fetcher.dump", broken)
    pod.fetched(pod.process())
    (message,) = warnings(caplog)
    assert message.endswith("ZeroDivisionError.")


@pytest.mark.parametrize(
    "fields", [{"another": 1}, {"failure": {"failure": {"facts": ["of another version"]}}}]
)
def test_an_entry_with_fields_of_another_version_is_replaced(
    pod: Pod, fields: dict[str, Any]
) -> None:
    process = pod.process()
    pod.fetched(process)
    name = pod.entry.stem
    content = json.loads(process._store.read(name) or b"")
    process._store.write(name, json.dumps(content | fields).encode(), 3600)
    calls = pod.rig.sts.calls
    pod.fetched(pod.process())
    assert pod.rig.sts.calls == calls + 1
    assert load(process._store.read(name) or b"").credentials is not None


def test_no_secret_is_in_logs_or_file_names(pod: Pod, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    process = pod.process()
    fetched = pod.fetched(process).credentials
    pod.entry.write_bytes(pod.entry.read_bytes()[:-9])
    pod.fetched(pod.process())
    message = caplog.text + repr(process) + "".join(each.name for each in pod.files())
    for secret in (fetched.secret_access_key, fetched.session_token, fetched.access_key_id, JWT):
        assert secret not in message
    assert "it is damaged" in message


def test_credentials_with_less_than_min_ttl_are_not_taken(pod: Pod) -> None:
    one, other = pod.process(), pod.process()
    current = pod.fetched(other)
    pod.rig.clock.advance(3000)
    pod.fetched(one, current)
    pod.rig.clock.advance(3000)
    refresh = pod.refresh(current)
    refresh.min_ttl = 900
    fetched = other.fetch(refresh, current)
    assert isinstance(fetched, Snapshot)
    assert fetched.credentials.access_key_id == "ASIA0000000000000003"


def test_a_bad_token_that_another_process_tried_counts_as_tried(
    pod: Pod,
) -> None:
    pod.rig.sts.down = failure("ExpiredTokenException", retryable=False, status=400, bad_token=True)
    pod.failed(pod.process())
    here = rig()
    here.token.value = pod.rig.token.value
    other = SharedFetcher(pod.config, here.fetcher, pod.rig.clock, str(pod.cache_dir))
    assert pod.failed(other).bad_token
    assert here.sts.calls == 0
    assert not here.fetcher.token_changed()
    here.token.value = jwt({**CLAIMS, "exp": 1})
    here.clock.advance(2)
    assert here.fetcher.token_changed()


def test_newer_credentials_that_expire_earlier_are_taken(pod: Pod) -> None:
    pod.rig.sts.lifetime = 7200
    processes = [pod.process() for _ in range(4)]
    current = [pod.fetched(process) for process in processes]
    pod.rig.clock.advance(1000)
    pod.rig.sts.lifetime = 900
    renewed = [pod.fetched(*each) for each in zip(processes, current, strict=True)]
    assert {each.credentials.access_key_id for each in renewed} == {"ASIA0000000000000002"}
    assert pod.rig.sts.calls == 2


def test_session_tags_and_source_identity_change_the_entry_name() -> None:
    tags = {"principal_tags": {"tenant": ["a"]}}
    names = {
        _entry_name(CONFIG, Token(jwt({**CLAIMS, **more})))
        for more in (
            {},
            {"https://aws.amazon.com/tags": tags},
            {"https://aws.amazon.com/source_identity": "alice"},
            {"exp": 1},
        )
    }
    assert len(names) == 3


def test_a_failure_of_a_process_that_was_stopped_meanwhile_is_not_shared(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod.rig.sts.down = DENIED
    fetch = pod.rig.fetcher.fetch

    def stopped(*args: Any) -> Snapshot | Failure:
        outcome = fetch(*args)
        pod.rig.clock.advance(1000)
        return outcome

    monkeypatch.setattr(pod.rig.fetcher, "fetch", stopped)
    pod.failed(pod.process())
    assert not pod.files(".json")


def test_an_expired_source_key_in_a_chain_is_not_a_shared_failure(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pod.rig.fetcher, "is_chained", True)
    pod.rig.sts.down = failure("ExpiredToken", retryable=False, status=403, bad_token=True)
    pod.failed(pod.process())
    assert not pod.files(".json")
