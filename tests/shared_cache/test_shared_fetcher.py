"""Which process calls STS, and what the others take from the cache."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from engine_fakes import ROLE, failure, high, outcome_of, rig
from irsa_creds import RefreshTimeout
from irsa_creds._engine import policy
from irsa_creds._engine.backoff import Backoff
from irsa_creds._engine.policy import Snapshot
from irsa_creds._identity.endpoint_settings import HttpSettings
from irsa_creds._identity.roles import ChainedRole
from irsa_creds._identity.token import Token
from irsa_creds._shared_cache import entry
from irsa_creds._shared_cache.shared_fetcher import SharedFetcher, _name
from irsa_creds._shared_cache.store import Store
from races.harness import eventually
from shared_cache.pods import CONFIG, Pod, change, content_of
from sts_server import CLAIMS, JWT, jwt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from irsa_creds._engine.refresh import Refresh
    from irsa_creds._errors import Failure
    from irsa_creds._identity.config import Config

DENIED = failure("AccessDenied", retryable=False, status=403)
THROTTLED = failure("Throttling", throttled=True, status=400)


@pytest.fixture(autouse=True)
def _upper_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irsa_creds._engine.policy.DRAW", high)


@contextlib.contextmanager
def holding(pod: Pod, age: float = 0.0) -> Iterator[None]:
    """Let another process hold the lock of the entry, which it took `age` seconds ago."""
    store, name = Store(str(pod.place)), _name(pod.config, Token(pod.rig.token.value))
    assert name is not None
    with contextlib.ExitStack() as stack:
        assert store.lock(name, stack, 5.0)
        taken_at = time.time() - age
        os.utime(pod.place / f"{name}.lock", (taken_at, taken_at))
        yield


def meanwhile(pod: Pod, monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> None:
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


def test_the_first_process_asks_and_all_others_take_what_it_brought(pod: Pod) -> None:
    brought = [pod.brought(pod.process()) for _ in range(16)]
    assert pod.rig.sts.calls == 1
    assert {each.credentials for each in brought} == {brought[0].credentials}
    assert {each.end_of_use for each in brought} == {brought[0].end_of_use}


def test_the_refresh_is_drawn_once_and_the_others_look_a_little_later(pod: Pod) -> None:
    first = pod.brought(pod.process())
    pod.rig.clock.advance(100)
    second = pod.brought(pod.process())
    assert second.refresh_at == first.refresh_at + 5


def test_short_lived_credentials_spread_the_others_over_less(pod: Pod) -> None:
    pod.rig.sts.lifetime = 60
    first = pod.brought(pod.process())
    assert pod.brought(pod.process()).refresh_at == first.refresh_at + 3


def test_a_refresh_is_one_call_for_all_as_well(pod: Pod) -> None:
    processes = [pod.process() for _ in range(8)]
    held = [pod.brought(process) for process in processes]
    pod.rig.clock.advance(3000)
    renewed = [pod.brought(*each) for each in zip(processes, held, strict=True)]
    assert pod.rig.sts.calls == 2
    assert {each.credentials.access_key_id for each in renewed} == {"ASIA0000000000000002"}


def test_a_process_whose_refresh_is_due_takes_nothing_that_it_has_already(pod: Pod) -> None:
    process = pod.process()
    held = pod.brought(process)
    assert pod.brought(process, held).credentials != held.credentials
    assert pod.rig.sts.calls == 2


def test_credentials_past_their_use_are_not_taken(pod: Pod) -> None:
    pod.brought(pod.process())
    pod.rig.clock.advance(3596)
    assert pod.brought(pod.process()).credentials.access_key_id == "ASIA0000000000000002"


@pytest.mark.parametrize("step", [-86_400.0, -60.0, 60.0, 86_400.0])
def test_a_wall_clock_that_was_set_serves_nothing_past_its_use(pod: Pod, step: float) -> None:
    pod.brought(pod.process())
    pod.rig.clock.advance(3500)
    pod.rig.clock.step_wall(step)
    taken = pod.brought(pod.process())
    end = 4600 - 5 if pod.rig.sts.calls == 1 else pod.rig.clock.now() + 3600 - 5
    assert taken.end_of_use <= end
    # Set back, they are as good as before; set ahead, nobody knows.
    assert pod.rig.sts.calls == (1 if step < 0 or step == 60 else 2)


def test_what_is_older_than_what_a_process_has_is_not_taken(pod: Pod) -> None:
    process, other = pod.process(), pod.process()
    pod.brought(other)
    entry = pod.entry.read_bytes()
    pod.rig.clock.advance(1000)
    held = leave(pod, process)
    pod.entry.write_bytes(entry)
    assert pod.brought(process, held).credentials.access_key_id == "ASIA0000000000000003"


def test_what_another_boot_left_is_not_taken(pod: Pod, caplog: pytest.LogCaptureFixture) -> None:
    pod.brought(pod.process())
    boot = content_of(pod.entry)["boot_id"]
    change(pod.entry, boot_id="another")
    pod.brought(pod.process())
    assert pod.rig.sts.calls == 2
    assert content_of(pod.entry)["boot_id"] == boot
    assert not warnings(caplog), "a machine may start anew"


def test_subscribers_hear_of_what_another_process_brought(pod: Pod) -> None:
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


# -- waiting for the one who asks ------------------------------------------------------------------


def test_who_waits_takes_what_the_holder_leaves(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    holder, waiter = pod.process(), pod.process()
    with holding(pod):
        # The holder's own way to STS, for the lock is taken in this test's name.
        meanwhile(pod, monkeypatch, lambda: leave(pod, holder))
        taken = pod.brought(waiter)
    assert taken.credentials.access_key_id == "ASIA0000000000000001"
    assert pod.rig.sts.calls == 1
    assert pod.rig.clock.slept == [0.1]


def leave(pod: Pod, process: SharedFetcher) -> Snapshot:
    """Let a process bring and leave credentials as the holder of the lock does."""
    refresh = pod.refresh()
    named = process._named(process._pilot.peek)
    assert named is not None
    outcome = pod.rig.pilot.fetch(refresh, Snapshot.nothing())
    assert isinstance(outcome, Snapshot)
    process._leave(named, outcome, refresh, Snapshot.nothing())
    return outcome


def test_what_came_between_the_look_and_the_lock_is_taken(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder, waiter = pod.process(), pod.process()
    lock = waiter._store.lock

    def late(*args: Any) -> bool:
        leave(pod, holder)
        return lock(*args)

    monkeypatch.setattr(waiter._store, "lock", late)
    pod.brought(waiter)
    assert pod.rig.sts.calls == 1


def test_the_lock_of_a_stopped_holder_is_replaced(pod: Pod) -> None:
    with holding(pod, age=6.0):
        taken = pod.brought(pod.process())
        assert taken.credentials.access_key_id == "ASIA0000000000000001"
        assert pod.rig.clock.slept == [0.1]
        # The new lock is free, and the next refresh does not wait for the stopped process.
        pod.brought(pod.process(), taken)
    assert pod.rig.clock.slept == [0.1]
    assert pod.rig.sts.calls == 2


def test_without_a_new_lock_a_process_waits_for_ten_seconds_and_no_longer(pod: Pod) -> None:
    with holding(pod):
        taken = pod.brought(pod.process())
    assert taken.credentials.access_key_id == "ASIA0000000000000001"
    assert 10 <= pod.rig.clock.now() - 1000 <= 10.2


def test_not_all_processes_replace_a_lock_at_the_same_time(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("irsa_creds._engine.policy.DRAW", lambda low, high: low)
    with holding(pod, age=4.1):
        pod.brought(pod.process())
    assert pod.rig.clock.slept == [0.03]


def test_a_refresh_goes_past_a_stopped_holder_while_credentials_are_valid_as_well(pod: Pod) -> None:
    process = pod.process()
    held = pod.brought(process)
    with holding(pod):
        renewed = pod.brought(process, held)
        assert renewed.credentials.access_key_id == "ASIA0000000000000002"
        assert pod.brought(pod.process(), held).credentials == renewed.credentials
    assert pod.rig.sts.calls == 2


def test_of_all_processes_that_wait_for_a_stopped_holder_one_calls_sts(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, waiter = pod.process(), pod.process()
    with holding(pod, age=6.0):
        meanwhile(pod, monkeypatch, lambda: pod.brought(first))
        pod.brought(waiter)
    assert pod.rig.sts.calls == 1


def test_a_holder_that_wakes_up_after_its_lock_was_replaced_ends_no_other_lock(pod: Pod) -> None:
    store, name = Store(str(pod.place)), str(_name(pod.config, Token(pod.rig.token.value)))
    with contextlib.ExitStack() as stack:
        with holding(pod, age=6.0):
            assert not store.lock(name, stack, 5.0)
            assert store.lock(name, stack, 5.0)
        with contextlib.ExitStack() as other:
            assert not store.lock(name, other, 5.0)


def test_a_flight_of_little_time_waits_for_a_third_of_it(pod: Pod) -> None:
    pod.rig.sts.lifetime = 40
    process = pod.process()
    held = pod.brought(process)
    pod.rig.clock.advance(24)
    # 12 s are left to their use, so the refresh has 3 s.
    with holding(pod):
        assert pod.brought(process, held).credentials != held.credentials
    assert 2 <= pod.rig.clock.now() - 1024 <= 2.2


def test_a_refresh_of_little_time_replaces_a_lock_sooner(pod: Pod) -> None:
    pod.rig.sts.lifetime = 40
    process = pod.process()
    held = pod.brought(process)
    pod.rig.clock.advance(24)
    with holding(pod, age=1.1):
        pod.brought(process, held)
    assert pod.rig.clock.slept == [0.1]


def test_all_retries_of_a_flight_happen_inside_the_lock(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod.rig.sts.script.extend([failure(status=503), failure(status=503)])
    other = pod.process()
    free: list[bool] = []

    def look(_: float) -> None:
        with contextlib.ExitStack() as stack:
            name = pod.files(".lock")[0].name.partition(".")[0]
            free.append(other._store.lock(name, stack, 5.0))
        assert not pod.files(".json"), "a refusal per attempt would stop one's own second"

    monkeypatch.setattr(pod.rig.clock, "sleep", look)
    pod.brought(pod.process())
    assert pod.rig.sts.calls == 3
    assert free == [False, False]


def test_the_lock_is_free_after_the_flight_whatever_it_brought(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Snapshot:
        raise KeyboardInterrupt

    process = pod.process()
    lock, stacks = process._store.lock, []

    def kept(name: str, until: contextlib.ExitStack, patience: float) -> bool:
        # Not for the garbage collector to let go.
        stacks.append(until)
        return lock(name, until, patience)

    monkeypatch.setattr(process._store, "lock", kept)
    monkeypatch.setattr(pod.rig.pilot, "fetch", broken)
    with pytest.raises(KeyboardInterrupt):
        pod.fetch(process)
    with holding(pod):
        assert stacks


# -- who writes what -------------------------------------------------------------------------------


def test_a_holder_who_wakes_up_late_replaces_nothing_fresher(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeper, other = pod.process(), pod.process()
    fetch = pod.rig.pilot.fetch

    def stopped(*args: Any) -> Snapshot | Failure:
        old = fetch(*args)
        monkeypatch.setattr(pod.rig.pilot, "fetch", fetch)
        pod.rig.clock.advance(600)
        leave(pod, other)
        return old

    monkeypatch.setattr(pod.rig.pilot, "fetch", stopped)
    assert pod.brought(sleeper).credentials.access_key_id == "ASIA0000000000000001"
    assert pod.brought(pod.process()).credentials.access_key_id == "ASIA0000000000000002"


def test_what_the_network_did_is_nobody_elses(pod: Pod) -> None:
    pod.rig.sts.down = failure("ConnectTimeoutError", unreachable=True)
    pod.refused(pod.process())
    assert not pod.files(".json")
    calls = pod.rig.sts.calls
    pod.refused(pod.process())
    assert pod.rig.sts.calls == 2 * calls


def test_what_was_told_of_the_role_before_has_an_entry_of_its_own(pod: Pod) -> None:
    pod.rig.sts.down = DENIED._replace(again_in=40.0)
    pod.refused(pod.process())
    assert not pod.files(".json")


def test_a_token_that_cannot_be_read_is_each_processs_own_failure(pod: Pod) -> None:
    pod.rig.token.failure = failure("TokenFileMissing", kind="token", retryable=False)
    assert pod.refused(pod.process()) == pod.rig.token.failure
    assert not pod.place.exists()


# -- what STS refused ------------------------------------------------------------------------------


def test_what_sts_answered_answers_for_all_until_its_time(pod: Pod) -> None:
    pod.rig.sts.down = DENIED
    first = pod.refused(pod.process())
    told_at = pod.rig.clock.wall()
    assert first.again_in is first.told_at is None
    pod.rig.clock.advance(2)
    second = pod.refused(pod.process())
    assert second == first._replace(again_in=3.0, told_at=told_at)
    assert pod.rig.sts.calls == 1
    pod.rig.clock.advance(3)
    pod.refused(pod.process())
    assert pod.rig.sts.calls == 2


def test_fifty_processes_find_out_together_that_sts_refuses(pod: Pod) -> None:
    pod.rig.sts.down = DENIED
    processes = [pod.process() for _ in range(50)]
    for _ in range(30):
        for process in processes:
            pod.refused(process)
        pod.rig.clock.advance(1)
    # After 0, 5, 15 and 35 s.
    assert pod.rig.sts.calls == 3


def test_a_success_ends_the_refusal_and_its_count(pod: Pod) -> None:
    pod.rig.sts.script.extend([DENIED, DENIED])
    for _ in range(3):
        pod.fetch(pod.process())
        pod.rig.clock.advance(10)
    assert content_of(pod.entry)["refusal"] is None
    pod.rig.clock.advance(3600)
    pod.rig.sts.down = DENIED
    pod.refused(pod.process())
    assert content_of(pod.entry)["refusal"]["in_a_row"] == 1


def test_pauses_are_those_of_a_process_alone_however_long_the_background_has_failed(
    pod: Pod,
) -> None:
    process, alone, clock = pod.process(), Backoff(ROLE, high), pod.rig.clock
    held = pod.brought(process)
    unwell = failure(status=500)
    pod.rig.sts.down = unwell
    pauses = []
    for number in range(9):
        if number == 6:
            clock.advance(held.left(clock.now()))
        left, wall = held.left(clock.now()), clock.wall()
        pod.refused(process, held)
        now = clock.now()
        alone.begin(unwell, left=left, blocking=left <= 0, now=now, wall=wall)
        there = content_of(pod.entry)["refusal"]
        pauses.append(there["not_before"] - there["told_at"])
        assert pauses[-1] == (alone.not_before if left > 0 else alone.record_until) - now
        clock.advance(pauses[-1])
    assert pauses[5:] == [64, 2, 4, 8]


def test_what_only_the_background_was_told_stops_no_reader(pod: Pod) -> None:
    process = pod.process()
    held = pod.brought(process)
    pod.rig.sts.down = DENIED
    clock = pod.rig.clock
    clock.advance(held.left(clock.now()) - 2)
    pod.refused(process, held)
    clock.advance(2)
    calls = pod.rig.sts.calls
    assert pod.refused(process, held).again_in is None
    assert pod.rig.sts.calls == calls + 1


def test_a_refusal_keeps_what_was_given_before(pod: Pod) -> None:
    process = pod.process()
    held = pod.brought(process)
    pod.rig.sts.down = DENIED
    assert pod.refused(process, held).code == "AccessDenied"
    assert pod.brought(pod.process()).credentials == held.credentials
    # The file is swept when nobody wants its credentials any more, and not before.
    assert pod.entry.stat().st_mtime - time.time() > 3500


def test_while_credentials_are_valid_a_refusal_is_as_long_as_the_background_waits(pod: Pod) -> None:
    process = pod.process()
    held = pod.brought(process)
    pod.rig.sts.down = THROTTLED
    assert pod.refused(process, held).again_in is None
    other = pod.refused(pod.process(), held)
    assert other.again_in == policy.background_pause(THROTTLED, 1, 3000, high)
    assert pod.rig.sts.calls == 2


def test_a_refused_token_stops_no_process_that_has_another(pod: Pod) -> None:
    pod.rig.sts.script.append(
        failure("ExpiredTokenException", retryable=False, status=400, bad_token=True)
    )
    stale, fresh = pod.process(), pod.process()
    assert pod.refused(stale).code == "ExpiredTokenException"
    assert pod.refused(pod.process()).code == "ExpiredTokenException"
    pod.rig.token.value = jwt({**CLAIMS, "exp": 2_000_000_000})
    pod.brought(fresh)
    assert pod.rig.sts.calls == 2


# -- keys that were given up -----------------------------------------------------------------------


def test_no_process_takes_a_revoked_key_out_of_the_cache(pod: Pod) -> None:
    process, other = pod.process(), pod.process()
    given_up = pod.brought(process).credentials
    process.revoke(given_up.access_key_id)
    assert pod.brought(other).credentials != given_up
    assert pod.brought(process).credentials != given_up
    assert pod.rig.sts.calls == 2


def test_a_key_is_given_up_before_its_grave_is_dug(pod: Pod) -> None:
    process = pod.process()
    held = pod.brought(process)
    held.expire()
    assert pod.brought(process, held).credentials != held.credentials


def test_a_key_that_only_another_process_brought_can_be_given_up(pod: Pod) -> None:
    given_up = pod.brought(pod.process()).credentials
    pod.process().revoke(given_up.access_key_id)
    assert pod.brought(pod.process()).credentials != given_up


def test_a_revocation_that_was_lost_is_written_again(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = pod.process()
    revoked = pod.brought(process).credentials
    with monkeypatch.context() as full:
        full.setattr(process._store, "revoke", lambda *_: None)
        process.revoke(revoked.access_key_id)
    # So it is as well if another user moves the directory away and back.
    assert not pod.files(".revoked")
    entry = pod.entry.read_bytes()
    assert pod.brought(process).credentials != revoked
    pod.entry.write_bytes(entry)
    assert pod.brought(pod.process()).credentials != revoked


def test_without_credentials_there_is_nothing_to_revoke(pod: Pod) -> None:
    pod.process().revoke(Snapshot.nothing().credentials.access_key_id)
    assert pod.rig.token.reads == 0
    assert not pod.place.exists()


def test_a_key_is_revoked_without_a_look_at_the_token(pod: Pod) -> None:
    revoked = pod.brought(pod.process()).credentials
    reads = pod.rig.token.reads
    pod.process().revoke(revoked.access_key_id)
    assert pod.rig.token.reads == reads
    assert pod.brought(pod.process()).credentials != revoked


def test_without_a_token_there_is_nothing_to_purge(pod: Pod) -> None:
    pod.rig.token.failure = failure("TokenFileMissing", kind="token")
    pod.process().purge()
    assert not pod.place.exists()


def test_purge_removes_what_is_of_this_identity(pod: Pod) -> None:
    process = pod.process()
    pod.brought(process)
    other = replace(pod, config=CONFIG._replace(session_name="other"))
    other.brought(other.process())
    process.purge()
    assert {each.suffix for each in pod.files()} == {".json", ".lock"}
    pod.process().purge()
    other.process().purge()
    assert not pod.files()


def test_what_an_overdue_refresh_brings_is_never_left_under_another_tokens_name(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = pod.process()
    first, fetch = pod.rig.token.value, pod.rig.pilot.fetch
    second = jwt({**CLAIMS, "sub": "system:serviceaccount:shop:other"})

    def overtaken(refresh: Refresh, held: Snapshot) -> Snapshot | Failure:
        outcome = fetch(refresh, held)
        monkeypatch.setattr(pod.rig.pilot, "fetch", fetch)
        # While the first one hung, the pod was given another token, and refreshed with it.
        pod.rig.token.value = second
        pod.brought(process)
        return outcome

    monkeypatch.setattr(pod.rig.pilot, "fetch", overtaken)
    mine = pod.brought(process)
    theirs = pod.brought(pod.process())
    assert theirs.credentials != mine.credentials
    pod.rig.token.value = first
    assert pod.brought(pod.process()).credentials == mine.credentials


def test_what_sts_gives_for_a_token_that_has_just_changed_is_not_left_under_the_old_name(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = pod.rig.pilot.fetch

    def rotated(refresh: Refresh, held: Snapshot) -> Snapshot | Failure:
        pod.rig.token.value = jwt({**CLAIMS, "sub": "system:serviceaccount:shop:other"})
        return fetch(refresh, held)

    monkeypatch.setattr(pod.rig.pilot, "fetch", rotated)
    pod.brought(pod.process())
    assert not pod.files(".json")


def test_a_refresh_that_must_wait_for_no_other_thread_does_not_wait_for_a_lock_holder(
    pod: Pod,
) -> None:
    refresh = pod.refresh()
    refresh.alone = True
    with holding(pod):
        assert isinstance(pod.process().fetch(refresh, Snapshot.nothing()), Snapshot)
    assert pod.rig.clock.slept == []


# -- a file system that hangs ----------------------------------------------------------------------


@pytest.fixture
def hanging(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A refresh hangs in a call to the file system until this is set."""
    woken, opened = threading.Event(), os.open

    def hang_once(path: Any, *args: Any, **kwargs: Any) -> int:
        if str(path) == str(pod.place):
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
def test_a_file_system_that_hangs_costs_one_refresh_and_no_more(
    pod: Pod, caplog: pytest.LogCaptureFixture
) -> None:
    brought = read_after_timeout(pod)
    assert brought.credentials.access_key_id == "ASIA0000000000000001"
    # The log comes once the callers are released.
    eventually(lambda: [each for each in warnings(caplog) if "shared cache" in each])
    (said,) = [each for each in warnings(caplog) if "shared cache" in each]
    assert said.endswith("an earlier look there does not come to an end.")
    # No caller hangs there either.
    pod.rig.engine.invalidate(None)
    assert pod.rig.engine.shared_fetcher is not None
    pod.rig.engine.shared_fetcher.purge()
    assert not pod.place.exists()
    assert read(pod).credentials != brought.credentials


