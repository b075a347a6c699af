"""Why STS refuses: trust policies and facts about a pod, explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from irsa_creds.diagnosis._checks import Check, Diagnosis
from irsa_creds.diagnosis._explain.explain import Explanation, Finding, explain
from irsa_creds.diagnosis._policy.parse import PolicyError

if TYPE_CHECKING:
    from irsa_creds.diagnosis._doctor.doctor import doctor

__all__ = [
    "Check",
    "Diagnosis",
    "Explanation",
    "Finding",
    "PolicyError",
    "doctor",
    "explain",
]


def __getattr__(name: str) -> Any:
    if name != "doctor":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # It looks at all of a pod, of which `explain` needs nothing.
    from irsa_creds.diagnosis._doctor.doctor import doctor  # noqa: PLC0415

    return doctor
