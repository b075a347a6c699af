"""The built pages on a server of this machine, and Chromium."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from browser.chromium import Chromium
from browser.page import CheckPage
from docs.markdown import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class _Pages(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/favicon.ico":  # the browser's own request
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *_: Any) -> None:
        pass


class OtherHost:
    """Another origin, which answers every request; `requests` has what reached it."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.address = ""

    def handler(self, *connection: Any) -> BaseHTTPRequestHandler:
        """Return the handler of a connection."""
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                requests.append(self.path)
                self.send_response(200)
                self.send_header("Access-Control-Allow-Origin", "*")
                self.send_header("Content-Type", "text/javascript")
                self.end_headers()

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: Any) -> None:
                pass

        return Handler(*connection)


@contextmanager
def _serving(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the pages, built from the sources of now."""
    pages = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html"]
    subprocess.run([*build, str(ROOT / "docs"), str(pages)], check=True, timeout=200)
    with _serving(partial(_Pages, directory=pages)) as address:
        yield address


@pytest.fixture
def other_host() -> Iterator[OtherHost]:
    other = OtherHost()
    with _serving(other.handler) as other.address:
        yield other


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def new_page(site: str, chromium: Chromium) -> CheckPage:
    """The page in a new tab, not loaded yet."""
    return CheckPage(chromium.tab(), site)


@pytest.fixture(scope="session")
def page(site: str, chromium: Chromium) -> CheckPage:
    """The page, ready for a check; one for all tests, because Python takes seconds to load."""
    page = CheckPage(chromium.tab(), site)
    page.open()
    return page
