"""gevent that comes late: it patches threads after locks were made, which then let greenlets in."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["THREADS", "Threads"]

_log = logging.getLogger("irsa_creds")


class Threads:
    """What `threading` was when it was looked at last.

    A native lock belongs to a thread, and all greenlets of one would pass it together. There is no
    event to hear of, and gevent itself is not asked: it need not be installed.
    """

    def __init__(self) -> None:
        self._get_ident = threading.get_ident
        self._renewals: list[Callable[[], object]] = []

    def when_patched(self, renew: Callable[[], object]) -> None:
        """Have `renew` called when others than threads share what was made so far."""
        self._renewals.append(renew)

    def renew_if_patched(self) -> bool:
        """Make all locks anew where they were patched meanwhile, and say so once."""
        if threading.get_ident is self._get_ident:
            return False
        # First: whoever comes meanwhile must not do it again.
        self._get_ident = threading.get_ident
        for renew in self._renewals:
            renew()
        _log.warning(
            "gevent has patched threads after irsa_creds was imported: its locks are made anew, "
            "and a refresh that was under way is forgotten. Call gevent.monkey.patch_all() before "
            "any other import; with gunicorn --preload, in gunicorn.conf.py."
        )
        return True


THREADS = Threads()
