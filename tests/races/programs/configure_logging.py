"""A log handler that reads credentials while `logging` is being configured, as one for a service
of AWS does: dictConfig holds a lock that every other thread's log call needs.
"""

from __future__ import annotations

import logging
import logging.config
import sys

import irsa_creds


class ShippingHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """A handler that reads credentials in its constructor."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)
        try:
            found = irsa_creds.provider().get(timeout=10).access_key_id
        except irsa_creds.IrsaError as error:
            found = type(error).__name__
        sys.stdout.write(f"{found}\n")


def main(before: str) -> None:
    """Configure logging, with or without a refresh in progress that needs the same lock."""
    if before == "prefetched":
        # Import all modules that a refresh needs.
        irsa_creds.provider().get()
        irsa_creds.provider().close()
    if before != "cold":
        irsa_creds.provider().prefetch()
    logging.config.dictConfig(
        {
            "version": 1,
            "handlers": {"ship": {"()": ShippingHandler}},
            "root": {"level": "WARNING", "handlers": ["ship"]},
        }
    )


if __name__ == "__main__":
    main(sys.argv[1])
