"""A pod on a fake clock: processes that share one directory and one scripted STS."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine_fakes import ROLE, Rig
from irsa_creds._engine import timing
from irsa_creds._engine.refresh import Refresh
from irsa_creds._engine.snapshot import Snapshot
from irsa_creds._identity.config import Config
from irsa_creds._shared_cache.shared_fetcher import SharedFetcher
from irsa_creds._shared_cache.store import Store, with_checksum

if TYPE_CHECKING:
    from pathlib import Path

    from irsa_creds._errors import Failure


def content_of(entry: Path) -> dict[str, Any]:
    """Return the content of an entry's file."""
    content: dict[str, Any] = json.loads(entry.read_bytes().partition(b"\n")[2])
    return content


def change(entry: Path, **changes: object) -> None:
    """Replace fields of an entry, with a valid checksum."""
    content = json.dumps({**content_of(entry), **changes}).encode()
    entry.write_bytes(with_checksum(entry.stem, content))


CONFIG = Config(role_arn=ROLE, session_name="pod", token_file="/token")


@dataclass
class Pod:
    """Processes of one pod: each a `SharedFetcher` of its own, all on one clock and one STS."""

    cache_dir: Path
    rig: Rig
    config: Config = CONFIG

    def process(self) -> SharedFetcher:
        """Return the fetcher of one more process."""
        # A new process has not logged any warning yet.
        Store.at.cache_clear()
        here = self.rig
        return SharedFetcher(self.config, here.fetcher, here.clock, str(self.cache_dir))

    def refresh(self, current: Snapshot | None = None) -> Refresh:
        """Return a claimed refresh: in the background while credentials are valid."""
        now = self.rig.clock.now()
        left = (current or Snapshot.nothing()).left(now)
        refresh = Refresh(
            blocking=left <= 0,
            created_at=now,
            seconds=timing.background_seconds(left) if left > 0 else timing.BLOCKING_SECONDS,
            attempts=1 if left > 0 else timing.BLOCKING_ATTEMPTS,
        )
        assert refresh.claim(now)
        return refresh

    def fetch(self, process: SharedFetcher, current: Snapshot | None = None) -> Snapshot | Failure:
        """Refresh for callers, or in the background while current credentials are valid."""
        return process.fetch(self.refresh(current), current or Snapshot.nothing())

    def fetched(self, process: SharedFetcher, current: Snapshot | None = None) -> Snapshot:
        outcome = self.fetch(process, current)
        assert isinstance(outcome, Snapshot), outcome
        return outcome

    def failed(self, process: SharedFetcher, current: Snapshot | None = None) -> Failure:
        outcome = self.fetch(process, current)
        assert not isinstance(outcome, Snapshot)
        return outcome

    def files(self, ending: str = "") -> list[Path]:
        return sorted(each for each in self.cache_dir.iterdir() if each.name.endswith(ending))

    @property
    def entry(self) -> Path:
        """The only entry in the directory."""
        (found,) = self.files(".json")
        return found
