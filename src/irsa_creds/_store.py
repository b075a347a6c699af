"""A directory of this uid's alone, where processes leave for each other what STS answered.

Nothing here raises: where the place is no good, that is said once, and there is nothing in it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import itertools
import logging
import os
import re
import stat
import time
from typing import TYPE_CHECKING

from irsa_creds._forks import FORKS
from irsa_creds._lazy import IMPORT_LOCK
from irsa_creds._validate import shown_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

__all__ = ["Store"]

_log = logging.getLogger("irsa_creds")

_PRIVATE_DIRECTORY = 0o700
_PRIVATE_FILE = 0o600
_OTHERS = 0o077
_OTHERS_WRITE = 0o022
#: An entry has some 4 kB; what is larger is not one.
_LIMIT = 65_536
_ENTRY, _GRAVE, _LOCK, _TEMPORARY = ".json", ".gone", ".lock", ".tmp"
_DAY = 86_400.0
# Seconds after its time that a file goes. An entry's time is its credentials' end; no write takes
# ten minutes; and no credentials last longer than a week, so by then nobody needs the rest either.
_GRACE = {_ENTRY: 600.0, _TEMPORARY: 600.0, _GRAVE: 8 * _DAY, _LOCK: 8 * _DAY}
#: An entry's name is a SHA-256, and all that belongs to it begins with that.
_OURS = r"[0-9a-f]{64}(?:\.[0-9a-f]+)?\.(?:json|tmp|gone|lock)"
_SWEPT_AT_ONCE = 65_536
#: A call to a file system that is gone never comes back, and each would take a flight with it.
_HANGS = 5.0
_SWEEP_INTERVAL = 3_600.0


class Store:
    """Small files by name, each written whole or not at all, and locks.

    Args:
        place: a directory; where others may write to it, one of our own inside it is taken. None:
            the container's own directory for temporary files.
    """

    def __init__(self, place: str | None = None) -> None:
        self._given = place is not None
        # A program may change its directory; one in a directory that was removed has none.
        with contextlib.suppress(OSError):
            if place is None:
                place = os.path.realpath(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 - checked
            else:
                place = os.path.abspath(os.fsdecode(place))
        self._place = place or "."
        self._path = self._place  # the directory as it was opened last, for messages
        self._told: set[str] = set()
        self._swept_at = float("-inf")
        self._calls: dict[int, tuple[int, float]] = {}
        #: Whether something is wrong with the place, as far as is known.
        self.ailing = False

    @classmethod
    @functools.lru_cache(maxsize=256)
    def at(cls, place: str | None) -> Store:
        """Return the store of that place: what is wrong with it is said once for all identities."""
        return cls(place)

    def read(self, name: str) -> bytes | None:
        """Return what is under `name`; None where there is nothing to be had."""
        with self.tolerant(), self._directory() as (directory, _):
            try:
                file = os.open(name + _ENTRY, _flags(os.O_RDONLY), dir_fd=directory)
            except FileNotFoundError:
                return None
            try:
                _check_file(os.fstat(file), name + _ENTRY)
                return os.read(file, _LIMIT + 1)
            finally:
                os.close(file)
        return None

    def write(self, name: str, content: bytes, lasts: float) -> None:
        """Put `content` under `name`, in one step for all who read.

        Args:
            name: the entry's.
            content: all of it.
            lasts: seconds for which somebody may want it.
        """
        with self.tolerant():
            try:
                self._write(name, content, lasts)
            except FileNotFoundError:
                # Somebody removed the directory in the middle of it.
                self._write(name, content, lasts)
            self.ailing = False
            self._sweep()

    def bury(self, name: str, mark: str) -> None:
        """Leave for all who read `name` that what bears this mark was given up.

        A file of its own: in the entry, who writes that anew at this moment would lose it.
        """
        with self.tolerant(), self._directory() as (directory, _):
            # Twice does no harm.
            flags = _flags(os.O_WRONLY | os.O_CREAT)
            os.close(os.open(f"{name}.{mark}{_GRAVE}", flags, _PRIVATE_FILE, dir_fd=directory))

    def is_buried(self, name: str, mark: str) -> bool:
        """Whether somebody gave up what bears this mark."""
        absent = contextlib.suppress(FileNotFoundError)
        with self.tolerant(), self._directory() as (directory, _), absent:
            os.stat(f"{name}.{mark}{_GRAVE}", dir_fd=directory, follow_symlinks=False)
            return True
        return False

    def lock(self, name: str, until: contextlib.ExitStack) -> bool:
        """Take a lock until the end of `until`; False where another process has it.

        Where no lock can be had it is True as well: then each asks for itself.
        """
        with self.tolerant(), self._directory() as (directory, path):
            filelock = _filelock()
            # A new one each time: one that was made before a fork is refused in the child.
            lock = filelock.FileLock(
                os.path.join(path, name + _LOCK), mode=_PRIVATE_FILE, fallback_to_soft=False
            )
            try:
                until.enter_context(lock.acquire(timeout=0))
            except filelock.Timeout:
                return False
            # So that nobody sweeps away what is in use.
            os.utime(name + _LOCK, dir_fd=directory, follow_symlinks=False)
        return True

    def remove(self, name: str) -> None:
        """Remove all that is under `name`."""
        with self.tolerant(), self._directory() as (directory, _):
            for each in _listed(directory):
                if each.name.startswith(name):
                    _unlink(each.name, directory)

    @contextlib.contextmanager
    def tolerant(self) -> Iterator[None]:
        """Go on where the place is no good, and say why: once for each reason, and each spell."""
        try:
            yield
        except OSError as error:
            name = error.filename if isinstance(error.filename, str) else ""
            reason = error.strerror or type(error).__name__
        except Exception as error:  # noqa: BLE001 - a cache never fails a refresh
            name, reason = "", type(error).__name__
        else:
            return
        self._say(name, reason)

    def complain(self, reason: str, name: str = "") -> None:
        """Say why this process goes without the place, or without the entry of that name."""
        self._say(name and name + _ENTRY, reason)

    def _say(self, name: str, reason: str) -> None:
        known = self.ailing or reason in self._told
        self.ailing = True
        if not known:
            self._told.add(reason)
        _log.log(
            logging.DEBUG if known else logging.WARNING,
            "The shared cache is of no use now, and this process asks STS itself. %s: %s.",
            shown_path(os.path.join(self._path, name) if name else self._path),
            reason,
        )

    # -- the directory ---------------------------------------------------------------------------

    @contextlib.contextmanager
    def _directory(self) -> Iterator[tuple[int, str]]:
        """Open our directory, made if need be; yield its descriptor and its path."""
        self._path = path = self._place
        if not hasattr(os, "geteuid"):
            raise OSError(0, "this system has no owners of files that could be checked")
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._inside())
            found = _open_own(path, None) if self._given else _open_directory(path, None)
            stack.callback(os.close, found)
            if not self._given or not _is_private(os.fstat(found)):
                own = f"irsa-creds-{os.geteuid()}"
                found = _open_own(own, found)
                stack.callback(os.close, found)
                self._path = path = os.path.join(path, own)
                _make_private(found)
            _check_parent(found)
            yield found, path

    @contextlib.contextmanager
    def _inside(self) -> Iterator[None]:
        """Note that a call to the file system is under way; refuse while an earlier one hangs."""
        now = time.monotonic()
        # Those of a parent's other threads never end here, and say nothing.
        here = os.getpid()
        if any(pid == here and now - since > _HANGS for pid, since in self._calls.copy().values()):
            raise OSError(0, "an earlier look there does not come to an end")
        call = object()
        self._calls[id(call)] = here, now
        try:
            yield
        finally:
            del self._calls[id(call)]

    def _write(self, name: str, content: bytes, lasts: float) -> None:
        temporary = f"{name}.{os.urandom(8).hex()}{_TEMPORARY}"
        with self._directory() as (directory, _):
            flags = _flags(os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            file = os.open(temporary, flags, _PRIVATE_FILE, dir_fd=directory)
            try:
                # No fsync: nobody believes an entry after the machine was started anew.
                with open(file, "wb") as opened:
                    opened.write(content)
                    opened.flush()
                    end = time.time() + lasts
                    os.utime(file, (end, end))
                os.rename(temporary, name + _ENTRY, src_dir_fd=directory, dst_dir_fd=directory)
            except BaseException:
                _unlink(temporary, directory)
                raise

    def _sweep(self) -> None:
        """Remove what nobody can use any more; once an hour that is soon enough."""
        now = time.monotonic()
        if now - self._swept_at < _SWEEP_INTERVAL:
            return
        self._swept_at = now
        with self._directory() as (directory, _):
            for each in _listed(directory):
                # A directory that was given may hold other people's files beside ours.
                if not re.fullmatch(_OURS, each.name):
                    continue
                grace = _GRACE[os.path.splitext(each.name)[1]]
                with contextlib.suppress(FileNotFoundError):
                    age = time.time() - each.stat(follow_symlinks=False).st_mtime
                    if age > grace:
                        _unlink(each.name, directory)


def _open_own(path: str, inside: int | None) -> int:
    """Open a directory, made if need be with our rights alone from the beginning."""
    with contextlib.suppress(FileNotFoundError):
        return _open_directory(path, inside)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, _PRIVATE_DIRECTORY, dir_fd=inside)
    return _open_directory(path, inside)


def _open_directory(path: str, inside: int | None) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, flags, dir_fd=inside)
    except NotADirectoryError:
        reason = "it is no directory, or a symbolic link"
    raise OSError(0, reason, path)


def _make_private(directory: int) -> None:
    """Check that a directory is ours alone, and let nobody else see what is in it."""
    found = os.fstat(directory)
    if found.st_uid != os.geteuid():
        raise OSError(0, f"it is of uid {found.st_uid}, not of this process's")
    if found.st_mode & _OTHERS_WRITE:
        raise OSError(0, f"others may write to it (mode {stat.S_IMODE(found.st_mode):04o})")
    if found.st_mode & _OTHERS:
        # filelock makes the directory of a lock anew if it was removed, with the umask's rights.
        os.fchmod(directory, _PRIVATE_DIRECTORY)


def _check_parent(directory: int) -> None:
    """Check that the parent directory belongs to this user or to root.

    Any other owner could move our directory away and back, and so undo what was revoked meanwhile.
    """
    owner = os.stat("..", dir_fd=directory).st_uid
    if owner not in (0, os.geteuid()):
        raise OSError(
            0, f"uid {owner} owns the parent directory, and could move ours away and back"
        )


def _is_private(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & _OTHERS


@functools.cache
def _filelock() -> ModuleType:
    """Return the module, whose hooks at a fork come after ours."""
    with IMPORT_LOCK:
        module = importlib.import_module("filelock")
        FORKS.come_first()
        return module


def _flags(kind: int) -> int:
    # A FIFO must not make its reader wait, nor a symbolic link lead elsewhere.
    return kind | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def _check_file(found: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise OSError(0, "it is not a regular file", name)
    if not _is_private(found):
        raise OSError(0, "it is not this user's alone", name)
    # It has none at all when another process has just put a newer one in its place.
    if found.st_nlink > 1:
        raise OSError(0, "it has another name as well", name)
    if found.st_size > _LIMIT:
        raise OSError(0, "it is too large", name)


def _listed(directory: int) -> list[os.DirEntry[str]]:
    with os.scandir(directory) as found:
        return list(itertools.islice(found, _SWEPT_AT_ONCE))


def _unlink(name: str, directory: int) -> None:
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=directory)
