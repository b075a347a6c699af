"""A pod on a fake clock: one place, one STS of a script, and the processes that share both."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from irsa_creds._config import Config
from irsa_creds._entry import VERSION, seal
from irsa_creds._flight import Flight
from irsa_creds._freshness import Snapshot
from irsa_creds._sharing import Sharing
from irsa_creds._store import Store
from kit import ROLE, Rig

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
    """Processes of one pod: each a `Sharing` of its own, all on one clock and one STS."""

    place: Path
    rig: Rig
    config: Config = CONFIG

    def process(self) -> Sharing:
        """Return what one more process has."""
        # As a process of its own would, it knows nothing of what others have met in the place.
        Store.at.cache_clear()
        here = self.rig
        return Sharing(self.config, here.pilot, here.clock, here.channel, str(self.place))

    def fly(self, process: Sharing, held: Snapshot | None = None) -> Snapshot | Failure:
        """Fly a flight of readers, or of the background where something is held that lasts."""
        held = held or Snapshot.nothing()
        now = self.rig.clock.now()
        left = held.left(now)
        flight = Flight.in_background(now, left) if left > 0 else Flight.for_readers(now)
        return process.fly(flight, held)

    def brought(self, process: Sharing, held: Snapshot | None = None) -> Snapshot:
        outcome = self.fly(process, held)
        assert isinstance(outcome, Snapshot), outcome
        return outcome

    def refused(self, process: Sharing, held: Snapshot | None = None) -> Failure:
        outcome = self.fly(process, held)
        assert not isinstance(outcome, Snapshot)
        return outcome

    def files(self, ending: str = "") -> list[Path]:
        return sorted(each for each in self.place.iterdir() if each.name.endswith(ending))

    @property
    def entry(self) -> Path:
        """The one entry of the place."""
        (found,) = self.files(".json")
        return found
