"""The environment variables that make a process a pod."""

from __future__ import annotations

import os

NO_CONFIG_FILES = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def aws_environ() -> dict[str, str]:
    """Return the process's variables that configure AWS's libraries or this one."""
    prefixes = ("AWS_", "IRSA_CREDS_")
    return {name: value for name, value in os.environ.items() if name.startswith(prefixes)}
