"""The directory and its files: whose they are, from their first byte on."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import stat
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from irsa_creds._shared_cache import store as store_module
from irsa_creds._shared_cache.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "ab" * 32
OTHER = "a" * 64


@pytest.fixture
def store(place: Path) -> Store:
    return Store(str(place))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


def locked(store: Store, name: str = NAME) -> bool:
    """Whether a lock could be had, which is let go at once."""
    with contextlib.ExitStack() as stack:
        return store.lock(name, stack, 5.0)


# -- files -----------------------------------------------------------------------------------------


def test_what_was_written_is_read(store: Store) -> None:
    assert store.read(NAME) is None
    store.write(NAME, b"one", 60)
    store.write(NAME, b"two", 60)
    assert store.read(NAME) == b"two"
    assert store.read("other") is None


@pytest.mark.usefixtures("umask")
def test_every_file_and_directory_is_private_from_its_first_byte(
    store: Store, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[tuple[str, int]] = set()
    opened, made = os.open, os.mkdir

    def watched_open(path: Any, flags: int, mode: int = 0o777, **kwargs: Any) -> int:
        file = opened(path, flags, mode, **kwargs)
        if flags & os.O_CREAT:
            seen.add((str(path).rpartition(".")[2], stat.S_IMODE(os.fstat(file).st_mode)))
        return file

    def watched_mkdir(path: Any, mode: int = 0o777, **kwargs: Any) -> None:
        made(path, mode, **kwargs)
        seen.add(("/", stat.S_IMODE(os.lstat(path, **kwargs).st_mode)))

    monkeypatch.setattr(os, "open", watched_open)
    monkeypatch.setattr(os, "mkdir", watched_mkdir)
    store.write(NAME, b"one", 60)
    store.revoke(OTHER)
    assert locked(store)
    assert seen == {("/", 0o700), ("tmp", 0o600), ("revoked", 0o600), ("lock", 0o600)}
    assert {mode(each) for each in place.iterdir()} == {0o600}


@pytest.mark.parametrize("given", [0o777, 0o1777, 0o2777, 0o770, 0o755])
def test_in_a_directory_that_is_not_private_one_of_our_own_is_made(
    given: int, store: Store, place: Path
) -> None:
    place.mkdir()
    place.chmod(given)
    store.write(NAME, b"one", 60)
    (own,) = place.iterdir()
    # A directory below one of a pod's fsGroup has its group, which says nothing of rights.
    assert (own.name, mode(own) & 0o777) == (f"irsa-creds-{os.geteuid()}", 0o700)
    assert [each.name for each in own.iterdir()] == [f"{NAME}.json"]
    assert mode(place) == given
    assert store.read(NAME) == b"one"


def test_a_directory_that_is_private_already_is_used_as_it_is(store: Store, place: Path) -> None:
    place.mkdir(mode=0o700)
    store.write(NAME, b"one", 60)
    assert [each.name for each in place.iterdir()] == [f"{NAME}.json"]


def test_a_write_leaves_no_temporary_file_when_it_fails(
    store: Store, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store.write(NAME, b"one", 60)
    monkeypatch.setattr(os, "rename", full)
    store.write(NAME, b"two", 60)
    assert store.ailing
    assert [each.name for each in place.iterdir()] == [f"{NAME}.json"]
    assert store.read(NAME) == b"one"


def test_a_reader_sees_the_old_or_the_new_but_nothing_between(store: Store) -> None:
    contents = {bytes([letter]) * 20_000 for letter in b"abcdef"}
    store.write(NAME, b"a" * 20_000, 60)
    ended = threading.Event()

    def write() -> None:
        for _ in range(50):
            for content in contents:
                store.write(NAME, content, 60)
        ended.set()

    thread = threading.Thread(target=write)
    thread.start()
    seen = set()
    while not ended.is_set():
        seen.add(store.read(NAME))
    thread.join(10)
    assert seen <= contents


def test_a_directory_that_is_removed_in_the_middle_of_a_write_is_made_anew(
    store: Store, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def removed_once(*args: Any, **kwargs: Any) -> None:
        monkeypatch.setattr(os, "rename", rename)
        for each in place.iterdir():
            each.unlink()
        place.rmdir()
        rename(*args, **kwargs)

    monkeypatch.setattr(os, "rename", removed_once)
    store.write(NAME, b"one", 60)
    assert store.read(NAME) == b"one"
    assert not store.ailing


def test_a_relative_place_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store("cache")
    monkeypatch.chdir("/")
    store.write(NAME, b"one", 60)
    assert (tmp_path / "cache" / f"{NAME}.json").exists()


def test_a_working_directory_that_is_gone_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    store = Store("cache")
    assert store.read(NAME) is None
    store.write(NAME, b"one", 60)
    assert store.ailing


# -- the default place -----------------------------------------------------------------------------


def test_the_default_place_is_in_the_containers_own_temporary_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    Store().write(NAME, b"one", 60)
    (own,) = tmp_path.iterdir()
    assert (own.name, mode(own)) == (f"irsa-creds-{os.geteuid()}", 0o700)


def test_a_link_to_the_temporary_directory_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "link"))
    Store().write(NAME, b"one", 60)
    assert Store().read(NAME) == b"one"


def test_without_a_temporary_directory_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    store = Store()
    store.write(NAME, b"one", 60)
    assert store.read(NAME) is None
    (said,) = warnings(caplog)
    assert said.endswith("No such file or directory.")


# -- locks -----------------------------------------------------------------------------------------


def test_a_lock_is_held_until_the_end_of_the_stack(store: Store, place: Path) -> None:
    other = Store(str(place))
    with contextlib.ExitStack() as stack:
        assert store.lock(NAME, stack, 5.0)
        assert not other.lock(NAME, stack, 5.0)
        assert locked(other, OTHER)
    assert locked(other)


def test_a_lock_that_was_taken_long_ago_is_replaced_once(store: Store, place: Path) -> None:
    other = Store(str(place))
    with contextlib.ExitStack() as stack:
        assert store.lock(NAME, stack, 5.0)
        age(place / f"{NAME}.lock", 4)
        assert not locked(other)
        assert not locked(other)
        age(place / f"{NAME}.lock", 6)
        assert not locked(other)
        assert other.lock(NAME, stack, 5.0)
        assert not locked(store), "the new one is young"
    assert locked(other)


def test_a_lock_that_is_in_use_is_not_old(store: Store, place: Path) -> None:
    assert locked(store)
    (file,) = place.iterdir()
    os.utime(file, (0, 0))
    assert locked(store)
    assert time.time() - file.stat().st_mtime < 60


@pytest.mark.parametrize("call", ["utime", "stat"])
def test_a_lock_that_another_process_replaces_meanwhile_is_no_error(
    call: str, store: Store, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = getattr(os, call)

    def replaced(path: Any, *args: Any, **kwargs: Any) -> Any:
        if path == f"{NAME}.lock":
            (place / path).unlink()
        return called(path, *args, **kwargs)

    with contextlib.ExitStack() as stack:
        if call == "stat":
            assert store.lock(NAME, stack, 5.0)
        monkeypatch.setattr(os, call, replaced)
        assert store.lock(NAME, stack, 5.0) == (call == "utime")
    assert not store.ailing


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOLCK, os.strerror(errno.ENOLCK)),
        OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)),
        NotImplementedError("no flock"),
    ],
)
def test_where_no_lock_can_be_had_each_asks_for_itself(
    error: Exception,
    store: Store,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr("fcntl.flock", broken)
    assert locked(store)
    assert locked(store)
    (said,) = warnings(caplog)
    reason = error.strerror if isinstance(error, OSError) else "NotImplementedError"
    assert said.endswith(f"'{place}': {reason}.")


# -- what was given up, and what is old ------------------------------------------------------------


def test_a_key_stays_revoked_when_the_entry_is_written_again(store: Store) -> None:
    assert not store.is_revoked(OTHER)
    store.revoke(OTHER)
    store.revoke(OTHER)
    store.write(NAME, b"one", 60)
    assert store.is_revoked(OTHER)
    assert not store.is_revoked(NAME)


def test_remove_leaves_nothing_of_that_name(store: Store, place: Path) -> None:
    for name in (NAME, "other"):
        store.write(name, b"one", 60)
        assert locked(store, name)
    store.remove(NAME)
    assert {each.name for each in place.iterdir()} == {"other.json", "other.lock"}


def age(path: Path, seconds: float) -> None:
    path.touch()
    os.utime(path, (time.time() - seconds, time.time() - seconds))


def test_old_files_of_ours_are_swept_at_the_first_write(store: Store, place: Path) -> None:
    place.mkdir(mode=0o700)
    a, b, week = "a" * 64, "b" * 64, 7 * 86_400
    ages = {".json": 601, ".1f.tmp": 601, ".revoked": 9 * 86_400, ".lock": 9 * 86_400}
    old = {a + ending: seconds for ending, seconds in ages.items()}
    young = {f"{b}.json": 500, f"{b}.1f.tmp": 500, f"{b}.revoked": week, f"{b}.lock": week}
    # It may be somebody's home directory.
    foreign = dict.fromkeys(
        ("notes.txt", "README", "package.json", "poetry.lock", "draft.tmp", f"{a[1:]}.json"),
        9 * 86_400,
    )
    for name, seconds in (old | young | foreign).items():
        age(place / name, seconds)
    store.write(NAME, b"one", 60)
    assert {each.name for each in place.iterdir()} == {f"{NAME}.json", *young, *foreign}


def test_an_entry_is_old_when_its_credentials_have_ended(store: Store, place: Path) -> None:
    store.write(NAME, b"one", 3600)
    ends_in = (place / f"{NAME}.json").stat().st_mtime - time.time()
    assert 3590 < ends_in < 3610


def test_the_place_is_swept_once_an_hour_and_no_more(
    store: Store, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(NAME, b"one", 60)
    age(place / f"{OTHER}.json", 700)
    store.write(NAME, b"two", 60)
    assert (place / f"{OTHER}.json").exists()
    monkeypatch.setattr(store, "_swept_at", store._swept_at - 3601)
    store.write(NAME, b"three", 60)
    assert not (place / f"{OTHER}.json").exists()


def test_a_file_that_another_process_swept_is_no_trouble(
    store: Store, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.mkdir(mode=0o700)
    age(place / f"{OTHER}.json", 700)
    listed = store_module._listed

    def swept_meanwhile(directory: int) -> Any:
        found = listed(directory)
        (place / f"{OTHER}.json").unlink()
        return found

    monkeypatch.setattr("irsa_creds._shared_cache.store._listed", swept_meanwhile)
    store.write(NAME, b"one", 60)
    assert not store.ailing


# -- what is said ----------------------------------------------------------------------------------


def test_a_trouble_is_told_once_and_only_the_next_spell_may_tell_of_another(
    store: Store, place: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(code: int) -> Callable[..., None]:
        def failing(*_: object, **__: object) -> None:
            raise OSError(code, os.strerror(code))

        return failing

    rename = os.rename
    for code in (errno.ENOSPC, errno.EROFS):
        monkeypatch.setattr(os, "rename", fail(code))
        store.write(NAME, b"one", 60)
    (said,) = warnings(caplog)
    assert said == (
        "The shared cache is not usable now, and this process calls STS itself. "
        f"'{place}': No space left on device."
    )
    monkeypatch.setattr(os, "rename", rename)
    store.write(NAME, b"one", 60)
    assert not store.ailing
    for code in (errno.ENOSPC, errno.EROFS):
        monkeypatch.setattr(os, "rename", fail(code))
        store.write(NAME, b"one", 60)
        monkeypatch.setattr(os, "rename", rename)
        store.write(NAME, b"one", 60)
    assert len(warnings(caplog)) == 2
    assert "Read-only file system" in warnings(caplog)[1]


def test_one_store_tells_for_all_identities_of_a_place(place: Path) -> None:
    assert Store.at(str(place)) is Store.at(str(place))
    assert Store.at(str(place)) is not Store.at(None)


def test_a_system_without_owners_of_files_keeps_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(os, "geteuid")
    assert store.read(NAME) is None
    assert not store.is_revoked(OTHER)
    assert locked(store)
    (said,) = warnings(caplog)
    assert said.endswith("this system has no owners of files that could be checked.")
