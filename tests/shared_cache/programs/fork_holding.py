"""Take a lock, fork a child that continues to run, and print both ids.

Args: the directory.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time

from irsa_creds._shared_cache.store import Store


def main(cache_dir: str) -> None:
    with contextlib.ExitStack() as stack:
        assert Store(cache_dir).lock("name", stack, 60.0)
        child = os.fork()
        if child:
            os.write(1, f"{os.getpid()} {child}\n".encode())
        # The test kills both processes.
        time.sleep(60)
        os._exit(0)


main(sys.argv[1])
