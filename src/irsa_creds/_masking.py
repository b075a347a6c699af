"""Text without secrets, for messages, log lines and the shared cache."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "JWT",
    "LOG_LINE_LIMIT",
    "MESSAGE_LIMIT",
    "bare_url",
    "claims_fields",
    "clean_text",
    "cut_log_line",
    "echoes",
    "mask",
    "one_line",
    "printable",
    "quoted",
    "quoted_path",
    "safe_str",
]

#: The longest text of STS or of another error in a message, in characters.
MESSAGE_LIMIT = 600
#: The longest line of the log, in characters.
LOG_LINE_LIMIT = 300
# A signed token, complete or truncated, or an encrypted one, which has five segments. All of its
# characters are in the sensitive run below as well, so that no text takes long to search.
JWT = r"eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){1,4}"
_SENSITIVE = rf"{JWT}|[A-Za-z0-9+/=_%-]{{40,}}"  # secret keys and session tokens
# The ARNs in STS's messages, which are longer than a secret key.
_ARN = r"(?a:arn:aws[a-z-]{0,20}:(?:iam|sts)::\d{12}:[a-z-]{4,20}/[\w+=,.@/-]+)"
# A name in Kubernetes: no secret key of that length has only these characters.
_POD_NAME = r"[a-z0-9.-]{0,64}"
_SHORTEST_SECRET = 40
# A shorter piece of a secret reveals little, and may be an ordinary word.
_PIECE = 10
# A comparison ignores all but letters and digits, since a server may put anything between them. An
# encoded character such as %2F is ignored too.
_SEPARATORS = r"(?:%[0-9A-Fa-f]{2}|[\W_])+"
# The search for pieces ends after so many characters: it takes milliseconds.
_SEARCHED = 10 * MESSAGE_LIMIT
_LONGEST_QUOTE = 160
# A password may contain blanks and slashes, so everything up to the last @ may belong to it.
_PASSWORD_OR_JWT = rf"(?s)(?<=//).*@|{JWT}"
_LONGEST_FILE_NAME = 255  # on every common file system
_LONGEST_CLAIM = 200
_END_OF_TIME = 253_402_300_799  # the last second of the year 9999


def mask(text: str, *secrets: str) -> str:
    """Return `text` on one line, bounded, without `secrets`, their pieces and similar strings."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    text = re.sub(f"{_ARN}|{_SENSITIVE}", _masked, _without_userinfo(text))
    text = one_line(text, _SEARCHED)
    for secret in secrets:
        text = _without_pieces(text, secret)
    return one_line(text, MESSAGE_LIMIT)


def echoes(text: str, secrets: Iterable[str]) -> bool:
    """Whether `text` is a piece of a secret, or contains a piece."""
    return any(text in each or _without_pieces(text, each) != text for each in secrets)


def _without_pieces(text: str, secret: str) -> str:
    """Return `text` without any ten letters and digits in a row that are in `secret` too.

    Separators within a row are ignored, in both of them.
    """
    secret = re.sub(_SEPARATORS, "", secret)
    pieces = {secret[i : i + _PIECE] for i in range(len(secret) - _PIECE + 1)}
    positions = [i for run in _runs(text) for i in run]
    plain = "".join([text[i] for i in positions])
    kept: list[str] = []
    end = covered = 0
    for i in range(len(plain) - _PIECE + 1):
        if plain[i : i + _PIECE] in pieces:
            if i >= covered:
                kept += [text[end : positions[i]], "***"]
            covered = i + _PIECE
            end = positions[covered - 1] + 1
    return "".join(kept) + text[end:]


def _runs(text: str) -> Iterator[range]:
    """Yield the ranges of letters and digits between separators."""
    start = 0
    for separator in re.finditer(_SEPARATORS, text):
        yield range(start, separator.start())
        start = separator.end()
    yield range(start, len(text))


def _masked(found: re.Match[str]) -> str:
    """Return an ARN with any part that looks like a secret masked; for other text, three stars."""
    text = found[0]
    if not text.startswith("arn:"):
        return "***"
    _, *names = text.rpartition(":")[2].split("/")
    # A secret key may contain slashes.
    others = "/".join(name for name in names if not re.fullmatch(_POD_NAME, name))
    return re.sub(JWT if len(others) < _SHORTEST_SECRET else _SENSITIVE, "***", text)


def _without_userinfo(text: str) -> str:
    """Return `text` without the user and password of its URLs, which may contain slashes."""
    # Word by word: one expression for all would search for an @ after every pair of slashes.
    return re.sub(r"\S+", lambda word: _word_without_userinfo(word[0]), text)


def _word_without_userinfo(word: str) -> str:
    start, slashes, rest = word.partition("//")
    _, at, end = rest.rpartition("@")
    return f"{start}//***@{end}" if slashes and at else word


def bare_url(url: str) -> str:
    """Return a URL without user and password."""
    start, slashes, rest = url.partition("//")
    return f"{start}{slashes}{rest.rpartition('@')[2]}"


def one_line(text: str, limit: int) -> str:
    """Return `text` without line breaks and control characters, and no longer than `limit`."""
    text = " ".join(printable(text, " ").split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def printable(text: str, substitute: str = "?") -> str:
    """Return `text` with a substitute for each character that could control a terminal."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else substitute for each in text)


def clean_text(text: str) -> str:
    """Return text of an untrusted document on one line, without what looks like a token."""
    return printable(re.sub(JWT, "***", text))


def cut_log_line(record: logging.LogRecord) -> bool:
    """Cut the text of a log record at the limit, as a filter of the logger; drop no record."""
    text = record.getMessage()
    if len(text) > LOG_LINE_LIMIT:
        record.msg, record.args = one_line(text, LOG_LINE_LIMIT), None
    return True


def safe_str(error: BaseException) -> str:
    """Return an exception's message without strings that look like a secret."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an exception that cannot even be printed
        text = ""
    return mask(text).rstrip(".") or "(no message)"


def quoted(value: object) -> str:
    """Return `value` as messages show it: quoted, bounded, without passwords and tokens."""
    text = re.sub(_PASSWORD_OR_JWT, lambda m: "***@" if m[0].endswith("@") else "***", repr(value))
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 3] + "..."


def quoted_path(path: str) -> str:
    """Return a path as messages show it; for text that may be an opaque token, only its length."""
    if path and not re.search(r"[/\\]", path) and not os.path.exists(path):  # noqa: PTH110 - never raises
        return f"({len(path):,} characters, without a slash)"
    return quoted(re.sub(rf"[^/]{{{_LONGEST_FILE_NAME + 1},}}", "***", path))


def claims_fields(claims: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the claims that a failure shows, sanitized, as fields of `Failure`.

    Args:
        claims: not verified: types, lengths and characters are arbitrary.
    """
    given = claims or {}
    exp: Any = given.get("exp")
    # Not `isinstance`: True is an int. The range excludes NaN and dates that no calendar has.
    sound = type(exp) in {int, float} and 0 <= exp <= _END_OF_TIME
    return {
        **{name: _claim(given.get(name)) for name in ("iss", "sub", "aud")},
        "exp": float(exp) if sound else None,
    }


def _claim(value: object) -> str | None:
    if isinstance(value, list):
        value = ", ".join(each for each in value if isinstance(each, str))
    if not isinstance(value, str):
        return None
    # Not `mask`: a valid subject or issuer may be as long as a secret.
    return one_line(re.sub(JWT, "***", _without_userinfo(value)), _LONGEST_CLAIM) or None
