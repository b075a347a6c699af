"""A private directory in which the processes of a pod exchange small files.

The methods of `Store` raise nothing: if the directory is not usable, one warning says so, and
reading finds nothing.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import re
import stat
import time
from typing import TYPE_CHECKING

from irsa_creds._engine.forks import FORKS
from irsa_creds._engine.this_thread import log
from irsa_creds._masking import quoted_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

__all__ = ["Store"]

_PRIVATE_DIRECTORY = 0o700
_PRIVATE_FILE = 0o600
_OTHERS = 0o077
_OTHERS_WRITE = 0o022
#: An entry has about 4 kB. A larger file is not an entry.
_LIMIT = 65_536
_ENTRY, _REVOKED, _LOCK, _TEMPORARY = ".json", ".revoked", ".lock", ".tmp"
_DAY = 86_400.0
# A file is removed this many seconds after its modification time, which for an entry is the end of
# its credentials. A write takes less than ten minutes; credentials last a week at most.
_GRACE = {_ENTRY: 600.0, _TEMPORARY: 600.0, _REVOKED: 8 * _DAY, _LOCK: 8 * _DAY}
#: All names are SHA-256 hashes. A directory that a user chose may hold other files as well.
_FILE_NAME = r"[0-9a-f]{64}(?:\.[0-9a-f]+)?\.(?:json|tmp|revoked|lock)"
_SWEEP_INTERVAL = 3_600.0


class Store:
    """Small files by name, each replaced as a whole, and locks.

    Args:
        directory: None: the container's directory for temporary files. If other users may look into
            it, a private directory inside it is used.
    """

    def __init__(self, directory: str | None = None) -> None:
        self._given = directory is not None
        # A program may change its working directory, or that may have been removed.
        with contextlib.suppress(OSError):
            if directory is None:
                directory = os.path.realpath(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 - checked
            else:
                directory = os.path.abspath(os.fsdecode(directory))
        self._root = directory or "."
        self._path = self._root  # the directory as it was opened last, for messages
        self._warned: set[str] = set()
        self._swept_at = float("-inf")
        #: Whether the directory was not usable when it was used last.
        self.failing = False

    @classmethod
    @functools.lru_cache(maxsize=256)
    def at(cls, directory: str | None) -> Store:
        """Return the store of a directory: one for all identities, so that each warns once."""
        return cls(directory)

    def read(self, name: str) -> bytes | None:
        """Return the content of the entry of that name; None if there is no usable one."""
        with self.catch_errors(), self._directory() as (directory, _):
            file_name = name + _ENTRY
            try:
                file = os.open(file_name, _flags(os.O_RDONLY), dir_fd=directory)
            except FileNotFoundError:
                return None
            try:
                _check_file(os.fstat(file), file_name)
                data = os.read(file, _LIMIT + 1)
            finally:
                os.close(file)
            content = data.partition(b"\n")[2]
            if data != with_checksum(name, content):
                raise OSError(0, "it is damaged", file_name)
            return content
        return None

    def write(self, name: str, content: bytes, lifetime: float) -> None:
        """Replace the entry of that name, in one step for all processes that read it.

        Args:
            name: the entry's.
            content: all of it.
            lifetime: seconds for which it is useful.
        """
        with self.catch_errors():
            temporary = f"{name}.{os.urandom(8).hex()}{_TEMPORARY}"
            with self._directory() as (directory, _):
                flags = _flags(os.O_WRONLY | os.O_CREAT | os.O_EXCL)
                file = os.open(temporary, flags, _PRIVATE_FILE, dir_fd=directory)
                try:
                    # No fsync: no process uses an entry of another boot of the machine.
                    with open(file, "wb") as opened:
                        opened.write(with_checksum(name, content))
                        opened.flush()
                        end = time.time() + lifetime
                        os.utime(file, (end, end))
                    os.rename(temporary, name + _ENTRY, src_dir_fd=directory, dst_dir_fd=directory)
                except BaseException:
                    _unlink(temporary, directory)
                    raise
                self.failing = False
                self._sweep(directory)

    def revoke(self, access_key_id: str) -> None:
        """Record for all processes that this key was revoked.

        It is a separate file: a process that replaces the entry at the same time would lose it.
        """
        with self.catch_errors(), self._directory() as (directory, _):
            flags = _flags(os.O_WRONLY | os.O_CREAT)
            os.close(os.open(_revoked(access_key_id), flags, _PRIVATE_FILE, dir_fd=directory))

    def is_revoked(self, access_key_id: str) -> bool:
        """Whether a process revoked this key."""
        absent = contextlib.suppress(FileNotFoundError)
        with self.catch_errors(), self._directory() as (directory, _), absent:
            os.stat(_revoked(access_key_id), dir_fd=directory, follow_symlinks=False)
            return True
        return False

    def lock(self, name: str, stack: contextlib.ExitStack, patience: float) -> bool:
        """Take a lock until the end of `stack`; return False while another process has it.

        On a file system without locks it returns True as well: each process calls STS itself.

        Args:
            name: the lock's.
            stack: releases the lock.
            patience: seconds after which the lock holder counts as suspended. Its lock file is then
                removed, so that its lock has no effect, and the next call takes a new one.
        """
        with self.catch_errors(), self._directory() as (directory, path):
            filelock = _filelock()
            # A new object each time: in a forked child filelock rejects one of the parent's.
            file, gone = name + _LOCK, contextlib.suppress(FileNotFoundError)
            lock = filelock.FileLock(
                os.path.join(path, file), mode=_PRIVATE_FILE, fallback_to_soft=False
            )
            try:
                stack.enter_context(lock.acquire(timeout=0))
            except filelock.Timeout:
                with gone:
                    taken_at = os.stat(file, dir_fd=directory, follow_symlinks=False).st_mtime
                    if time.time() - taken_at > patience:
                        _unlink(file, directory)
                return False
            # This stores when it was taken, and keeps a lock in use from being removed as old.
            with gone:
                os.utime(file, dir_fd=directory, follow_symlinks=False)
        return True

    def remove(self, name: str) -> None:
        """Remove all files of that name."""
        with self.catch_errors(), self._directory() as (directory, _):
            for each in _files(directory):
                if each.name.startswith(name):
                    _unlink(each.name, directory)

    @contextlib.contextmanager
    def catch_errors(self) -> Iterator[None]:
        """Turn any error into a warning."""
        try:
            yield
        except OSError as error:
            file = error.filename if isinstance(error.filename, str) else ""
            self.warn(error.strerror or type(error).__name__, file)
        except Exception as error:  # noqa: BLE001 - the cache never makes a refresh fail
            self.warn(type(error).__name__)

    def warn(self, reason: str, file: str = "") -> None:
        """Log why the directory or a file in it is not usable, once for each reason."""
        known = self.failing or reason in self._warned
        self.failing = True
        if not known:
            self._warned.add(reason)
        log(
            logging.DEBUG if known else logging.WARNING,
            "The shared cache is not usable now, and this process calls STS itself. %s: %s.",
            quoted_path(os.path.join(self._path, file) if file else self._path),
            reason,
        )

    # -- the directory ---------------------------------------------------------------------------

    @contextlib.contextmanager
    def _directory(self) -> Iterator[tuple[int, str]]:
        """Open the private directory, created if needed; yield its descriptor and its path."""
        self._path = path = self._root
        if not hasattr(os, "geteuid"):
            raise OSError(0, "this system has no owners of files that could be checked")
        with contextlib.ExitStack() as stack:
            found = _open_or_create(path, None) if self._given else _open_directory(path, None)
            stack.callback(os.close, found)
            if not self._given or not _is_private(os.fstat(found)):
                own = f"irsa-creds-{os.geteuid()}"
                found = _open_or_create(own, found)
                stack.callback(os.close, found)
                self._path = path = os.path.join(path, own)
                _make_private(found)
            _check_parent(found)
            yield found, path

    def _sweep(self, directory: int) -> None:
        """Remove, once an hour, the files that no process can use any more."""
        now = time.monotonic()
        if now - self._swept_at < _SWEEP_INTERVAL:
            return
        self._swept_at = now
        for each in _files(directory):
            with contextlib.suppress(FileNotFoundError):
                age = time.time() - each.stat(follow_symlinks=False).st_mtime
                if age > _GRACE[os.path.splitext(each.name)[1]]:
                    _unlink(each.name, directory)


def with_checksum(name: str, content: bytes) -> bytes:
    """Return the content below a line with a checksum over it and its name."""
    return f"irsa-creds {_hash(name.encode() + content)}\n".encode() + content


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _revoked(access_key_id: str) -> str:
    return _hash(access_key_id.encode()) + _REVOKED


def _open_or_create(path: str, inside: int | None) -> int:
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
    """Check that the directory belongs to this user, and remove all rights of others."""
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

    Another owner could move the directory away and back, and so undo a revocation.
    """
    owner = os.stat("..", dir_fd=directory).st_uid
    if owner not in (0, os.geteuid()):
        raise OSError(0, f"uid {owner} owns its parent directory, and could move it away and back")


def _is_private(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & _OTHERS


@functools.cache
def _filelock() -> ModuleType:
    """Import filelock, so that its fork hooks run after the hooks of irsa-creds."""
    module: ModuleType = FORKS.import_module("filelock")
    FORKS.register_again()
    return module


def _flags(kind: int) -> int:
    # No open waits for a writer of a FIFO, or follows a symbolic link.
    return kind | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def _check_file(found: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise OSError(0, "it is not a regular file", name)
    if not _is_private(found):
        raise OSError(0, "other users have access to it", name)
    # There is no link at all if another process has just replaced the file.
    if found.st_nlink > 1:
        raise OSError(0, "it has another name as well", name)
    if found.st_size > _LIMIT:
        raise OSError(0, "it is too large", name)


def _files(directory: int) -> list[os.DirEntry[str]]:
    with os.scandir(directory) as found:
        return [each for each in found if re.fullmatch(_FILE_NAME, each.name)]


def _unlink(name: str, directory: int) -> None:
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=directory)
