"""`ExpiredToken` of a service starts a refresh: once per key, and not for a young key."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import Session

import irsa_creds
from engine_fakes import Rig, eventually, failure, join_refreshes, provider_of
from fake_network import ErrorResponse, FakeNetwork, set_irsa_environ
from irsa_creds._engine import timing
from irsa_creds._sessions.client_handlers import register_handlers
from irsa_creds.botocore import IrsaCredentials

if TYPE_CHECKING:
    from pathlib import Path

ONE = f"ASIA{1:016d}"


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> FakeNetwork:
    network = FakeNetwork.install(monkeypatch)
    network.service = ErrorResponse("ExpiredToken")
    return network


@pytest.fixture
def session(engine_rig: Rig) -> Session:
    """Return a session with the credentials of the rig, 61 s old."""
    session = Session()
    session.set_config_variable("region", "eu-west-1")
    provider = provider_of(engine_rig.engine)
    session._credentials = IrsaCredentials(provider)
    register_handlers(session, engine_rig.engine)
    session.get_credentials().get_frozen_credentials()
    engine_rig.clock.advance(61)
    return session


def call(session: Session, service: str = "s3", **config: Any) -> None:
    """Make a call that fails."""
    client = session.create_client(service, config=Config(retries={"max_attempts": 0}, **config))
    with pytest.raises(ClientError):
        client.list_buckets() if service == "s3" else client.list_tables()


def calls_to_sts(rig: Rig) -> int:
    rig.settle()
    return rig.sts.calls


@pytest.mark.parametrize("code", ["ExpiredToken", "ExpiredTokenException"])
@pytest.mark.parametrize("service", ["s3", "dynamodb"])
def test_expired_token_for_the_current_key_starts_a_refresh_and_the_key_is_still_served(
    code: str, service: str, network: FakeNetwork, session: Session, engine_rig: Rig
) -> None:
    network.service = ErrorResponse(code)
    engine_rig.sts.hold.clear()
    call(session, service)

    assert network.sent[-1].signed_with == ONE
    assert engine_rig.refresh is not None
    assert session.get_credentials().get_frozen_credentials().access_key == ONE
    engine_rig.sts.hold.set()
    assert calls_to_sts(engine_rig) == 2
    assert session.get_credentials().get_frozen_credentials().secret_key == "secret-2"


def test_expired_token_starts_one_refresh_per_key(
    network: FakeNetwork, session: Session, engine_rig: Rig
) -> None:
    engine_rig.sts.down = failure(retryable=False)
    for _ in range(3):
        call(session)
        assert calls_to_sts(engine_rig) == 2
        # The back-off is over, and the refresh is not due yet.
        engine_rig.clock.advance(0.001)


def test_expired_token_for_a_key_younger_than_a_minute_is_ignored(
    network: FakeNetwork, session: Session, engine_rig: Rig
) -> None:
    engine_rig.clock.advance(-2)
    call(session)
    assert calls_to_sts(engine_rig) == 1


@pytest.mark.parametrize("code", ["InvalidToken", "AccessDenied", "RequestExpired"])
def test_another_error_starts_no_refresh(
    code: str, network: FakeNetwork, session: Session, engine_rig: Rig
) -> None:
    network.service = ErrorResponse(code)
    call(session)
    assert calls_to_sts(engine_rig) == 1


def test_expired_token_for_an_unsigned_request_is_ignored(
    network: FakeNetwork, session: Session, engine_rig: Rig
) -> None:
    call(session, signature_version=UNSIGNED)
    assert network.sent[-1].signed_with is None
    assert calls_to_sts(engine_rig) == 1


def test_expired_token_for_another_key_is_ignored(
    network: FakeNetwork, session: Session, engine_rig: Rig
) -> None:
    client = session.create_client(
        "s3", aws_access_key_id="AKIDOTHER", aws_secret_access_key="other"
    )
    with pytest.raises(ClientError):
        client.list_buckets()
    assert network.sent[-1].signed_with == "AKIDOTHER"
    assert calls_to_sts(engine_rig) == 1


def test_a_head_response_without_a_code_is_ignored(
    network: FakeNetwork, session: Session, engine_rig: Rig
) -> None:
    with pytest.raises(ClientError, match="400"):
        session.create_client("s3").head_object(Bucket="data", Key="greeting")
    assert calls_to_sts(engine_rig) == 1


@pytest.mark.parametrize(
    ("headers", "calls"),
    [
        ({"Authorization": f"AWS4-HMAC-SHA256 Credential={ONE}/20260105/eu"}, 2),
        ({"Authorization": f"AWS4-HMAC-SHA256 Credential={ONE}/20260105/eu".encode()}, 2),
        ({"Authorization": f"AWS {ONE}:signature"}, 1),
        # A presigned URL has the signature in its query.
        ({}, 1),
    ],
)
def test_the_key_is_read_from_text_or_bytes(
    headers: dict[str, str | bytes], calls: int, session: Session, engine_rig: Rig
) -> None:
    request = SimpleNamespace(headers=headers, context={})
    response = {"Error": {"Code": "ExpiredToken"}}
    session.emit("request-created.s3.GetObject", request=request)
    session.emit("response-received.s3", parsed_response=response, context=request.context)
    assert calls_to_sts(engine_rig) == calls


@pytest.mark.parametrize(
    "arguments",
    [
        {"parsed_response": None, "context": None, "exception": OSError()},
        {"parsed_response": {}, "context": {}},
        {"parsed_response": {"Error": None}, "context": {}},
        {},
    ],
)
def test_an_incomplete_response_raises_no_error(
    arguments: dict[str, Any], session: Session, engine_rig: Rig
) -> None:
    session.emit("response-received.s3.GetObject", **arguments)
    assert calls_to_sts(engine_rig) == 1


def test_a_session_that_resolves_again_has_one_pair_of_handlers(
    session: Session, engine_rig: Rig
) -> None:
    def listeners() -> list[int]:
        request = SimpleNamespace(headers={}, context={})
        created = session.emit("request-created.s3.GetObject", request=request)
        received = session.emit("response-received.s3.GetObject")
        return [len(created), len(received)]

    before = listeners()
    register_handlers(session, engine_rig.engine)
    assert listeners() == before


def test_a_session_that_resolves_another_identity_reports_to_its_engine(
    session: Session, engine_rig: Rig, here: Rig
) -> None:
    here.warm()
    here.clock.advance(61)
    register_handlers(session, here.engine)
    request = SimpleNamespace(
        headers={"Authorization": f"Credential={ONE}/20260105/eu"}, context={}
    )
    session.emit("request-created.s3.GetObject", request=request)
    response = {"Error": {"Code": "ExpiredToken"}}
    session.emit("response-received.s3", parsed_response=response, context=request.context)
    assert (calls_to_sts(engine_rig), calls_to_sts(here)) == (1, 2)


def test_uninstall_removes_the_handlers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    set_irsa_environ(monkeypatch, tmp_path)
    irsa_creds.install()
    session = Session()
    before = len(session.emit("response-received.s3.GetObject"))
    session.get_credentials()
    assert len(session.emit("response-received.s3.GetObject")) == before + 1
    irsa_creds.uninstall()
    assert len(session.emit("response-received.s3.GetObject")) == before


def test_install_registers_the_handlers(
    network: FakeNetwork, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(timing, "DEMAND_INTERVAL", -1.0)
    set_irsa_environ(monkeypatch, tmp_path)
    irsa_creds.install()
    call(Session())
    # The timer starts the refresh; the call does not wait for it.
    eventually(lambda: irsa_creds.provider().status().flights == 2)
    join_refreshes()
