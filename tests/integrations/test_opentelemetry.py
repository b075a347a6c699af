"""Metrics for OpenTelemetry, read back through its own SDK, and for prometheus_client."""

from __future__ import annotations

import gc
import math
import re
import sys
import weakref
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from opentelemetry import metrics
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, PeriodicExportingMetricReader
from prometheus_client import REGISTRY, generate_latest

import irsa_creds
from engine_fakes import ROLE, FakeClock, FakeSts, join_refreshes
from fresh_interpreter import python
from irsa_creds._errors import Failure
from irsa_creds.opentelemetry import _INSTRUMENTATION, instrument
from irsa_creds.testing._server import LoopbackServer, Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DURATION = "irsa_creds.refresh.duration"
ATTEMPTS = "irsa_creds.refresh.attempts"
TIME_TO_LIVE = "irsa_creds.credentials.time_to_live"
PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
DENIED = Failure(kind="exchange", code="AccessDenied", message="No.", retryable=False)


def jwt() -> str:
    return "a.b.c"


def provider_of(role: str = ROLE) -> irsa_creds.Provider:
    return irsa_creds.provider(role_arn=role, token=jwt, session_name="app")


class Backend:
    """Metrics that an OpenTelemetry SDK has collected, by name."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.meter_provider = MeterProvider([self.reader], shutdown_on_exit=False)

    def points(self, name: str) -> list[Any]:
        """Return the current data points of that metric."""
        join_refreshes()
        metric = self.metrics().get(name)
        return [] if metric is None else list(metric.data.data_points)

    def metrics(self) -> dict[str, Any]:
        data = self.reader.get_metrics_data()
        return {
            metric.name: metric
            for resource in (data.resource_metrics if data else [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def backend() -> Iterator[Backend]:
    made = Backend()
    yield made
    made.meter_provider.shutdown()


@pytest.fixture
def measured(backend: Backend, sts: FakeSts) -> Iterator[Backend]:
    """Return a backend for the metrics of all refreshes of the process, with a fake STS."""
    stop = instrument(meter_provider=backend.meter_provider)
    yield backend
    stop()


@pytest.fixture(autouse=True)
def _own_clock(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the registry's providers use the clock that the test moves."""
    monkeypatch.setenv("IRSA_CREDS_BACKGROUND", "0")
    registry = irsa_creds._provider.REGISTRY
    monkeypatch.setattr(registry, "_clock", clock)


def test_metrics_follow_the_semantic_conventions(
    measured: Backend,
) -> None:
    provider_of().get()
    join_refreshes()
    found = measured.metrics()
    assert {name: metric.unit for name, metric in found.items()} == {
        DURATION: "s",
        ATTEMPTS: "{attempt}",
        TIME_TO_LIVE: "s",
    }
    assert all(metric.description.endswith(".") for metric in found.values())


