"""N06: which servers `doctor --online` contacts for the issuer's keys, and which it does not."""

from __future__ import annotations

import base64
import json
import re
import socket
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from diagnosis.network.online_checks import checked
from irsa_creds._identity.endpoint_settings import HttpSettings
from irsa_creds._identity.token import Token
from irsa_creds.diagnosis._network import issuer
from irsa_creds.diagnosis._network.probes import StepError
from irsa_creds.testing._server import LoopbackServer, Reply, Request
from sts_server import StsServer, http, make_certificate, send

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from irsa_creds.testing import Pod, Sandbox


def served(respond: Callable[[Request], Reply]) -> LoopbackServer:
    return LoopbackServer(respond)


def as_json(document: object, status: int = 200, **headers: str) -> Reply:
    return Reply(status, headers, json.dumps(document).encode())


def token_of(iss: object, header: bytes = b'{"kid": "k1"}') -> Token:
    parts = (header, json.dumps({"iss": iss}).encode(), b"signature")
    return Token(".".join(base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in parts))


def ask(url: object, header: bytes = b'{"kid": "k1"}') -> Any:
    http_settings = HttpSettings()
    return issuer.fetch_issuer(http_settings, token_of(url, header), aws=False)


def test_an_unavailable_issuer_is_not_a_failure(here: Pod, shared: Sandbox) -> None:
    shared.issuer.reachable = False
    check = checked()["N06"]
    assert check.status == "unknown"
    assert "returned HTTP 503" in check.message


def test_a_key_that_is_not_published_fails(here: Pod, shared: Sandbox) -> None:
    here.token_file.write_text(shared.issuer.token(header={"kid": "old"}))
    check = checked()["N06"]
    assert check.status == "fail"
    assert "The key old" in check.message


def test_another_issuer_in_the_document_fails() -> None:
    discovery = {"issuer": "https://other.example", "jwks_uri": ""}
    replies: dict[str, Reply] = {}
    with served(lambda request: replies[request.path]) as server:
        discovery["jwks_uri"] = f"{server.url}/keys"
        replies["/.well-known/openid-configuration"] = as_json(discovery)
        replies["/keys"] = as_json({"keys": [{"kid": "k1"}, {"kid": 5}, "none"]})
        found = ask(server.url)
    assert (found.named, found.kids, found.error) == ("https://other.example", ("k1",), "")


def test_a_few_redirects_are_followed() -> None:
    replies: dict[str, Reply] = {}
    with served(lambda request: replies[request.path]) as server:
        first = "/.well-known/openid-configuration"
        replies[first] = Reply(302, {"Location": "/there"}, b"")
        replies["/there"] = as_json({"issuer": server.url, "jwks_uri": f"{server.url}/keys"})
        replies["/keys"] = as_json({"keys": []})
        found = ask(server.url)
    assert (found.named, found.error) == (server.url, "")


@pytest.mark.parametrize(
    ("places", "error"),
    [
        ({"jwks_uri": "http://127.0.0.2:1/keys"}, "leads to another server"),
        ({"jwks_uri": "https://127.0.0.1/keys"}, "leads to another server"),
        ({"Location": "http://169.254.169.254/latest/meta-data"}, "leads to another server"),
        ({"Location": "http://[bad"}, "redirects to an invalid URL"),
    ],
)
def test_urls_of_an_unexpected_document_are_not_contacted(
    places: dict[str, str], error: str
) -> None:
    reply = as_json(places)
    if "Location" in places:
        reply = Reply(302, places, b"")
    with served(lambda _: reply) as server:
        assert error in ask(server.url).error


def test_an_old_urllib3_is_read_byte_by_byte() -> None:
    pieces = [b"a", b"b", b""]
    raw = SimpleNamespace(read=lambda size: pieces.pop(0)[:size])
    assert issuer._read(raw, time.monotonic() + 60) == b"ab"


def test_a_redirect_to_an_invalid_url_is_reported() -> None:
    with pytest.raises(StepError, match="redirects to an invalid URL"):
        issuer._redirected("http://issuer.example", "//[bad")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://issuer.example"])