def test_the_cache_is_used_again_when_the_file_system_goes_on(
    pod: Pod, hanging: threading.Event
) -> None:
    read_after_timeout(pod)
    shared_fetcher = pod.rig.engine.shared_fetcher
    assert isinstance(shared_fetcher, SharedFetcher)
    assert shared_fetcher._hangs()
    hanging.set()
    eventually(lambda: not shared_fetcher._hangs())
    pod.rig.engine.invalidate(None)
    read(pod)
    assert pod.files(".json")


@pytest.mark.usefixtures("hanging")
def test_a_forked_child_looks_for_itself(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    # In the child no thread of the parent hangs.
    monkeypatch.setattr(os, "getpid", lambda: 1)
    read_after_timeout(pod)
    assert pod.files(".json")


# -- names -----------------------------------------------------------------------------------------


def name(config: Config = CONFIG, **claims: object) -> str | None:
    return _name(config, Token(jwt({**CLAIMS, **claims})))


HOP = ChainedRole(role_arn="arn:aws:iam::123456789012:role/second", session_name="pod")
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
    "chained_roles": (HOP,),
}


def test_a_name_tells_nothing() -> None:
    assert str(name()).isalnum()
    assert len(str(name())) == 64


def test_everything_that_makes_an_identity_makes_another_name() -> None:
    chains = {"chained_roles": (HOP._replace(external_id="hidden"),)}
    given = [{field: value} for field, value in DIFFERENT.items()] + [chains]
    names = {name(CONFIG._replace(**each)) for each in given}
    assert len(names | {name()}) == len(given) + 1
    compared = {*CONFIG._fields} - {"region", "token", "token_file"}
    assert set(DIFFERENT) == compared, "a field that no test knows of"


