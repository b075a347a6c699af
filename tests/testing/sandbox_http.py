"""HTTP requests to a sandbox, and a clock for it that tests move."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ONE_TRY = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=5, proxies={})


class MovableClock:
    """The true time plus what a test adds to it."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass(frozen=True)
class Response:
    """An HTTP response, with access to its XML elements by local name."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def root(self) -> ET.Element:
        return ET.fromstring(self.body)

    def __getitem__(self, name: str) -> str | None:
        return next((e.text for e in self.root.iter() if e.tag.rpartition("}")[2] == name), None)

    def names(self) -> list[str]:
        return [element.tag.rpartition("}")[2] for element in self.root.iter()]


def http(
    url: str,
    method: str = "GET",
    path: str = "/",
    body: bytes | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    timeout: float = 5,
) -> Response:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=timeout)
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        return Response(response.status, dict(response.headers), response.read())
    finally:
        connection.close()


def post(url: str, form: Mapping[str, Any], path: str = "/", timeout: float = 5) -> Response:
    body = urlencode({name: value for name, value in form.items() if value is not None})
    kind = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    return http(url, "POST", path, body.encode(), headers=kind, timeout=timeout)


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.005)
