"""Unusable directories and files: one warning with path and reason, and valid credentials."""

from __future__ import annotations

import errno
import logging
import os
import resource
import socket
import stat
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from irsa_creds._shared_cache.store import Store, with_checksum

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared_cache.pods import Pod

# Another test file's server thread may still run, and the forked children do little.
pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")

#: A uid that has no entry in any passwd file.
UNKNOWN_UID = 54_321


@pytest.fixture
def warned(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    def messages() -> list[str]:
        return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]

    return messages


def failing(code: int) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def only_when_writing(code: int) -> Callable[..., Any]:
    opened = os.open

    def fail(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if flags & (os.O_CREAT | os.O_RDWR):
            raise OSError(code, os.strerror(code), path)
        return opened(path, flags, *args, **kwargs)

    return fail


# -- the directory ---------------------------------------------------------------------------------


def read_only(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> str:
    pod.cache_dir.mkdir(mode=0o700)
    monkeypatch.setattr(os, "open", only_when_writing(errno.EROFS))
    return "Read-only file system"


def read_only_and_missing(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(os, "mkdir", failing(errno.EROFS))
    return "Read-only file system"


def no_space(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> str:
    pod.cache_dir.mkdir(mode=0o700)
    monkeypatch.setattr(os, "open", only_when_writing(errno.ENOSPC))
    return "No space left on device"


def no_space_for_the_content(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(os, "utime", failing(errno.EDQUOT))
    return os.strerror(errno.EDQUOT)


def no_locks(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> str:
    # The entry is written nevertheless, so the second process needs no lock.
    monkeypatch.setattr("fcntl.flock", failing(errno.ENOLCK))
    return "No locks available"


def parent_missing(pod: Pod, _: pytest.MonkeyPatch) -> str:
    pod.cache_dir = pod.cache_dir / "a" / "b"
    return "No such file or directory"


def a_file(pod: Pod, _: pytest.MonkeyPatch) -> str:
    pod.cache_dir.touch(mode=0o600)
    return "it is not a directory, or a symbolic link"


def a_link(pod: Pod, _: pytest.MonkeyPatch) -> str:
    elsewhere = pod.cache_dir.with_name("elsewhere")
    elsewhere.mkdir(mode=0o700)
    pod.cache_dir.symlink_to(elsewhere)
    return "it is not a directory, or a symbolic link"


def own(pod: Pod) -> Path:
    """Return the path of the private directory inside a directory that is open to others."""
    pod.cache_dir.mkdir()
    pod.cache_dir.chmod(0o1777)
    return pod.cache_dir / f"irsa-creds-{os.geteuid()}"


def a_planted_link(pod: Pod, _: pytest.MonkeyPatch) -> str:
    elsewhere = pod.cache_dir.with_name("elsewhere")
    elsewhere.mkdir(mode=0o700)
    own(pod).symlink_to(elsewhere)
    return "it is not a directory, or a symbolic link"


def group_writable(pod: Pod, _: pytest.MonkeyPatch) -> str:
    planted = own(pod)
    planted.mkdir()
    planted.chmod(0o770)
    return "others may write to it (mode 0770)"


def of_another_user(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> str:
    found = os.geteuid()
    # This process then seems to run as another user.
    monkeypatch.setattr(os, "geteuid", lambda: found + 1)
    own(pod).mkdir(mode=0o700)
    return f"it belongs to uid {found}, not to this process's"


def in_a_directory_of_another_user(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> str:
    pod.cache_dir.mkdir()
    pod.cache_dir.chmod(0o777)
    if os.geteuid() == 0:
        os.chown(pod.cache_dir, UNKNOWN_UID, -1)
        return f"uid {UNKNOWN_UID} owns its parent directory, and could move it away and back"
    # Only root can change the owner of a directory.
    stated, other = os.stat, os.geteuid() + 1

    def of_another(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
        found = stated(path, *args, **kwargs)
        return os.stat_result((*found[:4], other, *found[5:])) if path == ".." else found

    monkeypatch.setattr(os, "stat", of_another)
    return f"uid {other} owns its parent directory, and could move it away and back"


def no_boot_id(_: Pod, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("irsa_creds._shared_cache.entry._BOOT_ID", "/proc/nothing/boot_id")
    return "'/proc/nothing/boot_id': No such file or directory"


def a_null(pod: Pod, _: pytest.MonkeyPatch) -> str:
    pod.cache_dir = pod.cache_dir / "a\0b"
    return "ValueError"


DIRECTORIES = [
    read_only, read_only_and_missing, no_space, no_space_for_the_content, no_locks, parent_missing,
    a_file, a_link, a_planted_link, group_writable, of_another_user,
    in_a_directory_of_another_user, no_boot_id, a_null,
]  # fmt: skip


@pytest.mark.parametrize("spoil", DIRECTORIES, ids=lambda each: each.__name__)
def test_an_unusable_directory_costs_one_warning_and_no_credentials(
    spoil: Callable[[Pod, pytest.MonkeyPatch], str],
    pod: Pod,
    monkeypatch: pytest.MonkeyPatch,
    warned: Callable[[], list[str]],
) -> None:
    reason = spoil(pod, monkeypatch)
    process = pod.process()
    fetched = pod.fetched(process)
    process.revoke(fetched.credentials.access_key_id)
    assert pod.fetched(process).credentials != fetched.credentials
    process.purge()
    (message,) = warned()
    assert message.endswith(f"{reason}.")
    where = str(pod.cache_dir).partition("\0")[0]
    assert where in message or "/proc/nothing" in message


def test_the_target_of_a_planted_link_is_not_changed(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_planted_link(pod, monkeypatch)
    pod.fetched(pod.process())
    assert not list(pod.cache_dir.with_name("elsewhere").iterdir())


# -- files -----------------------------------------------------------------------------------------


def plant_link(entry: Path) -> str:
    target = entry.with_name("target")
    entry.rename(target)
    entry.symlink_to(target)
    return os.strerror(errno.ELOOP)


def plant_fifo(entry: Path) -> str:
    entry.unlink()
    os.mkfifo(entry, 0o600)
    return "it is not a regular file"


def plant_socket(entry: Path) -> str:
    entry.unlink()
    here = Path.cwd()
    # The path of a socket has 107 bytes at most.
    os.chdir(entry.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("s")
    finally:
        os.chdir(here)
    entry.with_name("s").rename(entry)
    return os.strerror(errno.ENXIO)


def plant_hard_link(entry: Path) -> str:
    os.link(entry, entry.with_name("second"))
    return "it has another name as well"


def plant_gigabyte(entry: Path) -> str:
    os.truncate(entry, 2**30)
    return "it is too large"


def open_to_others(entry: Path) -> str:
    entry.chmod(0o644)
    return "other users have access to it"


def truncate(entry: Path) -> str:
    os.truncate(entry, 200)
    return "it is damaged"


def change_a_letter(entry: Path) -> str:
    entry.write_text(entry.read_text().replace("secret-", "secreT-"))
    return "it is damaged"


def plant_another_entry(entry: Path) -> str:
    content = entry.read_bytes().partition(b"\n")[2]
    entry.write_bytes(with_checksum("0" * 64, content))
    return "it is damaged"


FILES = [
    plant_link, plant_fifo, plant_socket, plant_hard_link, plant_gigabyte, open_to_others,
    truncate, change_a_letter, plant_another_entry,
]  # fmt: skip


@pytest.mark.parametrize("plant", FILES, ids=lambda each: each.__name__)
def test_an_invalid_entry_counts_as_absent_and_is_replaced(
    plant: Callable[[Path], str], pod: Pod, warned: Callable[[], list[str]]
) -> None:
    pod.fetched(pod.process())
    entry = pod.entry
    reason = plant(entry)
    process = pod.process()
    assert pod.fetched(process).credentials.access_key_id == "ASIA0000000000000002"
    (message,) = warned()
    assert message.endswith(f"{reason}.")
    assert str(entry) in message
    assert stat.S_ISREG(entry.lstat().st_mode)
    assert pod.fetched(pod.process()).credentials.access_key_id == "ASIA0000000000000002"
    # The same reason is logged only once.
    for left in ("target", "second"):
        entry.with_name(left).unlink(missing_ok=True)
    plant(entry)
    pod.fetched(process)
    assert len(warned()) == 1


def test_a_directory_with_an_entrys_name_costs_one_warning(
    pod: Pod, warned: Callable[[], list[str]]
) -> None:
    pod.fetched(pod.process())
    pod.entry.unlink()
    name = pod.files(".lock")[0].name.partition(".")[0]
    (pod.cache_dir / f"{name}.json").mkdir()
    process = pod.process()
    pod.fetched(process)
    pod.fetched(process)
    (message,) = warned()
    assert message.endswith("it is not a regular file.")
    assert not pod.files(".tmp")


@pytest.mark.parametrize("kind", ["link", "directory"])
def test_a_lock_that_cannot_be_taken_costs_one_warning(
    kind: str, pod: Pod, warned: Callable[[], list[str]]
) -> None:
    pod.fetched(pod.process())
    (lock,) = pod.files(".lock")
    lock.unlink()
    pod.entry.unlink()
    if kind == "link":
        lock.symlink_to(pod.cache_dir.with_name("victim"))
    else:
        lock.mkdir()
    process = pod.process()
    pod.fetched(process)
    pod.entry.unlink()
    pod.fetched(process)
    assert len(warned()) == 1
    assert not pod.cache_dir.with_name("victim").exists()


def test_a_private_directory_that_became_readable_is_made_private_again(pod: Pod) -> None:
    # filelock creates it like this if it was removed just before.
    made = own(pod)
    made.mkdir()
    made.chmod(0o755)
    pod.fetched(pod.process())
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    pod.fetched(pod.process())
    assert pod.rig.sts.calls == 1


# -- other users -----------------------------------------------------------------------------------


def as_another_user(work: Callable[[], None]) -> None:
    """Do `work` in a child process with a uid that has no name; only root can change to it.

    Without root the child keeps its uid, and only the checks that need two users are skipped.
    """
    pid = os.fork()
    if not pid:
        status = 1
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(UNKNOWN_UID)
                os.setuid(UNKNOWN_UID)
            os.environ.pop("HOME", None)
            work()
            status = 0
        except BaseException:  # noqa: BLE001 - whatever it is, it is to be seen
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


@pytest.fixture
def public(tmp_path: Path) -> Path:
    """Create a directory that all users can reach, like an `emptyDir`."""
    for each in tmp_path.parents:
        # pytest's own directories are private.
        if each.name.startswith("pytest-") or each.parent.name.startswith("pytest-"):
            each.chmod(0o755)
    tmp_path.chmod(0o755)
    made = tmp_path / "volume"
    made.mkdir()
    made.chmod(0o777)
    return made


def test_users_of_different_uids_do_not_share(pod: Pod, public: Path) -> None:
    pod.cache_dir = public
    pod.fetched(pod.process())
    (own_directory,) = public.iterdir()

    def look() -> None:
        calls = pod.rig.sts.calls
        pod.fetched(pod.process())
        pod.fetched(pod.process())
        assert pod.rig.sts.calls - calls == (1 if os.geteuid() == UNKNOWN_UID else 0)
        if os.geteuid() == UNKNOWN_UID:
            with pytest.raises(PermissionError):
                list(own_directory.iterdir())

    as_another_user(look)
    others = {each.name for each in public.iterdir()} - {own_directory.name}
    assert others == ({f"irsa-creds-{UNKNOWN_UID}"} if os.geteuid() == 0 else set())


def test_a_user_without_a_name_or_a_home_shares_in_the_default_directory(
    pod: Pod, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(public))

    def share() -> None:
        store = Store()
        store.write("name", b"content", 60)
        assert Store().read("name") == b"content"
        assert not store.failing

    as_another_user(share)


def test_a_directory_without_write_permission_costs_one_warning(
    pod: Pod, public: Path, warned: Callable[[], list[str]]
) -> None:
    public.chmod(0o555)
    pod.cache_dir = public

    def work() -> None:
        process = pod.process()
        pod.fetched(process)
        pod.fetched(process)
        (message,) = warned()
        assert message.endswith(f"'{public}/irsa-creds-{os.geteuid()}': Permission denied.")

    as_another_user(work)


def test_a_full_disk_costs_one_warning(
    pod: Pod, public: Path, warned: Callable[[], list[str]]
) -> None:
    pod.cache_dir = public

    def work() -> None:
        # As on a full disk, files can be created but nothing can be written to them.
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        process = pod.process()
        pod.fetched(process)
        pod.fetched(process)
        (message,) = warned()
        assert message.endswith(f"'{public}/irsa-creds-{os.geteuid()}': File too large.")
        assert [each.suffix for each in public.rglob("*") if each.is_file()] == [".lock"]

    as_another_user(work)
