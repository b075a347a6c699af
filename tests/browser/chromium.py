"""Headless Chromium, driven by the Chrome DevTools Protocol over a pipe."""

from __future__ import annotations

import json
import os
import select
import subprocess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import Self

__all__ = ["Chromium", "Tab"]

# No services of the browser itself, whose requests are not the page's; root needs no-sandbox.
_OPTIONS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--remote-debugging-pipe",
]
_PATIENCE = 30  # seconds
# Chromium reads commands from descriptor 3 and writes to descriptor 4.
_ON_PIPE = 'exec "${@:3}" 3<&"$1" 4>&"$2"'


class Chromium:
    """A browser with a profile of its own; leaving its `with` block ends it."""

    def __init__(self, profile: Path) -> None:
        self._profile = profile
        self._last = 0
        self._received = b""
        self._events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        commands, self._commands = os.pipe()
        self._messages, events = os.pipe()
        program = ["chromium", *_OPTIONS, f"--user-data-dir={self._profile}"]
        self._process = subprocess.Popen(
            ["bash", "-c", _ON_PIPE, "bash", str(commands), str(events), *program],
            pass_fds=(commands, events),
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(events)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.call("Browser.close")
        self._process.wait(30)
        os.close(self._commands)
        os.close(self._messages)

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Return the result of a command; events before it are kept for `events`."""
        self._last += 1
        command = {"id": self._last, "method": method, "params": params}
        if session is not None:
            command["sessionId"] = session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while True:
            message = self._next()
            if message.get("id") != self._last:
                self._events.append(message)
            elif "error" in message:
                raise RuntimeError(f"{method}: {message['error']}")
            else:
                result: dict[str, Any] = message["result"]
                return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._received:
            if not select.select([self._messages], [], [], _PATIENCE)[0]:
                raise TimeoutError(f"Chromium said nothing for {_PATIENCE} s.")
            received = os.read(self._messages, 65_536)
            if not received:
                raise RuntimeError("Chromium has ended.")
            self._received += received
        content, _, self._received = self._received.partition(b"\0")
        message: dict[str, Any] = json.loads(content)
        return message

    def events(self, session: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the names and parameters of a tab's events so far."""
        for event in self._events:
            if event.get("sessionId") == session:
                yield event["method"], event["params"]

    def tab(self) -> Tab:
        """Open an empty tab."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        return Tab(self, attached["sessionId"])


class Tab:
    """A tab of the browser, whose requests and messages are recorded."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser, self._session = browser, session
        for domain in "Page", "Network", "Log", "Runtime":
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Return the result of a command for this tab."""
        return self._browser.call(method, self._session, **params)

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what an async function with this body returns for these JSON values."""
        given = ", ".join(map(json.dumps, arguments))
        done = self.call(
            "Runtime.evaluate",
            expression=f"(async (...given) => {{ {script} }})({given})",
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
            allowUnsafeEvalBlockedByCSP=False,
        )
        if "exceptionDetails" in done:
            raise RuntimeError(done["exceptionDetails"]["exception"]["description"])
        return done["result"].get("value")

    def open(self, url: str) -> None:
        """Open a page and wait until its scripts have run."""
        self.call("Page.navigate", url=url)
        self.run(
            "const there = () => document.readyState === 'complete' && location.href === given[0];"
            "const wait = (done) => there() ? done() : setTimeout(wait, 5, done);"
            "await new Promise(wait);",
            url,
        )

    def requests(self) -> list[str]:
        """Return the addresses that the tab has requested, blocked ones included."""
        return [
            params["request"]["url"]
            for name, params in self._browser.events(self._session)
            if name == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """Return the errors and warnings on the console, of the policy too, and exceptions."""
        found = []
        for name, params in self._browser.events(self._session):
            if name == "Log.entryAdded" and params["entry"]["level"] in {"error", "warning"}:
                found.append(params["entry"]["text"])
            elif name == "Runtime.exceptionThrown":
                found.append(params["exceptionDetails"]["text"])
            elif name == "Runtime.consoleAPICalled" and params["type"] in {"error", "warning"}:
                found.append(str(params["args"]))
        return found
