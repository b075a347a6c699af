"""Fork one more reader for each line on standard input, and print its id.

A reader reads credentials until it is killed. It prints each new key with a hash of the three
values, and each error.

Each line: role and token file of the reader.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import signal
import sys
import time

import irsa_creds
from irsa_creds._engine.clock import SystemClock
from irsa_creds._registry import engine_of

_PAUSE = 0.02
# Seconds of a read after which its credentials may have expired since.
_SLOW = 1.0


def say(**report: object) -> None:
    """Write one line in one step: many processes write to the same pipe."""
    os.write(1, f"{json.dumps({'pid': os.getpid(), **report})}\n".encode())


def read_for_ever(role: str, token_file: str) -> None:
    provider = irsa_creds.provider(role_arn=role, token_file=token_file)
    clock = SystemClock()
    last: irsa_creds.Credentials | None = None
    # When the last credentials end. It is earlier than their expiry by the time of their STS call.
    end_of_use = 0.0
    while True:
        before = clock.now()
        try:
            found = provider.get()
        except irsa_creds.IrsaError as error:
            say(failed=str(error), while_valid=clock.now() < end_of_use, role=role)
            time.sleep(0.1)
            continue
        # The process may have been stopped after the read.
        if clock.now() - before < _SLOW and found.expiration.timestamp() <= time.time():
            say(wrong="expired", key=found.access_key_id, role=role)
        if last is None or found.access_key_id != last.access_key_id:
            text = f"{found.access_key_id} {found.secret_access_key} {found.session_token}"
            say(
                key=found.access_key_id,
                values=hashlib.sha256(text.encode()).hexdigest(),
                assumed=found.assumed_role_arn,
                role=role,
            )
        last, end_of_use = found, engine_of(provider).snapshot.end_of_use
        time.sleep(_PAUSE)


def main() -> None:
    gc.freeze()
    # No process waits for killed readers.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        role, token_file = line.split()
        pid = os.fork()
        if not pid:
            try:
                read_for_ever(role, token_file)
            finally:
                os._exit(1)
        say(started=pid, role=role)


main()
