"""What a resolver returns and raises, alone."""

from __future__ import annotations

import asyncio
import copy
import importlib
import pickle
import time
from typing import TYPE_CHECKING, Any

import pytest

import irsa_creds
from engine_fakes import eventually, failure, join_refreshes
from irsa_creds import smithy

if TYPE_CHECKING:
    from engine_fakes import FakeClock, FakeSts
    from irsa_creds import Provider
    from irsa_creds._errors import Failure


@pytest.fixture
def provider(sts: FakeSts, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """Return a provider with a fake STS; the SDK uses the machine's clock."""
    monkeypatch.setattr("irsa_creds._provider.REGISTRY._clock", clock)
    monkeypatch.setattr("irsa_creds._engine.timing.BLOCKING_ATTEMPTS", 1)
    return irsa_creds.provider(role_arn=ROLE, token=token, region="eu-west-1")


ROLE = "arn:aws:iam::123456789012:role/app"


def token() -> str:
    return "token"


async def read(resolver: Any) -> Any:
    return await resolver.get_identity(properties={})


def get(provider: Provider) -> Any:
    return asyncio.run(read(smithy.resolver(provider)))


def identity_error() -> type[Exception]:
    found: type[Exception] = importlib.import_module("smithy_core.exceptions").SmithyIdentityError
    return found


def test_the_identity_has_the_values_of_one_response(provider: Provider) -> None:
    given, identity = provider.get(), get(provider)
    assert identity.access_key_id == given.access_key_id
    assert identity.secret_access_key == given.secret_access_key
    assert identity.session_token == given.session_token
    assert identity.account_id == "123456789012"


def test_its_expiration_is_the_end_of_use_by_the_local_clock(
    provider: Provider, clock: FakeClock
) -> None:
    provider.get()
    # Earlier than the first refresh, which is due at a random age.
    clock.advance(300)
    left = get(provider).expiration.timestamp() - time.time()
    assert 3265 < left < 3296


def test_the_repr_and_the_pickle_of_an_identity_have_no_secret(provider: Provider) -> None:
    identity = get(provider)
    assert repr(identity) == f"<AWSCredentialsIdentity ...{identity.access_key_id[-4:]}>"
    with pytest.raises(TypeError, match="secrets must not travel"):
        pickle.dumps(identity)
    assert copy.copy(identity) is identity
    assert copy.deepcopy(identity) is identity


def test_a_copy_of_a_resolver_is_the_same_object(provider: Provider) -> None:
    resolver = smithy.resolver(provider)
    assert copy.copy(resolver) is resolver
    assert copy.deepcopy({"config": [resolver]})["config"][0] is resolver


def test_a_resolver_pickles_as_its_provider_without_secrets(provider: Provider) -> None:
    resolver = smithy.resolver(provider)
    key = asyncio.run(read(resolver)).secret_access_key
    pickled = pickle.dumps(resolver)
    assert key.encode() not in pickled
    assert pickle.loads(pickled)._provider is provider
    assert repr(resolver) == f"<IrsaResolver of {ROLE}>"


@pytest.mark.parametrize(
    ("given", "family"),
    [
        (failure("AccessDenied", retryable=False), irsa_creds.ExchangeError),
        (failure(kind="token", retryable=False), irsa_creds.TokenError),
        (failure(kind="timeout", retryable=False), irsa_creds.RefreshTimeout),
    ],
)
def test_an_error_is_one_of_the_sdk_and_one_of_irsa_creds(
    given: Failure, family: type[irsa_creds.IrsaError], provider: Provider, sts: FakeSts
) -> None:
    sts.down = given
    with pytest.raises(family) as caught:
        get(provider)
    assert isinstance(caught.value, identity_error())
    assert caught.value.failure is not None
    assert caught.value.failure.code == given.code
    assert caught.value.__context__ is None
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again)) == (type(caught.value), str(caught.value))


def test_invalidate_marks_the_key_stale_which_is_used_until_the_next_one_is_there(
    provider: Provider, clock: FakeClock, sts: FakeSts
) -> None:
    resolver = smithy.resolver(provider)

    async def rejected() -> tuple[str, str]:
        first = await read(resolver)
        clock.advance(61)
        sts.hold.clear()
        # The SDK itself reads in tasks of its own.
        await asyncio.create_task(resolver.invalidate())
        return first.access_key_id, (await read(resolver)).access_key_id

    first, meanwhile = asyncio.run(rejected())
    assert first == meanwhile
    sts.hold.set()
    eventually(lambda: get(provider).access_key_id != first)
    assert sts.calls == 2


def test_a_key_that_many_tasks_call_rejected_is_replaced_once(
    provider: Provider, clock: FakeClock, sts: FakeSts
) -> None:
    resolver = smithy.resolver(provider)

    async def task(all_got_it: asyncio.Barrier) -> None:
        await read(resolver)
        await all_got_it.wait()
        await resolver.invalidate()

    async def crowd() -> None:
        await read(resolver)
        clock.advance(61)
        barrier = asyncio.Barrier(20)
        await asyncio.gather(*(task(barrier) for _ in range(20)))
        eventually(lambda: sts.calls == 2)
        join_refreshes()
        # The service rejects the old key once more when the next one is there already.
        await resolver.invalidate()

    asyncio.run(crowd())
    join_refreshes()
    assert sts.calls == 2


def test_a_resolver_works_in_one_event_loop_after_another(provider: Provider, sts: FakeSts) -> None:
    resolver = smithy.resolver(provider)
    first, second = (asyncio.run(read(resolver)).access_key_id for _ in range(2))
    assert first == second
    assert sts.calls == 1
