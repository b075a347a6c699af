"""The directory of the shared cache: owners, modes, locks, old files and warnings."""

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
KEY = "ASIAEXAMPLE"


@pytest.fixture
def store(cache_dir: Path) -> Store:
    return Store(str(cache_dir))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


def can_lock(store: Store, name: str = NAME) -> bool:
    """Return whether a lock could be taken, and release it."""
    with contextlib.ExitStack() as stack:
        return store.lock(name, stack, 5.0)


# -- files -----------------------------------------------------------------------------------------


def test_a_read_returns_what_was_written(store: Store) -> None:
    assert store.read(NAME) is None
    store.write(NAME, b"one", 60)
    store.write(NAME, b"two", 60)
    assert store.read(NAME) == b"two"
    assert store.read("other") is None


@pytest.mark.usefixtures("umask")
def test_every_file_and_directory_is_private_from_its_first_byte(
    store: Store, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
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
    store.revoke(KEY)
    assert can_lock(store)
    assert seen == {("/", 0o700), ("tmp", 0o600), ("revoked", 0o600), ("lock", 0o600)}
    assert {mode(each) for each in cache_dir.iterdir()} == {0o600}


@pytest.mark.parametrize("given", [0o777, 0o1777, 0o2777, 0o770, 0o755])
def test_a_private_directory_is_created_inside_one_that_is_not_private(
    given: int, store: Store, cache_dir: Path
) -> None:
    cache_dir.mkdir()
    cache_dir.chmod(given)
    store.write(NAME, b"one", 60)
    (own,) = cache_dir.iterdir()
    # A directory below one of a pod's fsGroup has its group, which says nothing of rights.
    assert (own.name, mode(own) & 0o777) == (f"irsa-creds-{os.geteuid()}", 0o700)
    assert [each.name for each in own.iterdir()] == [f"{NAME}.json"]
    assert mode(cache_dir) == given
    assert store.read(NAME) == b"one"


def test_a_private_directory_is_used_directly(store: Store, cache_dir: Path) -> None:
    cache_dir.mkdir(mode=0o700)
    store.write(NAME, b"one", 60)
    assert [each.name for each in cache_dir.iterdir()] == [f"{NAME}.json"]


def test_a_failed_write_leaves_no_temporary_file(
    store: Store, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store.write(NAME, b"one", 60)
    monkeypatch.setattr(os, "rename", full)
    store.write(NAME, b"two", 60)
    assert store.failing
    assert [each.name for each in cache_dir.iterdir()] == [f"{NAME}.json"]
    assert store.read(NAME) == b"one"


def test_a_read_during_a_write_returns_the_old_or_the_new_content(store: Store) -> None:
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


def damaged(store: Store, path: Path, data: bytes) -> bool:
    """Return whether an entry with this data is not used, and the reason is its checksum."""
    path.write_bytes(data)
    store._warned.clear()
    store.failing = False
    return store.read(NAME) is None and store._warned == {"it is damaged"}


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"\xff\xfe\x00", b"{}", b"irsa-creds", b"irsa-creds 3 y\n{}", b"[" * 60_000],
)
def test_a_file_that_is_not_an_entry_is_not_used(
    data: bytes, store: Store, cache_dir: Path
) -> None:
    store.write(NAME, b"content", 60)
    assert damaged(store, cache_dir / f"{NAME}.json", data)


def test_an_entry_that_was_cut_or_changed_anywhere_is_not_used(
    store: Store, cache_dir: Path
) -> None:
    path = cache_dir / f"{NAME}.json"
    store.write(NAME, b"content", 60)
    whole = path.read_bytes()
    for at in range(len(whole)):
        assert damaged(store, path, whole[:at])
        assert damaged(store, path, whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    path.write_bytes(whole)
    assert store.read(NAME) == b"content"


def test_an_entry_under_another_name_is_not_used(store: Store, cache_dir: Path) -> None:
    store.write(OTHER, b"content", 60)
    path = (cache_dir / f"{OTHER}.json").rename(cache_dir / f"{NAME}.json")
    assert damaged(store, path, path.read_bytes())


def test_a_relative_directory_does_not_follow_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store("cache")
    monkeypatch.chdir("/")
    store.write(NAME, b"one", 60)
    assert (tmp_path / "cache" / f"{NAME}.json").exists()


def test_a_removed_working_directory_raises_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    store = Store("cache")
    assert store.read(NAME) is None
    store.write(NAME, b"one", 60)
    assert store.failing


# -- the default directory -------------------------------------------------------------------------


def test_the_default_is_a_private_directory_in_the_containers_temporary_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    Store().write(NAME, b"one", 60)
    (own,) = tmp_path.iterdir()
    assert (own.name, mode(own)) == (f"irsa-creds-{os.geteuid()}", 0o700)


def test_a_symbolic_link_to_the_temporary_directory_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "link"))
    Store().write(NAME, b"one", 60)
    assert Store().read(NAME) == b"one"


