"""The web identity token: read again for every attempt, checked, and never shown."""

from __future__ import annotations

import base64
import codecs
import contextlib
import hashlib
import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from types import CoroutineType
from typing import TYPE_CHECKING, Any, NoReturn

from irsa_creds._errors import Failure
from irsa_creds._identity.validation import quoted_path
from irsa_creds._masking import safe_str

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Token", "TokenCall", "TokenFile", "claims_of"]

# STS's API reference, WebIdentityToken.
_LIMIT = 20_000
# Enough to see that a file is too long, whatever its characters are.
_READ_LIMIT = 4 * _LIMIT + 1
_SWAP_TRIES = 5
_BOMS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_JWT_SEGMENTS = 3


class Token:
    """A token as it goes to STS.

    A plain class: a frozen data class would be a fiftieth of what the first credentials take.

    Attributes:
        value: the secret itself.
        claims: what it says, not verified; None for an opaque token.
        fingerprint: SHA-256 of the value, to tell whether it changed.
        written: when its file was written; None where it came from a callable.
    """

    __slots__ = ("claims", "fingerprint", "value", "written")

    def __init__(self, value: str, written: datetime | None = None) -> None:
        self.value = value
        self.claims: Mapping[str, Any] | None = claims_of(value)
        self.fingerprint = hashlib.sha256(value.encode()).hexdigest()
        self.written = written

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may hold."""
        return (self.value,)

    def shape(self) -> str:
        """Return length and segments in words: all that may be told of a token's content."""
        return f"{len(self.value):,} characters, {self.value.count('.') + 1} segments"

    def __repr__(self) -> str:
        return f"<Token of {self.shape()}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Token does not pickle: secrets must not travel.")


