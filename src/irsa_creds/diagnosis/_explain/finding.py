"""`Finding`, the statement under examination (`Case`), and helpers to word a finding."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from irsa_creds._masking import clean_text, quoted
from irsa_creds.diagnosis._policy.patterns import matches

if TYPE_CHECKING:
    from irsa_creds.diagnosis._policy.evaluate import Judged, Judgement
    from irsa_creds.diagnosis._policy.logic import Truth
    from irsa_creds.diagnosis._policy.operators import Operator
    from irsa_creds.diagnosis._policy.parse import Condition, Policy, Statement
    from irsa_creds.diagnosis._policy.request import AccessRequest

__all__ = [
    "Case",
    "Change",
    "Finding",
    "Found",
    "Severity",
    "json_condition",
    "json_pair",
    "like_operator",
    "matches_wildcards",
    "quoted_if_odd",
    "quoted_list",
    "requires_value",
    "split_key",
]

Severity: TypeAlias = Literal["error", "warning", "info"]
#: Edits a copy of the policy document in place.
Change: TypeAlias = Callable[[dict[str, Any]], None]

_MOST_LISTED = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem of, or a remark about, a trust policy and a token.

    Attributes:
        id: P01 to P16, as in the table of the documentation.
        severity: "error" makes the policy deny the token; "warning" allows more identities than
            intended, or makes the verdict unknown; "info" explains.
        statement: the number of the statement, from 1; None for the policy as a whole.
        message: what is wrong and what would be correct.
        fix: lines to paste or a step to take; empty if there is nothing to fix.

    Everything in message and fix that looks like a token is masked. Characters that could control
    a terminal become "?".
    """

    id: str
    severity: Severity
    statement: int | None
    message: str
    fix: str = ""

    def __post_init__(self) -> None:
        # Names, keys and values of a policy are untrusted.
        object.__setattr__(self, "message", clean_text(self.message))
        object.__setattr__(self, "fix", "\n".join(map(clean_text, self.fix.split("\n"))))

    def as_dict(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return {
            "id": self.id,
            "severity": self.severity,
            "statement": self.statement,
            "message": self.message,
            "fix": self.fix,
        }


class Found(NamedTuple):
    """A finding, the change that may fix the policy, and the cause in a few words.

    An empty cause takes the usual one of the finding's id.
    """

    finding: Finding
    change: Change | None = None
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One statement of a policy with the request and the evaluator's judgement."""

    policy: Policy
    request: AccessRequest
    judgement: Judgement
    judged: Judged

    @property
    def statement(self) -> Statement:
        """Return the statement itself."""
        return self.judged.statement

    @property
    def index(self) -> int:
        """Return its index in the document."""
        return self.statement.index

    @property
    def name(self) -> str:
        """Return its name for the start of a sentence."""
        return f"Statement {quoted(self.statement.sid or self.index + 1)}"

    @property
    def applies(self) -> bool:
        """Return whether action and principal may match, without regard to conditions."""
        return self.judged.action is not False and self.judged.principal is not False

    def conditions(self) -> tuple[tuple[Condition, Truth], ...]:
        """Return its conditions, and whether each matches."""
        return self.judged.conditions

    def key(self, claim: str) -> str:
        """Return the condition key of a claim."""
        return f"{self.request.provider}:{claim}"

    def is_own(self, key: str) -> bool:
        """Return whether a condition key has the token's issuer as prefix."""
        return split_key(key)[0].lower() == self.request.provider.lower()

    def shown(self, key: str) -> str:
        """Return a condition key for a message: the claim alone if the issuer is the token's."""
        claim = split_key(key)[1]
        return quoted_if_odd(claim) if claim and self.is_own(key) else quoted(key)

    def found(
        self,
        id_: str,
        severity: Severity,
        message: str,
        fix: str = "",
        change: Change | None = None,
        *,
        cause: str = "",
    ) -> Found:
        """Return a finding with a message that begins with this statement's name."""
        message = f"{self.name} {message}"
        return Found(Finding(id_, severity, self.index + 1, message, fix), change, cause)


def requires_value(operator: Operator) -> bool:
    """Return whether an operator requires one of its values as text."""
    return operator.name.startswith(("String", "Arn")) and not operator.negated


def quoted_if_odd(text: str) -> str:
    """Return a key or claim for a message, in quotes if it has unusual characters."""
    return text if re.fullmatch(r"[\x21-\x7e]{1,300}", text) else quoted(text)


def like_operator(operator: str) -> str:
    """Return the operator that expands wildcards in the same values."""
    return re.sub(r"(?i)equals(ignorecase)?", "Like", operator)


def matches_wildcards(pattern: str, text: str) -> bool:
    """Return whether a text matches a policy's value with its wildcards expanded."""
    return matches(pattern.replace("\\", "\\\\"), text)


def split_key(key: str) -> tuple[str, str]:
    """Return prefix and claim of a condition key, split at the last colon."""
    prefix, _, claim = key.rpartition(":")
    return prefix, claim


def quoted_list(values: tuple[str, ...]) -> str:
    """Return the first few values, quoted, for a sentence."""
    few = ", ".join(quoted(value) for value in values[:_MOST_LISTED])
    more = len(values) - _MOST_LISTED
    return f"{few} and {more} more" if more > 0 else few or "(none)"


def json_pair(key: str, *values: str) -> str:
    """Return a key with its value or values as JSON, to paste."""
    return f"{json.dumps(key)}: {json.dumps(values[0] if len(values) == 1 else values)}"


def json_condition(operator: str, key: str, *values: str) -> str:
    """Return a condition as JSON, to paste."""
    return f"{json.dumps(operator)}: {{{json_pair(key, *values)}}}"
