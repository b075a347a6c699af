"""Takes a lock, forks a child that lives on, and says both ids.

Args: the place.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time

from irsa_creds._shared_cache.store import Store


def main(place: str) -> None:
    with contextlib.ExitStack() as stack:
        assert Store(place).lock("name", stack, 60.0)
        child = os.fork()
        if child:
            os.write(1, f"{os.getpid()} {child}\n".encode())
        # Whoever started this ends it.
        time.sleep(60)
        os._exit(0)


main(sys.argv[1])
