"""Facts about the token file: its token's claims, its owner and its mount."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, NamedTuple

from irsa_creds._errors import TokenError
from irsa_creds._identity.token import TokenFile
from irsa_creds._masking import quoted_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from irsa_creds._errors import Failure

__all__ = ["FileFacts", "Mount", "beginning_of", "gather_file"]

_JWT = r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"
_READ_LIMIT = 1024 * 1024


class Mount(NamedTuple):
    """The mount that contains a file (proc_pid_mountinfo(5)).

    Attributes:
        root: the mounted directory or file within its file system.
        point: the mount point.
    """

    root: str
    point: str


class FileFacts(NamedTuple):
    """Facts about the token file.

    Attributes:
        path: for messages.
        shell_word: for commands.
        real: the path without symlinks; empty if the file does not exist.
        failure: why there is no token; None if there is one.
        claims: not verified; None for an opaque token or without a token.
        shape: length and segments of the token, in words.
        jwt: whether the token has the format of a signed JWT (RFC 7515, section 7.1).
        padded: whether there are blanks or line ends around the token.
        owner: uid, gid and mode in words; empty if they cannot be read.
        nearest: the nearest parent directory that exists.
        mount: None if it is not known.
    """

    path: str
    real: str
    shell_word: str = ""
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
        """Whether the file is in a projected volume, by the kubelet's symlink `..data`."""
        return any(re.match(r"\.\.\d", part) for part in Path(self.real).parts)


def gather_file(path: str, mountinfo: str) -> FileFacts:
    """Return the facts about a token file.

    Args:
        path: as configured.
        mountinfo: the file with the list of mounts.
    """
    # No system call accepts a path with a NUL.
    harmless = path.replace("\0", "")
    real = os.path.realpath(harmless)
    seen = _seen(harmless)
    facts = FileFacts(
        # A path may be a token by mistake.
        quoted_path(path).strip("'"),
        "" if seen is None else real,
        owner="" if seen is None else _owner(seen),
        shell_word=_shell_word(path),
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


def _shell_word(path: str) -> str:
    """Return a path quoted for a shell, or the variable if the path must not be shown."""
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
    """Return the nearest parent directory that exists."""
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
    """Return the mount that contains `path`; of two with the same mount point, the later one."""
    over = [each for each in mounts if Path(path).is_relative_to(each.point)]
    return max(reversed(over), key=lambda each: len(each.point), default=None)


def beginning_of(path: str) -> str:
    """Return the beginning of a file as text; empty if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - bounded
            return file.read(_READ_LIMIT)
    except OSError:
        return ""
