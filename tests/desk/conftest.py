"""The desk over a real service, which the bundled telemetry has raised alerts in, and a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.api.conftest import PASSWORD, Running, run_service
from tests.chromium import CHROMIUM
from tests.waiting import eventually
from tocsin.api.demo import Demo
from tocsin.api.security import COOKIE
from tocsin.desk.access.once_links import OnceLinks
from tocsin.desk.app import create_app_with_desk

_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass
class Desk:
    """A desk, the alerts that were raised before, and what it said when it began."""

    running: Running
    alerts: list[dict[str, Any]]
    link: str

    @property
    def url(self) -> str:
        return self.running.url

    def browser(self, **options) -> httpx.Client:
        """Return a client that asks as browsers do, and follows no redirect."""
        headers = {"Accept": "text/html,application/xhtml+xml", **options.pop("headers", {})}
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=60, **options)

    @contextmanager
    def logged_in(self, name: str = "analyst") -> Iterator[httpx.Client]:
        """Yield a client with a session of a user."""
        with self.browser() as client:
            answer = client.post("/login", data={"name": name, "password": PASSWORD})
            assert answer.status_code == 303, answer.text
            yield client


def token_of(client: httpx.Client) -> str:
    """Return what a client's forms must carry."""
    return str(_TOKEN.findall(client.get("/alerts?from=").text)[0])


@pytest.fixture(scope="session")
def desk(tmp_path_factory) -> Iterator[Desk]:
    links = OnceLinks()
    with run_service(
        tmp_path_factory.mktemp("desk"), make_app=lambda service: create_app_with_desk(service, links)
    ) as running:
        alerts: list[dict[str, Any]] = []
        said: list[str] = []
        demo = Demo(lambda document: alerts.append(dict(document)), links.make)
        demo.start(running.service, running.url, said.append)
        eventually(lambda: len(alerts) >= 3 and any("/login/once/" in text for text in said))
        (link,) = re.findall(r"http\S+(/login/once/\S+)", "\n".join(said))
        yield Desk(running, alerts, link)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser. It ends with the module: Playwright's event loop would hold up later tests in this thread."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def tab_of(desk: Desk, chromium: Browser, name: str, *, accepted: str = "") -> Iterator[Page]:
    """Yield a tab in which a user has logged in, at their alerts.

    What its console says at the end is an error of the page, but for messages with the text that is `accepted`.
    """
    context = chromium.new_context(base_url=desk.url, viewport={"width": 1280, "height": 900})
    with desk.logged_in(name) as client:
        context.add_cookies([{"name": COOKIE, "value": client.cookies[COOKIE], "url": desk.url}])
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto("/alerts")
    yield page
    context.close()
    assert [problem for problem in problems if not accepted or accepted not in problem] == []


@pytest.fixture
def page(desk, chromium) -> Iterator[Page]:
    """A tab in which an analyst has logged in; what its console says at the end is an error of the page."""
    with tab_of(desk, chromium, "analyst") as page:
        yield page
