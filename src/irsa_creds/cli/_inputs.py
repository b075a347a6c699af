"""Read the token and the policy for `explain`, from files or standard input."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from irsa_creds._errors import TokenError
from irsa_creds._identity.token import TokenFile
from irsa_creds._masking import quoted
from irsa_creds.cli._errors import UsageError

__all__ = ["STDIN", "policy_in", "token_in"]

STDIN = "-"
_LIMIT = 1024 * 1024
# A file name in the working directory: with an extension, or a plain word. No token looks so.
_NAME = r"(?a:[\w-]{1,40}\.(?:json|jwt|token|txt)|[a-z-]{1,16})"
_UNREADABLE = frozenset({"TokenFileMissing", "TokenFileUnreadable"})
_NO_TOKEN = "Use a file with a token, or --service-account and --issuer instead of a token."  # noqa: S105 - a sentence
_NO_POLICY = "Use a trust policy, or the output of: aws iam get-role --role-name ROLE > role.json"


def token_in(path: str) -> str:
    """Return the token in a file or on standard input.

    Raises:
        TokenError: the file does not contain a token.
        UsageError: it cannot be read.
    """
    if path == STDIN:
        return _read(path, "token", _NO_TOKEN).strip()
    message = ""
    try:
        # Messages show names with a slash; another name may be an opaque token.
        named = f"./{path}" if re.fullmatch(_NAME, path) else path
        return TokenFile(named).read().value
    except TokenError as error:
        # The advice for a pod applies only to the pod's own token file.
        of_pod = path == os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE")
        if of_pod or error.failure is None or error.failure.code not in _UNREADABLE:
            raise
        message = error.failure.message
    raise UsageError(f"{message} {_NO_TOKEN}")


def policy_in(path: str) -> str:
    """Return the text of a policy's file or of standard input.

    Raises:
        UsageError: it cannot be read, is too long, or is not text.
    """
    return _read(path, "policy", _NO_POLICY)


def _read(path: str, what: str, advice: str) -> str:
    """Return a file's text, or that of standard input."""
    try:
        if path == STDIN:
            if sys.stdin is None:
                raise UsageError(f"The {what} cannot be read: standard input is closed.")
            content = sys.stdin.buffer.read(_LIMIT + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(_LIMIT + 1)
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UsageError(f"The {what} {quoted(path)} cannot be read: {why}. {advice}") from None
    if len(content) > _LIMIT:
        raise UsageError(f"The {what} {quoted(path)} has more than {_LIMIT:,} bytes.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"The {what} {quoted(path)} is not UTF-8 text.") from None
