"""The differential table with aiobotocore: the same cases, the same differences."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import pytest
from aiobotocore.session import AioSession

import irsa_creds
from aio.aio_program import AioProgram
from aio.loops import frozen
from differential import Bench, Case
from differential_axes import IRSA, KEYS as APP, TARGET
from differential_cases import cases, different
from fake_network import KEYS, WEB_IDENTITY
from sts_server import StsServer, credentials_xml, http, send, success

if TYPE_CHECKING:
    from pathlib import Path

    from fake_network import Sent
    from sts_server import Received

CASES = cases()
DIFFERENT = different()
EXPIRATION = "2099-01-05T11:00:00Z"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    return Bench(monkeypatch, tmp_path, AioProgram())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_requests_and_outcomes_are_aiobotocores_but_for_the_listed_and_the_sync_differences(
    case: Case, bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = bench.ours(case)
    assert bench.difference(case, found) == {}
    assert found == Bench(monkeypatch, tmp_path).ours(case)


@pytest.mark.parametrize("case", DIFFERENT.values(), ids=DIFFERENT)
def test_a_difference_is_listed_only_where_aiobotocore_differs(case: Case, bench: Bench) -> None:
    assert bench.botocores(case) != bench.ours(case)


# -- recorded and real requests --------------------------------------------------------------------


def went_out(sent: Sent, over_the_wire: Received) -> bool:
    """Return whether a recorded request is the one that the server got."""
    path = urlunsplit(urlsplit(sent.url)._replace(scheme="", netloc=""))
    headers = over_the_wire.headers
    key = f"Credential={sent.signed_with}/" if sent.signed_with else ""
    return (
        over_the_wire.line == f"POST {path} HTTP/1.1"
        and headers["host"] == urlsplit(sent.url).netloc
        and over_the_wire.form == sent.form
        and key in headers.get("authorization", "")
        and bool(key) == ("authorization" in headers)
        and headers["user-agent"] == sent.user_agent
    )


def read_thrice(monkeypatch: pytest.MonkeyPatch) -> list[Sent]:
    """Read on the fake network and return its requests; read twice over a real connection.

    There aiobotocore's own provider reads first, then that of irsa-creds.
    """
    with monkeypatch.context() as patch:
        network = AioProgram().tap(patch)
        frozen(AioSession())
    frozen(AioSession())
    irsa_creds.install()
    frozen(AioSession())
    return network.sent


@pytest.mark.parametrize("path", ["", "/", "/path", "/path/", "/path?a=b&c=%20d", "?a=b"])
def test_the_fake_network_sees_what_a_real_connection_carries(
    path: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("a token/with+signs=&ü")
    for name, value in IRSA.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    with StsServer([success(expiration=EXPIRATION)]) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"{server.url}{path}")
        (sent,) = read_thrice(monkeypatch)

    original, found = server.seen
    assert went_out(sent, original)
    assert (found.line, found.form) == (original.line, original.form)
    assert found.headers["content-type"] == original.headers["content-type"]
    assert found.headers["user-agent"].startswith("irsa-creds/")


def test_the_fake_network_sees_the_signed_request_of_a_target_role(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("token")
    sections = {"profile app": {**APP, "web_identity_token_file": tmp_path / "token"}}
    sections["profile target"] = dict(TARGET)
    text = "".join(
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in section.items())
        for name, section in sections.items()
    )
    (tmp_path / "config").write_text(text)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "target")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    first = credentials_xml(EXPIRATION, key=KEYS[WEB_IDENTITY])
    documents = [first, first.replace(WEB_IDENTITY, "AssumeRole")] * 2
    with StsServer([send(http(each)) for each in documents]) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        sent = read_thrice(monkeypatch)

    assert [each.signed_with for each in sent] == [None, KEYS[WEB_IDENTITY]]
    original, found = server.seen[:2], server.seen[2:]
    assert all(map(went_out, sent, original))
    assert [each.form for each in found] == [each.form for each in original]
    signed = [
        each.headers["authorization"].partition(", Signature=")[0]
        for each in (found[1], original[1])
    ]
    assert signed[0] == signed[1]
    assert found[1].headers["user-agent"].startswith("irsa-creds/")
