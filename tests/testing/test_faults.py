from __future__ import annotations

import http.client
import threading
import time
import xml.etree.ElementTree as ET
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from irsa_creds.testing import OUTAGES, Faults, Sandbox
from testing.sandbox_http import Response, post, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds.testing import Pod
    from testing.sandbox_http import MovableClock

    Exchange = Callable[..., Response]


def ends(response: Response) -> float:
    return datetime.fromisoformat(response["Expiration"] or "").astimezone(UTC).timestamp()


def test_latency_delays_every_response(exchange: Exchange, sandbox: Sandbox) -> None:
    sandbox.faults.latency = 0.2
    started = time.monotonic()
    assert exchange().status == 200
    assert time.monotonic() - started >= 0.2


def test_a_call_is_recorded_before_its_response(exchange: Exchange, sandbox: Sandbox) -> None:
    sandbox.faults.latency = 30

    def call() -> None:
        with suppress(ConnectionError, http.client.HTTPException):
            exchange(timeout=30)

    waiting = threading.Thread(target=call)
    waiting.start()
    wait_until(lambda: sandbox.sts_calls)
    assert sandbox.sts_calls[0].outcome == "pending"
    sandbox.__exit__()
    waiting.join()


class TestFail:
    def test_returns_the_error_for_the_given_number_of_calls(
        self, exchange: Exchange, sandbox: Sandbox
    ) -> None:
        sandbox.faults.fail("Throttling", times=2)
        responses = [exchange() for _ in range(3)]
        assert [response.status for response in responses] == [400, 400, 200]
        assert (responses[0]["Code"], responses[0]["Message"]) == ("Throttling", "Rate exceeded")
        assert [call.outcome for call in sandbox.sts_calls] == ["Throttling", "Throttling", "OK"]

    def test_lasts_until_it_is_cleared(self, exchange: Exchange, sandbox: Sandbox) -> None:
        sandbox.faults.fail("AccessDenied")
        assert [exchange().status for _ in range(3)] == [403] * 3
        sandbox.faults.clear()
        assert exchange().status == 200

    def test_several_errors_are_returned_in_order(
        self, exchange: Exchange, sandbox: Sandbox
    ) -> None:
        sandbox.faults.fail("A", times=1, status=418, message="mine", retry_after=2.5)
        sandbox.faults.fail("IDPCommunicationError", times=0)
        sandbox.faults.fail("ServiceUnavailable", times=1)
        first, second, third = exchange(), exchange(), exchange()
        assert (first.status, first["Message"], first.headers["Retry-After"]) == (
            418,
            "mine",
            "2.5",
        )
        assert (second.status, second["Type"]) == (503, "Receiver")
        assert "Retry-After" not in second.headers
        assert third.status == 200

    def test_an_unknown_code_has_a_generic_message(
        self, exchange: Exchange, sandbox: Sandbox
    ) -> None:
        sandbox.faults.fail("Odd")
        assert exchange()["Message"] == "Fault: Odd"
        assert repr(sandbox.faults) == "<Faults latency=0.0 outage=None failures=['Odd']>"


