"""A provider with `keep_warm` in a forked child, read by a readiness probe only."""

from __future__ import annotations

import os
import sys
import time
import warnings

import irsa_creds

warnings.simplefilter("ignore", DeprecationWarning)


def states(provider: irsa_creds.Provider, seconds: float) -> list[str]:
    """Read the status until it is fresh after the parent's credentials have expired."""
    inherited = provider.status().last_success_at
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        status = provider.status()
        if status.last_success_at != inherited and status.state == "fresh":
            return ["fresh"]
        time.sleep(0.01)
    return [provider.status().state]


def main() -> None:
    """Fork beside a provider that no code reads; both processes continue."""
    provider = irsa_creds.provider(keep_warm=True)
    while provider.status().state == "empty":
        time.sleep(0.01)
    child = os.fork()
    sys.stdout.write(" ".join(["parent" if child else "child", *states(provider, 20)]) + "\n")
    sys.stdout.flush()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
