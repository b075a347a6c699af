"""Find out why STS denies: evaluate a trust policy, and check a pod or a manifest.

May import: `_exchange` and below.

Imports inside of functions, and the milliseconds that they save a process that does not need them:

    doctor     47   __init__: `doctor`
    _network  109   _doctor.doctor: `online=True`
    yaml        7   _manifest.parse: a manifest, if the extra `manifest` is installed
"""

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
    # `explain` does not need the imports of `doctor`.
    from irsa_creds.diagnosis._doctor.doctor import doctor  # noqa: PLC0415

    return doctor
