"""Many identities that need their first credentials at once.

Args: how many.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import irsa_creds


def main(count: int) -> None:
    """Read all at once while STS does not respond; print how many threads that takes."""
    providers = [irsa_creds.provider(session_name=f"tenant-{n}") for n in range(count)]
    keys: list[str] = []
    threads = [
        threading.Thread(target=lambda each=each: keys.append(each.get(timeout=60).access_key_id))
        for each in providers
    ]
    before = threading.active_count()
    for each in threads:
        each.start()
    most = 0
    ends = time.monotonic() + 3
    while time.monotonic() < ends:
        most = max(most, threading.active_count() - before - sum(r.is_alive() for r in threads))
        time.sleep(0.01)
    Path(os.environ["GO_ON"]).touch()
    for each in threads:
        each.join(60)
    sys.stdout.write(f"{most} {len(set(keys))}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