def test_an_issuer_for_aws_must_use_https(url: str) -> None:
    found = issuer.fetch_issuer(HttpSettings(), token_of(url), aws=True)
    assert "is not an https URL" in found.error


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "0.0.0.0",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "64:ff9b:1:0:a9:fea9:fe00:0",
        "64:ff9b:1:a9fe:a9:fe00:808:808",
        "::169.254.169.254",
        "::ffff:0:169.254.169.254",
        "2002:a9fe:a9fe::1",
        "2001:0:1:2:3:4:5601:5601",
    ],
)
def test_metadata_addresses_are_not_contacted_as_issuers(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr("irsa_creds.diagnosis._network.issuer.addresses_of", lambda *_: (address,))
    assert "which cannot be an issuer" in ask("http://issuer.example").error


def test_a_public_issuer_cannot_redirect_to_a_private_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    way = issuer._IssuerRequest(HttpSettings(), "https://issuer.example", aws=True, deadline=0)
    monkeypatch.setattr(
        "irsa_creds.diagnosis._network.issuer.addresses_of", lambda *_: ("52.1.1.1",)
    )
    assert not issuer._is_private(way)
    monkeypatch.setattr(
        "irsa_creds.diagnosis._network.issuer.addresses_of", lambda *_: ("10.0.0.7",)
    )
    with pytest.raises(StepError, match=r"leads to 10\.0\.0\.7, inside this network"):
        issuer._get(way, "https://keys.example/keys")


@pytest.fixture
def leads_to(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that sets the addresses of hosts; a host without any is not known."""

    def lead(**hosts: tuple[str, ...]) -> None:
        def found(host: str, _: int) -> tuple[str, ...]:
            return hosts[host.partition(".")[0]]

        monkeypatch.setattr("irsa_creds.diagnosis._network.issuer.addresses_of", found)

    return lead


def error_for(url: str) -> str:
    """Return why the keys of an issuer of AWS's STS are not fetched."""
    error: str = issuer.fetch_issuer(HttpSettings(), token_of(url), aws=True).error
    return error


PRIVATE = [
    "10.0.0.7",
    "::ffff:10.0.0.7",
    "64:ff9b::a00:7",
    "::10.0.0.7",
    "::127.0.0.1",
    "::1",
    "::ffff:0:10.0.0.7",
    "fec0::7",
    "2002:a00:7::1",
    "2001:0:808:808:0:0:f5ff:fff8",
    "fd00::7",
    "100.64.0.1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_beside_a_public_one_is_not_contacted(
    leads_to: Callable[..., None], address: str
) -> None:
    leads_to(issuer=("52.1.1.1", address))
    assert "inside this network" in error_for("https://issuer.example")


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_beside_a_public_one_opens_no_other_host(
    leads_to: Callable[..., None], address: str
) -> None:
    leads_to(issuer=("52.1.1.1", "10.0.0.1"), keys=(address,))
    way = issuer._IssuerRequest(HttpSettings(), "https://issuer.example", aws=True, deadline=0)
    way = way._replace(private=issuer._is_private(way))
    with pytest.raises(StepError, match="inside this network"):
        issuer._get(way, "https://keys.example/keys")


def test_an_issuer_with_a_public_address_behind_nat64_is_public(
    leads_to: Callable[..., None],
) -> None:
    leads_to(issuer=("64:ff9b::3401:101", "2002:3401:101::1"))
    way = issuer._IssuerRequest(HttpSettings(), "https://issuer.example", aws=True, deadline=0)
    assert not issuer._is_private(way)
    issuer._allowed_addresses(way, "https://issuer.example", proxied=False)


def test_the_address_that_was_checked_is_the_one_that_is_contacted(
    leads_to: Callable[..., None],
) -> None:
    # The name is known to this function alone: a second lookup would fail.
    leads_to(issuer=("127.0.0.1",))
    seen: list[str | None] = []

    def respond(request: Request) -> Reply:
        seen.append(request.headers["Host"])
        base = f"http://{request.headers['Host']}"
        return as_json({"issuer": base, "jwks_uri": f"{base}/keys", "keys": [{"kid": "k1"}]})

    with served(respond) as server:
        url = f"http://issuer.example:{server.port}"
        found = ask(url)
    assert (found.named, found.kids, found.error) == (url, ("k1",), "")
    assert seen == [f"issuer.example:{server.port}"] * 2


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("localhost", "is not a JSON document"),
        (
            "issuer.example",
            # The words of Python, or of urllib3 1.
            "Hostname mismatch|hostname 'issuer.example' doesn't match",
        ),
    ],
)
def test_the_certificate_must_be_that_of_the_name(
    leads_to: Callable[..., None], tmp_path: Path, host: str, says: str
) -> None:
    leads_to(issuer=("127.0.0.1",), localhost=("127.0.0.1",))
    certificate = make_certificate(tmp_path)
    http_settings = HttpSettings(verify=str(certificate[0]))
    with StsServer([send(http("no JSON"))], certificate=certificate) as server:
        url = f"https://{host}:{server.port}"
        found = issuer.fetch_issuer(http_settings, token_of(url), aws=True)
        assert re.search(says, found.error)


