"""What `doctor --online` finds, by the ids of its checks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from irsa_creds.diagnosis._network.gather import OnlineFacts, gather_online
from irsa_creds.diagnosis._network.network_checks import online_checks

if TYPE_CHECKING:
    from irsa_creds.diagnosis._checks import Check

__all__ = ["checked"]


def checked(facts: OnlineFacts | None = None) -> dict[str, Check]:
    found = gather_online(os.environ) if facts is None else facts
    return {check.id: check for check in online_checks(found)}
