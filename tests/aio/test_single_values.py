"""Values that are read one by one come from one response, in both libraries."""

from __future__ import annotations

from itertools import pairwise, permutations
from typing import TYPE_CHECKING, Any

import pytest

from aio.loops import LOOPS, on_asyncio
from engine_fakes import Rig, provider_of
from irsa_creds.aiobotocore import AioIrsaCredentials
from irsa_creds.botocore import IrsaCredentials

if TYPE_CHECKING:
    from collections.abc import Callable


NAMES = ("access_key", "secret_key", "token")
ORDERS = list(permutations(NAMES))


class Reader:
    """Reads single values of credentials, in a thread for boto3 or a task for aiobotocore."""

    def __init__(self, rig: Rig, library: str) -> None:
        provider = provider_of(rig.engine)
        self.is_aio = library == "aiobotocore"
        self.credentials: Any = (AioIrsaCredentials if self.is_aio else IrsaCredentials)(provider)

    async def read(self, name: str) -> str:
        if self.is_aio:
            return str(await getattr(self.credentials, f"get_{name}")())
        return str(getattr(self.credentials, name))

    async def number(self, name: str) -> int:
        """Read one value; return the number of its response."""
        return int((await self.read(name)).removeprefix("ASIA").rpartition("-")[2])

    async def numbers(self, *names: str) -> list[int]:
        return [await self.number(name) for name in names]


@pytest.fixture(params=["botocore", "aiobotocore"])
def reader(request: pytest.FixtureRequest, engine_rig: Rig) -> Reader:
    return Reader(engine_rig, request.param)


def go_to_refresh(rig: Rig, before: float = 0.0) -> None:
    """Let time pass until `before` seconds before the next refresh is due."""
    rig.clock.advance(rig.engine.snapshot.refresh_at - before - rig.clock.now())


def refresh(rig: Rig) -> None:
    """Let a background refresh succeed immediately."""
    rig.engine.snapshot.refresh_at = rig.clock.now()
    rig.engine.prefetch()
    rig.settle()


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("name", [*NAMES, "account_id"])
def test_a_value_read_before_a_refresh_does_not_pin_later_reads(
    name: str, loop: str, engine_rig: Rig, reader: Reader
) -> None:
    async def main() -> None:
        await reader.read(name)
        go_to_refresh(engine_rig)
        refresh(engine_rig)
        for order in ORDERS:
            assert await reader.numbers(*order) == [2, 2, 2]

    LOOPS[loop](main)


@pytest.mark.parametrize("order", ORDERS)
def test_reads_less_than_a_tenth_of_a_second_apart_come_from_one_response_in_any_order(
    order: tuple[str, ...], engine_rig: Rig, reader: Reader
) -> None:
    async def main() -> None:
        for number in (1, 2, 3):
            found = [await reader.number(order[0])]
            refresh(engine_rig)
            for name in (order[0], "account_id", *order[1:]):
                engine_rig.clock.advance(0.099)
                if name != "account_id":
                    found.append(await reader.number(name))
                else:
                    await reader.read(name)
            assert found == [number] * 4
            engine_rig.clock.advance(0.1)

    on_asyncio(main)


@pytest.mark.parametrize("name", NAMES)
def test_a_read_a_tenth_of_a_second_later_takes_the_newest_response(
    name: str, engine_rig: Rig, reader: Reader
) -> None:
    async def main() -> None:
        # The instants are sums of floats, so the pause needs a microsecond more.
        for number in (1, 2, 3):
            assert await reader.number("access_key") == number
            refresh(engine_rig)
            engine_rig.clock.advance(0.100001)
            assert await reader.number(name) == number + 1

    on_asyncio(main)


