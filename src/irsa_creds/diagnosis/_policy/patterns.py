"""Wildcards and policy variables of IAM.

In a pattern, `*` and `?` are wildcards and a backslash escapes the next character. Values of
variables, and `${*}`, are escaped and thus no wildcards.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from irsa_creds.diagnosis._policy.logic import UNKNOWN, Unknown

if TYPE_CHECKING:
    from irsa_creds.diagnosis._policy.logic import Lookup

__all__ = ["escaped", "expanded", "literal", "matches"]

_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_DEFAULT = re.compile(r"(?s)([^',]*),\s*'(.*)'\s*")


def expanded(text: str, lookup: Lookup | None) -> str | Unknown | None:
    """Return a policy's text as a pattern with its variables replaced.

    Source: "IAM policy elements: Variables and tags", IAM User Guide: a text with a variable that
    has no value matches nothing, and a multivalued key cannot be a variable.

    Args:
        text: a condition's value or a resource, as written in the policy.
        lookup: returns the values of a condition key; None if the policy's version has no
            variables.

    Returns:
        A pattern; None if a variable has no value, UNKNOWN if only AWS knows it.
    """
    if lookup is None:
        return text.replace("\\", "\\\\")
    done: list[str] = []
    end = 0
    unknown = False
    for found in _VARIABLE.finditer(text):
        value = _value(found[1], lookup)
        if value is None:
            return None
        if isinstance(value, Unknown):
            unknown = True
        else:
            done += [text[end : found.start()].replace("\\", "\\\\"), escaped(value)]
        end = found.end()
    return UNKNOWN if unknown else "".join([*done, text[end:].replace("\\", "\\\\")])


def _value(name: str, lookup: Lookup) -> str | Unknown | None:
    """Return the value of the variable `${name}`."""
    if name in {"*", "?", "$"}:
        return name
    default = None
    if "," in name:
        parts = _DEFAULT.fullmatch(name)
        if parts is None:
            return UNKNOWN
        name, default = parts[1], parts[2]
    if not name.strip():
        return UNKNOWN
    values = lookup(name.strip())
    if values is None:
        return default
    return values[0] if isinstance(values, tuple) and len(values) == 1 else UNKNOWN


def escaped(text: str) -> str:
    """Return the pattern that matches only `text`."""
    return re.sub(r"[\\*?]", r"\\\g<0>", text)


def literal(pattern: str) -> str:
    """Return a pattern's text with its wildcards as plain characters."""
    return re.sub(r"(?s)\\(.)", r"\1", pattern)


def matches(pattern: str, text: str) -> bool:
    """Return whether the whole `text` matches: `*` is any text, `?` any one character.

    A regular expression with many `.*` can take exponential time. Finding the parts between the
    stars one by one, each as early as possible, takes at most the product of both lengths.
    """
    first, *rest = _parts(pattern)
    if not rest:
        return len(text) == first[1] and first[0].fullmatch(text) is not None
    *middle, last = rest
    if first[0].match(text) is None:
        return False
    at = first[1]
    for run, length in middle:
        found = run.search(text, at) if length <= len(text) - at else None
        if found is None:
            return False
        at = found.end()
    start = len(text) - last[1]
    return start >= at and last[0].match(text, start) is not None


@lru_cache(maxsize=1024)
def _parts(pattern: str) -> tuple[tuple[re.Pattern[str], int], ...]:
    """Return the parts between stars as expressions, each with its length in characters."""
    runs: list[list[str]] = [[]]
    for token in re.finditer(r"(?s)\\.|.", pattern):
        if token[0] == "*":
            runs.append([])
        else:
            runs[-1].append("." if token[0] == "?" else re.escape(token[0][-1]))
    return tuple((re.compile("".join(run), re.DOTALL), len(run)) for run in runs)
