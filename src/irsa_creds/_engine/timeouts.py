"""The errors where no refresh can help."""

from __future__ import annotations

from irsa_creds._errors import RefreshTimeout

__all__ = ["earlier_ones_hang", "interrupted", "no_thread", "own_refresh", "too_short"]


def earlier_ones_hang() -> RefreshTimeout:
    """So many refreshes hang that no further one is started."""
    return RefreshTimeout(
        "Earlier refreshes of the credentials still hang, so no further one is started. "
        "Look for a hanging DNS server, proxy or token callable."
    )


def interrupted(role_arn: str) -> RefreshTimeout:
    """A handler or finalizer interrupted a change of an engine, and must not wait inside it."""
    return RefreshTimeout(
        f"The credentials for {role_arn} could not be read: a signal's handler or a finalizer "
        "asked for them in the middle of a change. Let it set a flag, and read them elsewhere."
    )


def no_thread() -> RefreshTimeout:
    """No thread can start, and a task cannot run the refresh itself."""
    return RefreshTimeout(
        "No thread could be started for the refresh (a limit of threads, or the interpreter is "
        "ending), and a task must not block its loop. Raise the pod's limit of threads, or call "
        "get() from a thread."
    )


def own_refresh(role_arn: str) -> RefreshTimeout:
    """The refresh itself would wait for its own end."""
    return RefreshTimeout(
        f"The refresh for {role_arn} reads the credentials that it is to bring: a token callable "
        "or a log handler does. Give that one others."
    )


def too_short(left: float, min_ttl: float) -> RefreshTimeout:
    """The credentials do not last as long as a caller wants."""
    return RefreshTimeout(
        f"The credentials last {left:.0f} s and min_ttl={min_ttl:g} was asked for. Ask for less, "
        "or for a longer duration_seconds."
    )
