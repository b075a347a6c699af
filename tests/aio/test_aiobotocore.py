"""The credentials object and the chain provider for aiobotocore."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from aiobotocore.credentials import AioRefreshableCredentials
from aiobotocore.session import AioSession
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError, CredentialRetrievalError, InvalidConfigError

import irsa_creds
from aio.loops import LOOPS, on_asyncio, resolved
from engine_fakes import EPOCH, ROLE, FakeClock, Rig, failure, provider_of, rig
from fake_network import KEYS, WEB_IDENTITY, FakeNetwork, set_irsa_environ
from irsa_creds._botocore.aio import _PINS, AioIrsaCredentials
from irsa_creds._engine import timing
from irsa_creds._engine.snapshot import Snapshot, state
from irsa_creds._sessions.chain_provider import AioIrsaProvider
from irsa_creds.botocore import IrsaCredentials

if TYPE_CHECKING:
    from pathlib import Path

    from irsa_creds._engine.snapshot import State

GETTERS = ("get_access_key", "get_secret_key", "get_token")


def of(rig: Rig) -> AioIrsaCredentials:
    """Return the credentials object of an engine."""
    return AioIrsaCredentials(provider_of(rig.engine))


@pytest.fixture
def credentials(engine_rig: Rig) -> AioIrsaCredentials:
    return of(engine_rig)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeNetwork:
    set_irsa_environ(monkeypatch, tmp_path)
    return FakeNetwork.install(monkeypatch)


def refresh(rig: Rig) -> None:
    """Let a background refresh succeed immediately."""
    rig.engine.snapshot.refresh_at = rig.clock.now()
    rig.engine.prefetch()
    rig.settle()


# -- the credentials object ------------------------------------------------------------------------


@pytest.mark.parametrize("loop", LOOPS)
def test_frozen_credentials_come_from_one_response_on_any_loop(
    loop: str, credentials: AioIrsaCredentials
) -> None:
    assert LOOPS[loop](credentials.get_frozen_credentials) == ReadOnlyCredentials(
        f"ASIA{1:016d}", "secret-1", "session-1", "123456789012"
    )


def test_valid_credentials_are_read_without_an_sts_call_sync_and_async(engine_rig: Rig) -> None:
    credentials = of(engine_rig)
    first = on_asyncio(credentials.get_frozen_credentials)
    assert on_asyncio(credentials.get_frozen_credentials) is first
    assert on_asyncio(of(engine_rig).get_frozen_credentials) is first
    assert IrsaCredentials(credentials.provider).get_frozen_credentials() is first
    assert engine_rig.sts.calls == 1


def test_a_read_of_any_attribute_marks_the_snapshot_as_read(
    engine_rig: Rig, credentials: AioIrsaCredentials
) -> None:
    for read in (credentials.get_frozen_credentials, credentials.get_access_key):
        on_asyncio(read)
        engine_rig.engine.snapshot.was_read = False
        on_asyncio(read)
        assert engine_rig.engine.snapshot.was_read


def test_expired_credentials_are_never_returned(
    engine_rig: Rig, credentials: AioIrsaCredentials
) -> None:
    on_asyncio(credentials.get_frozen_credentials)
    engine_rig.clock.advance(3600)
    assert on_asyncio(credentials.get_frozen_credentials).secret_key == "secret-2"


@pytest.mark.parametrize("lifetime", [3.0, 60.0, 900.0, 3600.0, 43200.0])
def test_the_fast_path_agrees_with_the_policy_at_every_instant(
    lifetime: float, engine_rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = of(engine_rig)
    on_asyncio(given.get_frozen_credentials)
    template = engine_rig.engine.snapshot
    refresh_at = timing.age_after_background(lifetime, lambda low, high: high)
    snapshot = Snapshot(template.credentials, 0.0, EPOCH, lifetime, refresh_at)
    engine_rig.engine.snapshot = snapshot
    slow: list[float] = []
    now = [0.0]
    given._now = lambda: now[0]

    async def acquire() -> Snapshot:
        slow.append(now[0])
        return snapshot

    monkeypatch.setattr(given, "_acquire", acquire)
    edges = [refresh_at, snapshot.end_of_use, snapshot.expires_at]
    instants = [lifetime * i / 500 for i in range(550)]
    instants += [edge + step for edge in edges for step in (-1e-6, 0.0, 1e-6)]

    async def look(*, served: State) -> None:
        for now[0] in instants:
            slow.clear()
            await given.get_frozen_credentials()
            here = state(snapshot, now[0])
            assert bool(slow) == (here not in {"fresh", served})

    on_asyncio(lambda: look(served="fresh"))
    # A refresh or its back-off moves the instant on, to the end of use at most.
    snapshot.check_at = snapshot.end_of_use
    on_asyncio(lambda: look(served="stale"))


def test_each_task_has_its_own_pin(engine_rig: Rig, credentials: AioIrsaCredentials) -> None:
    async def reads_of(number: int, refreshed: asyncio.Event) -> None:
        assert await credentials.get_access_key() == f"ASIA{number:016d}"
        await refreshed.wait()
        assert await credentials.get_secret_key() == f"secret-{number}"
        assert await credentials.get_token() == f"session-{number}"

    async def main() -> None:
        await credentials.get_frozen_credentials()
        refreshed = asyncio.Event()
        one = asyncio.create_task(reads_of(1, refreshed))
        await asyncio.sleep(0)
        refresh(engine_rig)
        other = asyncio.create_task(reads_of(2, refreshed))
        await asyncio.sleep(0)
        refreshed.set()
        await asyncio.gather(one, other)

    on_asyncio(main)


def test_a_task_has_a_pin_for_each_identity(engine_rig: Rig, here: Rig) -> None:
    one, other = of(engine_rig), of(here)

    async def main() -> None:
        await one.get_access_key()
        refresh(engine_rig)
        await other.get_access_key()
        refresh(here)
        assert await other.get_secret_key() == await one.get_secret_key() == "secret-1"

    on_asyncio(main)


def test_a_task_keeps_only_the_latest_pins_of_the_last_few_identities() -> None:
    clock = FakeClock()
    rigs = [rig(clock=clock) for _ in range(6)]

    async def main() -> None:
        for each in rigs:
            await of(each).get_access_key()
        assert [engine for engine, _ in _PINS.get()] == [r.engine for r in rigs[:1:-1]]
        clock.advance(0.2)
        await of(rigs[4]).get_access_key()
        assert [engine for engine, _ in _PINS.get()] == [rigs[4].engine]

    on_asyncio(main)


@pytest.mark.parametrize("name", ["get_secret_key", "get_token", "get_account_id"])
def test_reading_a_single_value_starts_the_refresh_that_is_due(
    name: str, engine_rig: Rig, credentials: AioIrsaCredentials
) -> None:
    async def main() -> None:
        await getattr(credentials, name)()
        engine_rig.clock.advance(engine_rig.engine.snapshot.refresh_at - engine_rig.clock.now())
        await getattr(credentials, name)()

    on_asyncio(main)
    engine_rig.finish()
    assert engine_rig.sts.calls == 2


def test_an_expired_pin_is_replaced_by_new_credentials(
    engine_rig: Rig, credentials: AioIrsaCredentials
) -> None:
    async def main() -> None:
        assert await credentials.get_account_id() == "123456789012"
        assert await credentials.get_access_key() == f"ASIA{1:016d}"
        engine_rig.clock.advance(3600)
        assert await credentials.get_secret_key() == "secret-2"

    on_asyncio(main)


def test_credentials_are_instances_of_aiobotocores_refreshable_credentials(
    credentials: AioIrsaCredentials,
) -> None:
    assert isinstance(credentials, AioRefreshableCredentials)
    assert credentials.method == "assume-role-with-web-identity"


def test_private_methods_that_other_code_calls_work(
    engine_rig: Rig, credentials: AioIrsaCredentials
) -> None:
    assert credentials._frozen_credentials is None
    assert credentials.refresh_needed()
    on_asyncio(credentials._refresh)
    assert not credentials.refresh_needed()
    frozen = credentials._frozen_credentials
    assert frozen is on_asyncio(credentials.get_frozen_credentials)
    expected = datetime.fromtimestamp(EPOCH, UTC) + timedelta(hours=1)
    assert credentials._expiry_time == expected

    on_asyncio(lambda: credentials._protected_refresh(is_mandatory=True))
    engine_rig.settle()
    assert on_asyncio(credentials.get_frozen_credentials).secret_key == "secret-2"


def test_each_caller_gets_a_new_exception_that_is_also_one_of_botocore(
    engine_rig: Rig, credentials: AioIrsaCredentials
) -> None:
    engine_rig.sts.down = failure("AccessDenied", retryable=False, status=403)
    errors = []
    for read in (credentials.get_frozen_credentials, credentials.get_token):
        with pytest.raises(ClientError) as caught:
            on_asyncio(read)
        errors.append(caught.value)

    assert errors[0] is not errors[1]
    assert all(isinstance(error, CredentialRetrievalError) for error in errors)
    assert all(error.__context__ is None and error.__cause__ is None for error in errors)
    assert engine_rig.sts.calls == 1


def test_credentials_cannot_be_pickled(credentials: AioIrsaCredentials) -> None:
    on_asyncio(credentials.get_frozen_credentials)
    with pytest.raises(TypeError, match="pickle must not contain secrets"):
        pickle.dumps(credentials)
    assert copy.deepcopy(credentials) is credentials


def test_frozen_credentials_pickle_as_botocores_own(
    credentials: AioIrsaCredentials,
) -> None:
    taken = on_asyncio(credentials.get_frozen_credentials)
    again = pickle.loads(pickle.dumps(taken))
    assert type(again) is ReadOnlyCredentials
    assert again == taken


def test_repr_has_the_role_and_no_key(credentials: AioIrsaCredentials) -> None:
    found = on_asyncio(credentials.get_frozen_credentials)
    assert repr(credentials) == f"<AioIrsaCredentials of {ROLE}>"
    assert repr(found) == "<ReadOnlyCredentials ...0001>"


# -- credentials of the other library --------------------------------------------------------------


@pytest.mark.parametrize("name", ["access_key", "secret_key", "token", "account_id"])
def test_the_error_of_an_attribute_names_the_method_to_await(
    name: str, credentials: AioIrsaCredentials
) -> None:
    with pytest.raises(NotImplementedError, match=rf"await get_frozen.*get_{name}\(\)"):
        getattr(credentials, name, None)
    with pytest.raises(AttributeError, match="read-only"):
        setattr(credentials, name, "another")


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("service", ["s3", "dynamodb"])
def test_boto3_gets_an_error_for_aiobotocores_credentials_when_it_creates_a_client(
    service: str, network: FakeNetwork, *, inside: bool
) -> None:
    session = boto3.Session()
    session._session._credentials = irsa_creds.provider().aiobotocore_credentials()

    async def main() -> None:
        session.client(service)

    with pytest.raises(TypeError, match=r"irsa_creds\.boto3_session\(\)"):
        on_asyncio(main) if inside else session.client(service)


@pytest.mark.parametrize("service", ["s3", "dynamodb"])
def test_aiobotocore_creates_a_client_with_its_own_credentials(
    service: str, network: FakeNetwork
) -> None:
    session = AioSession()
    session._credentials = irsa_creds.provider().aiobotocore_credentials()

    async def main() -> Any:
        async with session.create_client(service, region_name="eu-west-1") as client:
            return client.meta.service_model.service_name

    assert on_asyncio(main) == service
    assert network.sent == []


def test_the_error_of_a_deferred_property_names_the_right_method(network: FakeNetwork) -> None:
    credentials = irsa_creds.provider().aiobotocore_credentials()
    account = credentials.get_deferred_property("account_id")
    with pytest.raises(TypeError, match=r"account_id.*provider\.botocore_credentials\(\)"):
        account()


def test_aiobotocore_gets_an_error_for_boto3s_credentials_when_it_creates_a_client(
    network: FakeNetwork,
) -> None:
    session = AioSession()
    session._credentials = irsa_creds.provider().botocore_credentials()

    async def main() -> None:
        async with session.create_client("s3"):
            pytest.fail("a client was made of them")

    with pytest.raises(TypeError, match=r"irsa_creds\.aiobotocore_session\(\)"):
        on_asyncio(main)


@pytest.mark.parametrize("name", [*GETTERS, "get_account_id"])
def test_the_error_of_a_missing_getter_names_the_right_method(
    name: str, network: FakeNetwork
) -> None:
    credentials = irsa_creds.provider().botocore_credentials()
    with pytest.raises(TypeError, match=r"provider\.aiobotocore_credentials\(\)"):
        getattr(credentials, name)
    assert not hasattr(credentials, name)


def test_helpers_of_both_libraries_accept_frozen_credentials(network: FakeNetwork) -> None:
    credentials = irsa_creds.provider().aiobotocore_credentials()
    assert not inspect.isawaitable(on_asyncio(credentials.get_frozen_credentials))


# -- the chain provider ----------------------------------------------------------------------------


def load(session: AioSession, **arguments: Any) -> AioIrsaCredentials | None:
    given = {"disable_env_vars": False, **arguments}
    return on_asyncio(AioIrsaProvider(session, "default", **given).load)


def test_load_makes_no_call_and_the_first_read_fetches(network: FakeNetwork) -> None:
    found = load(AioSession())
    assert found is not None
    assert network.sent == []
    assert on_asyncio(found.get_frozen_credentials).access_key == KEYS[WEB_IDENTITY]
    assert network.actions == [WEB_IDENTITY]


def test_sync_and_async_sessions_share_one_provider_and_one_call(network: FakeNetwork) -> None:
    irsa_creds.install()
    one, two = resolved(AioSession()), boto3.Session().get_credentials()
    assert one.provider is two.provider is irsa_creds.provider()
    assert on_asyncio(one.get_frozen_credentials) is two.get_frozen_credentials()
    assert network.actions == [WEB_IDENTITY]


def test_without_a_token_file_the_chain_continues() -> None:
    assert load(AioSession()) is None


def test_with_strict_a_missing_token_file_is_an_error() -> None:
    with pytest.raises(InvalidConfigError, match="AWS_WEB_IDENTITY_TOKEN_FILE") as caught:
        load(AioSession(), strict=True)
    assert isinstance(caught.value, irsa_creds.ConfigError)
    assert caught.value.__context__ is None


# -- a provider lends itself -----------------------------------------------------------------------


def test_a_provider_returns_credentials_objects_of_both_libraries(network: FakeNetwork) -> None:
    provider = irsa_creds.provider()
    sync, aio = provider.botocore_credentials(), provider.aiobotocore_credentials()
    assert isinstance(sync, IrsaCredentials)
    assert isinstance(aio, AioIrsaCredentials)
    assert on_asyncio(aio.get_frozen_credentials) is sync.get_frozen_credentials()
    assert provider.get().access_key_id == sync.access_key
    assert network.actions == [WEB_IDENTITY]


def test_credentials_of_a_chain_have_the_method_assume_role(network: FakeNetwork) -> None:
    chain = irsa_creds.provider(assume=["arn:aws:iam::210987654321:role/second"])
    assert chain.aiobotocore_credentials().method == "assume-role"
