"""Why STS refuses: trust policies and facts about a pod, explained."""

from __future__ import annotations

from irsa_creds.diagnosis._checks import Check, Diagnosis
from irsa_creds.diagnosis._doctor import doctor
from irsa_creds.diagnosis._explain import Explanation, Finding, explain
from irsa_creds.diagnosis._policy import PolicyError

__all__ = [
    "Check",
    "Diagnosis",
    "Explanation",
    "Finding",
    "PolicyError",
    "doctor",
    "explain",
]
