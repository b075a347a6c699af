"""Places that are no good: credentials still come, with one warning that says what and where."""

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

from irsa_creds._shared_cache.entry import VERSION
from irsa_creds._shared_cache.store import Store
from shared_cache.pods import Pod, change

if TYPE_CHECKING:
    from collections.abc import Callable

# Tests of other files may have left a server's thread, and a child here does little.
pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")

#: A uid that has no entry in any passwd file.
NOBODY_AT_ALL = 54_321


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
    pod.place.mkdir(mode=0o700)
    monkeypatch.setattr(os, "open", only_when_writing(errno.EROFS))
    return "Read-only file system"


def read_only_and_missing(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(os, "mkdir", failing(errno.EROFS))
    return "Read-only file system"


def no_space(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> str:
    pod.place.mkdir(mode=0o700)
    monkeypatch.setattr(os, "open", only_when_writing(errno.ENOSPC))
    return "No space left on device"


def no_space_for_the_content(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(os, "utime", failing(errno.EDQUOT))
    return os.strerror(errno.EDQUOT)


def no_locks(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> str:
    # The entry is written all the same; the second process has nothing to ask for.
    monkeypatch.setattr("fcntl.flock", failing(errno.ENOLCK))
    return "No locks available"


def parent_missing(pod: Pod, _: pytest.MonkeyPatch) -> str:
    pod.place = pod.place / "a" / "b"
    return "No such file or directory"


def a_file(pod: Pod, _: pytest.MonkeyPatch) -> str:
    pod.place.touch(mode=0o600)
    return "it is not a directory, or a symbolic link"


def a_link(pod: Pod, _: pytest.MonkeyPatch) -> str:
    elsewhere = pod.place.with_name("elsewhere")
    elsewhere.mkdir(mode=0o700)
    pod.place.symlink_to(elsewhere)
    return "it is not a directory, or a symbolic link"


def own(pod: Pod) -> Path:
    """Return the directory that would be ours in one that others may write to."""
    pod.place.mkdir()
    pod.place.chmod(0o1777)
    return pod.place / f"irsa-creds-{os.geteuid()}"


def a_planted_link(pod: Pod, _: pytest.MonkeyPatch) -> str:
    elsewhere = pod.place.with_name("elsewhere")
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
    # Whose it is by then, and what this process takes itself for.
    monkeypatch.setattr(os, "geteuid", lambda: found + 1)
    own(pod).mkdir(mode=0o700)
    return f"it belongs to uid {found}, not to this process's"


def in_a_directory_of_another_user(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> str:
    pod.place.mkdir()
    pod.place.chmod(0o777)
    if os.geteuid() == 0:
        os.chown(pod.place, NOBODY_AT_ALL, -1)
        return f"uid {NOBODY_AT_ALL} owns its parent directory, and could move it away and back"
    # Only root can give a directory away.
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
    pod.place = pod.place / "a\0b"
    return "ValueError"


PLACES = [
    read_only, read_only_and_missing, no_space, no_space_for_the_content, no_locks, parent_missing,
    a_file, a_link, a_planted_link, group_writable, of_another_user,
    in_a_directory_of_another_user, no_boot_id, a_null,
]  # fmt: skip


@pytest.mark.parametrize("spoil", PLACES, ids=lambda each: each.__name__)
def test_a_place_that_is_no_good_costs_one_warning_and_no_credentials(
    spoil: Callable[[Pod, pytest.MonkeyPatch], str],
    pod: Pod,
    monkeypatch: pytest.MonkeyPatch,
    warned: Callable[[], list[str]],
) -> None:
    reason = spoil(pod, monkeypatch)
    process = pod.process()
    brought = pod.brought(process)
    process.revoke(brought.credentials.access_key_id)
    assert pod.brought(process).credentials != brought.credentials
    process.purge()
    (said,) = warned()
    assert said.endswith(f"{reason}.")
    where = str(pod.place).partition("\0")[0]
    assert where in said or "/proc/nothing" in said


def test_whatever_a_planted_link_leads_to_is_left_alone(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_planted_link(pod, monkeypatch)
    pod.brought(pod.process())
    assert not list(pod.place.with_name("elsewhere").iterdir())


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
    # A socket's name may be 107 bytes long.
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
    return "it is not this user's alone"


def of_the_future(entry: Path) -> str:
    change(entry, VERSION + 1)
    return "it is of another version"


def tear(entry: Path) -> str:
    os.truncate(entry, 200)
    return "it is torn"


def rot(entry: Path) -> str:
    entry.write_text(entry.read_text().replace("secret-", "secreT-"))
    return "it is torn"


def of_another_identity(entry: Path) -> str:
    change(entry, identity="0" * 64)
    return "it is of another identity"


FILES = [
    plant_link, plant_fifo, plant_socket, plant_hard_link, plant_gigabyte, open_to_others,
    of_the_future, tear, rot, of_another_identity,
]  # fmt: skip


@pytest.mark.parametrize("plant", FILES, ids=lambda each: each.__name__)
def test_an_entry_that_is_none_of_ours_is_a_miss_and_replaced(
    plant: Callable[[Path], str], pod: Pod, warned: Callable[[], list[str]]
) -> None:
    pod.brought(pod.process())
    entry = pod.entry
    reason = plant(entry)
    process = pod.process()
    assert pod.brought(process).credentials.access_key_id == "ASIA0000000000000002"
    (said,) = warned()
    assert said.endswith(f"{reason}.")
    assert str(entry) in said
    assert stat.S_ISREG(entry.lstat().st_mode)
    assert pod.brought(pod.process()).credentials.access_key_id == "ASIA0000000000000002"
    # Said once, whatever happens to it again.
    for left in ("target", "second"):
        entry.with_name(left).unlink(missing_ok=True)
    plant(entry)
    pod.brought(process)
    assert len(warned()) == 1


def test_a_directory_in_an_entrys_place_is_a_trouble_told_once(
    pod: Pod, warned: Callable[[], list[str]]
) -> None:
    pod.brought(pod.process())
    pod.entry.unlink()
    name = pod.files(".lock")[0].name.partition(".")[0]
    (pod.place / f"{name}.json").mkdir()
    process = pod.process()
    pod.brought(process)
    pod.brought(process)
    (said,) = warned()
    assert said.endswith("it is not a regular file.")
    assert not pod.files(".tmp")


@pytest.mark.parametrize("kind", ["link", "directory"])
def test_a_lock_that_cannot_be_taken_is_a_trouble_told_once(
    kind: str, pod: Pod, warned: Callable[[], list[str]]
) -> None:
    pod.brought(pod.process())
    (lock,) = pod.files(".lock")
    lock.unlink()
    pod.entry.unlink()
    if kind == "link":
        lock.symlink_to(pod.place.with_name("victim"))
    else:
        lock.mkdir()
    process = pod.process()
    pod.brought(process)
    pod.entry.unlink()
    pod.brought(process)
    assert len(warned()) == 1
    assert not pod.place.with_name("victim").exists()


def test_a_directory_that_only_lets_others_look_is_closed_again(pod: Pod) -> None:
    # As filelock makes it, where somebody removed it in the moment before.
    made = own(pod)
    made.mkdir()
    made.chmod(0o755)
    pod.brought(pod.process())
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    pod.brought(pod.process())
    assert pod.rig.sts.calls == 1


# -- other users -----------------------------------------------------------------------------------


def as_another_user(work: Callable[[], None]) -> None:
    """Do `work` in a child that is nobody the system knows of: only root can become that.

    Anybody else does it as himself, which shows all but the difference between the two.
    """
    pid = os.fork()
    if not pid:
        status = 1
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY_AT_ALL)
                os.setuid(NOBODY_AT_ALL)
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
    """A directory to which all users find their way, as to an `emptyDir`."""
    for each in tmp_path.parents:
        # pytest's own, which are its user's alone.
        if each.name.startswith("pytest-") or each.parent.name.startswith("pytest-"):
            each.chmod(0o755)
    tmp_path.chmod(0o755)
    made = tmp_path / "volume"
    made.mkdir()
    made.chmod(0o777)
    return made


def test_users_of_different_uids_do_not_share(pod: Pod, public: Path) -> None:
    pod.place = public
    pod.brought(pod.process())
    (ours,) = public.iterdir()

    def look() -> None:
        calls = pod.rig.sts.calls
        pod.brought(pod.process())
        pod.brought(pod.process())
        assert pod.rig.sts.calls - calls == (1 if os.geteuid() == NOBODY_AT_ALL else 0)
        if os.geteuid() == NOBODY_AT_ALL:
            with pytest.raises(PermissionError):
                list(ours.iterdir())

    as_another_user(look)
    others = {each.name for each in public.iterdir()} - {ours.name}
    assert others == ({f"irsa-creds-{NOBODY_AT_ALL}"} if os.geteuid() == 0 else set())


def test_a_user_without_a_name_or_a_home_shares_in_the_default_place(
    pod: Pod, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(public))

    def share() -> None:
        store = Store()
        store.write("name", b"content", 60)
        assert Store().read("name") == b"content"
        assert not store.ailing

    as_another_user(share)


def test_a_directory_without_the_right_to_write_costs_one_warning(
    pod: Pod, public: Path, warned: Callable[[], list[str]]
) -> None:
    public.chmod(0o555)
    pod.place = public

    def fly() -> None:
        process = pod.process()
        pod.brought(process)
        pod.brought(process)
        (said,) = warned()
        assert said.endswith(f"'{public}/irsa-creds-{os.geteuid()}': Permission denied.")

    as_another_user(fly)


def test_a_disk_that_takes_not_a_byte_costs_one_warning(
    pod: Pod, public: Path, warned: Callable[[], list[str]]
) -> None:
    pod.place = public

    def fly() -> None:
        # As a full disk does, it lets files be made, and refuses what is written to them.
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        process = pod.process()
        pod.brought(process)
        pod.brought(process)
        (said,) = warned()
        assert said.endswith(f"'{public}/irsa-creds-{os.geteuid()}': File too large.")
        assert [each.suffix for each in public.rglob("*") if each.is_file()] == [".lock"]

    as_another_user(fly)
