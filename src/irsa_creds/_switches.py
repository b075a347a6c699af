"""Our own settings in the environment, which somebody may type at night."""

from __future__ import annotations

import logging
import os
from functools import cache

__all__ = ["switch"]

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
        _warn(name, value, "on" if default else "off")
        return default
    return word in _ON


@cache
def _warn(name: str, value: str, stays: str) -> None:
    _log.warning("%s is %r, which is neither 1 nor 0: it stays %s.", name, value[:40], stays)
