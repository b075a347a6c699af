"""The credentials object for boto3 and botocore."""

from __future__ import annotations

import copy
import pickle
import threading
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from botocore.credentials import (
    AssumeRoleWithWebIdentityProvider,
    ReadOnlyCredentials,
    RefreshableCredentials,
)
from botocore.exceptions import ClientError, CredentialRetrievalError

from engine_fakes import EPOCH, ROLE, Rig, failure, provider_of
from irsa_creds._engine import timing
from irsa_creds._engine.snapshot import Snapshot, state
from irsa_creds.botocore import IrsaCredentials

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo


def of(rig: Rig) -> IrsaCredentials:
    """Return the credentials object of an engine."""
    return IrsaCredentials(provider_of(rig.engine))


@pytest.fixture
def credentials(engine_rig: Rig) -> IrsaCredentials:
    return of(engine_rig)


def in_a_thread(call: Callable[[], str]) -> str:
    """Return what a call returns on another thread."""
    got: list[str] = []
    thread = threading.Thread(target=lambda: got.append(call()))
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    return got[0]


def test_frozen_credentials_come_from_one_response(credentials: IrsaCredentials) -> None:
    assert credentials.get_frozen_credentials() == ReadOnlyCredentials(
        f"ASIA{1:016d}", "secret-1", "session-1", "123456789012"
    )


def test_valid_credentials_are_read_without_an_sts_call(
    engine_rig: Rig, credentials: IrsaCredentials
) -> None:
    first = credentials.get_frozen_credentials()
    assert credentials.get_frozen_credentials() is first
    assert of(engine_rig).get_frozen_credentials() is first
    assert engine_rig.sts.calls == 1


def test_a_read_of_any_attribute_marks_the_snapshot_as_read(
    engine_rig: Rig, credentials: IrsaCredentials
) -> None:
    for read in (credentials.get_frozen_credentials, lambda: credentials.access_key):
        read()
        engine_rig.engine.snapshot.was_read = False
        read()
        assert engine_rig.engine.snapshot.was_read


def test_expired_credentials_are_never_returned(
    engine_rig: Rig, credentials: IrsaCredentials
) -> None:
    credentials.get_frozen_credentials()
    engine_rig.clock.advance(3600)
    assert credentials.get_frozen_credentials().secret_key == "secret-2"


