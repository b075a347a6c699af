from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from irsa_creds._http import Reply, Request, post
from irsa_creds._lazy import load_exchange_modules
from irsa_creds._muffle import muffled
from irsa_creds._place import Http
from stsserver import StsServer, answer

if TYPE_CHECKING:
    import pytest

ECHO = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nthe-canary without a colon\r\n\r\n"


def test_a_broken_header_that_echoes_the_request_is_not_quoted_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    load_exchange_modules()
    with caplog.at_level(logging.DEBUG), StsServer([answer(ECHO)]) as server:
        request = Request(server.url, {}, b"the-canary")
        reply = post(Http(), request, seconds=5, connect=2, read=2)

    assert isinstance(reply, Reply)
    assert reply.status == 403
    assert "POST /" in caplog.text
    assert "canary" not in caplog.text


def test_tracebacks_are_kept_out_and_plain_lines_are_not(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("botocore.httpsession")
    with caplog.at_level(logging.DEBUG), muffled():
        log.debug("plain")
        log.debug("with a traceback", exc_info=ValueError("canary"))
        log.warning("a warning")

    assert caplog.messages == ["plain"]


def test_other_threads_and_later_requests_are_heard(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("urllib3.connection")
    with caplog.at_level(logging.DEBUG):
        with muffled():
            other = threading.Thread(target=log.warning, args=("of another thread",))
            other.start()
            other.join(10)
        log.warning("afterwards")

    assert caplog.messages == ["of another thread", "afterwards"]


def test_an_exchange_inside_another_leaves_the_outer_one_muffled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = logging.getLogger("urllib3.connection")
    with caplog.at_level(logging.DEBUG):
        with muffled():
            with muffled():
                pass
            log.warning("the canary")
        log.warning("afterwards")

    assert caplog.messages == ["afterwards"]
