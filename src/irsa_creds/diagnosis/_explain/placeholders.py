"""P02, P03: a Deny that protects nothing, because a placeholder was never replaced in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from irsa_creds._masking import quoted
from irsa_creds.diagnosis._explain.finding import Case, Found, split_key

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["placeholder_findings"]

# Neither ARNs nor hosts have these characters, and IAM has no variables in keys and principals.
_PLACEHOLDER = re.compile(r"[<>{}$%\[\]]")


def placeholder_findings(case: Case) -> Iterator[Found]:
    """Yield the placeholders for which a Deny does not apply to any token."""
    names = [name for _, name in case.statement.principals]
    keys = [test.key for test, truth in case.conditions() if truth is False]
    keys = [key for key in keys if _PLACEHOLDER.search(split_key(key)[0])]
    if all(_PLACEHOLDER.search(name) for name in names):
        message = f"denies nothing: its principal {quoted(names[0])} has a placeholder."
        yield case.found("P02", "warning", message, "Replace the placeholder.")
    if keys:
        message = f"denies nothing: its condition key {quoted(keys[0])} has a placeholder."
        yield case.found("P03", "warning", message, "Replace the placeholder.")
