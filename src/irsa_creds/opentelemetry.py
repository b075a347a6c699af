"""Metrics of all refreshes of the process, for OpenTelemetry: the extra `opentelemetry`.

Names and units follow OpenTelemetry's semantic conventions ("Metrics semantic conventions":
durations as histograms in seconds; `error.type` on what failed, and on nothing else; `_OTHER` for
what would be one value too many).
"""

from __future__ import annotations

import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from irsa_creds._engine.subscribers import subscribe_everywhere
from irsa_creds._provider import engine_of
from irsa_creds._registry import REGISTRY
from irsa_creds._version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

    from irsa_creds._engine.events import Event

__all__ = ["instrument"]

# A service may assume ten thousand roles, and an STS that is none may answer with any code.
_MOST_VALUES = 32
_OTHER = "_OTHER"
# Those of the semantic conventions for durations, and on to what a reader waits at most.
_BOUNDARIES = (
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 30.0,
)  # fmt: skip


def instrument(*, meter_provider: MeterProvider | None = None) -> Callable[[], None]:
    """Measure all refreshes from now on: of every provider of the process, of later ones too.

    It is called once, at the start of a program, before or after `irsa_creds.install()`; while it
    measures, calling it again changes nothing. It starts no refresh and keeps no provider alive.

    Args:
        meter_provider: of OpenTelemetry; None: the global one, which may be set later.

    Returns:
        what ends the measuring.

    Raises:
        ImportError: there is no OpenTelemetry.
        RuntimeError: it measures already, for another meter provider.
    """
    try:
        from opentelemetry import metrics  # noqa: PLC0415 - of an extra
    except ImportError as error:
        raise ImportError(
            "irsa_creds.opentelemetry needs opentelemetry-api, which is not installed: "
            "pip install 'irsa-creds[opentelemetry]'."
        ) from error
    everybodys = metrics.get_meter_provider()
    provider = meter_provider or everybodys
    return _INSTRUMENTATION.start(provider, is_global=provider is everybodys)


class _Active(NamedTuple):
    """For whom the process measures."""

    provider: MeterProvider
    # Before and after it is set, the global one is another object.
    is_global: bool
    instruments: _Instruments


class _Instrumentation:
    """Whether the process measures, and for whom."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # A meter keeps the first callback of a gauge for ever: one set of instruments for each.
        self._made: weakref.WeakKeyDictionary[MeterProvider, _Instruments] = (
            weakref.WeakKeyDictionary()
        )
        self.active: _Active | None = None

    def start(self, provider: MeterProvider, *, is_global: bool) -> Callable[[], None]:
        with self._lock:
            if self.active is None:
                made = self._made.get(provider) or _Instruments(provider)
                self._made[provider] = made
                self.active = _Active(provider, is_global, made)
                made.start()
            elif self.active.provider is not provider and not (self.active.is_global and is_global):
                raise RuntimeError(
                    "irsa_creds is instrumented already, for another meter provider: first call "
                    "what that instrument() returned."
                )
            active = self.active
        return partial(self.stop, active)

    def stop(self, active: _Active) -> None:
        """End the measuring that began with that, unless it has ended."""
        with self._lock:
            if self.active is active:
                self.active = None
                active.instruments.stop()


class _Instruments:
    """The instruments of one meter provider."""

    def __init__(self, provider: MeterProvider) -> None:
        from opentelemetry.metrics import Observation  # noqa: PLC0415 - of an extra

        # Not when it is called: a flight imports nothing, for a fork may come at any moment.
        self._observation = Observation
        self._roles, self._codes = _Bounded(), _Bounded()
        self._measures = False
        meter = provider.get_meter("irsa_creds", __version__)
        self._duration = meter.create_histogram(
            "irsa_creds.refresh.duration",
            unit="s",
            description="Time that a refresh took which brought credentials.",
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
            description="Time left of the credentials in use, the shortest of each role's.",
        )

    def start(self) -> None:
        self._unsubscribe = subscribe_everywhere(self._hear)
        self._measures = True

    def stop(self) -> None:
        self._measures = False
        self._unsubscribe()

    def _hear(self, event: Event) -> None:
        # Loaded by `subscribe_everywhere`.
        from irsa_creds._engine.events import RefreshFailed, RefreshSucceeded  # noqa: PLC0415

        if not isinstance(event, RefreshSucceeded | RefreshFailed):
            return
        attributes = {
            "irsa_creds.role.arn": self._roles.of(event.role_arn),
            "irsa_creds.refresh.source": "sts" if event.attempt else "shared_cache",
        }
        if isinstance(event, RefreshFailed):
            failure = {
                "irsa_creds.refresh.outcome": "failure",
                "error.type": self._codes.of(event.code),
            }
            self._attempts.add(1, attributes | failure)
        else:
            # One for each refresh: the time of an attempt that failed is a part of it.
            self._duration.record(event.latency, attributes)
            self._attempts.add(1, attributes | {"irsa_creds.refresh.outcome": "success"})

    def _observe(self, _: CallbackOptions) -> Iterator[Observation]:
        if not self._measures:
            return
        shortest: dict[str, float] = {}
        for provider in REGISTRY.living():
            status = provider.status()
            # What nobody reads is not refreshed and ends in peace: an alarm must not ring for it.
            if status.state == "fresh" or engine_of(provider).is_failing:
                role = self._roles.of(provider.role_arn)
                shortest[role] = min(status.seconds_left, shortest.get(role, status.seconds_left))
        for role, seconds in shortest.items():
            yield self._observation(seconds, {"irsa_creds.role.arn": role})


class _Bounded:
    """The values that an attribute has had; beyond 32, new ones count together."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def of(self, value: str) -> str:
        if len(self._seen) < _MOST_VALUES:
            self._seen.add(value)
        return value if value in self._seen else _OTHER


_INSTRUMENTATION = _Instrumentation()
