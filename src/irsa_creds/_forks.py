"""What is done about a fork: before all that others do about it."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Hook = Callable[[], object]

__all__ = ["FORKS"]


class _Forks:
    """Hooks that are called at every fork, once each."""

    def __init__(self) -> None:
        self._hooks: tuple[Hook, Hook, Hook] | None = None
        self._registered = 0

    def call(self, *, before: Hook, in_parent: Hook, in_child: Hook) -> None:
        """Call these from now on, in place of any given before."""
        self._hooks = (before, in_parent, in_child)
        self.come_first()

    def come_first(self) -> None:
        """Be ahead of those that were registered meanwhile.

        Python calls the one registered last first, and ours may wait for a connection that is being
        opened. filelock 4 lets no second thread fork between its own two hooks (on Python 3.12 and
        later, `os.fork` raises RuntimeError there): it must not wait with us in between.
        """
        self._registered += 1
        hooks = [functools.partial(self._call, which, self._registered) for which in range(3)]
        if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
            os.register_at_fork(before=hooks[0], after_in_parent=hooks[1], after_in_child=hooks[2])

    def _call(self, which: int, registered: int) -> None:
        # Nothing takes back a registration: those of before only count as gone.
        if registered == self._registered and self._hooks is not None:
            self._hooks[which]()


FORKS = _Forks()
