"""What makes this process a pod's: the fixtures of pytest are made of it, and `in_a_pod` is it."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

import boto3

import irsa_creds
from irsa_creds.testing._environ import environ_of, is_of_aws
from irsa_creds.testing._irsa import Irsa
from irsa_creds.testing._issuer import Issuer
from irsa_creds.testing._sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pytest

    # From the variables that there are to those that are wanted; None: to be unset.
    _Choice = Callable[[Mapping[str, str]], Mapping[str, str | None]]

__all__ = ["Irsa", "in_a_pod", "issuer", "pod_environment"]


@contextmanager
def in_a_pod(**arguments: Any) -> Iterator[Irsa]:
    """Let this process be a pod's with IRSA, for as long as the block lasts.

    It is what the fixture `irsa` does for one test: for a fixture of another scope, unittest or a
    notebook. One process has one at a time.

    Args:
        **arguments: those of `Sandbox.deploy`, such as `bucket="reports"`.

    Raises:
        RuntimeError: another sandbox is open in this process, or moto's `mock_aws` is.
    """
    with issuer() as served, pod_environment(None, served, arguments) as made:
        yield made


@contextmanager
def issuer() -> Iterator[Issuer]:
    """Serve one issuer to all tests of a process: making its key takes longer than the rest."""
    with Issuer().serve() as served:
        yield served


@contextmanager
def pod_environment(
    patch: pytest.MonkeyPatch | None, issuer: Issuer, arguments: Mapping[str, Any]
) -> Iterator[Irsa]:
    """Let the process be a pod's, and leave neither provider nor session of it behind.

    What `install()` has done stays, as in the application: a module is imported once only, and
    the next test would have botocore's own provider without a word.

    Args:
        patch: the test's own, with which it may set and unset the same variables; None: there is
            no test.
        issuer: of the pod's tokens.
        arguments: of `Sandbox.deploy`.
    """
    issuer.reachable = True
    with (
        # Before the rest: what is wrong with them would be so with an administrator's clients.
        _variables(patch, lambda outer: dict.fromkeys(filter(is_of_aws, outer))),
        Sandbox(issuer=issuer) as sandbox,
    ):
        pod = sandbox.deploy(**arguments)
        sandbox.reset_calls()
        # Nothing of a shared cache is left then, wherever the application has it.
        directory = f"{pod.volume.directory.parent}"
        with (
            _variables(patch, lambda outer: {**environ_of(pod, outer), "TMPDIR": directory}),
            # It holds credentials, and clients made of it the address of another sandbox.
            mock.patch.object(boto3, "DEFAULT_SESSION", None),
        ):
            _forget()
            measured = _measuring()
            try:
                yield Irsa(sandbox, pod)
            finally:
                _measure_no_more(unless=measured)
                _forget()


@contextmanager
def _variables(patch: pytest.MonkeyPatch | None, choose: _Choice) -> Iterator[None]:
    """Set variables, or unset those that are None, and let them be as they were afterwards."""
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
    """Set variables in the order of all that the test patches, and undo them with it.

    A test that calls `undo` itself means its own patches: without these it would go on with the
    keys of whoever runs it, at AWS.
    """
    undo = patch.undo

    def apply() -> None:
        for name, value in choose(os.environ).items():
            if value is None:
                patch.delenv(name, raising=False)
            else:
                patch.setenv(name, value)

    def undo_all_but_these() -> None:
        undo()
        apply()

    apply()
    patch.undo = undo_all_but_these  # type: ignore[method-assign] # of this one object alone
    try:
        yield
    finally:
        patch.undo = undo  # type: ignore[method-assign] # as it was


def _set(wanted: Mapping[str, str | None]) -> None:
    for name, value in wanted.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _forget() -> None:
    """Forget the providers, and where the shared cache was."""
    irsa_creds.reset()
    store = sys.modules.get("irsa_creds._shared_cache.store")
    if store is not None:
        store.Store.at.cache_clear()


def _measuring() -> Any:
    """Return what `irsa_creds.opentelemetry.instrument()` has begun, if anything."""
    module = sys.modules.get("irsa_creds.opentelemetry")
    return module and module._INSTRUMENTATION.active  # noqa: SLF001 - of this library


def _measure_no_more(*, unless: Any) -> None:
    """End what the test has begun: the next one may have a meter provider of its own."""
    begun = _measuring()
    if begun is not None and begun is not unless:
        sys.modules["irsa_creds.opentelemetry"]._INSTRUMENTATION.stop(begun)  # noqa: SLF001 - as above