@pytest.mark.parametrize("claim", ["iss", "sub", "aud"])
def test_another_issuer_subject_or_audience_makes_another_name(claim: str) -> None:
    assert name(CONFIG, **{claim: "other"}) != name()


def test_the_rest_of_a_token_makes_no_difference() -> None:
    assert name(exp=1, iat=2) == name()


def test_where_the_token_is_found_and_where_sts_is_asked_make_no_difference() -> None:
    assert name(CONFIG._replace(token_file="/elsewhere", region="eu-west-1")) == name()
    assert name(CONFIG._replace(token_file=None, token=lambda: JWT)) == name()


def test_another_version_of_the_content_has_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    before = name()
    monkeypatch.setattr("irsa_creds._shared_cache.shared_fetcher.VERSION", entry.VERSION + 1)
    assert name() != before


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
def test_a_token_that_does_not_say_whose_it_is_is_not_shared(
    token: str, pod: Pod, caplog: pytest.LogCaptureFixture
) -> None:
    pod.rig.token.value = token
    process = pod.process()
    pod.brought(process)
    pod.brought(process)
    assert pod.rig.sts.calls == 2
    assert not pod.place.exists()
    (said,) = warnings(caplog)
    assert said.endswith("the token does not name its iss, sub and aud.")
    assert not process.works