@pytest.mark.parametrize("reads_before", range(4))
@pytest.mark.parametrize("period", [0.005, 0.01, 0.05, 0.09])
def test_a_loop_without_pauses_takes_the_newest_response_between_two_requests(
    period: float, reads_before: int, engine_rig: Rig, reader: Reader
) -> None:
    # botocore's SigV4Auth reads plain attributes for each request.
    order = ("token", "token", "access_key", "secret_key")

    async def main() -> None:
        await reader.read("token")
        for number in range(1, 21):
            signed_with: list[int] = []
            while engine_rig.clock.now() < refreshed_at[-1] + 1.5:
                found = set()
                for index, name in enumerate(order):
                    if not signed_with and index == reads_before:
                        refresh(engine_rig)
                    found.add(await reader.number(name))
                    engine_rig.clock.advance(0.001)
                assert len(found) == 1, "one request was signed with values of two responses"
                signed_with += found
                engine_rig.clock.advance(period - 0.001 * len(order))
            assert signed_with == sorted(signed_with)
            assert signed_with[-1] == number + 1
            refreshed_at.append(engine_rig.clock.now() + 0.00037)
            engine_rig.clock.advance(0.00037)

    refreshed_at = [engine_rig.clock.now()]
    on_asyncio(main)
    assert all(later - earlier < 1.6 for earlier, later in pairwise(refreshed_at))


@pytest.mark.parametrize("name", NAMES)
def test_an_expired_response_is_not_read_any_more(
    name: str, engine_rig: Rig, reader: Reader
) -> None:
    async def main() -> None:
        assert await reader.number("access_key") == 1
        snapshot = engine_rig.engine.snapshot
        engine_rig.clock.advance(snapshot.end_of_use - engine_rig.clock.now() - 0.01)
        engine_rig.sts.hold.clear()
        assert await reader.number("access_key") == 1
        # The refresh that was due succeeds now.
        engine_rig.finish()
        engine_rig.clock.advance(0.01)
        assert await reader.numbers(name, *NAMES) == [2, 2, 2, 2]

    on_asyncio(main)


def _invalidate(rig: Rig) -> None:
    rig.engine.invalidate(None)


def _close(rig: Rig) -> None:
    rig.engine.close()


def _invalidate_after_a_refresh(rig: Rig) -> None:
    refresh(rig)
    rig.engine.invalidate(None)


def _resume_a_paused_machine(rig: Rig) -> None:
    # Only the wall clock is past the expiry: the caller waits for one refresh.
    rig.clock.step_wall(4000)
    rig.engine.prefetch()


@pytest.mark.parametrize(
    ("end", "number"),
    [
        (_invalidate, 2),
        (_close, 2),
        (_invalidate_after_a_refresh, 3),
        (_resume_a_paused_machine, 2),
    ],
)
def test_revoked_values_are_not_read_again(
    end: Callable[[Rig], None], number: int, engine_rig: Rig, reader: Reader
) -> None:
    async def main() -> None:
        assert await reader.numbers("token", "access_key") == [1, 1]
        end(engine_rig)
        assert await reader.numbers("secret_key", *NAMES) == [number] * 4

    on_asyncio(main)


@pytest.mark.parametrize("name", [*NAMES, "account_id"])
def test_reading_one_value_starts_the_refresh_that_is_due(
    name: str, engine_rig: Rig, reader: Reader
) -> None:
    async def main() -> None:
        await reader.read(name)
        go_to_refresh(engine_rig, before=0.05)
        await reader.read(name)
        engine_rig.clock.advance(0.05)
        await reader.read(name)

    on_asyncio(main)
    engine_rig.finish()
    assert engine_rig.sts.calls == 2


def test_a_read_of_an_older_response_counts_as_a_read_of_the_newest(
    engine_rig: Rig, reader: Reader
) -> None:
    async def main() -> None:
        await reader.read("access_key")
        refresh(engine_rig)
        assert not engine_rig.engine.snapshot.was_read
        assert await reader.number("secret_key") == 1
        assert engine_rig.engine.snapshot.was_read

    on_asyncio(main)


@pytest.mark.parametrize("name", NAMES)
def test_a_refresh_that_ends_while_a_value_is_read_does_not_mix_two_responses(
    name: str, engine_rig: Rig, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquire = reader.credentials._acquire

    def acquire_late() -> Any:
        refresh(engine_rig)
        return acquire()

    async def main() -> None:
        await reader.read(name)
        go_to_refresh(engine_rig, before=0.05)
        assert await reader.number(name) == 1
        engine_rig.clock.advance(0.05)
        monkeypatch.setattr(reader.credentials, "_acquire", acquire_late)
        assert await reader.numbers(*NAMES) == [1, 1, 1]

    on_asyncio(main)
    assert engine_rig.sts.calls == 2
