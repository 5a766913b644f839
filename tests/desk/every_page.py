"""Every page of the desk, by a name: what is looked at by axe, and what pictures are taken of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Browser, BrowserContext, Page

from tests.api.conftest import PASSWORD
from tests.desk.conftest import Desk

Address = Callable[[Mapping[str, Any]], str]


def _of_alert(path: str = "") -> Address:
    return lambda alert: f"/alerts/{quote(alert['kibana.alert.uuid'])}{path}"


def _of_rule(path: str = "") -> Address:
    return lambda alert: f"/rules/{quote(alert['kibana.alert.rule.uuid'])}{path}"


def _at(path: str) -> Address:
    return lambda alert: path


# By the name of its picture. Each is given an alert of the reference rule.
EVERY_PAGE: dict[str, Address] = {
    "alerts": _at("/alerts?from="),
    "alerts-none": _at("/alerts?q=host.name%3Anobody"),
    "alerts-wrong-query": _at("/alerts?q=host.name%3A%20%28"),
    "alerts-by-host": _at("/alerts?from=&group=host"),
    "alerts-flyout": lambda alert: f"/alerts?from=&flyout={quote(alert['kibana.alert.uuid'])}",
    "alert": _of_alert(),
    "alert-event": _of_alert("?show=event"),
    "alert-json": _of_alert("?show=json"),
    "alert-host": _of_alert("?show=host"),
    "alert-user": _of_alert("?show=user"),
    "alert-prevalence": _of_alert("?show=prevalence"),
    "alert-observables": _of_alert("?show=observables"),
    "alert-query": _of_alert("?query=0"),
    "alert-exception": _of_alert("/exception"),
    "cases": _at("/cases"),
    "case-new": lambda alert: f"/cases/new?id={quote(alert['kibana.alert.uuid'])}",
    "timeline": _at("/timeline"),
    "timeline-eql": _at("/timeline?language=eql&q=process%20where%20true"),
    "timelines": _at("/timeline/saved"),
    "rules": _at("/rules"),
    "rule": _of_rule(),
    "rule-executions": _of_rule("/executions"),
    "rule-versions": _of_rule("/versions"),
    "rule-edit": _of_rule("/edit"),
    "rule-new": _at("/rules/new"),
    "rules-import": _at("/rules/import"),
    "exceptions": _at("/exceptions"),
    "value-lists": _at("/value-lists"),
    "overview": _at("/overview"),
    "attack": _at("/overview/attack"),
    "sources": _at("/overview/sources"),
    "response": _at("/response"),
    "response-new": _at("/response/new?action=isolate"),
    "response-connectors": _at("/response/connectors?type=webhook"),
    "hosts": _at("/hosts"),
    "host-query": _at("/hosts/query"),
    "host-enrolment": _at("/hosts/enrolment"),
    "indicators": _at("/indicators"),
    "indicator-hunts": _at("/indicators/hunts"),
    "reputation": _at("/reputation?type=domain&value=cdn.example.net"),
    "measures": _at("/measures"),
    "measures-hosts": _at("/measures?by=host_group"),
    "measures-alerts": _at("/measures/alerts?of=mttd"),
    "settings": _at("/settings"),
    "users": _at("/access/users"),
    "keys": _at("/access/keys"),
    "audit": _at("/access/audit"),
    "not-there": _at("/alerts/nothing"),
}
LOG_IN = "/login"


def reference_alert(desk: Desk) -> Mapping[str, Any]:
    """Return the alert of the reference rule whose process is known by its entity id: its page has the most."""
    return next(alert for alert in desk.alerts if "entity_id" in alert["process"])


@contextmanager
def logged_in(desk: Desk, chromium: Browser, name: str = "admin", **options: Any) -> Iterator[BrowserContext]:
    """Yield a browser's context in which a user has logged in; its clock is in Berlin."""
    context = chromium.new_context(base_url=desk.url, timezone_id="Europe/Berlin", **options)
    page = context.new_page()
    page.goto(LOG_IN)
    page.locator("input[name=name]").fill(name)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[name=password]").press("Enter")
    page.wait_for_url("**/alerts**")
    page.close()
    yield context
    context.close()


def open_page(page: Page, address: str) -> None:
    """Open a page, and wait until its parts are there."""
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.wait_for_function(
        "() => ![...document.querySelectorAll('.htmx-request, .waiting')].some(part => part.checkVisibility())"
    )
