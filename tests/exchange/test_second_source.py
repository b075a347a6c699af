"""A second source of credentials, added from outside as `_exchange/sources.py` describes."""

from __future__ import annotations

import json
import pickle
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

import irsa_creds
from engine_fakes import FakeClock, eventually, high, join_refreshes
from irsa_creds._engine import timing
from irsa_creds._engine.fetching import NO_EXPIRATION, RetryingFetcher
from irsa_creds._exchange.preload import http_module
from irsa_creds._exchange.sources import SOURCES, Source
from irsa_creds._identity.endpoint_settings import HttpSettings
from irsa_creds._provider import REGISTRY
from irsa_creds._registry import engine_of
from irsa_creds.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import ModuleType

    from irsa_creds._engine.clock import Clock
    from irsa_creds._engine.refresh import Refresh
    from irsa_creds._engine.snapshot import Snapshot
    from irsa_creds._errors import Failure
    from irsa_creds._identity.settings import Settings

HOUR = 3600.0
#: Of botocore's provider that gets credentials from such an endpoint.
METHOD = "container-role"


# -- the file in `_identity`: what settings name ---------------------------------------------------


class Endpoint(NamedTuple):
    """The identity that an HTTP endpoint hands out."""

    name: str

    @property
    def method(self) -> str:
        return METHOD

    @property
    def region(self) -> None:
        return

    @property
    def features(self) -> frozenset[str]:
        # CREDENTIALS_HTTP of `botocore.useragent`.
        return frozenset("z")

    @property
    def source(self) -> None:
        return


def find_endpoint(settings: Settings, arguments: Mapping[str, Any]) -> Endpoint | None:
    url = settings.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    return Endpoint(url) if url else None


# -- the file in `_exchange`: one request and its response -----------------------------------------


class EndpointFetcher(RetryingFetcher):
    """Gets credentials with one GET."""

    calls = 0
    service = "endpoint"
    operation = "GetCredentials"

    def __init__(self, endpoint: Endpoint, source: None, clock: Clock) -> None:
        assert source is None
        super().__init__(endpoint.name, clock=clock)
        self._url = endpoint.name

    def prepare(self) -> ModuleType:
        return http_module(self._url)

    def _attempt(self, refresh: Refresh) -> Snapshot | Failure:
        http = self.prepare()
        sent_at, wall_at = self._clock.now(), self._clock.wall()
        seconds = min(timing.ATTEMPT_SECONDS, refresh.deadline - sent_at)
        self.calls += 1
        response = http.send_request(
            HttpSettings(), http.HttpRequest(self._url, {}), seconds=seconds, connect=2.0, read=5.0
        )
        if isinstance(response, http.HttpFailure):
            return self._failure(response.code, response.reason, unreachable=True)
        if response.status != 200:
            return self._failure(f"HTTP{response.status}", "no keys", status=response.status)
        found = json.loads(response.body)
        credentials = irsa_creds.Credentials(
            found["AccessKeyId"],
            found["SecretAccessKey"],
            found["Token"],
            datetime.fromisoformat(found["Expiration"]) if "Expiration" in found else NO_EXPIRATION,
        )
        made = self._snapshot(
            credentials,
            credentials.expiration.timestamp() - wall_at,
            refresh,
            sent_at=sent_at,
            wall_at=wall_at,
            longest_age=self._clock.uniform(0.75 * HOUR, HOUR),
        )
        return made or self._failure("ExpiredCredentials", "they are expired")

    def _failure(self, code: str, reason: str, **fields: Any) -> Failure:
        return irsa_creds.Failure(
            kind="exchange",
            code=code,
            message=f"The endpoint returned no credentials ({code}): {reason}.",
            endpoint=self._url,
            operation=self.operation,
            service=self.service,
            **fields,
        )

    def reset_after_fork(self) -> None:
        self.calls = 0


# -- the row in `SOURCES` --------------------------------------------------------------------------

ROW = Source(find_endpoint, EndpointFetcher, last_resort=True)


