"""What an entry contains, and what it means on another process's clocks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from engine_fakes import EPOCH, failure
from irsa_creds._credentials import Credentials
from irsa_creds._engine.snapshot import Snapshot
from irsa_creds._masking import claims_fields
from irsa_creds._shared_cache.entry import Entry, SharedFailure, boot_id, dump, load

if TYPE_CHECKING:
    from pathlib import Path

DENIED = failure("AccessDenied", retryable=False, status=403, retry_after=1.5)

# With fields about the token that STS rejected.
DETAILED = failure(
    "AccessDenied",
    **claims_fields({"iss": "https://a", "sub": "\ud800b", "aud": ["c", "d"], "exp": 1e9}),
    command="irsa-creds explain",
    advice="The role's trust policy probably does not match the token. If it does, ...",
)


def credentials(**given: Any) -> Credentials:
    known = {
        "access_key_id": "ASIAEXAMPLE",
        "secret_access_key": "secret",
        "session_token": "session",
        "expiration": datetime.fromtimestamp(EPOCH + 3600.25, UTC),
        "account_id": "123456789012",
        "assumed_role_arn": "arn:aws:sts::123456789012:assumed-role/app/pod",
    }
    return Credentials(**{**known, **given})


def entry(**given: Any) -> Entry:
    known = {
        "boot_id": "boot",
        "credentials": credentials(),
        "sent_at": 1000.0,
        "wall_at": EPOCH,
        "lifetime": 3600.0,
        "refresh_after": 900.0,
        "failure": SharedFailure(DENIED, 3, 2, 1500.0, 1510.0, "f" * 64),
    }
    return Entry(**{**known, **given})


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"failure": None},
        {"credentials": None},
        {"credentials": credentials(account_id=None, assumed_role_arn=None)},
        {"failure": SharedFailure(failure(), 1, 1, 1.0, 2.0)},
        {"failure": SharedFailure(DETAILED, 1, 1, 1.0, 2.0)},
    ],
)
def test_an_entry_is_read_as_it_was_written(given: dict[str, Any]) -> None:
    written = entry(**given)
    assert load(dump(written)) == written


def test_credentials_are_read_with_all_their_values() -> None:
    # `Credentials` does not compare its secrets.
    found = load(dump(entry())).credentials
    assert found is not None
    for name in credentials().__slots__:
        assert getattr(found, name) == getattr(credentials(), name)


# -- clocks ----------------------------------------------------------------------------------------


def snapshot_of(now: float, wall: float, later: float = 0.0) -> Snapshot:
    found = entry().snapshot(now, wall, later)
    assert found is not None
    return found


def test_an_entry_made_from_a_snapshot_returns_the_same_snapshot() -> None:
    written = Snapshot(credentials(), 1000.0, EPOCH, 3600.0, 1900.0)
    read = Entry.from_snapshot(written).snapshot(1000.0, EPOCH)
    assert read is not None
    for name in ("credentials", "sent_at", "wall_at", "lifetime", "refresh_at", "end_of_use"):
        assert getattr(read, name) == getattr(written, name)


def test_another_process_refreshes_a_little_later_than_the_writer() -> None:
    assert snapshot_of(1100.0, EPOCH + 100, later=3.0).refresh_at == 1903.0


@pytest.mark.parametrize(
    ("now", "wall"),
    [
        pytest.param(2000.0, EPOCH + 1000, id="both clocks agree"),
        pytest.param(2000.0, EPOCH - 86_400, id="the wall clock was set back"),
        pytest.param(2000.0, EPOCH + 4, id="the wall clock stood still"),
        pytest.param(500.0, EPOCH + 1000, id="a time namespace with an earlier BOOTTIME"),
        pytest.param(1000.0, EPOCH + 1000, id="a paused machine, which BOOTTIME does not count"),
    ],
)
def test_no_clock_makes_credentials_younger(now: float, wall: float) -> None:
    found = snapshot_of(now, wall)
    assert found.left(now) == 3600 - 5 - 1000
    assert found.refresh_at - now == 900 - 1000
    assert wall - found.wall_at == now - found.sent_at == 1000


@pytest.mark.parametrize(
    ("now", "wall"),
    [
        pytest.param(1100.0, EPOCH + 3600, id="the wall clock was set ahead"),
        pytest.param(9000.0, EPOCH + 100, id="a time namespace with a later BOOTTIME"),
        pytest.param(4600.0, EPOCH - 10, id="expired by BOOTTIME alone"),
    ],
)
def test_credentials_that_are_expired_by_either_clock_are_expired(now: float, wall: float) -> None:
    assert snapshot_of(now, wall).left(now) <= 0


def test_credentials_from_the_future_by_both_clocks_are_not_used() -> None:
    assert entry().snapshot(900.0, EPOCH - 100) is None


def test_a_small_step_back_makes_credentials_no_younger_than_new() -> None:
    found = snapshot_of(999.0, EPOCH - 1)
    assert (found.sent_at, found.wall_at) == (999.0, EPOCH - 1)


def test_an_entry_without_credentials_has_no_snapshot() -> None:
    assert entry(credentials=None).snapshot(1000.0, EPOCH) is None


# -- failures --------------------------------------------------------------------------------------


def again_in(
    shared: SharedFailure, now: float, *, blocking: bool = True, token: str = "t"
) -> float | None:
    found = shared.as_cached(now, EPOCH, blocking=blocking, token=token)
    return found.again_in if found else None


def test_a_failure_is_cached_until_its_time_and_says_how_long_that_is() -> None:
    shared = SharedFailure(DENIED, 1, 1, 1000.0, 1005.0)
    found = shared.as_cached(1002.0, EPOCH, blocking=True, token="t")
    assert found == DENIED._replace(again_in=3.0, told_at=EPOCH - 2)
    assert again_in(shared, 1004.9) == pytest.approx(0.1)
    assert again_in(shared, 1005.0) is None


def test_a_failure_is_cached_for_callers_for_a_shorter_time_than_for_the_background() -> None:
    throttled = failure("Throttling", status=400, throttled=True)
    shared = SharedFailure(throttled, 1, 1, 1000.0, 1060.0)
    assert again_in(shared, 1000.5, blocking=False) == 59.5
    assert again_in(shared, 1000.5, blocking=True) == 1.5
    assert again_in(shared, 1002.0, blocking=True) is None


def test_a_failure_is_cached_for_callers_no_longer_than_the_random_time_for_them() -> None:
    throttled = failure("Throttling", status=400, throttled=True)
    shared = SharedFailure(throttled, 1, 1, 1000.0, 1001.25)
    assert again_in(shared, 1000.5, blocking=True) == 0.75
    assert again_in(shared, 1001.25, blocking=True) is None


def test_a_failure_of_a_token_is_not_cached_for_another_token() -> None:
    shared = SharedFailure(DENIED, 1, 1, 1000.0, 1005.0, "bad")
    assert again_in(shared, 1001.0, token="bad") == 4.0
    assert again_in(shared, 1001.0, token="good") is None


def test_a_failure_from_the_future_is_not_used() -> None:
    assert again_in(SharedFailure(DENIED, 1, 1, 1000.0, 1005.0), 900.0) is None


# -- boots and secrets -----------------------------------------------------------------------------


def test_a_boot_has_an_id() -> None:
    assert len(boot_id()) == 36


def test_a_system_without_a_boot_id_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "boot_id"
    monkeypatch.setattr("irsa_creds._shared_cache.entry._BOOT_ID", str(file))
    with pytest.raises(FileNotFoundError):
        boot_id()
    file.write_text("\n")
    with pytest.raises(OSError, match="is empty"):
        boot_id()


def test_no_repr_shows_a_secret() -> None:
    written = entry(credentials=credentials(secret_access_key="hush", session_token="quiet"))
    assert "hush" not in repr(written)
    assert "quiet" not in repr(written)