def test_without_a_temporary_directory_nothing_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    store = Store()
    store.write(NAME, b"one", 60)
    assert store.read(NAME) is None
    (message,) = warnings(caplog)
    assert message.endswith("No such file or directory.")


# -- locks -----------------------------------------------------------------------------------------


def test_a_lock_is_released_at_the_end_of_the_stack(store: Store, cache_dir: Path) -> None:
    other = Store(str(cache_dir))
    with contextlib.ExitStack() as stack:
        assert store.lock(NAME, stack, 5.0)
        assert not other.lock(NAME, stack, 5.0)
        assert can_lock(other, OTHER)
    assert can_lock(other)


def test_a_lock_taken_too_long_ago_is_replaced_once(store: Store, cache_dir: Path) -> None:
    other = Store(str(cache_dir))
    with contextlib.ExitStack() as stack:
        assert store.lock(NAME, stack, 5.0)
        age(cache_dir / f"{NAME}.lock", 4)
        assert not can_lock(other)
        assert not can_lock(other)
        age(cache_dir / f"{NAME}.lock", 6)
        assert not can_lock(other)
        assert other.lock(NAME, stack, 5.0)
        assert not can_lock(store), "the new one is young"
    assert can_lock(other)


def test_taking_a_lock_sets_its_age_to_zero(store: Store, cache_dir: Path) -> None:
    assert can_lock(store)
    (file,) = cache_dir.iterdir()
    os.utime(file, (0, 0))
    assert can_lock(store)
    assert time.time() - file.stat().st_mtime < 60


