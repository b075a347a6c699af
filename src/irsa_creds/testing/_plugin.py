"""Run this process as in a pod: `in_a_pod`, and what the pytest fixtures use."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

import boto3

import irsa_creds
from irsa_creds.testing._environ import is_aws_variable, pod_environ
from irsa_creds.testing._irsa import Irsa
from irsa_creds.testing._issuer import Issuer
from irsa_creds.testing._sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pytest

    # From the existing variables to the changed ones; None means unset.
    _Choice = Callable[[Mapping[str, str]], Mapping[str, str | None]]

__all__ = ["Irsa", "Issuer", "in_a_pod", "pod_environment"]


@contextmanager
def in_a_pod(**arguments: Any) -> Iterator[Irsa]:
    """Run a block as in a pod with IRSA.

    Use it where the fixture `irsa` does not fit: in a fixture of another scope, in unittest or in a
    notebook. A process can be in one pod at a time.

    Args:
        **arguments: passed to `Sandbox.deploy`, such as `bucket="reports"`.

    Raises:
        RuntimeError: another sandbox is open in this process, or moto's `mock_aws` is active.
    """
    with Issuer().serve() as issuer, pod_environment(None, issuer, arguments) as made:
        yield made


@contextmanager
def pod_environment(
    patch: pytest.MonkeyPatch | None, issuer: Issuer, arguments: Mapping[str, Any]
) -> Iterator[Irsa]:
    """Run a block as in a pod, and leave no provider and no session of it behind.

    What `install()` has changed stays: an application's module calls it once, at its import, and
    the next test would silently use botocore's own provider.

    Args:
        patch: the test's own, so that it can change the same variables; None without a test.
        issuer: of the pod's tokens.
        arguments: passed to `Sandbox.deploy`.
    """
    issuer.reachable = True
    with (
        # First, because invalid variables would break the administrator's clients too.
        _variables(patch, lambda outer: dict.fromkeys(filter(is_aws_variable, outer))),
        Sandbox(issuer=issuer) as sandbox,
    ):
        pod = sandbox.deploy(**arguments)
        sandbox.reset_calls()
        # A shared cache in the temporary directory then ends with the pod.
        directory = f"{pod.volume.directory.parent}"
        with (
            _variables(patch, lambda outer: {**pod_environ(pod, outer), "TMPDIR": directory}),
            # It keeps credentials, and its clients keep the URL of another sandbox.
            mock.patch.object(boto3, "DEFAULT_SESSION", None),
        ):
            _reset()
            active = _active_instrumentation()
            try:
                yield Irsa(sandbox, pod)
            finally:
                _stop_instrumentation(unless=active)
                _reset()


@contextmanager
def _variables(patch: pytest.MonkeyPatch | None, choose: _Choice) -> Iterator[None]:
    """Set variables for a block; None unsets one."""
    if patch is not None:
        with _patched(patch, choose):
            yield
        return
    wanted = choose(os.environ)
    before = {name: os.environ.get(name) for name in wanted}
    _set(wanted)
    try:
        yield
    finally:
        _set(before)


@contextmanager
def _patched(patch: pytest.MonkeyPatch, choose: _Choice) -> Iterator[None]:
    """Set variables with the test's own `MonkeyPatch`, and keep them when the test calls `undo`.

    Such a test means to undo its own patches. Without the pod's variables it would continue at AWS,
    with the credentials of the developer.
    """
    undo = patch.undo

    def apply() -> None:
        for name, value in choose(os.environ).items():
            if value is None:
                patch.delenv(name, raising=False)
            else:
                patch.setenv(name, value)

    def undo_and_reapply() -> None:
        undo()
        apply()

    apply()
    patch.undo = undo_and_reapply  # type: ignore[method-assign] # of this object only
    try:
        yield
    finally:
        patch.undo = undo  # type: ignore[method-assign] # the original


def _set(wanted: Mapping[str, str | None]) -> None:
    for name, value in wanted.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _reset() -> None:
    """Drop the providers and the location of the shared cache."""
    irsa_creds.reset()
    store = sys.modules.get("irsa_creds._shared_cache.store")
    if store is not None:
        store.Store.at.cache_clear()


def _active_instrumentation() -> Any:
    """Return what `irsa_creds.opentelemetry.instrument()` has started, or None."""
    module = sys.modules.get("irsa_creds.opentelemetry")
    return module and module._INSTRUMENTATION.active  # noqa: SLF001 - of this library


def _stop_instrumentation(*, unless: Any) -> None:
    """Stop what the test has started: the next test may have another meter provider."""
    started = _active_instrumentation()
    if started is not None and started is not unless:
        sys.modules["irsa_creds.opentelemetry"]._INSTRUMENTATION.stop(started)  # noqa: SLF001 - as above
