"""Environment variables that make a program use the sandbox and nothing else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from irsa_creds.testing._pod import Pod

__all__ = ["is_aws_variable", "pod_environ"]

# With one of these a program would call another endpoint or use another identity. The command line
# prints them all, because it cannot see which of them the other terminal has.
_ALWAYS_UNSET = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_SESSION_NAME",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_ENDPOINT_URL_S3",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "IRSA_CREDS_DISABLE",
)
_LOOPBACK = "127.0.0.1"


def is_aws_variable(name: str) -> bool:
    """Return whether a variable configures AWS's libraries or this one."""
    return name.startswith(("AWS_", "IRSA_CREDS_"))


def pod_environ(pod: Pod, outer: Mapping[str, str]) -> dict[str, str | None]:
    """Return the variables for a program of the pod on this machine; None means unset.

    Args:
        pod: the pod that the program belongs to.
        outer: the program's variables without the pod.
    """
    found: dict[str, str | None] = {
        **dict.fromkeys(_ALWAYS_UNSET),
        # A pod has the webhook's variables and none of this machine's user.
        **dict.fromkeys(filter(is_aws_variable, outer)),
        **pod.environ,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    if any(name.lower() in {"http_proxy", "https_proxy", "all_proxy"} for name in outer):
        no_proxy = [outer.get("no_proxy") or outer.get("NO_PROXY"), _LOOPBACK]
        # Libraries differ in which of the two they read.
        found["NO_PROXY"] = found["no_proxy"] = ",".join(filter(None, no_proxy))
    return found