def test_a_certificate_that_is_not_trusted_is_reported(tmp_path: Path) -> None:
    with StsServer([send(http(""))], certificate=make_certificate(tmp_path)) as server:
        assert "certificate verify failed" in error_for(server.url)


def test_behind_a_proxy_a_name_is_looked_up_by_the_proxy(shared: Sandbox) -> None:
    proxied = HttpSettings(environment_proxies=(("http", shared.sts_url),))
    found = issuer.fetch_issuer(proxied, token_of("http://issuer.example"), aws=False)
    assert "returned" in found.error or "JSON" in found.error
    found = issuer.fetch_issuer(proxied, token_of("http://169.254.169.254"), aws=False)
    assert "which cannot be an issuer" in found.error


@pytest.mark.parametrize(
    "host",
    [
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "169.254.169.254.",
        "[::ffff:169.254.169.254]",
        "localhost",
        "LOCALHOST.",
        "web.localhost",
        "127.1",
        "[::1]",
    ],
)
def test_no_request_for_metadata_or_its_own_machine_reaches_a_proxy(
    shared: Sandbox, host: str
) -> None:
    proxied = HttpSettings(environment_proxies=(("http", shared.sts_url),))
    found = issuer.fetch_issuer(proxied, token_of(f"http://{host}"), aws=False)
    assert "which cannot be an issuer" in found.error


def test_an_issuer_that_is_not_there_is_named_by_its_host() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        error = ask(f"{url}/id/{'E' * 60}").error
    assert url in error
    assert "***" not in error


def test_a_document_that_drips_is_left_when_the_time_is_over() -> None:
    with served(lambda _: as_json({})) as server:
        way = issuer._IssuerRequest(HttpSettings(), server.url, aws=False, deadline=0, private=True)
        with pytest.raises(StepError, match="did not end in time"):
            issuer._get(way, server.url)


def test_a_loop_of_redirects_is_not() -> None:
    requests = []

    def onward(request: Request) -> Reply:
        requests.append(request.path)
        return Reply(302, {"Location": request.path}, b"")

    with served(onward) as server:
        assert ask(server.url).error == "more than 3 redirects"
    assert len(requests) == 4


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(200, {}, b"<html>"), "is not a JSON document"),
        (as_json([]), "is not a JSON document"),
        (Reply(200, {}, b"[" * 100_000), "is not a JSON document"),
        (Reply(200, {}, b'{"a": "' + b"x" * 300_000 + b'"}'), "is not a JSON document"),
        (as_json({"keys": 5, "jwks_uri": "file:///etc/passwd"}), "is not an http(s) URL"),
        (Reply(302, {"Location": "ftp://elsewhere"}, b""), "is not an http(s) URL"),
    ],
)
def test_an_invalid_document_is_reported(reply: Reply, error: str) -> None:
    with served(lambda _: reply) as server:
        assert error in ask(server.url).error


def test_a_key_set_without_keys_is_reported() -> None:
    with served(lambda _: as_json({"jwks_uri": f"{server.url}/keys"})) as server:
        assert "has no keys" in ask(server.url).error


def test_an_issuer_that_is_not_a_url_is_not_contacted() -> None:
    assert "is not an http(s) URL" in ask("file:///etc").error
    assert ask(5).error == "the token has no issuer"


@pytest.mark.parametrize("header", [b"[]", b"{", b'{"kid": 5}', b"[" * 10_000])
def test_a_token_without_a_key_id_fails(header: bytes) -> None:
    assert ask("file:///etc", header).kid is None
