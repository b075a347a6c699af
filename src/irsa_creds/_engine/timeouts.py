"""The errors where no refresh can help."""

from __future__ import annotations

from irsa_creds._errors import RefreshTimeout

__all__ = ["earlier_ones_hang", "interrupted", "no_thread", "own_refresh", "too_short"]


def earlier_ones_hang() -> RefreshTimeout:
    """So many refreshes hang that no further one is started."""
    return RefreshTimeout(
        "No further refresh was started: earlier refreshes still hang. "
        "Check for a DNS server, proxy or token callable that does not respond."
    )


def interrupted(role_arn: str) -> RefreshTimeout:
    """A handler or finalizer interrupted a change of an engine, and must not wait inside it."""
    return RefreshTimeout(
        "A signal handler or finalizer read credentials while irsa-creds changed them. "
        f"Set a flag in the handler and read the credentials for {role_arn} outside of it."
    )


def no_thread() -> RefreshTimeout:
    """No thread can start, and a task cannot run the refresh itself."""
    return RefreshTimeout(
        "No thread could be started for the refresh, and a task must not block its event loop. "
        "The thread limit is reached, or the interpreter is shutting down. Raise the pod's "
        "thread limit, or call get() from a thread."
    )


def own_refresh(role_arn: str) -> RefreshTimeout:
    """The refresh itself would wait for its own end."""
    return RefreshTimeout(
        "A refresh read the credentials that it refreshes: in a token callable or a log handler. "
        f"Use other credentials there than those of {role_arn}."
    )


def too_short(left: float, min_ttl: float) -> RefreshTimeout:
    """The credentials do not last as long as a caller wants."""
    return RefreshTimeout(
        f"The credentials are valid for {left:.0f} s, and min_ttl is {min_ttl:g}. "
        "Use a smaller min_ttl or a longer duration_seconds."
    )
