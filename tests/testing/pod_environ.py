"""What of the process's variables a pod is made of."""

from __future__ import annotations

import os

NOWHERE = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def there() -> dict[str, str]:
    """Return the variables of the process that set up AWS's libraries, or this one."""
    ours = ("AWS_", "IRSA_CREDS_")
    return {name: value for name, value in os.environ.items() if name.startswith(ours)}
