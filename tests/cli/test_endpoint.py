"""The endpoint with the requests of SDKs and of attackers."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import aiobotocore.session
import boto3
import pytest
import s3fs

import irsa_creds
from irsa_creds.cli import _endpoint
from irsa_creds.cli._child_environ import child_environ
from irsa_creds.cli._endpoint import Endpoint, hosts_of
from irsa_creds.cli._endpoint_token import token_file, variables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.container import Container

PATIENCE = 20.0


GIVEN = irsa_creds.Credentials(
    "ASIAEXAMPLE", "secret-of-all", "session-of-all", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
)


@dataclass
class Holder:
    """Stands for a provider that has credentials."""

    credentials: irsa_creds.Credentials = GIVEN

    def get(self, *, timeout: float) -> irsa_creds.Credentials:
        return self.credentials


@pytest.fixture
def holder() -> Holder:
    return Holder()


@pytest.fixture
def endpoint(holder: Holder) -> Iterator[Endpoint]:
    with Endpoint(cast("Any", holder)) as opened:
        yield opened


@pytest.fixture
def real(container: Container, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """The endpoint of a pod's own provider."""
    for name, value in container.environ.items():
        monkeypatch.setenv(name, value)
    with Endpoint(irsa_creds.provider()) as opened:
        yield opened


@dataclass
class Answered:
    """What came back: nothing at all has status 0."""

    status: int
    head: str
    body: str


def connected(endpoint: Endpoint) -> socket.socket:
    return socket.create_connection(("127.0.0.1", endpoint.port), timeout=PATIENCE)


def send(endpoint: Endpoint, request: bytes) -> Answered:
    """Send any bytes, and read until the endpoint closes."""
    with connected(endpoint) as connection:
        connection.sendall(request)
        return received(connection)


def received(connection: socket.socket) -> Answered:
    response = b""
    try:
        while more := connection.recv(65_536):
            response += more
    except ConnectionResetError:
        pass
    head, _, body = response.decode().partition("\r\n\r\n")
    return Answered(int(head.split()[1]) if head else 0, head, body)


def request(endpoint: Endpoint, **changes: str | None) -> bytes:
    """Return a request as SDKs send it, but for the changes; None leaves a header out."""
    line = f"{changes.pop('method', 'GET')} {changes.pop('path', '/v1/credentials')} HTTP/1.1"
    headers: dict[str, str | None] = {
        "Host": f"127.0.0.1:{endpoint.port}",
        "Authorization": endpoint.token,
        "Accept": "application/json",
    }
    headers |= {name.capitalize(): value for name, value in changes.items()}
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join([line, *lines, "", ""]).encode()


def gives_nothing(response: Answered) -> bool:
    fields = response.head + response.body
    return not any(part in fields for part in ("ASIA", "secret-of-all", "session-of-all"))


# -- requests of SDKs ------------------------------------------------------------------------------


def test_a_client_with_the_token_gets_the_format_of_sdks(endpoint: Endpoint) -> None:
    response = send(endpoint, request(endpoint))
    assert response.status == 200
    assert "Content-Type: application/json" in response.head
    assert "Cache-Control: no-store" in response.head
    assert json.loads(response.body) == {
        "AccessKeyId": "ASIAEXAMPLE",
        "SecretAccessKey": "secret-of-all",
        "Token": "session-of-all",
        "Expiration": "2030-01-02T03:04:05Z",
    }


def test_the_account_is_in_the_output_if_sts_returned_it(
    endpoint: Endpoint, holder: Holder
) -> None:
    holder.credentials = irsa_creds.Credentials(
        "ASIAEXAMPLE", "secret", "session", GIVEN.expiration, account_id="123456789012"
    )
    assert json.loads(send(endpoint, request(endpoint)).body)["AccountId"] == "123456789012"


@pytest.mark.parametrize("name", ["localhost", "LocalHost"])
def test_the_name_localhost_is_accepted(name: str, endpoint: Endpoint) -> None:
    assert send(endpoint, request(endpoint, host=f"{name}:{endpoint.port}")).status == 200


def test_only_the_default_port_of_http_may_be_omitted() -> None:
    assert hosts_of(80) == {"127.0.0.1", "127.0.0.1:80", "localhost", "localhost:80"}
    assert hosts_of(8080) == {"127.0.0.1:8080", "localhost:8080"}


def test_without_credentials_it_returns_503_with_the_error(
    real: Endpoint, container: Container
) -> None:
    container.sandbox.faults.fail("AccessDenied")
    response = send(real, request(real))
    fields = json.loads(response.body)
    assert (response.status, fields["code"]) == (503, "AccessDenied")
    assert container.pod.role_arn in fields["message"]
    assert container.pod.token_file.read_text() not in response.body


