"""A page in a real Chromium, driven over its DevTools protocol: what it loads, what is stopped, how it looks."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.waiting import eventually

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
_LONGEST = 60  # seconds until it is given up
_VIOLATIONS = (
    "window.violations = []; document.addEventListener('securitypolicyviolation',"
    " found => window.violations.push(found.violatedDirective + ' ' + found.blockedURI));"
)


class Page:
    """A tab. `requested` are the addresses that it asked for, `logged` what its console and its log say."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection, self._number = connection, 0
        self.requested: list[str] = []
        self.logged: list[str] = []
        self._loaded = False

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = self._next()
            if message.get("id") == self._number:
                assert "error" not in message, message
                return dict(message["result"])

    def _next(self) -> dict[str, Any]:
        message = dict(json.loads(self._connection.recv(timeout=_LONGEST)))
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requested.append(message["params"]["request"]["url"])
            case "Log.entryAdded":
                self.logged.append(message["params"]["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.logged.append(str(message["params"]["exceptionDetails"]))
            case "Page.loadEventFired":
                self._loaded = True
        return message

    def open(self, place: Path | str, *, width: int, theme: str) -> None:
        """Open a file or an address in so many pixels, `light` or `dark`, and wait until it is loaded."""
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")
        self.call("Page.addScriptToEvaluateOnNewDocument", source=_VIOLATIONS)
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        self.call("Page.navigate", url=place if isinstance(place, str) else place.as_uri())
        while not self._loaded:
            self._next()

    def value(self, expression: str) -> Any:
        """Return what an expression of JavaScript is."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def picture(self) -> bytes:
        """Return the whole page as a PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"])


@contextmanager
def chromium_page(folder: Path) -> Iterator[Page]:
    """Start Chromium with its files in a folder, and give its first tab."""
    assert CHROMIUM is not None
    command = [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
        "--disable-background-networking", "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with urlopen(f"http://127.0.0.1:{_port(folder, process)}/json/list", timeout=_LONGEST) as answer:
            tabs = json.load(answer)
        address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
        with connect(address, max_size=None, proxy=None) as connection:
            yield Page(connection)
    finally:
        process.terminate()
        process.wait()


def _port(folder: Path, process: subprocess.Popen[bytes]) -> int:
    """Return the port on which it listens, which it writes into a file."""
    file = folder / "DevToolsActivePort"

    def lines() -> list[str]:
        assert process.poll() is None, "Chromium does not start"
        return file.read_text().split("\n")[:-1] if file.exists() else []

    return int(eventually(lines, _LONGEST)[0])