def claims_of(value: str) -> dict[str, Any] | None:
    """Return the claims of a JWT without verifying it; None for anything else.

    Args:
        value: the token.
    """
    segments = value.split(".")
    if len(value) > _LIMIT or len(segments) != _JWT_SEGMENTS:
        return None
    payload = segments[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None


class TokenFile:
    """A token in a file, as the kubelet projects it.

    Args:
        path: the file; it need not exist yet.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def read(self) -> Token:
        """Return the token that the file holds now.

        Raises:
            TokenError: it is missing, cannot be read, or holds no token.
        """
        found = self._found()
        if isinstance(found, Failure):
            raise found.error()
        return found

    def signature(self) -> object | None:
        """Return what tells, cheaply, whether the file was changed; None where there is none."""
        try:
            seen = Path(self.path).stat()
        except (OSError, ValueError):
            return None
        # Mode and owner too: a chmod cures a file that could not be read.
        return (
            seen.st_dev,
            seen.st_ino,
            seen.st_mtime_ns,
            seen.st_size,
            seen.st_mode,
            seen.st_uid,
            seen.st_gid,
        )

    def _found(self) -> Token | Failure:
        # Not in `read`, which raises: its frame would keep the content for whoever shows locals.
        content = self._content()
        return content if isinstance(content, Failure) else self._checked(*content)

    def _content(self) -> tuple[bytes, float] | Failure:
        """Return bytes and time of the file, or why there are none."""
        for _ in range(_SWAP_TRIES):
            try:
                return self._open_and_read()
            # The kubelet swaps the directory `..data` below us: what was missing is there now.
            except (FileNotFoundError, NotADirectoryError):
                continue
            except PermissionError as error:
                return self._forbidden(error)
            except IsADirectoryError:
                return self._invalid("is a directory")
            except _NotAFile as error:
                return self._invalid(f"is {error}, not a file")
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                return _failure(
                    "TokenFileUnreadable",
                    f"The token file {quoted_path(self.path)} cannot be read: {reason}.",
                    retryable=True,
                )
        return _failure(
            "TokenFileMissing",
            f"The token file {quoted_path(self.path)} does not exist.",
            "Does the pod's service account carry the role's annotation, and was the pod made "
            "after it? Check AWS_WEB_IDENTITY_TOKEN_FILE and the volume that it points into.",
        )

    def _open_and_read(self) -> tuple[bytes, float]:
        # O_NONBLOCK: opening a FIFO would wait for somebody to write into it.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with open(self.path, "rb", opener=lambda path, _: os.open(path, flags)) as file:
            seen = os.fstat(file.fileno())
            if not stat.S_ISREG(seen.st_mode):
                raise _NotAFile("a FIFO" if stat.S_ISFIFO(seen.st_mode) else "a device")
            return file.read(_READ_LIMIT), seen.st_mtime

    def _checked(self, content: bytes, modified: float) -> Token | Failure:
        """Return the token in `content`, or why there is none."""
        if content.startswith(_BOMS):
            return self._invalid("begins with a byte order mark")
        try:
            value = content.decode().strip()
        except UnicodeDecodeError:
            return self._invalid("is not UTF-8 text")
        if not value:
            return _failure(
                "TokenFileEmpty",
                f"The token file {quoted_path(self.path)} is empty.",
                "Whoever writes it should write another file and rename it.",
                retryable=True,
                attempts=3,
            )
        trouble = _trouble(value)
        if trouble:
            return self._invalid(trouble)
        # A volume may tell a time that no calendar has.
        with contextlib.suppress(ValueError, OverflowError, OSError):
            return Token(value, datetime.fromtimestamp(modified, UTC))
        return Token(value)

    def _invalid(self, trouble: str) -> Failure:
        return _failure(
            "TokenFileInvalid",
            f"The token file {quoted_path(self.path)} {trouble}.",
            "It must hold a web identity token and nothing else.",
        )

    def _forbidden(self, error: PermissionError) -> Failure:
        """Return the failure of a file that exists for others: who asks, and whose it is."""
        try:
            seen = Path(self.path).stat()
            owner = f"uid {seen.st_uid}, gid {seen.st_gid}, mode {stat.S_IMODE(seen.st_mode):04o}"
        except OSError:
            owner = "in a directory that is closed to it"
        return _failure(
            "TokenFileUnreadable",
            f"The token file {quoted_path(self.path)} ({owner}) cannot be read by {_user()}: "
            f"{error.strerror}.",
            "Set securityContext.fsGroup in the pod's spec: the projected token is given to that "
            "group.",
        )


class TokenCall:
    """A token that the user's own code brings: GitHub Actions, GitLab, Vault, SPIFFE.

    Args:
        call: returns the token; it is called for every attempt, on the flight's thread.
    """

    def __init__(self, call: Callable[[], str]) -> None:
        self.call = call

    def read(self) -> Token:
        """Return the token that the callable brings now.

        Raises:
            TokenError: it raised, or what it returned is no token.
        """
        value = self._called()
        if isinstance(value, Failure):
            raise value.error()
        return value

    def signature(self) -> None:
        """Return None: whether a callable would bring something new is not known."""

    def _called(self) -> Token | Failure:
        try:
            value: object = self.call()
        except KeyboardInterrupt:
            raise
        # SystemExit and the cancellations of other frameworks would end the flight's thread.
        except BaseException as error:  # noqa: BLE001
            message = f"The token callable raised {type(error).__name__}: {safe_str(error)}."
            return _failure("TokenCallableFailed", message, retryable=True, bad_token=False)
        if isinstance(value, CoroutineType):
            value.close()
        if not isinstance(value, str):
            return _uncallable(f"returned a value of type {type(value).__name__}, not str")
        value = value.strip()
        trouble = _trouble(value) if value else "is empty"
        return _uncallable(f"returned a text that {trouble}") if trouble else Token(value)


class _NotAFile(Exception):  # noqa: N818 - never leaves this module
    """The path leads to something that is no regular file; the text says to what."""


def _trouble(value: str) -> str:
    """Return what is wrong with a token's text, as a predicate; empty where nothing is."""
    if len(value) > _LIMIT:
        return f"has more than {_LIMIT:,} characters, which STS does not take"
    if not value.isprintable():
        return "has line breaks or other characters that do not print inside"
    return ""


def _user() -> str:
    return f"uid {os.geteuid()}" if hasattr(os, "geteuid") else "this user"


def _uncallable(trouble: str) -> Failure:
    return _failure(
        "TokenCallableFailed",
        f"The token callable {trouble}.",
        "It must return the web identity token as text.",
        bad_token=False,
    )


def _failure(
    code: str,
    message: str,
    advice: str = "",
    *,
    retryable: bool = False,
    bad_token: bool = True,
    attempts: int = 0,
) -> Failure:
    return Failure(
        kind="token",
        code=code,
        message=message,
        advice=advice,
        retryable=retryable,
        bad_token=bad_token,
        attempts=attempts,
    )