def test_a_slow_sts_makes_no_client_wait_beyond_its_own_time_out(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    requested: list[float] = []

    def slow(*, timeout: float) -> irsa_creds.Credentials:
        requested.append(timeout)
        raise irsa_creds.RefreshTimeout("No credentials came in time.")

    monkeypatch.setattr(endpoint.provider, "get", slow)
    response = send(endpoint, request(endpoint))
    assert (response.status, json.loads(response.body)["code"]) == (503, "RefreshTimeout")
    # The AWS SDK for JavaScript gives up after a second.
    assert requested[0] < 1


@pytest.fixture
def sdk(
    real: Endpoint, container: Container, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Container]:
    """The environment of a child: the endpoint is all that is left in it."""
    # As `exec` does: SDKs wait for a second or two only.
    real.provider.get()
    with token_file(real.token) as path:
        for name in container.environ.keys() - child_environ(container.environ).keys():
            monkeypatch.delenv(name)
        for name, value in variables(real, path).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        yield container
    signers = {each.access_key_id for each in container.sandbox.s3_identities}
    assert signers == set(container.given)
    assert len(container.given) == 1


def test_boto3_reads_a_bucket_through_it(sdk: Container) -> None:
    client = boto3.client("s3")
    assert client.get_object(Bucket="data", Key="greeting")["Body"].read() == b"hello"
    assert boto3.DEFAULT_SESSION.get_credentials().method == "container-role"


def test_aiobotocore_reads_a_bucket_through_it(sdk: Container) -> None:
    async def read() -> bytes:
        session = aiobotocore.session.get_session()
        async with session.create_client("s3") as client:
            found = await client.get_object(Bucket="data", Key="greeting")
            body: bytes = await found["Body"].read()
            return body

    assert asyncio.run(read()) == b"hello"


def test_s3fs_reads_a_bucket_through_it(sdk: Container) -> None:
    assert s3fs.S3FileSystem(skip_instance_cache=True).cat_file("data/greeting") == b"hello"


# -- requests of attackers -------------------------------------------------------------------------

ATTACKS: dict[str, tuple[int, dict[str, str | None]]] = {
    "no token": (401, {"authorization": None}),
    "an empty token": (401, {"authorization": ""}),
    "another token": (401, {"authorization": "x" * 43}),
    "a token with letters beyond ASCII": (401, {"authorization": "é" * 43}),
    "the name of another host": (403, {"host": "evil.example"}),
    "another host that leads here": (403, {"host": "evil.example:{port}"}),
    "another port": (403, {"host": "127.0.0.1:1"}),
    "no host": (403, {"host": None}),
    "another path": (404, {"path": "/"}),
    "the path and more": (404, {"path": "/v1/credentials/../x"}),
    "a query": (404, {"path": "/v1/credentials?x=1"}),
    "another path without token": (401, {"path": "/", "authorization": None}),
    "POST": (501, {"method": "POST"}),
    "HEAD": (501, {"method": "HEAD"}),
    "OPTIONS, which a browser sends first": (501, {"method": "OPTIONS"}),
    "a huge header": (431, {"x-more": "x" * 20_000}),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_is_given_for(attack: str, endpoint: Endpoint) -> None:
    status, changes = ATTACKS[attack]
    changes = {name: value and value.format(port=endpoint.port) for name, value in changes.items()}
    response = send(endpoint, request(endpoint, **changes))
    # For a client that still sends, the connection may end before the response.
    assert response.status in ({status, 0} if status == 431 else {status})
    assert len(response.body) < 40
    assert gives_nothing(response)


@pytest.mark.parametrize("twice", ["Authorization: x", "Host: evil.example"], ids=["token", "host"])
def test_nothing_is_given_for_a_header_that_is_there_twice(twice: str, endpoint: Endpoint) -> None:
    sent = request(endpoint).replace(b"Accept:", f"{twice}\r\nAccept:".encode())
    assert send(endpoint, sent).status in {401, 403}


@pytest.mark.parametrize(
    "noise",
    [b"\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\r\n", b"GET / HTTP/9.9\r\n\r\n"],
    ids=["nothing", "half a line", "TLS", "another version"],
)
def test_a_malformed_request_gets_no_credentials(
    noise: bytes, endpoint: Endpoint, capfd: pytest.CaptureFixture[str]
) -> None:
    assert gives_nothing(send(endpoint, noise))
    assert send(endpoint, request(endpoint)).status == 200
    assert capfd.readouterr() == ("", "")


def test_a_connection_serves_only_one_request(endpoint: Endpoint) -> None:
    response = send(endpoint, request(endpoint) * 2)
    assert response.body.count("AccessKeyId") == 1
    assert "Connection: close" in response.head


def test_a_slow_client_is_disconnected(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irsa_creds.cli._endpoint._REQUEST_SECONDS", 0.3)
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", endpoint.port), timeout=PATIENCE) as connection:
        try:
            for byte in request(endpoint, **{"x-more": "x" * 10_000}):
                connection.sendall(bytes([byte]))
                time.sleep(0.005)
        except OSError:
            pass
        else:
            assert received(connection).body == ""
    # All of it would take 50 s.
    assert time.monotonic() - began < PATIENCE


class Steps:
    """The module `time`, each look at which takes a second and a half."""

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        self._now += 1.5
        return self._now


def test_a_client_is_cut_off_at_the_deadline_though_its_bytes_never_pause(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("irsa_creds.cli._endpoint.time", Steps())
    # More than one read, and all of it is there at once.
    response = send(endpoint, request(endpoint, **{"x-more": "x" * 10_000}))
    assert (response.status, response.body) == (0, "")


def test_the_wait_for_credentials_ends_with_the_request(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def get(*, timeout: float) -> irsa_creds.Credentials:
        waits.append(timeout)
        return GIVEN

    monkeypatch.setattr(endpoint.provider, "get", get)
    monkeypatch.setattr("irsa_creds.cli._endpoint._WAIT_SECONDS", 2 * PATIENCE)
    monkeypatch.setattr("irsa_creds.cli._endpoint._REQUEST_SECONDS", PATIENCE)
    assert send(endpoint, request(endpoint)).status == 200
    assert waits[0] < PATIENCE


@pytest.mark.parametrize("said", [b"", b"GET /v1/credentials HTTP/1.1\r\nHost:"], ids=["", "half"])
def test_clients_without_the_token_are_disconnected(
    said: bytes, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("irsa_creds.cli._endpoint._REQUEST_SECONDS", 10 * PATIENCE)
    with ExitStack() as stack:
        for _ in range(3 * _endpoint._CONNECTIONS):
            client = stack.enter_context(connected(endpoint))
            client.sendall(said)
        assert send(endpoint, request(endpoint)).status == 200


class Busy:
    """A provider that waits for a test before it returns credentials.

    Attributes:
        most: how many have asked at once.
    """

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.full = threading.Event()
        self.most = 0
        self._lock = threading.Lock()
        self._inside = 0

    def get(self, *, timeout: float) -> irsa_creds.Credentials:
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
            if self._inside == _endpoint._CONNECTIONS:
                self.full.set()
        self.gate.wait(PATIENCE)
        with self._lock:
            self._inside -= 1
        return GIVEN


@pytest.fixture
def busy() -> Busy:
    return Busy()


@pytest.fixture
def busy_endpoint(busy: Busy) -> Iterator[Endpoint]:
    with Endpoint(cast("Any", busy)) as opened:
        yield opened


def test_connections_have_a_limit_and_the_rest_wait_for_their_turn(
    busy: Busy, busy_endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No client may be disconnected because this machine is slow.
    monkeypatch.setattr("irsa_creds.cli._endpoint._GRACE_SECONDS", 10 * PATIENCE)
    with ExitStack() as stack:
        clients = [
            stack.enter_context(connected(busy_endpoint)) for _ in range(2 * _endpoint._CONNECTIONS)
        ]
        for client in clients:
            client.sendall(request(busy_endpoint))
        assert busy.full.wait(PATIENCE)
        busy.gate.set()
        assert {received(client).status for client in clients} == {200}
    assert busy.most == _endpoint._CONNECTIONS


def test_a_client_with_the_token_is_not_disconnected(
    busy: Busy, busy_endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        known = [
            stack.enter_context(connected(busy_endpoint)) for _ in range(_endpoint._CONNECTIONS)
        ]
        for client in known:
            client.sendall(request(busy_endpoint))
        assert busy.full.wait(PATIENCE)
        dismissed = threading.Event()
        dismiss = busy_endpoint._close_unauthenticated

        def fields() -> None:
            dismiss()
            dismissed.set()

        monkeypatch.setattr(busy_endpoint, "_close_unauthenticated", fields)
        monkeypatch.setattr("irsa_creds.cli._endpoint._GRACE_SECONDS", 0)
        late = stack.enter_context(connected(busy_endpoint))
        late.sendall(request(busy_endpoint))
        assert dismissed.wait(PATIENCE)
        busy.gate.set()
        assert {received(client).status for client in [*known, late]} == {200}


def test_without_a_thread_the_next_client_is_served(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start
    denied: list[threading.Thread] = []

    def refuse_once(thread: threading.Thread) -> None:
        if not denied and "_serve" in thread.name:
            denied.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse_once)
    assert send(endpoint, request(endpoint)).status == 0
    assert send(endpoint, request(endpoint)).status == 200


def test_a_client_that_disconnects_is_not_logged_as_an_error(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(*_: Any) -> None:
        raise BrokenPipeError(endpoint.token)

    monkeypatch.setattr(_endpoint._Handler, "_respond", gone)
    with caplog.at_level("DEBUG", "irsa_creds"):
        assert send(endpoint, request(endpoint)).status == 0
    assert endpoint.token not in caplog.text


def test_it_cannot_be_reached_by_another_address(endpoint: Endpoint) -> None:
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", endpoint.port), timeout=PATIENCE)


def test_each_has_a_token_of_its_own(endpoint: Endpoint, holder: Holder) -> None:
    with Endpoint(cast("Any", holder)) as other:
        assert endpoint.token != other.token
        assert len(other.token) >= 43
        assert send(other, request(other, authorization=endpoint.token)).status == 401


def test_a_closed_endpoint_does_not_listen(holder: Holder) -> None:
    with Endpoint(cast("Any", holder)) as endpoint:
        pass
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", endpoint.port), timeout=PATIENCE)
