"""The errors of callers that no refresh can serve."""

from __future__ import annotations

from irsa_creds._errors import RefreshTimeout

__all__ = ["earlier_ones_hang", "interrupted", "no_thread", "own_refresh", "too_short"]


def earlier_ones_hang() -> RefreshTimeout:
    """Return the error if too many refreshes hang to start one more."""
    return RefreshTimeout(
        "No further refresh was started: earlier refreshes still hang. "
        "Check for a DNS server, proxy or token callable that does not respond."
    )


def interrupted(name: str) -> RefreshTimeout:
    """Return the error of a signal handler or finalizer that interrupted a change of an engine."""
    return RefreshTimeout(
        "A signal handler or finalizer read credentials while irsa-creds changed them. "
        f"Set a flag in the handler and read the credentials for {name} outside of it."
    )


def no_thread() -> RefreshTimeout:
    """Return the error of a task that could only wait for a thread, and none can start."""
    return RefreshTimeout(
        "No thread could be started for the refresh, and a task must not block its event loop. "
        "The thread limit is reached, or the interpreter is shutting down. Raise the pod's "
        "thread limit, or call get() from a thread."
    )


def own_refresh(name: str) -> RefreshTimeout:
    """Return the error of a read that the refresh itself causes, and that would wait for it."""
    return RefreshTimeout(
        "A refresh read the credentials that it refreshes: in a token callable or a log handler. "
        f"Do not use the credentials of {name} there."
    )


def too_short(left: float, min_ttl: float) -> RefreshTimeout:
    """Return the error if `min_ttl` is more than STS gives."""
    return RefreshTimeout(
        f"The credentials are valid for {left:.0f} s, and min_ttl is {min_ttl:g}. "
        "Use a smaller min_ttl or a longer duration_seconds."
    )