class TestOutage:
    def test_true_means_500(self, exchange: Exchange, sandbox: Sandbox) -> None:
        sandbox.faults.outage = True
        assert sandbox.faults.outage == "500"
        response = exchange()
        assert (response.status, response["Code"]) == (500, "InternalFailure")
        sandbox.faults.outage = False
        assert sandbox.faults.outage is None
        assert exchange().status == 200

    def test_an_unknown_mode_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="Unknown outage 'rain'; use one of 500, bad"):
            Faults().outage = "rain"

    def test_faults_can_be_set_without_a_sandbox(self) -> None:
        faults = Faults()
        for mode in OUTAGES:
            faults.outage = mode
        assert faults.outage == "expired"

    def test_bad_gateway_is_a_load_balancers_page(
        self, exchange: Exchange, sandbox: Sandbox
    ) -> None:
        sandbox.faults.outage = "bad gateway"
        response = exchange()
        assert (response.status, response.headers["Content-Type"]) == (502, "text/html")

    def test_a_black_hole_never_responds(self, exchange: Exchange, sandbox: Sandbox) -> None:
        sandbox.faults.outage = "black hole"
        with pytest.raises(TimeoutError):
            exchange(timeout=0.2)
        wait_until(lambda: sandbox.sts_calls)
        assert sandbox.sts_calls[-1].outcome == "black hole"

    def test_the_public_class_has_only_what_a_test_sets(self) -> None:
        public = {name for name in vars(Faults) if not name.startswith("_")}
        assert public == {"clear", "fail", "outage"}

    def test_a_sandbox_closes_immediately_while_a_client_waits_in_a_black_hole(
        self, exchange: Exchange, sandbox: Sandbox
    ) -> None:
        sandbox.faults.outage = "black hole"
        errors: list[Exception] = []

        def call() -> None:
            try:
                exchange(timeout=30)
            except (ConnectionError, http.client.HTTPException) as error:
                errors.append(error)

        hanging = threading.Thread(target=call)
        hanging.start()
        wait_until(lambda: sandbox.sts_calls)
        started = time.monotonic()
        sandbox.__exit__()
        hanging.join()
        assert time.monotonic() - started < 20, "not after the 30 s of the client"
        assert len(errors) == 1

    @pytest.mark.parametrize("mode", ["slow drip", "header drip"])
    def test_a_drip_is_a_valid_response_that_takes_very_long(
        self, exchange: Exchange, sandbox: Sandbox, mode: str
    ) -> None:
        sandbox.faults.outage = mode
        sandbox.faults.drip_interval = 0
        assert exchange().status == 200
        sandbox.faults.drip_interval = 0.5
        with pytest.raises(TimeoutError):
            exchange(timeout=0.1)

    def test_reset(self, exchange: Exchange, sandbox: Sandbox) -> None:
        sandbox.faults.outage = "reset"
        with pytest.raises(ConnectionResetError):
            exchange()

    def test_refuse_closes_sts_but_not_s3(
        self,
        exchange: Exchange,
        sandbox: Sandbox,
        pod: Pod,
        enter: Callable[[Pod], Any],
    ) -> None:
        s3 = enter(pod).client("s3")
        s3.list_objects_v2(Bucket="data")
        sandbox.faults.outage = "refuse"
        sandbox.faults.outage = "refuse"
        with pytest.raises(ConnectionRefusedError):
            exchange()
        with pytest.raises(ConnectionResetError):
            post(sandbox.endpoint_url, {"Action": "GetCallerIdentity"})
        s3.list_objects_v2(Bucket="data")
        s3.close()
        sandbox.faults.clear()
        assert exchange().status == 200

    def test_refuse_can_be_on_before_the_sandbox_is_entered(self) -> None:
        sandbox = Sandbox()
        sandbox.faults.outage = "refuse"
        with sandbox, pytest.raises(ConnectionRefusedError):
            http.client.HTTPConnection(sandbox.sts_url.removeprefix("http://")).connect()

    @pytest.mark.parametrize("mode", ["garbage", "truncated"])
    def test_the_body_can_be_invalid_xml(
        self, exchange: Exchange, sandbox: Sandbox, mode: str
    ) -> None:
        sandbox.faults.outage = mode
        response = exchange()
        assert response.status == 200
        with pytest.raises(ET.ParseError):
            assert response.root
        assert sandbox.sts_calls[-1].outcome == mode

    def test_html_is_a_sign_in_page(self, exchange: Exchange, sandbox: Sandbox) -> None:
        sandbox.faults.outage = "html"
        response = exchange()
        assert (response.status, response.headers["Content-Type"]) == (200, "text/html")
        assert response.body.startswith(b"<!DOCTYPE html>")

    def test_oversize_is_valid_xml_of_10_mb(self, exchange: Exchange, sandbox: Sandbox) -> None:
        sandbox.faults.outage = "oversize"
        response = exchange()
        assert len(response.body) > 10_000_000
        assert response["AccessKeyId"]

    def test_missing_fields_omits_the_secrets(self, exchange: Exchange, sandbox: Sandbox) -> None:
        sandbox.faults.outage = "missing fields"
        response = exchange()
        assert response["AccessKeyId"]
        assert not {"SecretAccessKey", "SessionToken"} & set(response.names())

    def test_doctype_is_valid_xml_after_a_doctype(
        self, exchange: Exchange, sandbox: Sandbox
    ) -> None:
        sandbox.faults.outage = "doctype"
        response = exchange()
        assert response.body.startswith(b"<!DOCTYPE")
        assert response["AccessKeyId"]

    def test_redirect_points_to_another_path(self, exchange: Exchange, sandbox: Sandbox) -> None:
        sandbox.faults.outage = "redirect"
        response = exchange()
        assert (response.status, response.headers["Location"]) == (307, "/elsewhere")

    def test_expired_credentials_expired_a_minute_ago(
        self, exchange: Exchange, sandbox: Sandbox, clock: MovableClock
    ) -> None:
        sandbox.faults.outage = "expired"
        assert -70 < ends(exchange()) - clock() < -55

    def test_an_error_is_not_changed_by_an_outage_of_the_body(
        self, exchange: Exchange, sandbox: Sandbox
    ) -> None:
        sandbox.faults.outage = "expired"
        sandbox.faults.fail("AccessDenied")
        assert exchange().status == 403
        assert sandbox.sts_calls[-1].outcome == "AccessDenied"


class TestTime:
    def test_the_servers_clock_can_be_ahead(
        self, exchange: Exchange, sandbox: Sandbox, clock: MovableClock
    ) -> None:
        sandbox.faults.clock_skew = 7200
        response = exchange()
        date = parsedate_to_datetime(response.headers["Date"]).timestamp()
        assert abs(date - clock() - 7200) < 10
        assert abs(ends(response) - date - 3600) < 10

    def test_a_clock_skew_does_not_expire_credentials(
        self, exchange: Exchange, sandbox: Sandbox, client_of: Callable[..., Any]
    ) -> None:
        sandbox.faults.clock_skew = -7200
        client_of(exchange()).list_objects_v2(Bucket="data")

    def test_the_date_header_can_be_missing_or_invalid(
        self, exchange: Exchange, sandbox: Sandbox
    ) -> None:
        sandbox.faults.date_header = None
        assert "Date" not in exchange().headers
        sandbox.faults.date_header = "yesterday"
        assert exchange().headers["Date"] == "yesterday"

    def test_a_lifetime_of_seconds_is_possible(
        self, exchange: Exchange, sandbox: Sandbox, clock: MovableClock
    ) -> None:
        sandbox.lifetime = 2.5
        assert sandbox.lifetime == 2.5
        before = clock()
        assert before + 2.5 <= ends(exchange(DurationSeconds=900)) + 1e-5 <= clock() + 2.6
        sandbox.lifetime = None
        assert ends(exchange(DurationSeconds=900)) % 1 == 0


@pytest.mark.parametrize(
    "mode",
    ["500", "bad gateway", "reset", "refuse", "html", "truncated", "redirect", "expired"],
)
def test_botocore_gets_no_credentials_from_an_outage(
    sandbox: Sandbox, pod: Pod, enter: Callable[[Pod], Any], mode: str
) -> None:
    sandbox.faults.outage = mode
    credentials = enter(pod).get_credentials()
    with pytest.raises((BotoCoreError, ClientError, ResponseParserError, RuntimeError, KeyError)):
        credentials.get_frozen_credentials()
