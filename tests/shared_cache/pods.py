"""A pod on a fake clock: one place, one STS of a script, and the processes that share both."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine_fakes import ROLE, Rig
from irsa_creds._engine import policy
from irsa_creds._engine.policy import Snapshot
from irsa_creds._engine.refresh import Refresh
from irsa_creds._identity.config import Config
from irsa_creds._shared_cache.entry import VERSION, seal
from irsa_creds._shared_cache.shared_fetcher import SharedFetcher
from irsa_creds._shared_cache.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from irsa_creds._errors import Failure


def content_of(entry: Path) -> dict[str, Any]:
    """Return what an entry's file holds."""
    content: dict[str, Any] = json.loads(entry.read_bytes().partition(b"\n")[2])
    return content


def change(entry: Path, version: int = VERSION, **changes: object) -> None:
    """Write a whole entry that says something else."""
    entry.write_bytes(seal(version, json.dumps({**content_of(entry), **changes}).encode()))


CONFIG = Config(role_arn=ROLE, session_name="pod", token_file="/token")


@dataclass
class Pod:
    """Processes of one pod: each a `SharedFetcher` of its own, all on one clock and one STS."""

    place: Path
    rig: Rig
    config: Config = CONFIG

    def process(self) -> SharedFetcher:
        """Return what one more process has."""
        # As a process of its own would, it knows nothing of what others have met in the place.
        Store.at.cache_clear()
        here = self.rig
        return SharedFetcher(self.config, here.pilot, here.clock, str(self.place))

    def refresh(self, held: Snapshot | None = None) -> Refresh:
        """Return a claimed refresh for callers, or for the background where credentials last."""
        now = self.rig.clock.now()
        left = (held or Snapshot.nothing()).left(now)
        refresh = Refresh(
            blocking=left <= 0,
            created_at=now,
            seconds=policy.background_seconds(left) if left > 0 else policy.BLOCKING_SECONDS,
            attempts=1 if left > 0 else policy.BLOCKING_ATTEMPTS,
        )
        assert refresh.claim(now)
        return refresh

    def fetch(self, process: SharedFetcher, held: Snapshot | None = None) -> Snapshot | Failure:
        """Refresh for callers, or for the background where something is held that lasts."""
        return process.fetch(self.refresh(held), held or Snapshot.nothing())

    def brought(self, process: SharedFetcher, held: Snapshot | None = None) -> Snapshot:
        outcome = self.fetch(process, held)
        assert isinstance(outcome, Snapshot), outcome
        return outcome

    def refused(self, process: SharedFetcher, held: Snapshot | None = None) -> Failure:
        outcome = self.fetch(process, held)
        assert not isinstance(outcome, Snapshot)
        return outcome

    def files(self, ending: str = "") -> list[Path]:
        return sorted(each for each in self.place.iterdir() if each.name.endswith(ending))

    @property
    def entry(self) -> Path:
        """The one entry of the place."""
        (found,) = self.files(".json")
        return found
