"""Read and check the web identity token, and never show it."""

from __future__ import annotations

import base64
import codecs
import contextlib
import hashlib
import json
import os
import stat
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from types import CoroutineType
from typing import TYPE_CHECKING, Any, NoReturn

from irsa_creds._errors import Failure, TokenError
from irsa_creds._masking import quoted_path, safe_str

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["GivenToken", "Token", "TokenCall", "TokenFile", "claims_of", "issuer_of_file"]

# STS's API reference, WebIdentityToken.
_LIMIT = 20_000
# Enough to see that a file is too long: a character of UTF-8 has up to four bytes.
_READ_LIMIT = 4 * _LIMIT + 1
_SWAP_TRIES = 5
_BOMS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_JWT_SEGMENTS = 3


class Token:
    """A token to send to STS.

    Not a frozen data class, because that alone is 2 % of the time to the first credentials.

    Attributes:
        value: the token.
        claims: its claims, not verified; None for an opaque token.
        fingerprint: SHA-256 of the value, to see whether it changed.
        written: when its file was written; None if a callable returned it.
    """

    __slots__ = ("claims", "fingerprint", "value", "written")

    def __init__(self, value: str, written: datetime | None = None) -> None:
        self.value = value
        self.claims: Mapping[str, Any] | None = claims_of(value)
        self.fingerprint = hashlib.sha256(value.encode()).hexdigest()
        self.written = written

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that no message may contain."""
        return (self.value,)

    def shape(self) -> str:
        """Return the number of characters and segments, which a message may show."""
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


class _TokenSource(ABC):
    """A source of tokens, each read of which may fail."""

    def read(self) -> Token:
        """Return the current token.

        Raises:
            TokenError: there is none, or it cannot be read.
        """
        found = self._read()
        if isinstance(found, Failure):
            raise found.error()
        return found

    def version(self) -> object | None:
        """Return what changes with the token; None: only reading it shows whether it changed."""
        return None

    # Apart from `read`, which raises: a traceback that shows local variables would otherwise show
    # the content.
    @abstractmethod
    def _read(self) -> Token | Failure:
        """Return the current token, or why there is none."""


class TokenFile(_TokenSource):
    """A token in a file, as the kubelet projects it.

    Args:
        path: the file; it need not exist yet.
    """

    #: Advice if the file does not exist, and if its content is not a token.
    MISSING = (
        "Check that the pod's service account has the annotation eks.amazonaws.com/role-arn, "
        "that the pod was created after it, and that AWS_WEB_IDENTITY_TOKEN_FILE is a path in "
        "a mounted volume."
    )
    CONTENT = "It must contain a web identity token and nothing else."

    def __init__(self, path: str) -> None:
        self.path = path

    def version(self) -> object | None:
        """Return the file's metadata, which change if it was written again; None without a file."""
        try:
            seen = os.stat(self.path)
        except (OSError, ValueError):
            return None
        # Mode and owner too: chmod can make a file readable.
        return (
            seen.st_dev,
            seen.st_ino,
            seen.st_mtime_ns,
            seen.st_size,
            seen.st_mode,
            seen.st_uid,
            seen.st_gid,
        )

    def _read(self) -> Token | Failure:
        for _ in range(_SWAP_TRIES):
            try:
                found = self._open_and_read()
            # The kubelet replaces the directory `..data` meanwhile: the next try finds the file.
            except (FileNotFoundError, NotADirectoryError):
                continue
            except PermissionError as error:
                return self._not_permitted(error)
            except IsADirectoryError:
                return self._invalid("is a directory")
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                return self._failure(
                    "TokenFileUnreadable", f"cannot be read: {reason}", retryable=True
                )
            return found if isinstance(found, Failure) else self._checked(*found)
        return self._failure("TokenFileMissing", "does not exist", self.MISSING)

    def _open_and_read(self) -> tuple[bytes, float] | Failure:
        # O_NONBLOCK: opening a FIFO would otherwise wait for a writer.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with open(self.path, "rb", opener=lambda path, _: os.open(path, flags)) as file:
            seen = os.fstat(file.fileno())
            if stat.S_ISREG(seen.st_mode):
                return file.read(_READ_LIMIT), seen.st_mtime
        kind = "FIFO" if stat.S_ISFIFO(seen.st_mode) else "device"
        return self._invalid(f"is a {kind}, not a file")

    def _checked(self, content: bytes, modified: float) -> Token | Failure:
        if content.startswith(_BOMS):
            return self._invalid("begins with a byte order mark")
        try:
            value = content.decode().strip()
        except UnicodeDecodeError:
            return self._invalid("is not UTF-8 text")
        if not value:
            return self._failure(
                "TokenFileEmpty",
                "is empty",
                "A program that writes it should write another file and rename it.",
                retryable=True,
                attempts=3,
            )
        if trouble := _trouble(value):
            return self._invalid(trouble)
        # A volume may report a time that is not in the calendar.
        with contextlib.suppress(ValueError, OverflowError, OSError):
            return Token(value, datetime.fromtimestamp(modified, UTC))
        return Token(value)

    def _invalid(self, trouble: str) -> Failure:
        return self._failure("TokenFileInvalid", trouble, self.CONTENT)

    def _not_permitted(self, error: PermissionError) -> Failure:
        try:
            seen = os.stat(self.path)
            owner = f"uid {seen.st_uid}, gid {seen.st_gid}, mode {stat.S_IMODE(seen.st_mode):04o}"
        except OSError:
            owner = "in a directory without permission"
        user = f"uid {os.geteuid()}" if hasattr(os, "geteuid") else "this user"
        return self._failure(
            "TokenFileUnreadable",
            f"({owner}) cannot be read by {user}: {error.strerror}",
            "Set securityContext.fsGroup in the pod's spec: that group then owns the token.",
        )

    def _failure(
        self,
        code: str,
        trouble: str,
        advice: str = "",
        *,
        retryable: bool = False,
        attempts: int = 0,
    ) -> Failure:
        return Failure(
            kind="token",
            code=code,
            message=f"The token file {quoted_path(self.path)} {trouble}.",
            advice=advice,
            retryable=retryable,
            bad_token=True,
            attempts=attempts,
        )


