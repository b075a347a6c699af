"""Metrics of all refreshes in the process, for OpenTelemetry (extra `opentelemetry`).

Names and units follow OpenTelemetry's metrics semantic conventions: durations are histograms in
seconds; only failures have `error.type`; `_OTHER` replaces further values of an attribute.
"""

from __future__ import annotations

import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from irsa_creds._engine.events import RefreshFailed, RefreshSucceeded
from irsa_creds._engine.forks import FORKS
from irsa_creds._engine.subscribers import subscribe_everywhere
from irsa_creds._locks import hold
from irsa_creds._provider import REGISTRY
from irsa_creds._registry import engine_of
from irsa_creds._version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

    from irsa_creds._engine.events import Event

__all__ = ["instrument"]

# A service may assume ten thousand roles, and a false STS may return any error code.
_MOST_VALUES = 32
_OTHER = "_OTHER"
# The semantic conventions' boundaries of durations, extended to the longest wait of a caller.
_BOUNDARIES = (
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 30.0,
)  # fmt: skip


def instrument(*, meter_provider: MeterProvider | None = None) -> Callable[[], None]:
    """Record metrics of all refreshes of all providers in the process, including later ones.

    Call it once, at the start of a program, before or after `irsa_creds.install()`. A second call
    changes nothing. It starts no refresh and keeps no provider alive.

    Args:
        meter_provider: of OpenTelemetry; None: the global one, which may be set later.

    Returns:
        A function that stops the recording.

    Raises:
        ImportError: OpenTelemetry is not installed.
        RuntimeError: metrics are already recorded for another meter provider.
    """
    try:
        from opentelemetry import metrics  # noqa: PLC0415 - of an extra
    except ImportError as error:
        raise ImportError(
            "irsa_creds.opentelemetry needs opentelemetry-api, which is not installed: "
            "pip install 'irsa-creds[opentelemetry]'."
        ) from error
    global_provider = metrics.get_meter_provider()
    provider = meter_provider or global_provider
    is_global = provider is global_provider
    return _INSTRUMENTATION.start(provider, metrics.Observation, is_global=is_global)


class _Active(NamedTuple):
    """The meter provider that metrics are recorded for."""

    provider: MeterProvider
    # Setting the global meter provider replaces the object.
    is_global: bool
    instruments: _Instruments


class _Instrumentation:
    """Whether metrics are recorded, and for which meter provider; one per process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # A meter keeps the first callback of a gauge for ever, so each has one set of instruments.
        self._made: weakref.WeakKeyDictionary[MeterProvider, _Instruments] = (
            weakref.WeakKeyDictionary()
        )
        self.active: _Active | None = None

    # A fork waits for `start` and `stop`: a child would inherit a lock that nothing releases there.
    def start(
        self, provider: MeterProvider, observation: type[Observation], *, is_global: bool
    ) -> Callable[[], None]:
        active = FORKS.during(
            partial(hold, self._lock, self._activated, provider, observation, is_global=is_global)
        )
        return partial(self.stop, active)

    def stop(self, active: _Active) -> None:
        """Stop the recording if it is the active one."""
        FORKS.during(partial(hold, self._lock, self._deactivate, active))

    def _activated(
        self, provider: MeterProvider, observation: type[Observation], *, is_global: bool
    ) -> _Active:
        if self.active is None:
            made = self._made.get(provider) or _Instruments(provider, observation)
            self._made[provider] = made
            self.active = _Active(provider, is_global, made)
            made.start()
        elif self.active.provider is not provider and not (self.active.is_global and is_global):
            raise RuntimeError(
                "irsa_creds is already instrumented for another meter provider: first call the "
                "function that instrument() returned."
            )
        return self.active

    def _deactivate(self, active: _Active) -> None:
        if self.active is active:
            self.active = None
            active.instruments.stop()


class _Instruments:
    """The instruments of one meter provider.

    Args:
        provider: the meter provider.
        observation: the class of a gauge's values.
    """

    def __init__(self, provider: MeterProvider, observation: type[Observation]) -> None:
        self._observation = observation
        self._roles, self._codes = _BoundedValues(), _BoundedValues()
        self._is_active = False
        meter = provider.get_meter("irsa_creds", __version__)
        self._duration = meter.create_histogram(
            "irsa_creds.refresh.duration",
            unit="s",
            description="Duration of successful refreshes.",
            explicit_bucket_boundaries_advisory=_BOUNDARIES,
        )
        self._attempts = meter.create_counter(
            "irsa_creds.refresh.attempts",
            unit="{attempt}",
            description="Attempts to get new credentials.",
        )
        meter.create_observable_gauge(
            "irsa_creds.credentials.time_to_live",
            callbacks=[self._observe],
            unit="s",
            description="Time left of the credentials in use; the shortest of each role.",
        )

    def start(self) -> None:
        self._unsubscribe = subscribe_everywhere(self._record)
        self._is_active = True

    def stop(self) -> None:
        self._is_active = False
        self._unsubscribe()

    def _record(self, event: Event) -> None:
        if not isinstance(event, RefreshSucceeded | RefreshFailed):
            return
        attributes = {
            "irsa_creds.role.arn": self._roles.of(event.role_arn),
            "irsa_creds.refresh.source": _source_of(event),
        }
        if isinstance(event, RefreshFailed):
            failure = {
                "irsa_creds.refresh.outcome": "failure",
                "error.type": self._codes.of(event.code),
            }
            self._attempts.add(1, attributes | failure)
        else:
            # One duration per refresh, including attempts that failed.
            self._duration.record(event.latency, attributes)
            self._attempts.add(1, attributes | {"irsa_creds.refresh.outcome": "success"})

    def _observe(self, _: CallbackOptions) -> Iterator[Observation]:
        if not self._is_active:
            return
        shortest: dict[str, float] = {}
        for provider in REGISTRY.living():
            status = provider.status()
            # Credentials that are not used are not refreshed: their expiry must not cause an alarm.
            if status.state == "fresh" or engine_of(provider).is_failing:
                role = self._roles.of(provider.role_arn)
                shortest[role] = min(status.seconds_left, shortest.get(role, status.seconds_left))
        for role, seconds in shortest.items():
            yield self._observation(seconds, {"irsa_creds.role.arn": role})


def _source_of(event: RefreshSucceeded | RefreshFailed) -> str:
    if not event.attempt:
        return "shared_cache"
    # The endpoint of a container names no role.
    return "sts" if event.role_arn.startswith("arn:") else "container"


class _BoundedValues:
    """The first 32 values of an attribute; all others count as `_OTHER`."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def of(self, value: str) -> str:
        if len(self._seen) < _MOST_VALUES:
            self._seen.add(value)
        return value if value in self._seen else _OTHER


_INSTRUMENTATION = _Instrumentation()
