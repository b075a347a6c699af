"""botocore sees its own kind of credentials and provider; what stands behind is one engine."""

from __future__ import annotations

import copy
import pickle
import threading
from datetime import UTC, datetime, timedelta
from itertools import permutations
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.credentials import (
    AssumeRoleWithWebIdentityProvider,
    ReadOnlyCredentials,
    RefreshableCredentials,
)
from botocore.exceptions import ClientError, CredentialRetrievalError, InvalidConfigError
from botocore.session import Session

import irsa_creds
from engine_fakes import EPOCH, ROLE, Rig, failure
from fake_network import KEYS, WEB_IDENTITY, Wire, give_irsa
from irsa_creds._engine import policy
from irsa_creds._engine.policy import Snapshot, State, state
from irsa_creds.botocore import IrsaCredentials, IrsaProvider

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo
    from pathlib import Path


def of(rig: Rig) -> IrsaCredentials:
    """Return the credentials object of an engine."""
    return IrsaCredentials(cast("Any", SimpleNamespace(_engine=rig.engine, role_arn=ROLE)))


@pytest.fixture
def credentials(engine_rig: Rig) -> IrsaCredentials:
    return of(engine_rig)


def in_a_thread(call: Callable[[], str]) -> str:
    """Return what another thread gets."""
    got: list[str] = []
    thread = threading.Thread(target=lambda: got.append(call()))
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    return got[0]


# -- the credentials object ------------------------------------------------------------------------


def test_the_frozen_credentials_are_of_one_answer(credentials: IrsaCredentials) -> None:
    assert credentials.get_frozen_credentials() == ReadOnlyCredentials(
        f"ASIA{1:016d}", "secret-1", "session-1", "123456789012"
    )


def test_valid_credentials_are_read_without_a_call(
    engine_rig: Rig, credentials: IrsaCredentials
) -> None:
    first = credentials.get_frozen_credentials()
    assert credentials.get_frozen_credentials() is first
    assert of(engine_rig).get_frozen_credentials() is first
    assert engine_rig.sts.calls == 1


def test_a_read_is_marked_by_whatever_name_it_reads(
    engine_rig: Rig, credentials: IrsaCredentials
) -> None:
    for read in (credentials.get_frozen_credentials, lambda: credentials.access_key):
        read()
        engine_rig.engine.snapshot.was_read = False
        read()
        assert engine_rig.engine.snapshot.was_read


def test_expired_credentials_are_never_handed_out(
    engine_rig: Rig, credentials: IrsaCredentials
) -> None:
    credentials.get_frozen_credentials()
    engine_rig.clock.advance(3600)
    assert credentials.get_frozen_credentials().secret_key == "secret-2"


