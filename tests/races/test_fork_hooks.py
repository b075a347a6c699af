"""irsa-creds' fork hooks run before other hooks, and once."""

from __future__ import annotations

from fresh_interpreter import python

FORK = """
import os, sys
def fork():
    child = os.fork()
    if not child:
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)
"""
ORDER = """
from irsa_creds._engine.forks import FORKS
def noting(name):
    # In one write: parent and child may write at the same time.
    return lambda: os.write(1, f"{name} {os.getpid() == parent}, ".encode())
parent = os.getpid()
FORKS.set_hooks(before=noting("before"), in_parent=noting("in parent"), in_child=noting("in child"))
os.register_at_fork(before=noting("other"))
"""
TWO_THREADS = """
import tempfile, threading
from irsa_creds._engine.forks import FORKS
from irsa_creds._shared_cache.store import Store
from contextlib import ExitStack

with ExitStack() as until:
    assert Store(tempfile.mkdtemp()).lock("0" * 64, until, 5.0)
connected = threading.Event()
def exchange():
    FORKS.during(lambda: connected.wait(2))
exchanging = threading.Thread(target=exchange)
exchanging.start()
forked = []
forking = [threading.Thread(target=lambda: forked.append(fork())) for _ in range(2)]
for each in forking:
    each.start()
for each in forking:
    each.join()
connected.set()
exchanging.join()
print(len(forked))
"""


def test_hooks_registered_later_run_first() -> None:
    assert python(FORK + ORDER + "fork()").startswith("other True, before True, ")


def test_come_first_moves_them_to_the_front_and_they_still_run_once() -> None:
    lines = python(FORK + ORDER + "FORKS.register_again(); fork()").strip(" ,").split(", ")
    assert lines[:2] == ["before True", "other True"]
    assert sorted(lines[2:]) == ["in child False", "in parent True"]


def test_they_run_first_after_irsa_creds_imported_filelock() -> None:
    code = """
from irsa_creds._engine.forks import FORKS
from irsa_creds._shared_cache.store import _filelock
before = FORKS._registered
_filelock(), _filelock()
print(FORKS._registered - before)
"""
    assert python(code) == "1"


def test_two_threads_can_fork_at_once_while_a_third_calls_sts() -> None:
    warnings = "import warnings; warnings.simplefilter('ignore')\n"
    assert python(warnings + FORK + TWO_THREADS) == "2"
