"""What the token's file says: its token's claims, whose it is, and what it is mounted from."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, NamedTuple

from irsa_creds._errors import TokenError
from irsa_creds._identity.token import TokenFile
from irsa_creds._identity.validation import quoted_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from irsa_creds._errors import Failure

__all__ = ["FileFacts", "Mount", "beginning_of", "gather_file"]

_JWT = r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"
_READ_LIMIT = 1024 * 1024


class Mount(NamedTuple):
    """The mount that a file is in (proc_pid_mountinfo(5)).

    Attributes:
        root: the directory, or file, of the file system that is mounted.
        point: where.
    """

    root: str
    point: str


class FileFacts(NamedTuple):
    """What is known of the token's file.

    Attributes:
        path: as messages may show it.
        word: as a command may have it.
        real: where its symlinks lead; empty where there is no such file.
        failure: why it brings no token; None where it does.
        claims: the token's, not verified; None for an opaque token, or none at all.
        shape: length and segments of the token, in words.
        jwt: whether the token has the letters and segments of a signed JWT (RFC 7515, section 7.1).
        padded: whether there are blanks or line ends around the token.
        owner: uid, gid and mode in words; empty where the file cannot be seen.
        nearest: the nearest directory above it that exists.
        mount: the one that it is in; None where that is not known.
    """

    path: str
    real: str
    word: str = ""
    failure: Failure | None = None
    claims: Mapping[str, Any] | None = None
    shape: str = ""
    jwt: bool = False
    padded: bool = False
    owner: str = ""
    nearest: str = "/"
    mount: Mount | None = None

    @property
    def projected(self) -> bool:
        """Whether it is in a volume that kubelet swaps as a whole, by its symlink `..data`."""
        return any(re.match(r"\.\.\d", part) for part in Path(self.real).parts)


def gather_file(path: str, mountinfo: str) -> FileFacts:
    """Return what is known of a token's file.

    Args:
        path: as it was given.
        mountinfo: the file in which Linux lists the mounts.
    """
    # A path with a NUL in it, which no system call takes.
    harmless = path.replace("\0", "")
    real = os.path.realpath(harmless)
    seen = _seen(harmless)
    facts = FileFacts(
        # A path may be a token that was put in its place.
        quoted_path(path).strip("'"),
        "" if seen is None else real,
        owner="" if seen is None else _owner(seen),
        word=_word(path),
        nearest=_nearest(harmless),
        mount=_mount_of(real, _mounts(mountinfo)),
    )
    try:
        token = TokenFile(path).read()
    except TokenError as error:
        return facts._replace(failure=error.failure)
    return facts._replace(
        claims=token.claims,
        shape=token.shape(),
        jwt=re.fullmatch(_JWT, token.value) is not None,
        padded=seen is not None and seen.st_size > len(token.value.encode()),
    )


def _word(path: str) -> str:
    """Return a path quoted for a shell; the variable in place of what must not be shown."""
    sound = path.isprintable() and quoted_path(path) == repr(path)
    return quote(path) if sound else '"$AWS_WEB_IDENTITY_TOKEN_FILE"'


def _seen(path: str) -> os.stat_result | None:
    try:
        return Path(path).stat()
    except (OSError, ValueError):
        return None


def _owner(seen: os.stat_result) -> str:
    return f"uid {seen.st_uid}, gid {seen.st_gid}, mode {stat.S_IMODE(seen.st_mode):04o}"


def _nearest(path: str) -> str:
    """Return the nearest directory above `path` that exists."""
    parents = Path(os.path.abspath(path)).parents  # noqa: PTH100 - it leaves symlinks alone
    return next((str(each) for each in parents if os.path.isdir(each)), "/")  # noqa: PTH112 - never raises


def _mounts(path: str) -> Iterator[Mount]:
    for line in beginning_of(path).splitlines():
        fields = line.split(" ")
        if len(fields) > 4:  # noqa: PLR2004 - root and mount point are the fourth and fifth
            yield Mount(*(re.sub(r"\\([0-7]{3})", _unescaped, field) for field in fields[3:5]))


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 8))


def _mount_of(path: str, mounts: Iterator[Mount]) -> Mount | None:
    """Return the mount that `path` is in; of two at the same place the later one is on top."""
    over = [each for each in mounts if Path(path).is_relative_to(each.point)]
    return max(reversed(over), key=lambda each: len(each.point), default=None)


def beginning_of(path: str) -> str:
    """Return the beginning of a file as text; empty where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - bounded
            return file.read(_READ_LIMIT)
    except OSError:
        return ""
