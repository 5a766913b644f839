"""From an alert to its host contained, in a browser: each step of the response, and the clock on all of it.

The host answers the guide's queries through osquery's protocol, a local list knows the hash, the webhook is a real
server, a second person approves, and the hunt finds a second host that no rule has seen.

Where TOCSIN_SCREENSHOTS names a folder, the walk leaves a picture of each step there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.api.conftest import run_service
from tests.desk.conftest import Desk, token_of
from tests.desk.every_page import logged_in
from tests.desk.watched import Watched
from tests.osquery_host import OsqueryHost
from tests.response.host_actions.receivers import Receiver, Reply
from tests.waiting import eventually
from tocsin.api.demo import Demo
from tocsin.desk.access.once_links import OnceLinks
from tocsin.desk.app import create_app_with_desk
from tocsin.response.hosts.enrollment import add_secret
from tocsin.store.records.access import local_actor

pytestmark = pytest.mark.slow
HOST, OTHER_HOST, USER = "WS-0310", "WS-0444", "p.lang"
SHA256 = "6a1d" * 16
URL = "https://cdn.example.net/update.txt"
LIST = "Tools of the intruders"
ARGUMENTS = ["MpCmdRun.exe", "-DownloadFile", "-url", URL, "-path", "C:\\Users\\Public\\update.txt"]


def send(watched: Watched, host: str, name: str, arguments: list[str]) -> None:
    """A process with the known hash starts on a host."""
    event = {
        "@timestamp": datetime.now(UTC).isoformat(),
        "event": {"category": ["process"], "type": ["start"], "kind": "event"},
        "host": {"name": host, "id": host, "os": {"type": "windows"}},
        "user": {"name": USER, "domain": "CORP", "id": "S-1-5-310"},
        "process": {
            "name": name, "pid": 502, "entity_id": f"{name}.{host}", "executable": f"C:\\Users\\Public\\{name}",
            "args": arguments, "command_line": " ".join(arguments), "hash": {"sha256": SHA256},
        },
    }  # fmt: skip
    lines = [{"create": {"_index": "logs-endpoint.events.process-default"}}, event]
    body = b"".join(orjson.dumps(line) + b"\n" for line in lines)
    answer = watched.http.post("/_bulk", content=body, headers={"Content-Type": "application/x-ndjson"})
    assert not answer.json()["errors"]


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver(lambda _: Reply(document={"state": "succeeded", "detail": "isolated"})) as started:
        yield started


@pytest.fixture(scope="module")
def watched(tmp_path_factory, receiver) -> Iterator[Watched]:
    """A service with the reference rule, a list of indicators, and a webhook: isolating takes two persons."""
    links = OnceLinks()
    with (
        run_service(
            tmp_path_factory.mktemp("response"), make_app=lambda service: create_app_with_desk(service, links)
        ) as running,
        running.http(running.add_key("admin")) as http,
    ):
        alerts: list[Any] = []
        Demo(alerts.append, links.make).start(running.service, running.url, lambda text: None)
        eventually(lambda: len(alerts) >= 3)
        desk = Desk(running, [], "")
        with desk.logged_in("engineer") as engineer:
            data = {"csrf": token_of(engineer), "name": LIST, "source": "the last incident", "indicators": SHA256}
            assert engineer.post("/indicators", data=data).status_code == 303
        with desk.logged_in("admin") as admin:
            token = token_of(admin)
            webhook = {
                "csrf": token, "type": "webhook", "name": "the webhook", "setting.url": receiver.url,
                "setting.secret": "a secret of more than 24 bytes",
            }  # fmt: skip
            assert admin.post("/response/connectors", data=webhook).status_code == 303
            scopes = re.findall(r'name="scope\.([a-z_]+)"', admin.get("/response/connectors").text)
            policies = {f"scope.{scope}": "respond" for scope in scopes} | {"four_eyes.isolate": "yes"}
            assert admin.post("/response/policies", data={**policies, "csrf": token}).status_code == 303
        yield Watched(desk, http)


@pytest.fixture(scope="module")
def host(watched) -> Iterator[OsqueryHost]:
    """The alert's host, which runs osquery."""
    with watched.desk.running.service.records.transaction() as session:
        secret = add_secret(session, local_actor("tests"), "walk").secret
    host = OsqueryHost(watched.desk.url, secret, name=HOST)
    host.enroll()
    yield host
    host.close()


@pytest.fixture
def page(watched, chromium) -> Iterator[Page]:
    with logged_in(watched.desk, chromium, "analyst", viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.set_default_timeout(60_000)
        yield page


@pytest.fixture
def second_person(watched, chromium) -> Iterator[BrowserContext]:
    with logged_in(watched.desk, chromium, "engineer", viewport={"width": 1280, "height": 900}) as context:
        yield context


def take(page: Page, name: str) -> None:
    """Keep what the window shows, where somebody wants to have pictures."""
    if (folder := os.environ.get("TOCSIN_SCREENSHOTS")) is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"response-{name}.png", animations="disabled")


