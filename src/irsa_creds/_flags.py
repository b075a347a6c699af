"""The settings of this library in the environment; an invalid value warns and changes nothing."""

from __future__ import annotations

import logging
import os
import re
from functools import cache

__all__ = ["is_on", "number", "switch"]

_log = logging.getLogger("irsa_creds")
_ON = frozenset({"1", "true", "yes", "on"})
_OFF = frozenset({"0", "false", "no", "off", ""})


def switch(name: str, *, default: bool) -> bool:
    """Return whether the variable `name` is on; a value that is neither on nor off warns once.

    Args:
        name: such as `IRSA_CREDS_DISABLE`.
        default: the value if it is unset.
    """
    value = os.environ.get(name)
    found = is_on(value)
    if found is not None:
        return found
    if value is not None:
        _warn(name, value, "neither 1 nor 0", "on" if default else "off")
    return default


def is_on(value: str | None) -> bool | None:
    """Return whether the value of a switch is on; None if it is unset, or neither on nor off."""
    word = None if value is None else value.strip().lower()
    return True if word in _ON else False if word in _OFF else None


def number(name: str, *, default: int) -> int:
    """Return the value of the variable `name`, a whole number above 0; another value warns once.

    Args:
        name: `IRSA_CREDS_MAX_PROVIDERS` or `IRSA_CREDS_MAX_REFRESHES`.
        default: the value if it is unset or empty.
    """
    value = os.environ.get(name, "")
    digits = value.strip()
    if not digits:
        return default
    if re.fullmatch("0*[1-9][0-9]{0,8}", digits):
        return int(digits)
    _warn(name, value, "not a whole number from 1 to 999999999", str(default))
    return default


@cache
def _warn(name: str, value: str, defect: str, default: str) -> None:
    _log.warning("%s=%r is %s. The default (%s) is used.", name, value[:40], defect, default)