@pytest.mark.parametrize("call", ["utime", "stat"])
def test_a_lock_that_another_process_replaces_meanwhile_is_not_an_error(
    call: str, store: Store, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = getattr(os, call)

    def replaced(path: Any, *args: Any, **kwargs: Any) -> Any:
        if path == f"{NAME}.lock":
            (cache_dir / path).unlink()
        return called(path, *args, **kwargs)

    with contextlib.ExitStack() as stack:
        if call == "stat":
            assert store.lock(NAME, stack, 5.0)
        monkeypatch.setattr(os, call, replaced)
        assert store.lock(NAME, stack, 5.0) == (call == "utime")
    assert not store.failing


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOLCK, os.strerror(errno.ENOLCK)),
        OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)),
        NotImplementedError("no flock"),
    ],
)
def test_without_locks_each_process_calls_sts_itself(
    error: Exception,
    store: Store,
    cache_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr("fcntl.flock", broken)
    assert can_lock(store)
    assert can_lock(store)
    (message,) = warnings(caplog)
    reason = error.strerror if isinstance(error, OSError) else "NotImplementedError"
    assert message.endswith(f"'{cache_dir}': {reason}.")


# -- revoked keys and old files -------------------------------------------------------------------


def test_a_key_stays_revoked_when_the_entry_is_written_again(store: Store) -> None:
    assert not store.is_revoked(KEY)
    store.revoke(KEY)
    store.revoke(KEY)
    store.write(NAME, b"one", 60)
    assert store.is_revoked(KEY)
    assert not store.is_revoked("ASIAEXAMPLF")


def test_remove_deletes_all_files_of_that_name(store: Store, cache_dir: Path) -> None:
    for name in (NAME, "other"):
        store.write(name, b"one", 60)
        assert can_lock(store, name)
    store.remove(NAME)
    assert {each.name for each in cache_dir.iterdir()} == {"other.json", "other.lock"}


def age(path: Path, seconds: float) -> None:
    path.touch()
    os.utime(path, (time.time() - seconds, time.time() - seconds))


def test_the_first_write_removes_old_files_and_no_foreign_ones(
    store: Store, cache_dir: Path
) -> None:
    cache_dir.mkdir(mode=0o700)
    a, b, week = "a" * 64, "b" * 64, 7 * 86_400
    ages = {".json": 601, ".1f.tmp": 601, ".revoked": 9 * 86_400, ".lock": 9 * 86_400}
    old = {a + ending: seconds for ending, seconds in ages.items()}
    young = {f"{b}.json": 500, f"{b}.1f.tmp": 500, f"{b}.revoked": week, f"{b}.lock": week}
    # The directory may be a home directory.
    foreign = dict.fromkeys(
        ("notes.txt", "README", "package.json", "poetry.lock", "draft.tmp", f"{a[1:]}.json"),
        9 * 86_400,
    )
    for name, seconds in (old | young | foreign).items():
        age(cache_dir / name, seconds)
    store.write(NAME, b"one", 60)
    assert {each.name for each in cache_dir.iterdir()} == {f"{NAME}.json", *young, *foreign}


def test_the_age_of_an_entry_counts_from_the_end_of_its_credentials(
    store: Store, cache_dir: Path
) -> None:
    store.write(NAME, b"one", 3600)
    ends_in = (cache_dir / f"{NAME}.json").stat().st_mtime - time.time()
    assert 3590 < ends_in < 3610


def test_old_files_are_removed_once_an_hour(
    store: Store, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(NAME, b"one", 60)
    age(cache_dir / f"{OTHER}.json", 700)
    store.write(NAME, b"two", 60)
    assert (cache_dir / f"{OTHER}.json").exists()
    monkeypatch.setattr(store, "_swept_at", store._swept_at - 3601)
    store.write(NAME, b"three", 60)
    assert not (cache_dir / f"{OTHER}.json").exists()


def test_a_file_that_another_process_removed_meanwhile_is_not_an_error(
    store: Store, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache_dir.mkdir(mode=0o700)
    age(cache_dir / f"{OTHER}.json", 700)
    listed = store_module._files

    def removed_meanwhile(directory: int) -> Any:
        found = listed(directory)
        (cache_dir / f"{OTHER}.json").unlink()
        return found

    monkeypatch.setattr("irsa_creds._shared_cache.store._files", removed_meanwhile)
    store.write(NAME, b"one", 60)
    assert not store.failing


# -- warnings --------------------------------------------------------------------------------------


def test_each_reason_is_logged_once_and_one_while_the_directory_fails(
    store: Store, cache_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(code: int) -> Callable[..., None]:
        def failing(*_: object, **__: object) -> None:
            raise OSError(code, os.strerror(code))

        return failing

    rename = os.rename
    for code in (errno.ENOSPC, errno.EROFS):
        monkeypatch.setattr(os, "rename", fail(code))
        store.write(NAME, b"one", 60)
    (message,) = warnings(caplog)
    assert message == (
        "The shared cache is not usable now, and this process calls STS itself. "
        f"'{cache_dir}': No space left on device."
    )
    monkeypatch.setattr(os, "rename", rename)
    store.write(NAME, b"one", 60)
    assert not store.failing
    for code in (errno.ENOSPC, errno.EROFS):
        monkeypatch.setattr(os, "rename", fail(code))
        store.write(NAME, b"one", 60)
        monkeypatch.setattr(os, "rename", rename)
        store.write(NAME, b"one", 60)
    assert len(warnings(caplog)) == 2
    assert "Read-only file system" in warnings(caplog)[1]


def test_all_identities_share_the_store_of_a_directory(cache_dir: Path) -> None:
    assert Store.at(str(cache_dir)) is Store.at(str(cache_dir))
    assert Store.at(str(cache_dir)) is not Store.at(None)


def test_a_system_without_owners_of_files_stores_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(os, "geteuid")
    assert store.read(NAME) is None
    assert not store.is_revoked(KEY)
    assert can_lock(store)
    (message,) = warnings(caplog)
    assert message.endswith("this system has no owners of files that could be checked.")
