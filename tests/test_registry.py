"""One provider per identity and process, before and after a fork."""

from __future__ import annotations

import gc
import os
import pickle
import sys
import threading
import time
import weakref
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

import irsa_creds
from engine_fakes import ROLE, FakeClock, FakeSts, eventually, join_refreshes
from irsa_creds import ConfigError, Provider
from irsa_creds._engine import timer
from irsa_creds._engine.timer import Timer
from irsa_creds._identity.config import Config
from irsa_creds._registry import Registry, engine_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OTHER = "arn:aws:iam::123456789012:role/other"
JWT = "eyJhbGciOiJub25lIn0.eyJpc3MiOiAiaHR0cHM6Ly9vaWRjLmV4YW1wbGUvaWQifQ.c2ln"


@pytest.fixture
def registry(clock: FakeClock, sts: FakeSts) -> Iterator[Registry[Provider]]:
    made = Registry(clock, Provider)
    yield made
    sts.hold.set()
    # First: a refresh that ends starts the timer.
    join_refreshes()
    made.reset()


@pytest.fixture
def pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Set the variables that the webhook injects; return the path of the token."""
    token = tmp_path / "token"
    token.write_text(JWT)
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    return token


def config(role_arn: str = ROLE, **fields: Any) -> Config:
    return Config(role_arn=role_arn, session_name="pod", token=lambda_token, **fields)


def lambda_token() -> str:
    return JWT


# -- identities ------------------------------------------------------------------------------------


def test_the_same_identity_has_the_same_provider_and_another_has_another(
    registry: Registry[Provider],
) -> None:
    first = registry.of(config(), {})
    assert registry.of(config(), {}) is first
    assert registry.of(config(OTHER), {}) is not first
    assert registry.of(config(duration_seconds=900), {}) is not first


def test_concurrent_threads_get_one_provider(
    registry: Registry[Provider], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Provider] = []
    barrier = threading.Barrier(20)

    class Slow(Provider):
        def __init__(self, *arguments: Any, **fields: Any) -> None:
            # Time for the other threads to enter as well, if nothing prevents it.
            time.sleep(0.05)
            super().__init__(*arguments, **fields)

    monkeypatch.setattr(registry, "_create", Slow)

    def request() -> None:
        barrier.wait(10)
        found.append(registry.of(config(), {}))

    threads = [threading.Thread(target=request) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(set(map(id, found))) == 1


def test_a_provider_lives_on_without_users(registry: Registry[Provider]) -> None:
    seen = weakref.ref(registry.of(config(), {}))
    gc.collect()
    assert registry.of(config(), {}) is seen()


def test_of_a_thousand_identities_the_least_recently_used_is_dropped(
    registry: Registry[Provider],
) -> None:
    kept = registry.of(config("arn:aws:iam::123456789012:role/kept"), {})
    gone = weakref.ref(registry.of(config("arn:aws:iam::123456789012:role/gone"), {}))
    for number in range(1024):
        registry.of(config(f"arn:aws:iam::123456789012:role/{number}"), {})
    gc.collect()
    assert gone() is None
    assert registry.of(config(kept.role_arn), {}) is kept, "it has a user"


# -- the timer -------------------------------------------------------------------------------------


def timer_of(registry: Registry[Provider]) -> Timer:
    assert registry._timer is not None
    return registry._timer


def test_the_timer_starts_with_the_first_credentials_and_refreshes(
    registry: Registry[Provider], clock: FakeClock, sts: FakeSts
) -> None:
    provider = registry.of(config(), {})
    timer = timer_of(registry)
    assert timer._thread is None
    provider.get()
    eventually(lambda: timer._thread is not None)
    join_refreshes()
    clock.advance(engine_of(provider).snapshot.refresh_at - clock.now())
    timer._new.put(None)
    eventually(lambda: sts.calls == 2)


def test_all_providers_have_one_timer_and_one_set_of_slots(registry: Registry[Provider]) -> None:
    engines = [engine_of(registry.of(config(role), {})) for role in (ROLE, OTHER)]
    assert {engine.timer for engine in engines} == {timer_of(registry)}
    assert {engine.slots for engine in engines} == {registry._slots}


def test_without_background_only_reads_start_refreshes(
    registry: Registry[Provider], clock: FakeClock, sts: FakeSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRSA_CREDS_BACKGROUND", "0")
    provider = registry.of(config(), {})
    provider.get()
    assert registry._timer is None
    clock.advance(engine_of(provider).snapshot.refresh_at - clock.now())
    provider.get()
    join_refreshes()
    assert sts.calls == 2


def test_a_reset_ends_the_timers_thread(registry: Registry[Provider]) -> None:
    registry.of(config(), {}).get()
    join_refreshes()
    timer = timer_of(registry)
    thread = timer._thread
    assert thread is not None
    registry.reset()
    thread.join(10)
    assert not thread.is_alive()


# -- gevent ----------------------------------------------------------------------------------------


@pytest.fixture
def unwarned() -> Iterator[None]:
    """Clear the record of warnings, as in a new process."""
    timer._warn.cache_clear()
    yield
    timer._warn.cache_clear()


@pytest.mark.usefixtures("unwarned")
def test_late_patching_by_gevent_logs_one_warning(
    registry: Registry[Provider], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    registry.of(config(), {})
    assert caplog.records == []
    with monkeypatch.context() as patch:
        patch.setattr(threading, "get_ident", lambda: 1)
        for _ in range(2):
            timer.warn_of_late_gevent()
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "gevent.monkey.patch_all()" in record.getMessage()


# -- the public function ---------------------------------------------------------------------------


@pytest.mark.usefixtures("pod")
def test_the_environments_provider_is_shared() -> None:
    provider = irsa_creds.provider()
    assert provider.role_arn == ROLE
    assert irsa_creds.provider() is provider
    assert irsa_creds.provider(role_arn=ROLE) is provider
    assert irsa_creds.provider(role_arn=OTHER) is not provider
    assert irsa_creds.provider(session_name="another") is not provider


def test_without_configuration_there_is_no_provider() -> None:
    with pytest.raises(ConfigError):
        irsa_creds.provider()


@pytest.mark.usefixtures("pod")
def test_reset_drops_and_closes_every_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = irsa_creds.provider()
    closed: list[object] = []
    monkeypatch.setattr(engine_of(provider), "close", lambda: closed.append(provider))
    irsa_creds.reset()
    assert closed == [provider]
    assert irsa_creds.provider() is not provider


@pytest.mark.usefixtures("pod")
def test_keep_warm_applies_to_an_existing_provider(sts: FakeSts) -> None:
    provider = irsa_creds.provider()
    engine = engine_of(provider)
    assert not engine.keep_warm
    provider.get()
    engine.snapshot.refresh_at = engine.snapshot.sent_at
    engine.snapshot.was_read = False
    assert irsa_creds.provider(keep_warm=True) is provider
    assert engine.keep_warm
    # The timer starts the overdue refresh now.
    eventually(lambda: sts.calls == 2)
    join_refreshes()
    assert irsa_creds.provider() is provider
    assert engine.keep_warm


@pytest.mark.usefixtures("pod")
def test_a_pod_with_only_a_readiness_probe_becomes_ready_and_stays_ready(
    clock: FakeClock, registry: Registry[Provider]
) -> None:
    config = Config(role_arn=ROLE, session_name="pod", token=lambda: JWT)
    engine = engine_of(registry.of(config, {}))
    engine.keep_warm = True
    for _ in range(3):
        engine.tick()
        join_refreshes()
        assert engine.status().state == "fresh"
        clock.advance(3500)


@pytest.mark.usefixtures("pod")
def test_an_argument_of_a_later_call_is_in_the_pickle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider = irsa_creds.provider()
    assert irsa_creds.provider(role_arn=provider.role_arn) is provider
    pickled = pickle.dumps(provider)
    irsa_creds.reset()
    monkeypatch.setenv("AWS_ROLE_ARN", OTHER)
    assert pickle.loads(pickled).role_arn == provider.role_arn != OTHER


@pytest.mark.usefixtures("pod", "sts")
def test_a_provider_pickles_as_its_arguments_and_reads_the_rest_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pickled = pickle.dumps(irsa_creds.provider(session_name="pod-1", keep_warm=True))
    assert JWT.encode() not in pickled
    irsa_creds.reset()
    monkeypatch.setenv("AWS_ROLE_ARN", OTHER)
    again = pickle.loads(pickled)
    assert isinstance(again, Provider)
    assert again.role_arn == OTHER
    assert again is irsa_creds.provider(session_name="pod-1")
    assert engine_of(again).keep_warm


@pytest.mark.usefixtures("pod")
def test_a_caller_may_change_the_policies_that_it_gave_and_a_pickle_has_the_old_ones() -> None:
    policy: dict[str, Any] = {"Version": "2012-10-17", "Statement": [{"Sid": "Red"}]}
    arns = ["arn:aws:iam::123456789012:policy/red"]
    target = irsa_creds.RoleConfig(OTHER, policy=policy, policy_arns=arns)
    providers = [
        irsa_creds.provider(policy=policy, policy_arns=arns),
        irsa_creds.provider(assume=[target]),
    ]
    policy["Statement"][0]["Sid"] = "Blue"
    arns[0] = "arn:aws:iam::123456789012:policy/blue"
    assert [pickle.loads(pickle.dumps(each)) for each in providers] == providers


@pytest.mark.usefixtures("pod")
def test_a_policy_that_cannot_be_copied_is_used_as_it_is() -> None:
    policy = MappingProxyType({"Version": "2012-10-17", "Statement": []})
    provider = irsa_creds.provider(policy=policy)
    assert provider is irsa_creds.provider(policy=dict(policy))


# -- forks -----------------------------------------------------------------------------------------


def test_before_a_fork_the_timer_is_ended_and_the_next_read_starts_it_again(
    registry: Registry[Provider],
) -> None:
    provider = registry.of(config(), {})
    provider.get()
    join_refreshes()
    snapshot = engine_of(provider).snapshot
    thread = timer_of(registry)._thread
    assert thread is not None
    registry.before_fork()
    eventually(lambda: not thread.is_alive())
    registry.after_in_parent()
    assert snapshot.check_at < registry._clock.now()
    provider.get()
    assert timer_of(registry)._thread not in (None, thread)


def test_two_threads_that_fork_at_once_both_let_the_timer_start_again(
    registry: Registry[Provider],
) -> None:
    provider = registry.of(config(), {})
    provider.get()
    join_refreshes()
    registry.before_fork()
    registry.before_fork()
    registry.after_in_parent()
    registry.after_in_parent()
    assert engine_of(provider).snapshot.check_at < registry._clock.now()


def test_a_provider_that_is_kept_warm_needs_no_read_after_a_fork(
    registry: Registry[Provider],
) -> None:
    provider = registry.of(config(), {})
    engine_of(provider).keep_warm = True
    provider.get()
    join_refreshes()
    registry.before_fork()
    assert timer_of(registry)._thread is None
    registry.after_in_parent()
    assert timer_of(registry)._thread is not None


def test_a_child_keeps_warm_the_providers_that_its_parent_kept_warm(
    registry: Registry[Provider],
) -> None:
    provider = registry.of(config(), {})
    engine_of(provider).keep_warm = True
    provider.get()
    join_refreshes()
    registry.before_fork()
    registry.after_in_child()
    assert timer_of(registry)._thread is not None


@pytest.mark.usefixtures("sts")
def test_providers_created_during_a_fork_do_not_disturb_its_hooks(
    registry: Registry[Provider],
) -> None:
    done = threading.Event()

    def make() -> None:
        number = 0
        while not done.is_set():
            number += 1
            registry.of(config(f"{ROLE}-{number % 500}"), {})

    making = threading.Thread(target=make)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        registry.of(config(), {}).get()
        making.start()
        for _ in range(300):
            registry.before_fork()
            registry.after_in_parent()
    finally:
        sys.setswitchinterval(before)
        done.set()
        making.join(20)


def test_a_provider_from_before_a_reset_becomes_the_childs_own(
    registry: Registry[Provider], sts: FakeSts
) -> None:
    provider = registry.of(config(), {})
    provider.get()
    registry.reset()
    provider.get()
    join_refreshes()
    registry.before_fork()
    registry.after_in_child()
    assert provider.status().flights == 0


def test_in_a_child_a_provider_from_before_a_reset_has_a_new_timer(
    registry: Registry[Provider],
) -> None:
    provider = registry.of(config(), {})
    provider.get()
    registry.reset()
    provider.get()
    join_refreshes()
    timer = engine_of(provider).timer
    assert isinstance(timer, Timer)
    parents = timer._thread
    registry.before_fork()
    registry.after_in_child()
    assert timer._thread is None or timer._thread is not parents


def test_a_signal_handler_during_the_creation_gets_the_same_provider(
    registry: Registry[Provider], monkeypatch: pytest.MonkeyPatch
) -> None:
    inner: list[Provider] = []

    class Interrupted(Provider):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            if not inner:
                # As a signal handler or a finalizer would.
                inner.append(None)  # type: ignore[arg-type]  # until the next line
                inner[0] = registry.of(config(), {})

    monkeypatch.setattr(registry, "_create", Interrupted)
    assert registry.of(config(), {}) is inner[0]


def test_a_parent_without_a_timer_gets_none(registry: Registry[Provider]) -> None:
    provider = registry.of(config(), {})
    before = engine_of(provider).snapshot.check_at
    registry.before_fork()
    registry.after_in_parent()
    assert engine_of(provider).snapshot.check_at == before
    assert timer_of(registry)._thread is None


def test_a_childs_registry_has_lock_timer_and_refreshes_of_its_own(
    registry: Registry[Provider], sts: FakeSts
) -> None:
    provider = registry.of(config(), {})
    sts.hold.clear()
    with pytest.raises(irsa_creds.RefreshTimeout):
        provider.get(timeout=0)
    holder = threading.Thread(target=registry._lock.acquire)
    holder.start()
    holder.join(10)
    registry.before_fork()
    registry.after_in_child()
    assert registry.of(config(), {}) is provider
    assert provider.status().flights == 0
    assert engine_of(provider).refresh is None
    assert timer_of(registry)._thread is None
    assert not engine_of(provider).slots._waited_for.started


@pytest.mark.usefixtures("pod")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_real_child_reads_its_parents_credentials(sts: FakeSts) -> None:
    provider = irsa_creds.provider()
    given = provider.get()
    pid = os.fork()
    if pid == 0:
        os._exit(0 if provider.get() is given and provider.status().flights == 0 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert provider.get() is given


@pytest.mark.usefixtures("pod")
def test_arguments_of_two_calls_are_never_mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = irsa_creds.provider()
    again = irsa_creds.provider(role_arn=os.environ["AWS_ROLE_ARN"], shared_cache=False)
    third = irsa_creds.provider(
        token_file=os.environ["AWS_WEB_IDENTITY_TOKEN_FILE"], keep_warm=True
    )
    assert provider is again is third
    assert provider._arguments == {
        "role_arn": os.environ["AWS_ROLE_ARN"],
        "shared_cache": False,
        "keep_warm": True,
    }
    provider.close()