def test_a_refresh_at_an_endpoint_of_a_container_is_not_one_of_sts(
    measured: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/v1/credentials")
    monkeypatch.setattr("irsa_creds._engine.timing.BLOCKING_ATTEMPTS", 1)
    with pytest.raises(irsa_creds.ExchangeError):
        irsa_creds.provider().get()
    join_refreshes()
    (attempts,) = measured.points(ATTEMPTS)
    assert attempts.attributes["irsa_creds.refresh.source"] == "container"


def test_a_refresh_is_counted_and_its_duration_recorded(measured: Backend) -> None:
    provider_of().get()
    attributes = {
        "irsa_creds.role.arn": ROLE,
        "irsa_creds.refresh.source": "sts",
    }
    success = {**attributes, "irsa_creds.refresh.outcome": "success"}
    (attempts,), (duration,) = measured.points(ATTEMPTS), measured.points(DURATION)
    assert (attempts.value, dict(attempts.attributes)) == (1, success)
    assert (duration.count, duration.sum, dict(duration.attributes)) == (1, 0.0, attributes)
    assert duration.explicit_bounds[-1] == 30.0


def test_a_failure_is_counted_by_its_error_type(measured: Backend, sts: FakeSts) -> None:
    sts.down = DENIED
    with pytest.raises(irsa_creds.ExchangeError):
        provider_of().get()
    (attempts,) = measured.points(ATTEMPTS)
    assert dict(attempts.attributes) == {
        "irsa_creds.role.arn": ROLE,
        "irsa_creds.refresh.source": "sts",
        "irsa_creds.refresh.outcome": "failure",
        "error.type": "AccessDenied",
    }


def test_every_attempt_of_a_refresh_counts(
    measured: Backend, sts: FakeSts, clock: FakeClock
) -> None:
    busy = Failure(kind="exchange", code="Throttling", message="Later.", retryable=True)
    sts.script.extend([busy, busy])
    provider_of().get()
    counts = {
        point.attributes.get("error.type"): point.value for point in measured.points(ATTEMPTS)
    }
    assert counts == {"Throttling": 2, None: 1}
    (duration,) = measured.points(DURATION)
    assert duration.count == 1
    assert duration.sum == pytest.approx(sum(clock.slept)), "of all of them together"


def test_a_result_of_the_shared_cache_has_its_own_source(
    measured: Backend,
) -> None:
    subscribers = provider_of()._engine.subscribers
    failed = "RefreshFailed", (ROLE, "AccessDenied", 0, 0.1)
    subscribers.put([failed, ("TokenRotated", (ROLE,))])
    subscribers.deliver()
    (attempts,) = measured.points(ATTEMPTS)
    assert attempts.attributes["irsa_creds.refresh.source"] == "shared_cache"


def test_the_time_to_live_is_current(measured: Backend, clock: FakeClock) -> None:
    provider = provider_of()
    provider.get()
    (before,) = measured.points(TIME_TO_LIVE)
    clock.advance(60)
    (after,) = measured.points(TIME_TO_LIVE)
    assert before.value - after.value == 60
    assert dict(after.attributes) == {"irsa_creds.role.arn": ROLE}
    assert after.value == provider.status().seconds_left


def test_observing_the_time_to_live_starts_no_refresh(measured: Backend, sts: FakeSts) -> None:
    provider = provider_of()
    assert measured.points(TIME_TO_LIVE) == []
    assert (provider.status().flights, sts.calls) == (0, 0)


def test_credentials_that_are_not_read_expire_without_an_alarm(
    measured: Backend, clock: FakeClock
) -> None:
    provider_of().get()
    assert measured.points(TIME_TO_LIVE)
    clock.advance(3500)
    assert measured.points(TIME_TO_LIVE) == []
    clock.advance(3600)
    assert measured.points(TIME_TO_LIVE) == []


def test_credentials_that_cannot_be_refreshed_are_observed_until_they_expire(
    measured: Backend, clock: FakeClock, sts: FakeSts
) -> None:
    provider = provider_of()
    provider.get()
    sts.down = DENIED
    clock.advance(3400)
    provider.get()
    (point,) = measured.points(TIME_TO_LIVE)
    assert 0 < point.value <= 200
    clock.advance(3600)
    with pytest.raises(irsa_creds.ExchangeError):
        provider.get()
    (point,) = measured.points(TIME_TO_LIVE)
    assert point.value == 0


def failed(sts: FakeSts, tenant: str) -> irsa_creds.Provider:
    """Return a provider that never had any credentials."""
    provider = irsa_creds.provider(role_arn=ROLE, token=jwt, session_name=tenant)
    sts.script.append(DENIED)
    with pytest.raises(irsa_creds.ExchangeError):
        provider.get()
    return provider


def test_a_provider_without_credentials_is_observed_while_it_is_read(
    measured: Backend, clock: FakeClock, sts: FakeSts
) -> None:
    provider = failed(sts, "tenant-1")
    for _ in range(5):
        (point,) = measured.points(TIME_TO_LIVE)
        assert point.value == 0
        clock.advance(300)
        sts.script.append(DENIED)
        with pytest.raises(irsa_creds.ExchangeError):
            provider.get()
    clock.advance(361)
    assert measured.points(TIME_TO_LIVE) == [], "and not for ever after"


def test_one_failure_of_a_tenant_does_not_hide_other_tenants(
    measured: Backend, clock: FakeClock, sts: FakeSts
) -> None:
    gone = failed(sts, "tenant-1")
    clock.advance(361)
    well = irsa_creds.provider(role_arn=ROLE, token=jwt, session_name="tenant-2")
    well.get()
    (point,) = measured.points(TIME_TO_LIVE)
    assert point.value == well.status().seconds_left > 3000
    assert gone.status().state == "empty"


def test_a_closed_or_dropped_provider_does_not_count_as_failing(
    measured: Backend, sts: FakeSts
) -> None:
    closed, forgotten = failed(sts, "tenant-1"), failed(sts, "tenant-2")
    closed.close()
    assert closed.status().last_failure is None
    assert len(measured.points(TIME_TO_LIVE)) == 1
    irsa_creds.reset()
    assert measured.points(TIME_TO_LIVE) == []
    assert forgotten.get(), "the next read starts over"


def test_the_shortest_time_left_of_a_role_is_observed(measured: Backend, clock: FakeClock) -> None:
    tenants = [
        irsa_creds.provider(role_arn=ROLE, token=jwt, session_name=f"tenant-{number}")
        for number in range(3)
    ]
    for tenant in tenants:
        tenant.get()
        clock.advance(60)
    (point,) = measured.points(TIME_TO_LIVE)
    assert point.value == tenants[0].status().seconds_left
    assert "tenant" not in str(point.attributes)


def test_a_dropped_provider_is_not_observed(
    measured: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRSA_CREDS_MAX_PROVIDERS", "1")
    provider = provider_of()
    provider.get()
    assert len(measured.points(TIME_TO_LIVE)) == 1
    seen = weakref.ref(provider)
    del provider
    provider_of(f"{ROLE}-2")
    gc.collect()
    assert seen() is None
    assert measured.points(TIME_TO_LIVE) == []


def test_ten_thousand_roles_and_codes_have_33_values(measured: Backend) -> None:
    subscribers = provider_of()._engine.subscribers
    for number in range(100):
        failed = "RefreshFailed", (f"{ROLE}-{number}", f"Code{number}", 1, 0.1)
        subscribers.put([failed])
        subscribers.deliver()
    points = measured.points(ATTEMPTS)
    for name in ("irsa_creds.role.arn", "error.type"):
        values = {point.attributes[name] for point in points}
        assert len(values) == 33
        assert "_OTHER" in values
    assert sum(point.value for point in points) == 100


def test_existing_providers_are_measured_as_well(backend: Backend, sts: FakeSts) -> None:
    provider = provider_of()
    stop = instrument(meter_provider=backend.meter_provider)
    provider.get()
    assert len(backend.points(ATTEMPTS)) == 1
    stop()


def test_providers_of_install_are_measured(
    measured: Backend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    (tmp_path / "token").write_text("a.b.c")
    irsa_creds.install()
    boto3.Session().get_credentials().get_frozen_credentials()
    assert [point.value for point in measured.points(ATTEMPTS)] == [1]


def test_nothing_is_measured_between_a_stop_and_the_next_start(
    backend: Backend, sts: FakeSts
) -> None:
    stop = instrument(meter_provider=backend.meter_provider)
    stop()
    stop()
    provider = provider_of()
    provider.get()
    assert backend.points(ATTEMPTS) == backend.points(TIME_TO_LIVE) == []
    again = instrument(meter_provider=backend.meter_provider)
    assert len(backend.points(TIME_TO_LIVE)) == 1
    stop()
    provider.invalidate()
    provider.get()
    assert [point.value for point in backend.points(ATTEMPTS)] == [1], "an old stop ends nothing"
    again()


def test_instrumenting_twice_counts_once(measured: Backend) -> None:
    instrument(meter_provider=measured.meter_provider)
    provider_of().get()
    assert [point.value for point in measured.points(ATTEMPTS)] == [1]


def test_a_global_meter_provider_that_is_set_later_is_the_same(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = instrument()
    begun = _INSTRUMENTATION.active
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: backend.meter_provider)
    instrument()
    instrument(meter_provider=backend.meter_provider)
    assert _INSTRUMENTATION.active is begun
    with pytest.raises(RuntimeError, match="already instrumented"):
        instrument(meter_provider=Backend().meter_provider)
    stop()


def test_a_second_meter_provider_is_an_error(measured: Backend) -> None:
    with pytest.raises(RuntimeError, match="already instrumented for another meter provider"):
        instrument(meter_provider=Backend().meter_provider)


def test_the_global_meter_provider_is_the_default(
    backend: Backend, sts: FakeSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: backend.meter_provider)
    stop = instrument()
    provider_of().get()
    assert len(backend.points(ATTEMPTS)) == 1
    stop()


def test_without_opentelemetry_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ImportError, match=r"pip install 'irsa-creds\[opentelemetry\]'"):
        instrument()
    assert _INSTRUMENTATION.active is None


FORK_DURING_INSTRUMENT = dedent(
    """
    import os
    import signal
    import threading

    from opentelemetry.metrics import NoOpMeterProvider
    import irsa_creds.opentelemetry as otel

    entered, forked = threading.Event(), threading.Event()
    os.register_at_fork(after_in_parent=forked.set)

    class Slow(NoOpMeterProvider):
        def get_meter(self, *arguments, **more):
            entered.set()
            forked.wait(0.1)
            return super().get_meter(*arguments, **more)

    provider = Slow()
    threading.Thread(target=otel.instrument, kwargs={"meter_provider": provider}).start()
    entered.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        otel.instrument(meter_provider=provider)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
)


def test_a_child_forked_while_a_thread_calls_instrument_can_call_it_too() -> None:
    assert python(FORK_DURING_INSTRUMENT) == "0"


def test_the_metrics_reach_a_collector_over_otlp(sts: FakeSts) -> None:
    bodies: list[bytes] = []

    def collect(request: Request) -> Reply:
        assert request.path == "/v1/metrics"
        bodies.append(request.body)
        response = ExportMetricsServiceResponse().SerializeToString()
        return Reply(200, {"Content-Type": "application/x-protobuf"}, response)

    with LoopbackServer(collect) as collector:
        exporter = OTLPMetricExporter(endpoint=f"{collector.url}/v1/metrics")
        reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
        meter_provider = MeterProvider([reader], shutdown_on_exit=False)
        stop = instrument(meter_provider=meter_provider)
        provider_of().get()
        join_refreshes()
        meter_provider.force_flush()
        stop()
        meter_provider.shutdown()
    sent = ExportMetricsServiceRequest.FromString(bodies[0])
    (scope,) = sent.resource_metrics[0].scope_metrics
    assert (scope.scope.name, scope.scope.version) == ("irsa_creds", irsa_creds.__version__)
    found = {metric.name: metric for metric in scope.metrics}
    assert found.keys() == {DURATION, ATTEMPTS, TIME_TO_LIVE}
    assert found[ATTEMPTS].sum.data_points[0].as_int == 1
    assert found[TIME_TO_LIVE].gauge.data_points[0].as_double > 3000


# -- the page --------------------------------------------------------------------------------------


def snippet() -> str:
    (found,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(found)


def included() -> str:
    (file,) = re.findall(r"{literalinclude} (\S+)", PAGE.read_text())
    return Path(PAGE.parent, file).read_text()


@pytest.fixture
def as_documented(
    sts: FakeSts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[[str], dict[str, Any]]]:
    """Return a function that runs code of the docs in a pod; unregister its collectors."""
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    (tmp_path / "token").write_text("a.b.c")
    before = set(REGISTRY._collector_to_names)

    def run(code: str) -> dict[str, Any]:
        names: dict[str, Any] = {}
        exec(compile(code, str(PAGE), "exec"), names)
        return names

    yield run
    for collector in set(REGISTRY._collector_to_names) - before:
        REGISTRY.unregister(collector)


def test_the_docs_snippet_for_opentelemetry_works(
    as_documented: Callable[[str], dict[str, Any]], backend: Backend, monkeypatch: Any
) -> None:
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: backend.meter_provider)
    stop = as_documented(snippet())["stop"]
    irsa_creds.provider().get()
    assert len(backend.points(ATTEMPTS)) == 1
    stop()


def gauge(name: str) -> float:
    value = REGISTRY.get_sample_value(name)
    assert value is not None
    return value


def test_the_docs_snippet_for_prometheus_works(
    as_documented: Callable[[str], dict[str, Any]], sts: FakeSts
) -> None:
    sts.hold.clear()
    names = as_documented(included())
    assert names["bounded"]("Throttling") == "Throttling"
    assert {names["bounded"](f"Code{number}") for number in range(100)} > {"_OTHER"}
    names["CODES"].clear()
    assert math.isnan(gauge("irsa_creds_credentials_time_to_live_seconds"))
    sts.hold.set()
    join_refreshes()
    assert gauge("irsa_creds_credentials_time_to_live_seconds") > 3000
    sts.down = DENIED
    names["provider"].invalidate()
    with pytest.raises(irsa_creds.ExchangeError):
        names["provider"].get()
    join_refreshes()
    lines = generate_latest().decode().splitlines()
    total = "irsa_creds_refresh_attempts_total"
    assert f'{total}{{error_type="",outcome="success"}} 1.0' in lines
    assert f'{total}{{error_type="AccessDenied",outcome="failure"}} 1.0' in lines
    assert "irsa_creds_refresh_duration_seconds_count 1.0" in lines
    assert "irsa_creds_credentials_time_to_live_seconds 0.0" in lines


def test_the_docs_name_every_metric_and_attribute(measured: Backend, sts: FakeSts) -> None:
    sts.down = DENIED
    with pytest.raises(irsa_creds.ExchangeError):
        provider_of().get()
    page = PAGE.read_text()
    (attempts,) = measured.points(ATTEMPTS)
    names = [DURATION, ATTEMPTS, TIME_TO_LIVE, *attempts.attributes]
    assert [name for name in names if f"`{name}`" not in page] == []
