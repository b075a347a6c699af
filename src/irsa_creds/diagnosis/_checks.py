"""The results of doctor: `Check` and `Diagnosis`, with their exit status and JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from irsa_creds._masking import printable

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
    """Checks with the same first letter in their ids."""

    letter: str
    title: str


_GROUPS = (
    Group("E", "environment"),
    Group("A", "container credentials"),
    Group("F", "token file"),
    Group("T", "token"),
    Group("R", "role"),
    Group("C", "credential provider chain"),
    Group("V", "versions and region"),
    Group("M", "manifest"),
    Group("P", "trust policy"),
    Group("N", "network"),
    Group("S", "STS"),
)


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check.

    Attributes:
        id: a stable name such as `E01`.
        status: `ok`, `warn`, `fail`, `unknown` (cannot be decided here) or `skipped` (not
            applicable; the message says why).
        message: one sentence.
        fix: lines to paste; empty if there is nothing to fix.
        data: the facts for JSON, without secrets.

    Characters in message and fix that could control a terminal become "?".
    """

    id: str
    status: Status
    message: str
    fix: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Names, paths and claims are untrusted.
        object.__setattr__(self, "message", printable(self.message))
        object.__setattr__(self, "fix", "\n".join(map(printable, self.fix.split("\n"))))

    def as_dict(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return {
            "id": self.id,
            "status": self.status,
            "message": self.message,
            "fix": self.fix,
            "data": dict(self.data),
        }


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The results of all checks, in the order of their groups.

    Attributes:
        checks: every check of doctor, with any status.
    """

    checks: tuple[Check, ...]

    def __getitem__(self, check_id: str) -> Check:
        """Return the check with this id; of several results, the worst.

        Raises:
            KeyError: no check has this id.
        """
        found = [check for check in self.checks if check.id == check_id]
        if not found:
            raise KeyError(check_id)
        return min(found, key=lambda check: _WORST_FIRST.index(check.status))

    def having(self, *statuses: Status) -> tuple[Check, ...]:
        """Return the checks with one of these statuses."""
        return tuple(check for check in self.checks if check.status in statuses)

    def groups(self) -> Iterator[tuple[Group, tuple[Check, ...]]]:
        """Yield each group that has checks, and its checks."""
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
            0 without failures, 1 if a check failed, 3 for warnings with `strict`, 4 if the only
            failure is that STS was not reached.
        """
        # The checks on the way to STS say in their data whether it was reached.
        unreached = [check for check in self.checks if check.data.get("reached") is False]
        if any(check not in unreached for check in self.having("fail")):
            return FAILED
        if unreached:
            return STS_NOT_REACHED
        return WARNED if strict and self.having("warn") else ALL_WELL

    def as_dict(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return {"schema": 1, "checks": [check.as_dict() for check in self.checks]}

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for check in self.checks:
            yield f"{check.id} {check.status}: {check.message}"
            yield from (f"    {line}" for line in check.fix.splitlines())
