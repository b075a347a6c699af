"""What a finding is, and what those who find things look at."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, cast

from irsa_creds._identity.validation import quoted
from irsa_creds._masking import JWT
from irsa_creds.diagnosis._policy.operators import operator_named
from irsa_creds.diagnosis._policy.patterns import matches

if TYPE_CHECKING:
    from irsa_creds.diagnosis._policy.evaluate import Judged, Judgement, Truth
    from irsa_creds.diagnosis._policy.operators import Operator
    from irsa_creds.diagnosis._policy.parse import Condition, Policy, Statement
    from irsa_creds.diagnosis._policy.request import Request

__all__ = [
    "Case",
    "Change",
    "Finding",
    "Found",
    "Severity",
    "as_pattern",
    "bare",
    "demands",
    "finding",
    "like",
    "listed",
    "operator_of",
    "pair",
    "split_key",
    "test",
]

Severity: TypeAlias = Literal["error", "warning", "info"]
#: Changes a policy's document, which is a copy, in place.
Change: TypeAlias = Callable[[dict[str, Any]], None]

_MOST_LISTED = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """What is worth knowing about a trust policy and a token.

    Attributes:
        id: which kind of thing it is: P01 to P12, the table of the documentation.
        severity: "error" makes the policy refuse the token; "warning" lets in more than it should,
            or leaves the answer open; "info" only explains.
        statement: the number of the statement, from 1; None: the policy as a whole.
        message: what is there and what would be right.
        fix: what to paste or to do; empty where nothing is to be done.
    """

    id: str
    severity: Severity
    statement: int | None
    message: str
    fix: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {
            "id": self.id,
            "severity": self.severity,
            "statement": self.statement,
            "message": self.message,
            "fix": self.fix,
        }


class Found(NamedTuple):
    """A finding, and the one change that may mend the policy."""

    finding: Finding
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One statement of a policy, what is asked of it, and how IAM sees it."""

    policy: Policy
    request: Request
    judgement: Judgement
    judged: Judged

    @property
    def statement(self) -> Statement:
        """Return the statement itself."""
        return self.judged.statement

    @property
    def index(self) -> int:
        """Return its place in the document, from 0."""
        return self.statement.index

    @property
    def name(self) -> str:
        """Return how a sentence begins with it."""
        return f"Statement {quoted(self.statement.sid or self.index + 1)}"

    @property
    def applies(self) -> bool:
        """Return whether it is about this exchange by this provider, conditions aside."""
        return self.judged.action is not False and self.judged.principal is not False

    def conditions(self) -> tuple[tuple[Condition, Truth], ...]:
        """Return its conditions, and whether each holds."""
        return self.judged.conditions

    def key(self, claim: str) -> str:
        """Return the condition key of a claim."""
        return f"{self.request.provider}:{claim}"

    def shown(self, key: str) -> str:
        """Return a condition key as a message has it: the issuer's by its claim alone."""
        prefix, claim = split_key(key)
        ours = prefix.lower() == self.request.provider.lower() and claim
        return bare(claim) if ours else quoted(key)

    def found(
        self,
        id_: str,
        severity: Severity,
        message: str,
        fix: str = "",
        change: Change | None = None,
    ) -> Found:
        """Return a finding about this statement, whose name begins the message."""
        said = f"{self.name} {message}"
        return Found(finding(id_, severity, self.index + 1, said, fix), change)


def finding(
    id_: str, severity: Severity, statement: int | None, message: str, fix: str = ""
) -> Finding:
    """Return a finding, without what may be a token in its words."""
    said, remedy = (re.sub(JWT, "***", text) for text in (message, fix))
    return Finding(id_, severity, statement, said, remedy)


def operator_of(condition: Condition) -> Operator:
    """Return a condition's operator in its parts."""
    # A policy with an operator that IAM does not know has not been parsed.
    return cast("Operator", operator_named(condition.operator))


def demands(operator: Operator) -> bool:
    """Return whether an operator asks for one of its values as text."""
    return operator.name.startswith(("String", "Arn")) and not operator.negated


def bare(text: str) -> str:
    """Return a key or a claim's name as a message has it: in quotes where it is an odd one."""
    return text if re.fullmatch(r"[\x21-\x7e]{1,300}", text) else quoted(text)


def as_pattern(operator: str) -> str:
    """Return the operator that takes the values of this one as patterns."""
    return re.sub(r"(?i)equals(ignorecase)?", "Like", operator)


def like(pattern: str, text: str) -> bool:
    """Return whether a policy's value, its wildcards meant as such, matches a text."""
    return matches(pattern.replace("\\", "\\\\"), text)


def split_key(key: str) -> tuple[str, str]:
    """Return what stands before a condition key's last colon, and what follows it."""
    prefix, _, claim = key.rpartition(":")
    return prefix, claim


def listed(values: tuple[str, ...]) -> str:
    """Return values as a sentence names them: quoted, and only the first few."""
    few = ", ".join(quoted(value) for value in values[:_MOST_LISTED])
    more = len(values) - _MOST_LISTED
    return f"{few} and {more} more" if more > 0 else few or "(none)"


def pair(key: str, *values: str) -> str:
    """Return a key and its value or values as JSON has them, to be pasted."""
    return f"{json.dumps(key)}: {json.dumps(values[0] if len(values) == 1 else values)}"


def test(operator: str, key: str, *values: str) -> str:
    """Return a condition as JSON has it, to be pasted."""
    return f"{json.dumps(operator)}: {{{pair(key, *values)}}}"
