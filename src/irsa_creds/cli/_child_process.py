"""Run a child process, pass signals on to it, and return its exit status."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from irsa_creds.cli._errors import NOT_EXECUTABLE, NOT_FOUND, SIGNALLED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["end_on_signals", "run", "without_signals"]

Result = TypeVar("Result")

# All signals that users send to programs, including real-time signals; some systems lack some.
_NAMES = ["SIGALRM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGWINCH"]
_REAL_TIME = range(getattr(signal, "SIGRTMIN", 0), getattr(signal, "SIGRTMAX", -1) + 1)
_PASSED = {getattr(signal, name) for name in _NAMES if hasattr(signal, name)} | {*_REAL_TIME}
_WAITED_FOR = _PASSED | {getattr(signal, "SIGCHLD", signal.SIGTERM)}
# Signals that end the command itself: the terminal closes, or the parent process asks for it.
_ENDING = {getattr(signal, name) for name in ("SIGHUP", "SIGTERM") if hasattr(signal, name)}


def end_on_signals() -> None:
    """Make SIGTERM and SIGHUP raise SystemExit, so that this process cleans up.

    The first process of a container would not even end without a handler: pid_namespaces(7).
    """

    def end(number: int, _: object) -> None:
        raise SystemExit(SIGNALLED + number)

    for number in _ENDING:
        # nohup(1) relies on ignored signals.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)


def without_signals(work: Callable[[], Result]) -> Result:
    """Run `work` on a thread with blocked signals, which threads that it starts inherit.

    All signals then reach the main thread, as `run` requires, and can interrupt its wait here.
    """
    future: Future[Result] = Future()

    def body() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again by `result`
            future.set_exception(error)

    before = signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED_FOR)
    try:
        threading.Thread(target=body, name="irsa-creds-start", daemon=True).start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return future.result()


def run(argv: Sequence[str], environ: Mapping[str, str]) -> tuple[int, str]:
    """Run a command to its end; return its exit status, and the error if it could not start.

    Call it in the main thread, with all other threads started by `without_signals`. Signals from
    other processes are passed on. Signals from the terminal's keyboard are not, because the kernel
    sends them to the whole process group. As the first process of a container, this one also reaps
    orphans.

    Args:
        argv: the command and its arguments; no shell is involved.
        environ: the child's whole environment.
    """
    early: list[int] = []
    for number in _PASSED:
        # Signals that were ignored at the start stay ignored, also for the child: nohup(1).
        if signal.getsignal(number) is not signal.SIG_IGN:
            # Not blocked yet, because the child would inherit that, unlike a handler.
            signal.signal(number, lambda received, _: early.append(received))
    # If it were ignored, the kernel would reap the child and discard its status.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        # The child inherits descriptors that a shell opened for it, but none of this process
        # (PEP 446).
        child = subprocess.Popen(argv, env=environ, close_fds=False)  # noqa: S603 - the user's own
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        return (NOT_FOUND if missing else NOT_EXECUTABLE), f"{argv[0]}: {error.strerror}"
    signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED_FOR)
    for number in early:
        child.send_signal(number)
    while not _has_ended(child):
        received = signal.sigwaitinfo(_WAITED_FOR)
        # A process sent it, not the kernel: sigaction(2), si_code.
        if received.si_signo != signal.SIGCHLD and received.si_code <= 0:
            child.send_signal(received.si_signo)
    status = child.returncode
    return (SIGNALLED - status if status < 0 else status), ""


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    """Reap all ended processes; return whether the child was among them."""
    # WNOWAIT leaves the child's status to `Popen`.
    while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        if found.si_pid == child.pid:
            child.wait()
            return True
        os.waitpid(found.si_pid, 0)
    return False
