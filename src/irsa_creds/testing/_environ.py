"""The variables that lead a program into the sandbox, and nowhere else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from irsa_creds.testing._pod import Pod

__all__ = ["environ_of", "is_of_aws"]

# With one of these a program would ask somebody else, or be somebody else. By name, since what
# the command line prints is for another terminal, whose variables it cannot know.
_ASTRAY = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_SESSION_NAME",
    "AWS_ENDPOINT_URL_S3",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "IRSA_CREDS_DISABLE",
)
_LOOPBACK = "127.0.0.1"


def is_of_aws(name: str) -> bool:
    """Whether a variable of that name sets up AWS's libraries, or this one."""
    return name.startswith(("AWS_", "IRSA_CREDS_"))


def environ_of(pod: Pod, outer: Mapping[str, str]) -> dict[str, str | None]:
    """Return the variables of a program of that pod on this machine; None is to be unset.

    Args:
        pod: whose program it is.
        outer: the variables that it has otherwise.
    """
    found: dict[str, str | None] = {
        **dict.fromkeys(_ASTRAY),
        # A pod has what the webhook gives it, and nothing of whoever sits at this machine.
        **dict.fromkeys(filter(is_of_aws, outer)),
        **pod.environ,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    if any(name.lower() in {"http_proxy", "https_proxy", "all_proxy"} for name in outer):
        direct = [outer.get("no_proxy") or outer.get("NO_PROXY"), _LOOPBACK]
        # Which of the two counts differs from one library to the next.
        found["NO_PROXY"] = found["no_proxy"] = ",".join(filter(None, direct))
    return found
