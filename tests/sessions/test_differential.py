"""The same requests and outcomes as botocore in the same environment, but for a closed list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.session import Session

import irsa_creds
from differential import Bench, Case, Row
from differential_axes import IRSA
from differential_cases import cases, different
from fake_network import FakeNetwork
from sts_server import StsServer, success

if TYPE_CHECKING:
    from pathlib import Path

    from botocore.awsrequest import AWSResponse

CASES = cases()
DIFFERENT = different()


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    return Bench(monkeypatch, tmp_path)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_requests_and_outcomes_are_botocores_but_for_the_listed_differences(
    case: Case, bench: Bench
) -> None:
    assert bench.difference(case, bench.ours(case)) == {}


@pytest.mark.parametrize("case", DIFFERENT.values(), ids=DIFFERENT)
def test_a_difference_is_listed_only_where_botocore_differs(case: Case, bench: Bench) -> None:
    assert bench.botocores(case) != bench.ours(case)


def test_the_table_covers_every_listed_difference() -> None:
    assert len(CASES) >= 150
    assert {row for case in CASES.values() for row in case.rows} == set(Row)


@pytest.mark.parametrize("path", ["", "/", "/path", "/path/", "/path?a=b&c=%20d", "?a=b"])
def test_the_fake_network_sees_what_a_real_connection_carries(
    path: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("a token/with+signs=&ü")
    for name, value in IRSA.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    with StsServer([success(expiration="2099-01-05T11:00:00Z")]) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"{server.url}{path}")

        Session().get_credentials().get_frozen_credentials()
        irsa_creds.install()
        Session().get_credentials().get_frozen_credentials()

    original, found = server.seen
    assert found.line == original.line
    assert found.form == original.form
    assert found.headers["content-type"] == original.headers["content-type"]
    assert found.headers["user-agent"].startswith("irsa-creds/")


def test_the_sts_call_triggers_no_events_of_the_session(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("token")
    for name, value in IRSA.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    seen: list[str] = []

    def respond(event_name: str, **_: Any) -> AWSResponse | None:
        seen.append(event_name)
        return None

    def get(network: FakeNetwork) -> int:
        session = Session()
        session.register("before-send.sts", respond)
        session.get_credentials().get_frozen_credentials()
        return len(network.sent)

    network = FakeNetwork.install(monkeypatch)
    assert (get(network), len(seen)) == (1, 1)
    irsa_creds.install()
    assert (get(network), len(seen)) == (2, 1)
