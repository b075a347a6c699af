"""What is written, what of it is believed, and on whose clock."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from engine_fakes import EPOCH, ROLE, failure
from irsa_creds._credentials import Credentials
from irsa_creds._engine.policy import Snapshot
from irsa_creds._exchange.advice import claims_told
from irsa_creds._shared_cache.entry import (
    VERSION,
    Entry,
    EntryError,
    Refusal,
    boot_id,
    dump,
    load,
    mark_of,
    seal,
)

if TYPE_CHECKING:
    from pathlib import Path

NAME = "ab" * 32
ASSUMED = "arn:aws:sts::123456789012:assumed-role/app/pod"
REFUSED = failure("AccessDenied", retryable=False, status=403, retry_after=1.5)

# What the others are told of the token that was refused.
TOLD = failure(
    "AccessDenied",
    **claims_told({"iss": "https://a", "sub": "\ud800b", "aud": ["c", "d"], "exp": 1e9}),
    command="irsa-creds explain",
)


def credentials(**given: Any) -> Credentials:
    known = {
        "access_key_id": "ASIAEXAMPLE",
        "secret_access_key": "secret",
        "session_token": "session",
        "expiration": datetime.fromtimestamp(EPOCH + 3600.25, UTC),
        "account_id": "123456789012",
        "assumed_role_arn": ASSUMED,
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
        "refusal": Refusal(REFUSED, 3, 2, 1500.0, 1510.0, "f" * 64),
    }
    return Entry(**{**known, **given})


def written(**changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(dump(entry(), NAME).partition(b"\n")[2])
    return {**content, **changes}


def reason(content: object, role_arn: str = ROLE) -> str:
    """Return why a content is not believed."""
    data = content if isinstance(content, bytes) else seal(VERSION, json.dumps(content).encode())
    with pytest.raises(EntryError) as caught:
        load(data, NAME, role_arn)
    return str(caught.value)


# -- there and back --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"refusal": None},
        {"credentials": None},
        {"credentials": credentials(account_id=None, assumed_role_arn=None)},
        {"refusal": Refusal(failure(), 1, 1, 1.0, 2.0)},
        {"refusal": Refusal(TOLD, 1, 1, 1.0, 2.0)},
    ],
)
def test_what_was_written_comes_back_whole(given: dict[str, Any]) -> None:
    made = entry(**given)
    assert load(dump(made, NAME), NAME, ROLE) == made


def test_an_entry_of_credentials_comes_back_as_the_same_credentials() -> None:
    # `Credentials` has no refusal to hide behind: all its values are compared one by one.
    found = load(dump(entry(), NAME), NAME, ROLE).credentials
    assert found is not None
    for name in credentials().__slots__:
        assert getattr(found, name) == getattr(credentials(), name)


# -- content that is not believed ------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"\xff\xfe\x00", b"{}", b"irsa-creds", b"irsa-creds x y\n{}", b"[" * 60_000],
)
def test_bytes_that_are_no_entry_are_a_miss(data: bytes) -> None:
    assert reason(data) == "it is torn"


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 60_000])
def test_a_whole_file_of_something_else_is_a_miss(content: bytes) -> None:
    assert reason(seal(VERSION, content)) == "it is not an entry"


def test_a_torn_entry_is_a_miss_wherever_it_was_cut() -> None:
    whole = dump(entry(), NAME)
    assert {reason(whole[:length]) for length in range(len(whole))} == {"it is torn"}


def test_an_entry_with_one_letter_changed_is_a_miss_wherever_that_is() -> None:
    whole = dump(entry(), NAME)
    for at in range(len(whole)):
        changed = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        assert reason(changed) in {"it is torn", "it is of another version"}


@pytest.mark.parametrize("version", [VERSION + 1, 0, 10**4000])
def test_an_entry_of_another_version_is_a_miss(version: int) -> None:
    assert reason(seal(version, b"whatever that has")) == "it is of another version"


def test_an_entry_under_another_identitys_name_is_a_miss() -> None:
    assert reason(written(identity="cd" * 32)) == "it is of another identity"


@pytest.mark.parametrize("field", sorted(set(written()) - {"identity"}))
def test_an_entry_without_one_of_its_fields_is_a_miss(field: str) -> None:
    content = written()
    del content[field]
    assert reason(content) == "it is not complete"


@pytest.mark.parametrize(
    "assumed",
    [
        "arn:aws:sts::123456789012:assumed-role/other/pod",
        "arn:aws:sts::999999999999:assumed-role/app/pod",
        "arn:aws:sts::123456789012:assumed-role/app",
        "app",
    ],
)
def test_credentials_of_another_role_are_a_miss(assumed: str) -> None:
    given = {**written()["credentials"], "assumed_role_arn": assumed}
    assert reason(written(credentials=given)) == "it holds credentials of another role"


@pytest.mark.parametrize(
    ("role", "assumed"),
    [
        ("arn:aws:iam::123456789012:role/team/app", ASSUMED),
        ("arn:aws-cn:iam::1:role/app", "arn:aws-cn:sts::1:assumed-role/app/pod"),
        ("arn:aws:iam:::role/app", "arn:aws:sts:::assumed-role/app/pod"),
        ("arn:aws:iam:::role/app", "arn:aws:sts:::assumed-role/team/app/pod"),
    ],
)
def test_the_role_is_known_with_its_path_and_in_every_partition(role: str, assumed: str) -> None:
    made = entry(credentials=credentials(assumed_role_arn=assumed))
    assert load(dump(made, NAME), NAME, role) == made


WRONG = "it holds another value in place of a "


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("lifetime", -1, "it holds an impossible number"),
        ("lifetime", True, WRONG + "number"),
        ("lifetime", "3600", WRONG + "number"),
        ("lifetime", float("nan"), WRONG + "number"),
        ("lifetime", 10**400, "it is not complete"),
        ("sent_at", float("inf"), WRONG + "number"),
        ("wall_at", 1e300, "it holds an impossible number"),
        ("refresh_after", 3601, "it holds an impossible number"),
        ("boot_id", 5, WRONG + "text"),
        ("boot_id", "", WRONG + "text"),
        ("boot_id", "x" * 20_000, WRONG + "text"),
        ("credentials", [], "it is not complete"),
        ("credentials", 5, "it is not complete"),
        ("refusal", [], "it is not complete"),
        ("refusal", "no", "it is not complete"),
    ],
)
def test_a_value_that_none_of_ours_would_have_is_a_miss(
    field: str, value: object, said: str
) -> None:
    assert reason(written(**{field: value})) == said


@pytest.mark.parametrize("field", ["access_key_id", "secret_access_key", "session_token"])
@pytest.mark.parametrize("value", ["", None, 5, ["x"]])
def test_credentials_that_are_not_three_texts_are_a_miss(field: str, value: object) -> None:
    given = {**written()["credentials"], field: value}
    assert reason(written(credentials=given)) == WRONG + "text"


def test_a_failure_with_other_fields_is_a_miss() -> None:
    refusal = written()["refusal"]
    refusal["failure"]["severity"] = 5
    assert reason(written(refusal=refusal)) == "it is not complete"


# -- clocks ----------------------------------------------------------------------------------------


def seen(now: float, wall: float, later: float = 0.0) -> Snapshot:
    found = entry().snapshot(now, wall, later)
    assert found is not None
    return found


def test_a_snapshot_goes_through_an_entry_and_back() -> None:
    made = Snapshot(credentials(), 1000.0, EPOCH, 3600.0, 1900.0)
    again = Entry.of(made).snapshot(1000.0, EPOCH)
    assert again is not None
    for name in ("credentials", "sent_at", "wall_at", "lifetime", "refresh_at", "end_of_use"):
        assert getattr(again, name) == getattr(made, name)


def test_a_reader_refreshes_a_little_later_than_the_writer() -> None:
    assert seen(1100.0, EPOCH + 100, later=3.0).refresh_at == 1903.0


@pytest.mark.parametrize(
    ("now", "wall"),
    [
        pytest.param(2000.0, EPOCH + 1000, id="both clocks agree"),
        pytest.param(2000.0, EPOCH - 86_400, id="the wall was set back"),
        pytest.param(2000.0, EPOCH + 4, id="the wall stood still"),
        pytest.param(500.0, EPOCH + 1000, id="a time namespace whose BOOTTIME is younger"),
        pytest.param(1000.0, EPOCH + 1000, id="a paused machine, which BOOTTIME does not count"),
    ],
)
def test_no_clock_makes_credentials_younger(now: float, wall: float) -> None:
    found = seen(now, wall)
    assert found.left(now) == 3600 - 5 - 1000
    assert found.refresh_at - now == 900 - 1000
    assert wall - found.wall_at == now - found.sent_at == 1000


@pytest.mark.parametrize(
    ("now", "wall"),
    [
        pytest.param(1100.0, EPOCH + 3600, id="the wall was set ahead"),
        pytest.param(9000.0, EPOCH + 100, id="a time namespace whose BOOTTIME is older"),
        pytest.param(4600.0, EPOCH - 10, id="past use by BOOTTIME alone"),
    ],
)
def test_past_use_by_either_clock_is_past_use(now: float, wall: float) -> None:
    assert seen(now, wall).left(now) <= 0


def test_credentials_from_the_future_of_both_clocks_are_a_miss() -> None:
    assert entry().snapshot(900.0, EPOCH - 100) is None


def test_a_small_step_back_makes_credentials_new_and_never_more_than_that() -> None:
    found = seen(999.0, EPOCH - 1)
    assert (found.sent_at, found.wall_at) == (999.0, EPOCH - 1)


def test_an_entry_without_credentials_has_no_snapshot() -> None:
    assert entry(credentials=None).snapshot(1000.0, EPOCH) is None


# -- refusals --------------------------------------------------------------------------------------


def answered(refusal: Refusal, now: float, *, blocking: bool = True, token: str = "t") -> Any:
    found = refusal.answer(now, EPOCH, blocking=blocking, token=token)
    return found and found.again_in


def test_a_refusal_answers_until_its_time_and_says_how_long_that_is() -> None:
    refusal = Refusal(REFUSED, 1, 1, 1000.0, 1005.0)
    found = refusal.answer(1002.0, EPOCH, blocking=True, token="t")
    assert found == REFUSED._replace(again_in=3.0, told_at=EPOCH - 2)
    assert answered(refusal, 1004.9) == pytest.approx(0.1)
    assert answered(refusal, 1005.0) is None


def test_readers_who_wait_are_not_told_for_as_long_as_the_background() -> None:
    refusal = Refusal(failure("Throttling", status=400, throttled=True), 1, 1, 1000.0, 1060.0)
    assert answered(refusal, 1000.5, blocking=False) == 59.5
    assert answered(refusal, 1000.5, blocking=True) == 1.5
    assert answered(refusal, 1002.0, blocking=True) is None


def test_readers_who_wait_are_told_for_as_long_as_was_drawn_for_them() -> None:
    refusal = Refusal(failure("Throttling", status=400, throttled=True), 1, 1, 1000.0, 1001.25)
    assert answered(refusal, 1000.5, blocking=True) == 0.75
    assert answered(refusal, 1001.25, blocking=True) is None


def test_a_refusal_of_a_token_does_not_answer_for_another_token() -> None:
    refusal = Refusal(REFUSED, 1, 1, 1000.0, 1005.0, "bad")
    assert answered(refusal, 1001.0, token="bad") == 4.0
    assert answered(refusal, 1001.0, token="good") is None


def test_a_refusal_from_the_future_does_not_answer() -> None:
    assert answered(Refusal(REFUSED, 1, 1, 1000.0, 1005.0), 900.0) is None


# -- boots and marks -------------------------------------------------------------------------------


def test_a_boot_has_a_name() -> None:
    assert len(boot_id()) == 36


def test_a_system_that_does_not_name_its_boot_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "boot_id"
    monkeypatch.setattr("irsa_creds._shared_cache.entry._BOOT_ID", str(empty))
    with pytest.raises(FileNotFoundError):
        boot_id()
    empty.write_text("\n")
    with pytest.raises(OSError, match="empty"):
        boot_id()


def test_a_mark_tells_nothing_of_its_key() -> None:
    assert mark_of("ASIAEXAMPLE") != mark_of("ASIAEXAMPLF")
    assert "ASIA" not in mark_of("ASIAEXAMPLE")


def test_no_repr_shows_a_secret() -> None:
    made = entry(credentials=credentials(secret_access_key="hush", session_token="quiet"))
    assert not {"hush", "quiet"} & set(repr(made).replace("'", " ").split())
    assert "hush" not in repr(made)
    assert "quiet" not in repr(made)
