"""Our own settings in the environment, which somebody may type at night."""

from __future__ import annotations

import logging
import os
import re
from functools import cache

__all__ = ["number", "switch"]

_log = logging.getLogger("irsa_creds")
_ON = frozenset({"1", "true", "yes", "on"})
_OFF = frozenset({"0", "false", "no", "off", ""})


def switch(name: str, *, default: bool) -> bool:
    """Return whether the variable `name` is on; what is neither on nor off warns once.

    Args:
        name: `IRSA_CREDS_DISABLE` or `IRSA_CREDS_BACKGROUND`.
        default: what it is when it is unset.
    """
    value = os.environ.get(name)
    if value is None:
        return default
    word = value.strip().lower()
    if word not in _ON | _OFF:
        _warn(name, value, "neither 1 nor 0", "on" if default else "off")
        return default
    return word in _ON


def number(name: str, *, default: int) -> int:
    """Return the whole number above 0 that the variable `name` is; anything else warns once.

    Args:
        name: `IRSA_CREDS_MAX_PROVIDERS` or `IRSA_CREDS_MAX_REFRESHES`.
        default: what it is when it is unset or empty.
    """
    value = os.environ.get(name, "")
    digits = value.strip()
    if not digits:
        return default
    if re.fullmatch("0*[1-9][0-9]{0,8}", digits):
        return int(digits)
    _warn(name, value, "no whole number from 1 to 999999999", str(default))
    return default


@cache
def _warn(name: str, value: str, what: str, stays: str) -> None:
    _log.warning("%s is %r, which is %s: it stays %s.", name, value[:40], what, stays)
