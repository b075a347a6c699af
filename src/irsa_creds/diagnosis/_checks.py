"""What doctor's checks say: one sentence each, and how to mend what is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Check", "Diagnosis", "Group", "Status"]

Status = Literal["ok", "warn", "fail", "unknown", "skipped"]

_WORST_FIRST: tuple[Status, ...] = ("fail", "warn", "unknown", "ok", "skipped")

# Exit statuses of `irsa-creds doctor`.
ALL_WELL = 0
FAILED = 1
WARNED = 3
STS_NOT_REACHED = 4


class Group(NamedTuple):
    """The checks whose ids begin with the same letter."""

    letter: str
    title: str


_GROUPS = tuple(
    Group(*pair)
    for pair in (
        ("E", "environment"),
        ("F", "token file"),
        ("T", "token"),
        ("R", "role"),
        ("C", "credential chain"),
        ("V", "versions and region"),
        ("M", "manifest"),
        ("P", "trust policy"),
        ("N", "network"),
        ("S", "STS"),
    )
)


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found.

    Attributes:
        id: its stable name, like `E01`.
        status: `ok`, `warn`, `fail`, `unknown` (it cannot be told from here) or `skipped` (there
            is nothing to look at; the message says why).
        message: one sentence.
        fix: lines that can be pasted; empty where nothing is to be done.
        data: the facts behind it, as JSON takes them; never a secret.

    What a terminal would obey in message and fix is written as "?".
    """

    id: str
    status: Status
    message: str
    fix: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Names, paths and claims are anybody's.
        object.__setattr__(self, "message", _tame(self.message))
        object.__setattr__(self, "fix", "\n".join(map(_tame, self.fix.split("\n"))))

    def as_dict(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {
            "id": self.id,
            "status": self.status,
            "message": self.message,
            "fix": self.fix,
            "data": dict(self.data),
        }


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What all checks found, in the order of their groups.

    Attributes:
        checks: each check that doctor knows, whatever its status.
    """

    checks: tuple[Check, ...]

    def __getitem__(self, check_id: str) -> Check:
        """Return the check of that id; where it found several things, the worst of them.

        Raises:
            KeyError: there was no such check.
        """
        found = [check for check in self.checks if check.id == check_id]
        if not found:
            raise KeyError(check_id)
        return min(found, key=lambda check: _WORST_FIRST.index(check.status))

    def having(self, *statuses: Status) -> tuple[Check, ...]:
        """Return the checks with one of these statuses."""
        return tuple(check for check in self.checks if check.status in statuses)

    def groups(self) -> Iterator[tuple[Group, tuple[Check, ...]]]:
        """Yield each group that has checks, with them."""
        for group in _GROUPS:
            members = tuple(check for check in self.checks if check.id.startswith(group.letter))
            if members:
                yield group, members

    def counts(self) -> dict[Status, int]:
        """Return how many checks have each status."""
        return {status: len(self.having(status)) for status in _WORST_FIRST}

    def exit_status(self, *, strict: bool = False) -> int:
        """Return the exit status of the command.

        Args:
            strict: whether a warning counts.

        Returns:
            0 where all is well, 1 where a check failed, 3 where there are warnings and `strict`,
            4 where STS was not reached and nothing but that failed.
        """
        # Whether STS was reached, the checks on the way to it tell; whatever else fails is a fault.
        unreached = [check for check in self.checks if check.data.get("reached") is False]
        if any(check not in unreached for check in self.having("fail")):
            return FAILED
        if unreached:
            return STS_NOT_REACHED
        return WARNED if strict and self.having("warn") else ALL_WELL

    def as_dict(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {"schema": 1, "checks": [check.as_dict() for check in self.checks]}

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for check in self.checks:
            yield f"{check.id} {check.status}: {check.message}"
            yield from (f"    {line}" for line in check.fix.splitlines())


def _tame(line: str) -> str:
    """Return a line as a terminal may show it: no escapes, no direction of writing turned."""
    if line.isprintable():
        return line
    return "".join(each if each.isprintable() else "?" for each in line)