@pytest.mark.parametrize("lifetime", [3.0, 60.0, 900.0, 3600.0, 43200.0])
def test_the_fast_path_agrees_with_the_policy_at_every_instant(
    lifetime: float, engine_rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = of(engine_rig)
    given.get_frozen_credentials()
    template = engine_rig.engine.snapshot
    refresh_at = timing.age_after_background(lifetime, lambda low, high: high)
    snapshot = Snapshot(template.credentials, 0.0, EPOCH, lifetime, refresh_at)
    engine_rig.engine.snapshot = snapshot
    slow: list[float] = []
    now = [0.0]
    given._now = lambda: now[0]

    def acquire() -> Snapshot:
        slow.append(now[0])
        return snapshot

    monkeypatch.setattr(given, "_acquire", acquire)

    edges = [refresh_at, snapshot.end_of_use, snapshot.expires_at]
    instants = [lifetime * i / 500 for i in range(550)]
    instants += [edge + step for edge in edges for step in (-1e-6, 0.0, 1e-6)]
    for now[0] in instants:
        slow.clear()
        given.get_frozen_credentials()
        assert bool(slow) == (state(snapshot, now[0]) != "fresh")
    # A refresh or its back-off moves the instant on, to the end of use at most.
    snapshot.check_at = snapshot.end_of_use
    for now[0] in instants:
        slow.clear()
        given.get_frozen_credentials()
        assert bool(slow) == (state(snapshot, now[0]) == "expired")


def refresh(rig: Rig) -> None:
    """Let a background refresh succeed immediately."""
    rig.engine.snapshot.refresh_at = rig.clock.now()
    rig.engine.prefetch()
    rig.settle()


@pytest.mark.parametrize("order", list(permutations(("access_key", "secret_key", "token"))))
def test_attributes_read_in_a_row_come_from_one_response_in_any_order(
    order: tuple[str, ...], engine_rig: Rig, credentials: IrsaCredentials
) -> None:
    for number in (1, 2, 3):
        found = {order[0]: getattr(credentials, order[0])}
        refresh(engine_rig)
        found |= {name: getattr(credentials, name) for name in order}
        assert found == {
            "access_key": f"ASIA{number:016d}",
            "secret_key": f"secret-{number}",
            "token": f"session-{number}",
        }
        engine_rig.clock.advance(0.2)


@pytest.mark.parametrize("name", ["secret_key", "token"])
def test_a_pinned_response_is_not_used_after_it_has_expired(
    name: str, engine_rig: Rig, credentials: IrsaCredentials
) -> None:
    assert getattr(credentials, name).endswith("-1")
    engine_rig.clock.advance(3600)
    assert getattr(credentials, name).endswith("-2")


def test_each_thread_has_its_own_pin(engine_rig: Rig, credentials: IrsaCredentials) -> None:
    assert credentials.access_key == f"ASIA{1:016d}"
    refresh(engine_rig)
    assert in_a_thread(lambda: credentials.access_key) == f"ASIA{2:016d}"
    assert (credentials.secret_key, credentials.token) == ("secret-1", "session-1")


@pytest.mark.parametrize("end", ["invalidate", "close"])
def test_a_pinned_response_is_not_used_after_invalidate(
    end: str, engine_rig: Rig, credentials: IrsaCredentials
) -> None:
    assert credentials.access_key == f"ASIA{1:016d}"
    if end == "close":
        engine_rig.engine.close()
    else:
        engine_rig.engine.invalidate(None)
    assert (credentials.secret_key, credentials.token) == ("secret-2", "session-2")


@pytest.mark.parametrize("name", ["access_key", "secret_key", "token", "account_id"])
def test_no_value_can_be_set(name: str, credentials: IrsaCredentials) -> None:
    with pytest.raises(AttributeError, match=f"credentials of irsa_creds are read-only: {name}"):
        setattr(credentials, name, "another")


def test_an_expired_pin_is_replaced_by_new_credentials(
    engine_rig: Rig, credentials: IrsaCredentials
) -> None:
    assert credentials.access_key == f"ASIA{1:016d}"
    engine_rig.clock.advance(3600)
    assert (credentials.secret_key, credentials.token) == ("secret-2", "session-2")


@pytest.mark.parametrize(
    ("name", "value"),
    [("secret_key", "secret-1"), ("token", "session-1"), ("account_id", "123456789012")],
)
def test_any_attribute_may_be_read_first(
    name: str, value: str, credentials: IrsaCredentials
) -> None:
    assert getattr(credentials, name) == value


@pytest.mark.parametrize("name", ["secret_key", "token", "account_id"])
def test_reading_a_single_attribute_starts_the_refresh_that_is_due(
    name: str, engine_rig: Rig, credentials: IrsaCredentials
) -> None:
    getattr(credentials, name)
    engine_rig.clock.advance(engine_rig.engine.snapshot.refresh_at - engine_rig.clock.now())
    getattr(credentials, name)
    engine_rig.finish()
    assert engine_rig.sts.calls == 2


def test_an_unknown_attribute_raises_an_attribute_error(credentials: IrsaCredentials) -> None:
    with pytest.raises(AttributeError, match="'IrsaCredentials' object has no attribute 'nothing'"):
        _ = credentials.nothing


def test_a_deferred_property_of_a_client_fetches_when_it_is_called(
    engine_rig: Rig, credentials: IrsaCredentials
) -> None:
    account = credentials.get_deferred_property("account_id")
    assert engine_rig.sts.calls == 0
    assert account() == "123456789012"


def test_credentials_are_instances_of_botocores_refreshable_credentials(
    credentials: IrsaCredentials,
) -> None:
    assert isinstance(credentials, RefreshableCredentials)
    assert credentials.method == AssumeRoleWithWebIdentityProvider.METHOD


def test_the_expiry_counts_from_the_time_of_the_request(
    engine_rig: Rig, credentials: IrsaCredentials
) -> None:
    assert credentials._expiry_time is None
    # STS's clock is wrong by an hour; the expiry is by the pod's clock.
    engine_rig.sts.skew = 3600
    credentials.get_frozen_credentials()
    assert credentials._expiry_time == datetime.fromtimestamp(EPOCH, UTC) + timedelta(hours=1)


def test_refresh_needed_follows_the_refresh_time_or_the_argument(
    engine_rig: Rig, credentials: IrsaCredentials
) -> None:
    assert credentials.refresh_needed()
    assert credentials.refresh_needed(0)
    credentials._refresh()
    assert engine_rig.sts.calls == 1
    assert not credentials.refresh_needed()
    assert not credentials.refresh_needed(3500)
    assert credentials.refresh_needed(3599)
    engine_rig.clock.advance(engine_rig.engine.snapshot.refresh_at - engine_rig.clock.now())
    assert credentials.refresh_needed()


@pytest.mark.parametrize("zone", [None, UTC])
def test_setting_the_expiry_into_the_past_starts_a_refresh_in_the_background(
    zone: tzinfo | None, engine_rig: Rig, credentials: IrsaCredentials
) -> None:
    credentials.get_frozen_credentials()
    credentials._expiry_time = datetime(2020, 1, 1, tzinfo=zone)

    assert credentials.refresh_needed()
    assert credentials.get_frozen_credentials().secret_key == "secret-1"
    engine_rig.settle()
    assert credentials.get_frozen_credentials().secret_key == "secret-2"
    assert engine_rig.sts.calls == 2


@pytest.mark.parametrize("when", [None, datetime(9999, 1, 1, tzinfo=UTC)])
def test_setting_a_later_expiry_has_no_effect(
    when: datetime | None, engine_rig: Rig, credentials: IrsaCredentials
) -> None:
    credentials.get_frozen_credentials()
    before = credentials._expiry_time
    credentials._expiry_time = when
    assert credentials._expiry_time == before
    assert not credentials.refresh_needed()


def test_private_methods_that_other_code_calls_work(
    engine_rig: Rig, credentials: IrsaCredentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert credentials._frozen_credentials is None
    frozen = credentials.get_frozen_credentials()
    assert credentials._frozen_credentials is frozen
    sent = datetime.fromtimestamp(EPOCH, UTC)
    monkeypatch.setattr(credentials, "_time_fetcher", lambda: sent)
    assert credentials._seconds_remaining() == 3600

    credentials._protected_refresh(is_mandatory=True)
    engine_rig.settle()
    assert credentials._frozen_credentials.secret_key == "secret-2"

    engine_rig.clock.advance(3600)
    assert credentials._frozen_credentials is None


def test_each_caller_gets_a_new_exception_that_is_also_one_of_botocore(
    engine_rig: Rig, credentials: IrsaCredentials
) -> None:
    engine_rig.sts.down = failure("AccessDenied", retryable=False, status=403)
    errors = []
    for read in (credentials.get_frozen_credentials, lambda: credentials.token):
        with pytest.raises(ClientError) as caught:
            read()
        errors.append(caught.value)

    assert errors[0] is not errors[1]
    assert all(isinstance(error, CredentialRetrievalError) for error in errors)
    assert all(error.__context__ is None and error.__cause__ is None for error in errors)
    assert engine_rig.sts.calls == 1


def test_credentials_cannot_be_pickled(credentials: IrsaCredentials) -> None:
    credentials.get_frozen_credentials()
    with pytest.raises(TypeError, match="pickle must not contain secrets"):
        pickle.dumps(credentials)


def test_a_copy_is_the_same_object(credentials: IrsaCredentials) -> None:
    credentials.get_frozen_credentials()
    assert copy.copy(credentials) is credentials
    assert copy.deepcopy({"held": credentials})["held"] is credentials


def test_repr_has_the_role_and_no_key(credentials: IrsaCredentials) -> None:
    credentials.get_frozen_credentials()
    assert repr(credentials) == f"<IrsaCredentials of {ROLE}>"