class GivenToken(_TokenSource):
    """A token that does not change.

    Args:
        value: the token; "" if there is none.
    """

    def __init__(self, value: str) -> None:
        self._token = Token(value)

    def _read(self) -> Token:
        return self._token


class TokenCall(_TokenSource):
    """A token that the user's code returns: GitHub Actions, GitLab, Vault, SPIFFE.

    Args:
        call: returns the token; each attempt calls it on the refresh's thread.
    """

    def __init__(self, call: Callable[[], str]) -> None:
        self.call = call

    def _read(self) -> Token | Failure:
        try:
            value: object = self.call()
        except KeyboardInterrupt:
            raise
        # SystemExit and the cancellations of other frameworks would end the refresh's thread.
        except BaseException as error:  # noqa: BLE001
            trouble = f"raised {type(error).__name__}: {safe_str(error)}"
            return self._failure(trouble, "", retryable=True)
        if isinstance(value, CoroutineType):
            value.close()
        if not isinstance(value, str):
            trouble = f"returned a value of type {type(value).__name__}, not str"
        else:
            value = value.strip()
            trouble = _trouble(value) if value else "is empty"
            if not trouble:
                return Token(value)
            trouble = f"returned a text that {trouble}"
        return self._failure(trouble, "It must return the web identity token as text.")

    def _failure(self, trouble: str, advice: str, *, retryable: bool = False) -> Failure:
        message = f"The token callable {trouble}."
        return Failure("token", "TokenCallableFailed", message, advice, retryable=retryable)


def issuer_of_file(path: str) -> str | None:
    """Return the issuer of the token in a file; None if there is none."""
    try:
        claims = TokenFile(path).read().claims or {}
    except TokenError:
        return None
    issuer = claims.get("iss")
    return issuer if isinstance(issuer, str) else None


def _trouble(value: str) -> str:
    """Return what is wrong with the text of a token, as a predicate; "" if it is valid."""
    if len(value) > _LIMIT:
        return f"has more than {_LIMIT:,} characters"
    return "" if value.isprintable() else "contains line breaks or other unprintable characters"
