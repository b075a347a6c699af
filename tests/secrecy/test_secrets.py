"""Token, secret key, session token and a proxy's password show up nowhere, whatever happens."""

from __future__ import annotations

import pickle
import socket
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import boto3
import pytest

import irsa_creds
from irsa_creds import Credentials
from irsa_creds._botocore.errors import to_botocore
from irsa_creds._exchange.advice import ExchangeRequest
from irsa_creds._exchange.http import HttpFailure, HttpRequest, HttpResponse
from irsa_creds._identity.token import Token
from irsa_creds._registry import engine_of
from secrecy.leak_detector import OPAQUE, PASSWORD, TOKEN, chain, internals
from sts_server import (
    ROLE,
    SECRET_KEY,
    SESSION_TOKEN,
    credentials_xml,
    disconnect,
    error_xml,
    hang,
    http,
    reset,
    send,
    send_error,
    success,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from secrecy.leak_detector import Witness
    from sts_server import Call, StsServer


def responses(token: str) -> dict[str, Callable[[Call], None]]:
    """Return what a server may do with the token that it was sent."""
    echo = f"I was sent {token}, that is {quote_plus(token)}."
    return {
        "denial that echoes the token": send_error("AccessDenied", echo, "403 Forbidden"),
        "denial whose code is the token": send_error(token[:60], echo, "403 Forbidden"),
        "denial whose request id is the token": send(
            http("<html/>", "400 Bad Request", x_amzn_requestid=token)
        ),
        "denial that echoes the token in pieces": send_error(
            "AccessDenied", " | ".join(token.split(".")), "403 Forbidden"
        ),
        "denial that echoes the token with blanks": send_error(
            "AccessDenied", " ".join(token), "403 Forbidden"
        ),
        "denial that echoes pieces of 12": send_error("AccessDenied", cut(token, 12, " | ")),
        "denial that echoes pieces of 20 in words": send_error(
            "AccessDenied", cut(token, 20, " and then ")
        ),
        "denial that echoes pieces of 30 in lines": send_error(
            "AccessDenied", cut(token, 30, "\n")
        ),
        "denial whose code is a piece of 12": send_error(token[3:15], "403 Forbidden"),
        "not HTTP, in pieces of 12": send(f"{cut(token, 12, ', ')}\r\n\r\n".encode()),
        "denial whose request id is a piece of the token": send(
            http("<html/>", "400 Bad Request", x_amzn_requestid=token.rpartition(".")[2])
        ),
        "expired token": send_error("ExpiredTokenException", echo),
        "throttling": send_error("Throttling", echo),
        "failure of the server": send(http(echo, "500 Internal Server Error")),
        "bad gateway": send(http(f"<html>{echo}</html>", "502 Bad Gateway")),
        "redirect with the token": send(http("", "307 Temporary Redirect", Location=f"/?{token}")),
        "reset": reset,
        "hung up": disconnect,
        "silence": hang,
        "slow drip": lambda call: call.drip(http(credentials_xml()), 0.05),
        "garbage": send(http(bytes(range(256)))),
        "not HTTP": send(f"{echo}\r\n\r\n".encode()),
        "a header that is none": send(f"HTTP/1.1 200 OK\r\n{echo}\r\n\r\n".encode()),
        "a length that is none": send(
            f"HTTP/1.1 200 OK\r\nContent-Length: {token}\r\n\r\n".encode()
        ),
        "an encoding that is none": send(http("x", Content_Encoding="gzip", X_Echo=token)),
        "oversize": send(http(credentials_xml() + echo * 20_000)),
        "truncated": send(http(credentials_xml()[:-200])),
        "cut off": send(http(credentials_xml()[:400], length=5000)),
        "fields missing": send(http(credentials_xml().replace("SecretAccessKey", "Other"))),
        "secret with a line break": send(
            http(credentials_xml().replace(SECRET_KEY, f"{SECRET_KEY}\n1"))
        ),
        "expiry that is the secret": send(http(credentials_xml(SECRET_KEY))),
        "credentials in an error": send(http(credentials_xml(), "400 Bad Request")),
        "error in a success": send(http(error_xml("AccessDenied", echo))),
        "expired credentials": success(expiration="2026-01-05T09:00:00Z"),
    }


def cut(token: str, size: int, separator: str) -> str:
    """Return a token in pieces of a size."""
    return separator.join(token[at : at + size] for at in range(0, len(token), size))


def witness_all(witness: Witness) -> list[BaseException]:
    """Read in every way; let the witness see whatever comes of it. Return the errors."""
    irsa_creds.install()
    provider = irsa_creds.provider()
    provider.subscribe(witness.see)
    errors: list[BaseException] = []
    adapter = boto3.Session().get_credentials()
    for read in (provider.get, adapter.get_frozen_credentials):
        try:
            read()
        except irsa_creds.IrsaError as error:
            errors += [error, to_botocore(error)]
    for each in errors:
        witness.see_error(each)
        witness.see_locals(each)
        witness.see_pickle(each)
    witness.see(provider, provider.status(), adapter)
    witness.see_pickle(provider)
    witness.see(*internals())
    return errors


@pytest.mark.parametrize("what", responses(TOKEN))
@pytest.mark.parametrize("token", [TOKEN, OPAQUE], ids=["JWT", "opaque"])
def test_no_response_of_sts_reveals_a_secret(
    token: str, what: str, sts: StsServer, token_file: Path, witness: Witness
) -> None:
    token_file.write_text(token)
    sts.script[:] = [responses(token)[what]]

    errors = witness_all(witness)

    assert sts.seen, "nothing was sent: this shows nothing"
    assert errors
    assert witness.find() == []
    # Not even a hidden one: it may hold the request with its body.
    kept = [type(each).__module__ for error in errors for each in chain(error)]
    assert not [module for module in kept if not module.startswith("irsa_creds")]


@pytest.mark.parametrize("what", [name for name in responses(TOKEN) if "echoes" in name])
def test_an_entry_of_the_shared_cache_reveals_no_secret_that_sts_echoes(
    what: str, sts: StsServer, witness: Witness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRSA_CREDS_CACHE_DIR", str(tmp_path / "cache"))
    sts.script[:] = [responses(TOKEN)[what]]

    assert witness_all(witness)

    entries = [each for each in (tmp_path / "cache").rglob("*") if each.is_file()]
    texts = [each.read_bytes().decode() for each in entries]
    assert any("denied" in text for text in texts), "no failure was written: this shows nothing"
    witness.see(*texts)
    assert witness.find() == []


def test_a_success_reveals_no_secret(sts: StsServer, witness: Witness) -> None:
    assert witness_all(witness) == []
    assert witness.find() == []
    assert irsa_creds.provider().get().secret_access_key == SECRET_KEY


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.mark.parametrize("where", ["http://127.0.0.1:{}", "http://unknown.invalid:{}"])
def test_a_refused_connection_reveals_no_secret(
    where: str, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", where.format(unused_port()))
    assert witness_all(witness)
    assert witness.find() == []


def test_a_tls_failure_reveals_no_secret(
    sts: StsServer, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url.replace("http:", "https:"))
    assert witness_all(witness)
    assert witness.find() == []


@pytest.mark.parametrize(
    "act",
    [
        send(http(PASSWORD, "407 Proxy Authentication Required")),
        send(http(f"<html>{PASSWORD}</html>", "502 Bad Gateway")),
        disconnect,
        None,
    ],
    ids=["407", "502", "hung up", "refused"],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_failure_reveals_no_password(
    scheme: str,
    act: Callable[[Call], None] | None,
    sts: StsServer,
    witness: Witness,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sts.script[:] = [act] if act else sts.script
    port = sts.port if act else unused_port()
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://user:{PASSWORD}@127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"{scheme}://sts.example.com")
    assert witness_all(witness)
    assert witness.find() == []


@pytest.mark.parametrize("mark", "/#?@\\")
@pytest.mark.parametrize("begin", [PASSWORD, "1"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_unescaped_proxy_password_is_not_revealed(
    scheme: str, begin: str, mark: str, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = f"{begin}{mark}{PASSWORD}"
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://user:{password}@127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"{scheme}://sts.example.com")
    errors = witness_all(witness)
    assert witness.find() == []
    # An @ in it is understood.
    assert ("percent-encode" in str(errors[0])) == (mark != "@")
    assert "ProxyConnectionError" in str(errors[0])


@pytest.mark.parametrize("mark", ["", "/", "#", "?", "@", " ", "@/@"])
def test_a_password_in_the_endpoint_is_rejected_and_not_revealed(
    mark: str, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"https://user:1{mark}{PASSWORD}@sts.example.com")
    with pytest.raises(irsa_creds.ConfigError, match="URL_STS contains an '@'") as caught:
        irsa_creds.provider()
    witness.see_error(caught.value)
    witness.see_error(to_botocore(caught.value))
    assert witness.find() == []


@pytest.mark.parametrize(
    "value",
    [
        TOKEN,
        f'"{TOKEN}"',
        f"Bearer {TOKEN}",
        f"token={TOKEN}",
        "eyJhbGciOiJkaXIifQ.." + ".".join([PASSWORD] * 3),
        f"hvs.{PASSWORD}",
        f"s.{PASSWORD}",
        PASSWORD * 500,
    ],
)
def test_a_token_instead_of_its_file_is_not_revealed(
    value: str, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", value)
    with pytest.raises((irsa_creds.ConfigError, irsa_creds.TokenError)) as caught:
        irsa_creds.provider().get()
    witness.see_error(caught.value)
    witness.see_error(to_botocore(caught.value))
    witness.see_pickle(caught.value)
    witness.see(*(each for each in internals() if type(each).__name__ in {"Config", "Failure"}))
    assert witness.find() == []


@pytest.mark.parametrize("token", [TOKEN, OPAQUE], ids=["JWT", "opaque"])
def test_an_interrupt_reveals_no_secret_in_local_variables(
    token: str, token_file: Path, sts: StsServer, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    token_file.write_text(token)
    provider = irsa_creds.provider()
    # No thread can start: the refresh runs on the caller's, and ^C comes while it waits for STS.
    monkeypatch.setattr("irsa_creds._engine.slots.start_thread", lambda _: False)
    monkeypatch.setattr("http.client.HTTPConnection.getresponse", interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        provider.get()
    witness.see_locals(caught.value)
    assert any(text.startswith("<irsa_creds._exchange.sts.StsClient ") for text in witness.heard)
    assert witness.find() == []


def test_the_message_of_a_token_callable_is_masked(witness: Witness) -> None:
    def fetch() -> str:
        raise OSError(f"GET https://user:{PASSWORD}@vault.example?jwt={TOKEN} failed")

    provider = irsa_creds.provider(token=fetch)
    with pytest.raises(irsa_creds.TokenError, match="OSError") as caught:
        provider.get()
    witness.see_error(caught.value)
    witness.see_pickle(caught.value)
    witness.see(provider, *internals())
    assert witness.find() == []
    assert [type(each) for each in chain(caught.value)] == [irsa_creds.TokenError]


def test_a_subscriber_that_raises_a_secret_is_not_repeated(witness: Witness) -> None:
    def complain(event: object) -> None:
        raise ValueError(f"{event} {TOKEN}")

    provider = irsa_creds.provider()
    provider.subscribe(complain)
    provider.get()
    deadline = time.monotonic() + 10
    while not any("A subscriber to irsa_creds stays subscribed" in text for text in witness.heard):
        assert time.monotonic() < deadline
        time.sleep(0.002)
    assert witness.find() == []


def test_no_object_shows_a_secret_during_a_request(sts: StsServer, witness: Witness) -> None:
    sts.script[:] = [hang]
    irsa_creds.provider().prefetch()
    deadline = time.monotonic() + 10
    while not sts.seen:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    witness.see(*internals())
    assert any("Request" in text for text in witness.heard)
    assert witness.find() == []


@pytest.mark.parametrize(
    "thing",
    [
        Token(TOKEN),
        Token(OPAQUE),
        HttpRequest("https://sts.example", {}, f"WebIdentityToken={TOKEN}".encode()),
        HttpResponse(200, {}, credentials_xml().encode()),
        HttpFailure("SSLError", "handshake failure"),
        ExchangeRequest(ROLE, "https://sts.example", None, Token(TOKEN)),
        Credentials("ASIA", SECRET_KEY, SESSION_TOKEN, datetime.now(UTC)),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_objects_with_a_secret_do_not_show_it(thing: Any, witness: Witness) -> None:
    witness.see(thing)
    assert witness.find() == []


def test_objects_with_a_secret_do_not_pickle() -> None:
    provider = irsa_creds.provider()
    credentials = provider.get()
    irsa_creds.install()
    for held in (credentials, Token(TOKEN), boto3.Session().get_credentials()):
        with pytest.raises(TypeError, match="secrets"):
            pickle.dumps(held)


def test_sessions_pickle_without_credentials(witness: Witness) -> None:
    session = irsa_creds.boto3_session(region_name="eu-west-1")
    assert session.get_credentials().get_frozen_credentials().secret_key == SECRET_KEY
    witness.see_pickle(session)
    witness.see_pickle(irsa_creds.provider(region="eu-west-1"))
    assert witness.find() == []


def test_the_witness_has_eyes(witness: Witness) -> None:
    witness.see(TOKEN)
    assert witness.find()


def test_the_detector_finds_old_and_new_objects() -> None:
    new = Token(TOKEN)
    # The older one is a parameter above.
    found = internals()
    assert new in found
    assert any(type(each) is HttpResponse for each in found)


def test_the_engine_that_serves_secrets_shows_none(witness: Witness) -> None:
    provider = irsa_creds.provider()
    provider.get()
    engine = engine_of(provider)
    witness.see(engine, engine.snapshot, engine.snapshot.credentials, vars(provider), vars(engine))
    assert witness.find() == []
