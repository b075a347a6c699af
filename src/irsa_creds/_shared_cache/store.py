"""A private directory in which the processes of a pod leave entries for each other.

Nothing here raises: if the directory is not usable, one warning says so, and it holds nothing.
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

from irsa_creds._engine.forks import FORKS
from irsa_creds._engine.this_thread import log
from irsa_creds._identity.validation import quoted_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

__all__ = ["Store"]

_PRIVATE_DIRECTORY = 0o700
_PRIVATE_FILE = 0o600
_OTHERS = 0o077
_OTHERS_WRITE = 0o022
#: An entry has some 4 kB. A larger file is not an entry.
_LIMIT = 65_536
_ENTRY, _REVOKED, _LOCK, _TEMPORARY = ".json", ".revoked", ".lock", ".tmp"
_DAY = 86_400.0
# Seconds after its time that a file is removed. An entry's time is the end of its credentials; no
# write takes ten minutes; and no credentials last longer than a week.
_GRACE = {_ENTRY: 600.0, _TEMPORARY: 600.0, _REVOKED: 8 * _DAY, _LOCK: 8 * _DAY}
#: All names are SHA-256 hashes.
_OURS = r"[0-9a-f]{64}(?:\.[0-9a-f]+)?\.(?:json|tmp|revoked|lock)"
_SWEPT_AT_ONCE = 65_536
_SWEEP_INTERVAL = 3_600.0


class Store:
    """Small files by name, each written whole or not at all, and locks.

    Args:
        place: a directory; if others may look into it, a directory of our own inside it is used.
            None: the container's directory for temporary files.
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
        #: Whether the directory was not usable when it was used last.
        self.ailing = False

    @classmethod
    @functools.lru_cache(maxsize=256)
    def at(cls, place: str | None) -> Store:
        """Return the store of a directory: one for all identities, so that each warns once."""
        return cls(place)

    def read(self, name: str) -> bytes | None:
        """Return the entry of that name; None if there is none that can be used."""
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
        """Replace the entry of that name, in one step for all processes that read it.

        Args:
            name: the entry's.
            content: all of it.
            lasts: seconds for which it is of use.
        """
        with self.tolerant():
            try:
                self._write(name, content, lasts)
            except FileNotFoundError:
                # Another process removed the directory meanwhile.
                self._write(name, content, lasts)
            self.ailing = False
            self._sweep()

    def revoke(self, mark: str) -> None:
        """Leave for all processes that the key with this mark is revoked.

        It is a file of its own: a process that writes the entry at this moment would lose it there.
        """
        with self.tolerant(), self._directory() as (directory, _):
            flags = _flags(os.O_WRONLY | os.O_CREAT)
            os.close(os.open(mark + _REVOKED, flags, _PRIVATE_FILE, dir_fd=directory))

    def is_revoked(self, mark: str) -> bool:
        """Whether a process revoked the key with this mark."""
        absent = contextlib.suppress(FileNotFoundError)
        with self.tolerant(), self._directory() as (directory, _), absent:
            os.stat(mark + _REVOKED, dir_fd=directory, follow_symlinks=False)
            return True
        return False

    def lock(self, name: str, until: contextlib.ExitStack, patience: float) -> bool:
        """Take a lock until the end of `until`; False while another process holds it.

        Where the file system has no locks, it is True as well: each process calls STS itself then.

        Args:
            name: the lock's.
            until: ends the lock.
            patience: seconds after which the holder counts as stopped. Its lock is removed then (it
                goes on holding a file without a name), and the next call takes a new one.
        """
        with self.tolerant(), self._directory() as (directory, path):
            filelock = _filelock()
            # A new object each time: in a forked child filelock rejects one of the parent's.
            lock = filelock.FileLock(
                os.path.join(path, name + _LOCK), mode=_PRIVATE_FILE, fallback_to_soft=False
            )
            file, gone = name + _LOCK, contextlib.suppress(FileNotFoundError)
            try:
                until.enter_context(lock.acquire(timeout=0))
            except filelock.Timeout:
                with gone:
                    taken_at = os.stat(file, dir_fd=directory, follow_symlinks=False).st_mtime
                    if time.time() - taken_at > patience:
                        _unlink(file, directory)
                return False
            # From now on its age counts. It also keeps the sweep away from what is in use.
            with gone:
                os.utime(file, dir_fd=directory, follow_symlinks=False)
        return True

    def remove(self, name: str) -> None:
        """Remove all files of that name."""
        with self.tolerant(), self._directory() as (directory, _):
            for each in _listed(directory):
                if each.name.startswith(name):
                    _unlink(each.name, directory)

    @contextlib.contextmanager
    def tolerant(self) -> Iterator[None]:
        """Suppress any error, and say why the directory is not usable, once for each reason."""
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
        """Say why this process does not use the directory, or the entry of that name."""
        self._say(name and name + _ENTRY, reason)

    def _say(self, name: str, reason: str) -> None:
        known = self.ailing or reason in self._told
        self.ailing = True
        if not known:
            self._told.add(reason)
        log(
            logging.DEBUG if known else logging.WARNING,
            "The shared cache is not usable now, and this process calls STS itself. %s: %s.",
            quoted_path(os.path.join(self._path, name) if name else self._path),
            reason,
        )

    # -- the directory ---------------------------------------------------------------------------

    @contextlib.contextmanager
    def _directory(self) -> Iterator[tuple[int, str]]:
        """Open our directory, created if needed; yield its descriptor and its path."""
        self._path = path = self._place
        if not hasattr(os, "geteuid"):
            raise OSError(0, "this system has no owners of files that could be checked")
        with contextlib.ExitStack() as stack:
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

    def _write(self, name: str, content: bytes, lasts: float) -> None:
        temporary = f"{name}.{os.urandom(8).hex()}{_TEMPORARY}"
        with self._directory() as (directory, _):
            flags = _flags(os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            file = os.open(temporary, flags, _PRIVATE_FILE, dir_fd=directory)
            try:
                # No fsync: no process believes an entry after a restart of the machine.
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
        """Remove, once an hour, the files that no process can use any more."""
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
    """Open a directory; if there is none, create it with rights for this user alone."""
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
        reason = "it is not a directory, or a symbolic link"
    raise OSError(0, reason, path)


def _make_private(directory: int) -> None:
    """Check that a directory is ours alone, and take all rights from others."""
    found = os.fstat(directory)
    if found.st_uid != os.geteuid():
        raise OSError(0, f"it belongs to uid {found.st_uid}, not to this process's")
    if found.st_mode & _OTHERS_WRITE:
        raise OSError(0, f"others may write to it (mode {stat.S_IMODE(found.st_mode):04o})")
    if found.st_mode & _OTHERS:
        # filelock recreates the directory of a lock if it was removed, with the umask's rights.
        os.fchmod(directory, _PRIVATE_DIRECTORY)


def _check_parent(directory: int) -> None:
    """Check that the parent directory belongs to this user or to root.

    Any other owner could move our directory away and back, and so undo what was revoked meanwhile.
    """
    owner = os.stat("..", dir_fd=directory).st_uid
    if owner not in (0, os.geteuid()):
        raise OSError(0, f"uid {owner} owns its parent directory, and could move it away and back")


def _is_private(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & _OTHERS


@functools.cache
def _filelock() -> ModuleType:
    """Return the module, whose hooks at a fork come after ours."""
    module = FORKS.during(lambda: importlib.import_module("filelock"))
    FORKS.come_first()
    return module


def _flags(kind: int) -> int:
    # No open waits for a writer of a FIFO, or follows a symbolic link.
    return kind | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def _check_file(found: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise OSError(0, "it is not a regular file", name)
    if not _is_private(found):
        raise OSError(0, "it is not this user's alone", name)
    # It has no name at all when another process has just put a newer file in its place.
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