class Agent(ThreadingHTTPServer):
    """An endpoint on the loopback.

    Attributes:
        calls: the number of requests.
        status: of the next responses.
        content: of the next responses.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.calls = 0
        self.status = 200
        self.content: dict[str, str] = {}
        self.expire_in(6 * HOUR)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/credentials"

    def expire_in(self, seconds: float | None) -> None:
        keys = {"AccessKeyId": "ASIAENDPOINT", "SecretAccessKey": "secret", "Token": "session"}
        end = {} if seconds is None else {"Expiration": in_seconds(seconds).isoformat()}
        self.content = keys | end


class Handler(BaseHTTPRequestHandler):
    server: Agent

    def do_GET(self) -> None:
        self.server.calls += 1
        body = json.dumps(self.server.content).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


def in_seconds(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Agent]:
    """A pod whose credentials come from an endpoint, and no web identity."""
    monkeypatch.setitem(SOURCES, METHOD, ROW)
    with Agent() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", made.url)
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        yield made
        made.shutdown()
        thread.join(10)
    join_refreshes()


def test_the_provider_has_the_credentials_of_the_second_source(agent: Agent) -> None:
    provider = irsa_creds.provider()
    assert provider.get().access_key_id == "ASIAENDPOINT"
    assert provider.status().sts_calls == agent.calls == 1


def test_provider_and_sessions_share_one_call(agent: Agent) -> None:
    irsa_creds.install()
    provider = irsa_creds.provider()
    sessions = [boto3.Session() for _ in range(8)]
    keys: list[str] = []

    def read(session: boto3.Session) -> None:
        keys.append(session.get_credentials().get_frozen_credentials().access_key)

    threads = [threading.Thread(target=read, args=(each,)) for each in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert keys == 8 * ["ASIAENDPOINT"]
    assert agent.calls == 1
    credentials = sessions[0].get_credentials()
    assert credentials.provider is provider is irsa_creds.provider()
    assert credentials.method == METHOD
    assert repr(credentials) == f"<IrsaCredentials of {agent.url}>"


def test_a_session_of_the_second_source_pickles_and_its_chain_is_restored(agent: Agent) -> None:
    session = irsa_creds.boto3_session()
    assert session.get_credentials().access_key == "ASIAENDPOINT"
    again = pickle.loads(pickle.dumps(session))
    assert again.get_credentials().provider is session.get_credentials().provider
    assert agent.calls == 1
    chain = session._session.get_component("credential_provider")
    ours = [each.METHOD for each in chain.providers if hasattr(each, "replaced")]
    irsa_creds.uninstall()
    assert not any(hasattr(each, "replaced") for each in chain.providers)
    assert ours == [
        "irsa-creds-source-profile", "assume-role-with-web-identity", METHOD
    ]  # fmt: skip


def test_a_web_identity_takes_precedence(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    role = "arn:aws:iam::123456789012:role/reports"
    assert irsa_creds.provider().role_arn == agent.url
    monkeypatch.setenv("AWS_ROLE_ARN", role)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/token")
    assert irsa_creds.provider().role_arn == role
    session = irsa_creds.boto3_session(strict=True)
    assert session.get_credentials().provider.role_arn == role


def test_arguments_of_sts_are_never_ignored(agent: Agent) -> None:
    with pytest.raises(irsa_creds.ConfigError, match="No web identity token is named"):
        irsa_creds.provider(policy='{"Version": "2012-10-17", "Statement": []}')
    assert agent.calls == 0


def test_a_strict_session_uses_the_second_source_too(agent: Agent) -> None:
    session = irsa_creds.boto3_session(strict=True)
    assert session.get_credentials().get_frozen_credentials().access_key == "ASIAENDPOINT"
    assert agent.calls == 1


@pytest.mark.parametrize("seconds", [None, 30 * 24 * HOUR])
def test_credentials_that_last_long_are_looked_at_within_an_hour(
    agent: Agent, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    clock.uniform = high
    clock.step_wall(time.time() - clock.wall())
    monkeypatch.setattr(REGISTRY, "_clock", clock)
    agent.expire_in(seconds)
    provider = irsa_creds.provider()
    given = provider.get()
    snapshot = engine_of(provider).snapshot
    assert snapshot.refresh_at - clock.now() <= HOUR
    assert all(
        timing.refresh_in_child(snapshot, clock.now() + age, clock.uniform) - clock.now()
        <= 2 * HOUR
        for age in (0, 0.5 * HOUR, 1.5 * HOUR)
    ), "in a forked child too"
    assert (given.expiration.year == 9999) is (seconds is None)
    expiry = provider.botocore_credentials()._expiry_time
    assert expiry is not None
    assert expiry.year == given.expiration.year
    # In an outage they are used on, and the next attempt comes.
    agent.status = 500
    clock.advance(2 * HOUR)
    assert provider.get() is given
    eventually(lambda: provider.status().last_failure is not None)
    assert agent.calls == 2
    assert provider.get() is given


def test_credentials_of_a_minute_are_refreshed_before_their_end(agent: Agent) -> None:
    agent.expire_in(60)
    provider = irsa_creds.provider()
    provider.get()
    snapshot = engine_of(provider).snapshot
    assert snapshot.refresh_at < snapshot.end_of_use


def test_failures_name_the_endpoint_and_no_role(
    agent: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    agent.status = 404
    provider = irsa_creds.provider()
    events: list[irsa_creds.Event] = []
    provider.subscribe(events.append)
    with pytest.raises(irsa_creds.ExchangeError) as caught:
        provider.get()
    text = str(caught.value)
    assert text.startswith("The endpoint returned no credentials (HTTP404): no keys.")
    assert f"endpoint: {agent.url}" in text
    assert "role" not in text
    assert "STS" not in text
    join_refreshes()
    (line,) = (each.getMessage() for each in caplog.records)
    assert f"source={agent.url}" in line
    assert "role=" not in line
    assert {each.role_arn for each in events} == {agent.url}
    with pytest.raises(ClientError) as denied:
        boto3_credentials().get_frozen_credentials()
    assert denied.value.operation_name == "GetCredentials"


def test_an_unexpected_response_is_not_called_one_of_sts(agent: Agent) -> None:
    agent.content = {"Code": "Success"}
    with pytest.raises(irsa_creds.ExchangeError) as caught:
        irsa_creds.provider().get()
    assert str(caught.value).startswith("The refresh failed with KeyError")
    failure = caught.value.failure
    assert failure is not None
    assert (failure.service, failure.operation) == ("endpoint", "GetCredentials")
    assert not engine_of(irsa_creds.provider()).fetcher.token_changed(), "there is none"


def test_an_endpoint_that_is_down_is_an_endpoint_connection_error(agent: Agent) -> None:
    agent.shutdown()
    agent.server_close()
    with pytest.raises(EndpointConnectionError):
        boto3_credentials().get_frozen_credentials()


def test_whoami_shows_the_endpoint(agent: Agent, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["whoami", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["endpoint"] == agent.url
    assert shown["access_key_id"] == "ASIAENDPOINT"
    assert shown["token"] == {}


def boto3_credentials() -> Any:
    return irsa_creds.boto3_session().get_credentials()


def test_the_shared_cache_is_for_tokens_alone(agent: Agent, tmp_path: Path) -> None:
    provider = irsa_creds.provider(shared_cache=tmp_path)
    assert provider.get().access_key_id == "ASIAENDPOINT"
    assert engine_of(provider).shared_fetcher is None
    assert list(tmp_path.iterdir()) == []
