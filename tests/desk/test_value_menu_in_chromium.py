"""The menu of a value in a browser: by mouse and by keyboard, and that it copies exactly."""

from __future__ import annotations

import json

import pytest

_VALUES = [
    'cmd.exe /c "x" \\\\srv\\share',
    "a\r\nb\tc\x00\x1b[0m",
    "\u202egnp.exe",
    "\u6f22" * 2_731,
    "<b>&amp;</b>",
]


@pytest.fixture
def clipboard(page):
    """What was copied last."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    return lambda: page.evaluate("navigator.clipboard.readText()")


def test_a_value_is_filtered_for_by_keyboard(desk, page):
    page.goto("/alerts?from=")
    page.keyboard.press("j")
    host = page.locator("[data-row].current [data-field='host.name']").inner_text()
    page.keyboard.press("v")
    page.keyboard.press("h")
    page.keyboard.press("Enter")
    page.get_by_role("menuitem", name="Filter for this value").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**/alerts?q=*")
    assert page.locator("[data-search]").input_value() == f'host.name: "{host}"'
    assert set(page.locator("[data-row] [data-field='host.name']").all_inner_texts()) == {host}


def test_a_click_on_a_value_opens_its_menu_and_escape_closes_it(page):
    page.goto("/alerts?from=")
    value = page.locator("[data-row] [data-field='user.name']").first
    value.click()
    page.get_by_role("menuitem", name="Filter this value out").wait_for()
    page.keyboard.press("Escape")
    page.locator("#value-menu").wait_for(state="hidden")
    assert page.url.endswith("/alerts?from=")


def test_a_value_that_is_a_link_leads_there_and_has_its_menu_beside_it(page):
    page.goto("/alerts?from=")
    cell = page.locator("[data-row] .rule").first
    cell.hover()
    cell.get_by_role("button", name="Menu of the value").click()
    page.get_by_role("menuitem", name="Filter for this value").click()
    page.wait_for_url("**/alerts?q=kibana.alert.rule.name*")


@pytest.mark.parametrize("value", _VALUES)
@pytest.mark.parametrize("secure", [True, False])
def test_a_value_is_copied_exactly(page, clipboard, value, secure):
    page.goto("/alerts?from=")
    shown = page.locator("[data-row] [data-field='user.name']").first
    shown.evaluate("(element, data) => { element.dataset.value = data; }", json.dumps(value))
    if not secure:  # over plain HTTP browsers keep their clipboard to themselves
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed')); }")
    shown.click()
    page.get_by_role("menuitem", name="Copy").click()
    page.get_by_text("Copied.").wait_for(state="attached")
    copied = clipboard()
    assert copied == value.replace("\x00", "") or copied == value


def test_a_menu_that_does_not_come_says_so_and_copies_all_the_same(page, clipboard):
    page.goto("/alerts?from=")
    page.evaluate("() => { window.fetch = () => Promise.reject(new Error('no network')); }")
    shown = page.locator("[data-row] [data-field='user.name']").first
    shown.click()
    page.get_by_text("This part could not be loaded.").wait_for()
    page.get_by_role("menuitem", name="Copy").click()
    assert clipboard() == shown.inner_text()


def test_the_values_of_an_alert_have_menus(desk, page):
    alert = next(alert for alert in desk.alerts if alert["host"]["name"].startswith("WS-0142"))
    page.goto(f"/alerts/{alert['kibana.alert.uuid']}?show=event")
    page.locator("#events [data-field='process.executable']").click()
    page.get_by_role("menuitem", name="Open in alerts").click()
    page.wait_for_url("**/alerts?q=*")
    assert page.locator("[data-row]").count() >= 1
