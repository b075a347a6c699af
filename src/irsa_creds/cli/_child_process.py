"""A child process that stands in for this one: it gets the signals, and gives the exit status."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from irsa_creds.cli._errors import SIGNALLED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["end_on_signals", "run", "shielded"]

Result = TypeVar("Result")

# All that somebody may want to tell a program, real-time signals included: `serve` runs where some
# of them are missing.
_NAMES = ["SIGALRM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGWINCH"]
_REAL_TIME = range(getattr(signal, "SIGRTMIN", 0), getattr(signal, "SIGRTMAX", -1) + 1)
_PASSED = {getattr(signal, name) for name in _NAMES if hasattr(signal, name)} | {*_REAL_TIME}
_WAITED_FOR = _PASSED | {getattr(signal, "SIGCHLD", signal.SIGTERM)}
# What ends the command itself, if it is told so: a terminal that goes, or whoever started it.
_ENDING = {getattr(signal, name) for name in ("SIGHUP", "SIGTERM") if hasattr(signal, name)}
# As a shell reports it.
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


def end_on_signals() -> None:
    """Let SIGTERM and SIGHUP end this process by an exception, so that it cleans up after itself.

    The first process of a container would not even end without a handler: pid_namespaces(7).
    """

    def end(number: int, _: object) -> None:
        raise SystemExit(SIGNALLED + number)

    for number in _ENDING:
        # As nohup(1) wants it.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)


def shielded(work: Callable[[], Result]) -> Result:
    """Do `work` on a thread that no signal reaches, nor any thread that it starts.

    So all signals come to the main thread, which `run` needs, and which may be interrupted while it
    waits here.
    """
    future: Future[Result] = Future()

    def body() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            future.set_exception(error)

    before = signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED_FOR)
    try:
        threading.Thread(target=body, name="irsa-creds-start", daemon=True).start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return future.result()


def run(argv: Sequence[str], environ: Mapping[str, str]) -> tuple[int, str]:
    """Run a command to its end; return its exit status, and why it could not start if so.

    Call it in the main thread, with every other one `shielded`. Signals that somebody sends to this
    process are passed on. Those of a terminal's keyboard are not: the kernel gives them to the
    child as well, which is in the same process group. Orphans that come to this process, if it is
    the first one of a container, are buried.

    Args:
        argv: the command and its arguments; no shell is involved.
        environ: the child's whole environment.
    """
    early: list[int] = []
    for number in _PASSED:
        # What was ignored when we came stays so, for the child too: nohup(1).
        if signal.getsignal(number) is not signal.SIG_IGN:
            # Not blocked yet: the child would inherit that, but not a handler.
            signal.signal(number, lambda received, _: early.append(received))
    # Where it is ignored, the kernel itself would reap the child, with its status.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        # Descriptors that a shell has opened for the command are its own; those of this process are
        # closed all the same: PEP 446.
        child = subprocess.Popen(argv, env=environ, close_fds=False)  # noqa: S603 - the user's own
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        return (_NOT_FOUND if missing else _NOT_EXECUTABLE), f"{argv[0]}: {error.strerror}"
    signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED_FOR)
    for number in early:
        child.send_signal(number)
    while not _has_ended(child):
        told = signal.sigwaitinfo(_WAITED_FOR)
        # Sent by a process, not by the kernel: sigaction(2), si_code.
        if told.si_signo != signal.SIGCHLD and told.si_code <= 0:
            child.send_signal(told.si_signo)
    status = child.returncode
    return (SIGNALLED - status if status < 0 else status), ""


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    """Reap whoever has ended; return whether the child was among them."""
    # Looked at before it is reaped: the child's status is for `Popen`.
    while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        if found.si_pid == child.pid:
            child.wait()
            return True
        os.waitpid(found.si_pid, 0)
    return False