# -- when it is no good ----------------------------------------------------------------------------


def test_it_works_until_something_is_wrong_with_the_place(pod: Pod) -> None:
    process = pod.process()
    assert not process.works
    pod.brought(process)
    assert process.works
    pod.entry.write_bytes(b"torn")
    pod.brought(process)
    assert process.works
    process._store.complain("no space")
    assert not process.works


def test_a_defect_here_fails_no_refresh(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("irsa_creds._shared_cache.shared_fetcher.load", broken)
    monkeypatch.setattr("irsa_creds._shared_cache.shared_fetcher.dump", broken)
    pod.brought(pod.process())
    (said,) = warnings(caplog)
    assert said.endswith("ZeroDivisionError.")


def test_no_secret_is_in_what_is_said_or_named(pod: Pod, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    process = pod.process()
    brought = pod.brought(process).credentials
    pod.entry.write_bytes(pod.entry.read_bytes()[:-9])
    pod.brought(pod.process())
    said = caplog.text + repr(process) + "".join(each.name for each in pod.files())
    for secret in (brought.secret_access_key, brought.session_token, brought.access_key_id, JWT):
        assert secret not in said
    assert "it is torn" in said


def test_what_does_not_last_for_who_asks_is_left_alone(pod: Pod) -> None:
    one, other = pod.process(), pod.process()
    held = pod.brought(other)
    pod.rig.clock.advance(3000)
    pod.brought(one, held)
    pod.rig.clock.advance(3000)
    refresh = pod.refresh(held)
    refresh.min_ttl = 900
    brought = other.fetch(refresh, held)
    assert isinstance(brought, Snapshot)
    assert brought.credentials.access_key_id == "ASIA0000000000000003"


def test_a_bad_token_that_another_process_was_refused_for_is_not_tried_every_second(
    pod: Pod,
) -> None:
    pod.rig.sts.down = failure("ExpiredTokenException", retryable=False, status=400, bad_token=True)
    pod.refused(pod.process())
    here = rig()
    here.token.value = pod.rig.token.value
    other = SharedFetcher(pod.config, here.pilot, pod.rig.clock, str(pod.place))
    assert pod.refused(other).bad_token
    assert here.sts.calls == 0
    assert not here.pilot.token_changed()
    here.token.value = jwt({**CLAIMS, "exp": 1})
    here.clock.advance(2)
    assert here.pilot.token_changed()


def test_a_newer_answer_that_ends_earlier_is_taken_by_all(pod: Pod) -> None:
    pod.rig.sts.lifetime = 7200
    processes = [pod.process() for _ in range(4)]
    held = [pod.brought(process) for process in processes]
    pod.rig.clock.advance(1000)
    pod.rig.sts.lifetime = 900
    renewed = [pod.brought(*each) for each in zip(processes, held, strict=True)]
    assert {each.credentials.access_key_id for each in renewed} == {"ASIA0000000000000002"}
    assert pod.rig.sts.calls == 2


def test_a_token_that_makes_another_session_of_the_same_subject_has_an_entry_of_its_own() -> None:
    tags = {"principal_tags": {"tenant": ["a"]}}
    names = {
        _name(CONFIG, Token(jwt({**CLAIMS, **more})))
        for more in (
            {},
            {"https://aws.amazon.com/tags": tags},
            {"https://aws.amazon.com/source_identity": "somebody"},
            {"exp": 1},
        )
    }
    assert len(names) == 3


def test_the_failure_of_a_process_that_was_stopped_in_between_is_nobody_elses(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod.rig.sts.down = DENIED
    fetch = pod.rig.pilot.fetch

    def stopped(*args: Any) -> Snapshot | Failure:
        outcome = fetch(*args)
        pod.rig.clock.advance(1000)
        return outcome

    monkeypatch.setattr(pod.rig.pilot, "fetch", stopped)
    pod.refused(pod.process())
    assert not pod.files(".json")


def test_a_key_that_was_refused_in_a_chain_is_nobody_elses(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pod.rig.pilot, "is_chained", True)
    pod.rig.sts.down = failure("ExpiredToken", retryable=False, status=403, bad_token=True)
    pod.refused(pod.process())
    assert not pod.files(".json")