@pytest.mark.parametrize("lifetime", [3.0, 60.0, 900.0, 3600.0, 43200.0])
def test_the_hot_path_says_what_freshness_says_at_every_instant(
    lifetime: float, engine_rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = of(engine_rig)
    given.get_frozen_credentials()
    template = engine_rig.engine.snapshot
    refresh_at = policy.later_refresh(lifetime, lambda low, high: high)
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
        assert bool(slow) == (state(snapshot, now[0]) is not State.FRESH)
    # While a flight or its back-off runs the instant is moved on, to the end of use at most.
    snapshot.check_at = snapshot.end_of_use
    for now[0] in instants:
        slow.clear()
        given.get_frozen_credentials()
        assert bool(slow) == (state(snapshot, now[0]) is State.EXPIRED)


def refresh(rig: Rig) -> None:
    """Let a refresh in the background succeed, in no time."""
    rig.engine.snapshot.refresh_at = rig.clock.now()
    rig.engine.prefetch()
    rig.settle()


@pytest.mark.parametrize("order", list(permutations(("access_key", "secret_key", "token"))))
def test_properties_read_in_a_row_are_of_one_response_in_any_order(
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
def test_a_value_read_twice_in_a_row_is_never_of_credentials_past_their_use(
    name: str, engine_rig: Rig, credentials: IrsaCredentials
) -> None:
    assert getattr(credentials, name).endswith("-1")
    engine_rig.clock.advance(3600)
    assert getattr(credentials, name).endswith("-2")


def test_each_thread_reads_values_of_a_response_of_its_own(
    engine_rig: Rig, credentials: IrsaCredentials
) -> None:
    assert credentials.access_key == f"ASIA{1:016d}"
    refresh(engine_rig)
    assert in_a_thread(lambda: credentials.access_key) == f"ASIA{2:016d}"
    assert (credentials.secret_key, credentials.token) == ("secret-1", "session-1")


@pytest.mark.parametrize("end", ["invalidate", "close"])
def test_a_set_that_was_given_up_is_not_handed_out_any_more(
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


def test_a_taken_set_past_its_use_gives_way_to_a_new_one(
    engine_rig: Rig, credentials: IrsaCredentials
) -> None:
    assert credentials.access_key == f"ASIA{1:016d}"
    engine_rig.clock.advance(3600)
    assert (credentials.secret_key, credentials.token) == ("secret-2", "session-2")


@pytest.mark.parametrize(
    ("name", "value"),
    [("secret_key", "secret-1"), ("token", "session-1"), ("account_id", "123456789012")],
)
def test_any_property_may_be_the_first(name: str, value: str, credentials: IrsaCredentials) -> None:
    assert getattr(credentials, name) == value


@pytest.mark.parametrize("name", ["secret_key", "token", "account_id"])
def test_a_thread_that_reads_one_name_only_starts_the_refresh_that_is_due(
    name: str, engine_rig: Rig, credentials: IrsaCredentials
) -> None:
    getattr(credentials, name)
    engine_rig.clock.advance(engine_rig.engine.snapshot.refresh_at - engine_rig.clock.now())
    first = engine_rig.engine.snapshot
    first.was_read = False
    getattr(credentials, name)
    assert first.was_read
    engine_rig.finish()
    assert engine_rig.sts.calls == 2


def test_another_attribute_is_missing_as_usual(credentials: IrsaCredentials) -> None:
    with pytest.raises(AttributeError, match="'IrsaCredentials' object has no attribute 'nothing'"):
        _ = credentials.nothing


def test_a_clients_deferred_property_waits_until_it_is_asked(
    engine_rig: Rig, credentials: IrsaCredentials
) -> None:
    account = credentials.get_deferred_property("account_id")
    assert engine_rig.sts.calls == 0
    assert account() == "123456789012"


def test_it_passes_for_botocores_refreshable_credentials(credentials: IrsaCredentials) -> None:
    assert isinstance(credentials, RefreshableCredentials)
    assert credentials.method == AssumeRoleWithWebIdentityProvider.METHOD


def test_the_expiry_counts_from_the_moment_of_sending(
    engine_rig: Rig, credentials: IrsaCredentials
) -> None:
    assert credentials._expiry_time is None
    # STS's clock is wrong by an hour: the pod's own says when they end.
    engine_rig.sts.skew = 3600
    credentials.get_frozen_credentials()
    assert credentials._expiry_time == datetime.fromtimestamp(EPOCH, UTC) + timedelta(hours=1)


def test_a_refresh_is_needed_as_the_engine_plans_it_or_as_the_caller_asks(
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
def test_an_expiry_set_into_the_past_makes_a_refresh_due_that_nobody_waits_for(
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
def test_no_expiry_makes_credentials_last_longer(
    when: datetime | None, engine_rig: Rig, credentials: IrsaCredentials
) -> None:
    credentials.get_frozen_credentials()
    before = credentials._expiry_time
    credentials._expiry_time = when
    assert credentials._expiry_time == before
    assert not credentials.refresh_needed()


def test_what_others_call_of_botocores_own_works(
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


def test_each_reader_of_a_failure_gets_a_fresh_error_of_botocores_family(
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


def test_they_do_not_travel(credentials: IrsaCredentials) -> None:
    credentials.get_frozen_credentials()
    with pytest.raises(TypeError, match="pickle must not contain secrets"):
        pickle.dumps(credentials)


def test_a_copy_inside_the_process_is_the_same(credentials: IrsaCredentials) -> None:
    credentials.get_frozen_credentials()
    assert copy.copy(credentials) is credentials
    assert copy.deepcopy({"held": credentials})["held"] is credentials


def test_repr_names_the_role_and_no_key(credentials: IrsaCredentials) -> None:
    credentials.get_frozen_credentials()
    assert repr(credentials) == f"<IrsaCredentials of {ROLE}>"


# -- the chain provider ----------------------------------------------------------------------------


def load(session: Session, **arguments: Any) -> IrsaCredentials | None:
    given = {"disable_env_vars": False, **arguments}
    return IrsaProvider(session, "default", **given).load()


def test_it_loads_without_a_call_and_fetches_at_the_first_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    give_irsa(monkeypatch, tmp_path)
    wire = Wire.tapped(monkeypatch)
    found = load(Session())
    assert found is not None
    assert wire.sent == []
    assert found.get_frozen_credentials().access_key == KEYS[WEB_IDENTITY]
    assert wire.actions == [WEB_IDENTITY]


def test_sessions_of_one_identity_share_one_provider(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    give_irsa(monkeypatch, tmp_path)
    one, two = load(Session()), load(Session())
    assert one is not None
    assert two is not None
    assert one.provider is two.provider is irsa_creds.provider()


def test_the_provider_of_an_explicit_profile_pickles_as_that_profile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token = give_irsa(monkeypatch, tmp_path)
    config = tmp_path / "config"
    role = "arn:aws:iam::123456789012:role/of-the-profile"
    config.write_text(f"[profile x]\nrole_arn = {role}\nweb_identity_token_file = {token}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))

    found = IrsaProvider(Session(profile="x"), "x", disable_env_vars=True).load()

    assert found is not None
    assert pickle.loads(pickle.dumps(found.provider)).role_arn == role


def test_without_a_token_the_chain_goes_on() -> None:
    assert load(Session()) is None


def test_under_strict_the_lack_of_a_token_is_an_error() -> None:
    with pytest.raises(InvalidConfigError, match="AWS_WEB_IDENTITY_TOKEN_FILE") as caught:
        load(Session(), strict=True)
    assert isinstance(caught.value, irsa_creds.ConfigError)
    assert caught.value.__context__ is None


def test_half_of_it_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    give_irsa(monkeypatch, tmp_path)
    monkeypatch.delenv("AWS_ROLE_ARN")
    with pytest.raises(InvalidConfigError, match="AWS_ROLE_ARN"):
        load(Session())
