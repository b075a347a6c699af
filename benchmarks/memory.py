"""What the credentials of one more session cost in memory, over a session with static keys.

Each kind of session is made in a process of its own, one first and then many more, all kept. By the
process's resident memory: what OpenSSL and the like allocate counts too.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path

import botocore.session

import irsa_creds
from benchmarks._bench import Child, Row, children, pod_for
from benchmarks._measure import OURS, THEIRS
from irsa_creds.testing import Sandbox

_KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}
_STATIC = "static"
# Ours are so small that only many of them can be seen in pages of 4 kB.
_SESSIONS = {THEIRS: 20, OURS: 200, _STATIC: 200}
_MOST = 20.0


def run() -> list[Row]:
    """Measure."""
    kilobytes = {}
    with Sandbox() as sandbox:
        pod = pod_for(sandbox)
        for side in _SESSIONS:
            keys = _KEYS if side == _STATIC else {}
            with children(Child("benchmarks.memory", side, (), pod, **keys)) as (child,):
                child.go()
                kilobytes[side] = child.result()
    plain = kilobytes[_STATIC]
    theirs, ours = kilobytes[THEIRS] - plain, kilobytes[OURS] - plain
    note = f"the session itself: {plain:.0f} kB"
    what = "memory of a further session's credentials"
    return [Row(what, "kB", theirs, ours, f"< {_MOST:g}", ours < _MOST, note)]


def main(side: str) -> None:
    """Be the child."""
    print("ready", flush=True)
    sys.stdin.readline()
    kept = [_session(side) for _ in range(5)]
    gc.collect()
    before = _resident()
    kept += [_session(side) for _ in range(_SESSIONS[side])]
    gc.collect()
    print(json.dumps((_resident() - before) / 1024 / _SESSIONS[side]))


def _session(side: str) -> tuple[object, ...]:
    session = botocore.session.Session()
    if side == OURS:
        irsa_creds.install(session)
    credentials = session.get_credentials()
    credentials.get_frozen_credentials()
    return session, credentials


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main(sys.argv[1])