def test_an_alert_is_contained_and_the_clock_shows_it(watched, host, receiver, page, second_person):
    expect.set_options(timeout=30_000)
    send(watched, HOST, "MpCmdRun.exe", ARGUMENTS)
    send(watched, OTHER_HOST, "updater.exe", ["updater.exe"])  # nothing of it is what the rule looks for
    rules = watched.http.get("/api/detection_engine/rules/_find").json()["data"]
    watched.run(next(rule for rule in rules if "MpCmdRun" in rule["name"]))

    page.goto(f"/alerts?from=&q={quote(f'host.name: {HOST}')}")
    expect(page.locator("[data-row]")).to_have_count(1)
    page.locator("[data-row] .rule a").click()
    page.wait_for_url(re.compile(r"/alerts/[0-9a-f]{20,}"))
    alert = page.url.split("/alerts/")[1].split("?")[0]

    ask_the_host(page, host)
    judge_the_hash(page)
    case = make_a_case(page)
    isolate_the_host(page, second_person, receiver, case)
    hunt_for_the_same(page, case)
    close_the_case(page, case)

    page.goto("/measures?from=now-24h")
    take(page, "8-measures")
    mttr = page.locator("section[aria-labelledby=mttr]")
    expect(mttr.locator(".measure-figures dd").last).to_have_text("1")
    mttr.locator(".measure-figures dd a").first.click()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator(f"tbody a[href='/alerts/{alert}']")).to_be_visible()


def ask_the_host(page: Page, host: OsqueryHost) -> None:
    """Run the queries of the guide on the host of the alert: each gives rows, the last the unsigned service."""
    blocks = page.locator("details.osquery:has(form.run)")
    expect(blocks).to_have_count(4)
    for number in range(4):
        blocks.nth(number).locator("summary").click()
        blocks.nth(number).get_by_role("button", name="Run on the host").click()
        eventually(host.poll)
        expect(page.locator("#guide-rows")).to_contain_text("of 1 of 1 hosts")
        expect(page.locator("#guide-rows tbody tr").first).to_be_visible()
        blocks.nth(number).locator("summary").click()
    expect(page.locator("#guide-rows")).to_contain_text("svchosts.exe")
    take(page, "1-osquery")


def judge_the_hash(page: Page) -> None:
    """Look at what the local list says of the hash."""
    page.locator("nav.tabs a[href*='show=observables']").click()
    row = page.locator("#events .observables > li").filter(has_text=SHA256)
    expect(row).to_contain_text("listed")
    expect(row).to_contain_text(LIST)
    take(page, "2-reputation")


def make_a_case(page: Page) -> str:
    """Make a case of the alert, and take it up; return the address of its page."""
    page.locator("button[formaction='/cases/select']").click()
    page.get_by_role("button", name="Make the case").click()
    page.wait_for_url(re.compile(r"/cases/\d+$"))
    expect(page.locator("#observables")).to_contain_text(SHA256)
    case = page.url
    page.get_by_role("button", name="Take it up").click()
    expect(page.locator("#alerts tbody")).to_contain_text("acknowledged")
    take(page, "3-case")
    return case


def isolate_the_host(page: Page, second_person: BrowserContext, receiver: Receiver, case: str) -> None:
    """Ask for the host to be isolated; a second person approves it, and the webhook is told once."""
    page.get_by_role("link", name="Isolate …").click()
    page.get_by_role("button", name="Dry run").click()
    page.locator("input[name=confirmation]").fill(HOST)
    take(page, "4-isolate")
    page.get_by_role("button", name="Ask for approval").click()
    page.wait_for_url("**/response/actions/**")
    expect(page.locator("main")).to_contain_text("A second person has to approve this")
    assert receiver.requests == []

    other = second_person.new_page()
    other.goto("/response")
    other.locator("[data-row]").filter(has_text=HOST).first.locator("a").first.click()
    other.locator("input[name=confirmation]").fill(HOST)
    take(other, "5-approve")
    other.get_by_role("button", name="Approve and send").click()
    eventually(lambda: len(receiver.requests) == 1)
    (sent,) = [request.json for request in receiver.requests]
    assert (sent["action"], sent["host"]["name"]) == ("isolate", HOST)
    assert (sent["requested_by"], sent["approved_by"]) == ("analyst", "engineer")
    eventually(lambda: "succeeded" in (page.reload(), page.locator(".response-state").inner_text())[1])
    page.goto(case)


def hunt_for_the_same(page: Page, case: str) -> None:
    """Hunt for the values of the case: the second host is found, and the case has it as evidence."""
    page.get_by_role("button", name="Hunt for these on all hosts").click()
    page.wait_for_url("**/indicators/hunts/**")
    expect(page.locator("#hunt")).to_contain_text(OTHER_HOST)
    expect(page.locator("#hunt")).to_contain_text(HOST)
    take(page, "6-hunt")
    page.goto(case)
    evidence = page.locator("#evidence li").filter(has_text="Hunt: ")
    expect(evidence).to_contain_text("2 hosts")


def close_the_case(page: Page, case: str) -> None:
    """Close the case, and its alert with it."""
    page.locator("summary").filter(has_text="Close …").click()
    page.locator("select[name=close_reason]").select_option("true_positive")
    page.get_by_role("button", name="Close the case").click()
    expect(page.locator("#alerts tbody")).to_contain_text("closed")
    take(page, "7-closed")
