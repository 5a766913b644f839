"""The whole triage of the reference alert in a browser: by mouse, by keyboard alone, and in Chinese.

Log in, see a new alert arrive, open it, look at its processes, ask both queries of its guide, look at what the
process connected to, tick steps, make an exception with its preview, close the alert: the same event does not come
back.

Where TOCSIN_SCREENSHOTS names a folder, the walks by mouse leave a picture of each step there,
for docs/desk.md.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_DNS, uuid5

import orjson
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.api.conftest import PASSWORD, run_service
from tests.desk.conftest import Desk
from tests.desk.every_page import LOG_IN
from tests.desk.watched import Watched
from tests.waiting import eventually
from tocsin.api.demo import Demo
from tocsin.desk.access.once_links import OnceLinks
from tocsin.desk.app import create_app_with_desk

pytestmark = pytest.mark.slow
TOOL = "C:\\Program Files\\Windows Defender\\MpCmdRun.exe"
URL = "https://cdn.example.net/update.txt"
ARGUMENTS = ["MpCmdRun.exe", "-DownloadFile", "-url", URL, "-path", "C:\\Users\\Public\\update.txt"]


@dataclass
class Incident:
    """A host and a user of one walk, and what happens there."""

    watched: Watched
    host: str
    user: str

    def entity_id(self, process: str, step: int) -> str:
        """Return the id of a process of a step, as Elastic's agents and Sysmon give each process one."""
        return str(uuid5(NAMESPACE_DNS, f"{process}-{step}.{self.host}"))

    def happens(self, user: str = "", *, step: int = 0) -> None:
        """A shell starts the tool, which fetches a file and connects twice."""
        now = datetime.now(UTC) - timedelta(seconds=30)
        common = {
            "host": {"name": self.host, "id": self.host, "os": {"type": "windows"}},
            "user": {"name": (who := user or self.user), "domain": "CORP", "id": f"S-1-5-{who}"},
        }
        shell = {
            "name": "cmd.exe", "pid": 501, "entity_id": self.entity_id("shell", step),
            "executable": "C:\\Windows\\System32\\cmd.exe", "command_line": "cmd.exe /c update.cmd",
        }  # fmt: skip
        tool = {
            "name": "MpCmdRun.exe", "pid": 502, "entity_id": self.entity_id("tool", step), "executable": TOOL,
            "args": ARGUMENTS, "command_line": " ".join(ARGUMENTS), "parent": shell,
        }  # fmt: skip
        started = {"category": ["process"], "type": ["start"], "kind": "event"}
        connected = {"category": ["network"], "type": ["start"], "kind": "event"}
        events: list[tuple[str, dict[str, Any]]] = [
            ("process", {"event": started, "process": shell}),
            ("process", {"event": started, "process": tool}),
            *(
                ("network", {"event": connected, "process": tool, "destination": {"ip": address, "port": 443}})
                for address in ("198.51.100.7", "198.51.100.8")
            ),
        ]
        lines: list[dict[str, Any]] = []
        for number, (kind, event) in enumerate(events):
            time = (now + timedelta(seconds=number)).isoformat()
            lines += [
                {"create": {"_index": f"logs-endpoint.events.{kind}-default"}},
                {"@timestamp": time, **common, **event},
            ]
        body = b"".join(orjson.dumps(line) + b"\n" for line in lines)
        answer = self.watched.http.post("/_bulk", content=body, headers={"Content-Type": "application/x-ndjson"})
        assert not answer.json()["errors"]

    def rule_runs(self) -> None:
        """The reference rule is run, and the run has ended."""
        rules = self.watched.http.get("/api/detection_engine/rules/_find").json()["data"]
        self.watched.run(next(rule for rule in rules if "MpCmdRun" in rule["name"]))

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts of the host."""
        body = {"query": {"term": {"host.name": self.host}}, "size": 50}
        hits = self.watched.http.post("/api/detection_engine/signals/search", json=body).json()["hits"]["hits"]
        return [hit["_source"] for hit in hits]


@pytest.fixture(scope="module")
def watched(tmp_path_factory) -> Iterator[Watched]:
    links = OnceLinks()
    with (
        run_service(
            tmp_path_factory.mktemp("walk"), make_app=lambda service: create_app_with_desk(service, links)
        ) as running,
        running.http(running.add_key("admin")) as http,
    ):
        alerts: list[Any] = []
        Demo(alerts.append, links.make).start(running.service, running.url, lambda text: None)
        eventually(lambda: len(alerts) >= 3)
        yield Watched(Desk(running, [], ""), http)


@dataclass
class Hand:
    """Does things on a page as somebody with a mouse does."""

    page: Page

    def log_in(self) -> None:
        self.page.locator("input[name=name]").fill("engineer")
        self.page.locator("input[name=password]").fill(PASSWORD)
        self.page.locator("form:has(input[name=password]) button.primary").click()

    def show_new(self) -> None:
        self.page.locator("[data-show-new]").click()

    def open_first(self) -> None:
        self.page.locator("[data-row] .rule a").first.click()

    def press(self, target: Locator) -> None:
        target.click()

    def except_alert(self) -> None:
        self.page.locator("[data-exception]").click()

    def leave_alerts_open(self) -> None:
        """Close no alert along with the exception."""
        self.page.locator("select[name=closes]").select_option("")

    def fill_close_form(self, reason: str, comment: str) -> None:
        self.page.locator("[popovertarget=close-form]").first.click()
        self.page.locator("#close-form select[name=reason]").select_option(reason)
        self.page.locator("#close-form textarea[name=comment]").fill(comment)


class Keys(Hand):
    """Does the same by keyboard alone: nothing is clicked, and what is pressed has been reached by Tab."""

    def log_in(self) -> None:
        self.page.keyboard.type("engineer")  # the name has the focus
        self.page.keyboard.press("Tab")
        self.page.keyboard.type(PASSWORD)
        self.page.keyboard.press("Enter")

    def show_new(self) -> None:
        expect(self.page.locator("[data-show-new]")).to_be_visible(timeout=30_000)
        self.page.keyboard.press("n")

    def open_first(self) -> None:
        self.page.keyboard.press("j")
        self.page.keyboard.press("Enter")

    def press(self, target: Locator) -> None:
        self._reach(target)
        self.page.keyboard.press("Enter")

    def except_alert(self) -> None:
        self.page.keyboard.press("e")

    def leave_alerts_open(self) -> None:
        choice = self.page.locator("select[name=closes]")
        self._reach(choice)
        self.page.keyboard.press("End")
        expect(choice).to_have_value("")

    def fill_close_form(self, reason: str, comment: str) -> None:
        self.page.keyboard.press("c")
        expect(self.page.locator("#close-form select[name=reason]")).to_be_focused()
        for _ in range(20):
            if self.page.locator("#close-form select[name=reason]").input_value() == reason:
                break
            self.page.keyboard.press("ArrowDown")
        self.page.keyboard.press("Tab")
        self.page.keyboard.type(comment)

    def _reach(self, target: Locator) -> None:
        target.wait_for()
        for _ in range(250):
            if target.evaluate("element => element === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"no Tab leads to {target}")


@dataclass
class Camera:
    """Takes a picture of each step of a walk, where somebody wants to have them."""

    page: Page
    ending: str = ".png"
    taken: int = 0

    def take(self, name: str, beside: str = "") -> None:
        """Keep what the window shows; `beside` selects what shall be in sight."""
        self.taken += 1
        if (folder := os.environ.get("TOCSIN_SCREENSHOTS")) is None:
            return
        if beside:
            self.page.locator(beside).first.scroll_into_view_if_needed()
        self.page.wait_for_load_state("networkidle")
        Path(folder).mkdir(parents=True, exist_ok=True)
        path = Path(folder) / f"triage-{self.taken:02}-{name}{self.ending}"
        self.page.screenshot(path=path, animations="disabled")


def triage(page: Page, hand: Hand, incident: Incident, take: Callable[..., None] = lambda *step: None) -> None:
    """Walk through the triage of a new alert. `take` is told the name of each step, when it has been done."""
    page.goto(LOG_IN)
    take("log-in")
    hand.log_in()
    page.wait_for_url("**/alerts**")

    incident.happens("a.schmidt", step=1)  # an alert of the host that is there already
    incident.rule_runs()
    incident.happens(step=2)
    incident.rule_runs()
    expect(page.locator("[data-show-new]")).to_be_visible(timeout=30_000)
    take("arrives")
    hand.show_new()
    first = page.locator("[data-row]").first
    expect(first).to_contain_text(incident.host)
    take("shown")

    hand.open_first()
    page.wait_for_url(re.compile(r"/alerts/[0-9a-f]{20,}"))
    expect(page.locator("h1")).to_contain_text("MpCmdRun")
    expect(page.locator(".sentence")).to_contain_text(URL)

    tree = page.locator("[data-tree] [role=treeitem]")
    expect(tree.filter(has_text="cmd.exe").first).to_be_visible()
    this = page.locator("[data-tree] .node.alert")
    expect(this).to_contain_text("MpCmdRun.exe")
    take("alert")

    for number, (label, count) in enumerate((("user", 1), ("host", 2))):  # the guide's first queries
        query = page.locator("a.asked").nth(number)
        expect(query.locator(".count")).to_contain_text(str(count), timeout=20_000)
        hand.press(query)
        rows = page.locator("#guide-rows tbody tr")
        expect(rows).to_have_count(count)
        take(f"alerts-of-{label}", "#guide-rows")

    network = page.locator("nav.tabs a[href*='show=network']")
    expect(network).to_contain_text("2")
    hand.press(network)
    expect(page.locator("#events tbody tr")).to_have_count(2)
    expect(page.locator("#events tbody")).to_contain_text("198.51.100.8")
    take("network", "#events")

    for number in range(2):
        box = page.locator(".step button.box").nth(number)
        hand.press(box)
        expect(page.locator(".step .by").nth(number)).to_contain_text("engineer")
    take("steps", ".step")

    hand.except_alert()
    page.wait_for_url("**/exception**")
    expect(page.locator("#hidden-count")).to_contain_text("1", timeout=20_000)
    hand.leave_alerts_open()
    take("exception")
    hand.press(page.locator("button[name=save]"))
    page.wait_for_url(re.compile(r"/alerts/[0-9a-f]{20,}(\?.*)?$"))

    assert {alert["kibana.alert.workflow_status"] for alert in incident.alerts()} == {"open"}

    hand.fill_close_form("benign_positive", "The update of the kiosk, as announced.")
    take("close")
    hand.press(page.locator("#close-form [data-primary]"))
    expect(page.locator("[data-message]")).to_be_visible()
    take("closed")
    closed = [alert for alert in incident.alerts() if alert["kibana.alert.workflow_status"] == "closed"]
    assert [alert["kibana.alert.workflow_reason"] for alert in closed] == ["benign_positive"]

    before = len(incident.alerts())
    incident.happens(step=3)
    incident.rule_runs()
    assert len(incident.alerts()) == before
    page.goto(f"/alerts?q={quote(f'host.name: {incident.host}')}&status=open")
    expect(page.locator("[data-row]")).to_have_count(1)  # the one of the other user
    take("not-again")


@pytest.fixture
def context(watched, chromium, request) -> Iterator[BrowserContext]:
    options = getattr(request, "param", {})
    context = chromium.new_context(base_url=watched.desk.url, viewport={"width": 1280, "height": 900}, **options)
    yield context
    context.close()


# What the walk by mouse leaves pictures of, each at its step: those of docs/desk.md.
@pytest.mark.parametrize("context", [{"locale": "en-GB", "timezone_id": "Europe/Berlin"}], indirect=True)
def test_an_alert_is_triaged_from_its_arrival_to_its_end(watched, context):
    page = context.new_page()
    triage(page, Hand(page), Incident(watched, "WS-0207", "k.lindner"), Camera(page).take)


def test_an_alert_is_triaged_by_keyboard_alone(watched, context):
    page = context.new_page()
    triage(page, Keys(page), Incident(watched, "WS-0163", "k.novak"))


@pytest.mark.parametrize("context", [{"locale": "zh-CN", "timezone_id": "Asia/Shanghai"}], indirect=True)
def test_an_alert_is_triaged_in_chinese(watched, context):
    page = context.new_page()
    triage(page, Hand(page), Incident(watched, "WS-0187", "l.chen"), Camera(page, ".zh-CN.png").take)
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    page.goto("/alerts")
    expect(page.locator("header nav")).to_contain_text("告警")
