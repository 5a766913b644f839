"""The timeline in a real browser: by keyboard, with what stands above left where it is."""

from __future__ import annotations

import re

import pytest


def row(page, place: int):
    return page.locator("[data-row]:not([id^=pin])").nth(place)


def test_events_are_opened_pinned_and_noted_by_keyboard(desk, page):
    page.keyboard.press("g")
    page.keyboard.press("t")
    page.wait_for_url("**/timeline")
    page.keyboard.press("/")
    page.keyboard.type("process.name: MpCmdRun.exe")
    page.keyboard.press("Enter")
    page.wait_for_url("**/timeline?q=*")
    page.locator(".total", has_text="events").wait_for()
    page.keyboard.press("Escape")
    for _ in range(3):
        page.keyboard.press("j")
    assert "current" in (row(page, 2).get_attribute("class") or "")
    above = row(page, 2).bounding_box()
    page.keyboard.press("Enter")
    opened = page.locator("tr.opened")
    opened.get_by_text("process.executable").first.wait_for()
    assert row(page, 2).bounding_box() == above
    assert "open=" in page.url
    page.reload()
    assert opened.count() == 1
    row(page, 2).locator("[data-open]").click()
    opened.wait_for(state="detached")
    assert "open=" not in page.url
    name = row(page, 2).get_attribute("id")
    page.keyboard.press("p")
    page.locator(f'[id="pin-{name}"]').wait_for()
    page.locator(f'[id="{name}"] [data-pin][aria-pressed=true]').wait_for()
    assert "id=" in page.url
    page.keyboard.press("p")
    page.locator("section.pins").wait_for(state="detached")


def test_the_current_row_stays_where_it_is_when_an_event_is_pinned(page):
    page.goto("/timeline?index=logs-*")
    row(page, 30).scroll_into_view_if_needed()
    row(page, 30).locator("[data-pin]").click(trial=True)
    name = row(page, 30).get_attribute("id")
    before = row(page, 30).bounding_box()
    row(page, 30).locator("[data-pin]").click()
    page.locator("section.pins").wait_for()
    page.locator(f'[id="{name}"].current').wait_for()
    after = page.locator(f'[id="{name}"]').bounding_box()
    assert before is not None
    assert after is not None
    assert abs(after["y"] - before["y"]) < 2


def test_eql_of_several_lines_is_sent_by_its_key_and_faults_are_marked(page):
    page.goto("/timeline?language=eql")
    page.get_by_label("Query in EQL").fill("process where\n process.name = 1")
    page.get_by_label("Query in EQL").press("Control+Enter")
    page.locator(".problem pre").wait_for()
    assert re.search(r"\^\s*$", page.locator(".problem pre").inner_text())


def test_a_moment_is_typed_in_the_visitors_zone(page):
    page.goto("/timeline")
    page.get_by_label("from").fill("2026-01-02 10:00")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url(re.compile(r"from=2026-01-02T\d\d%3A00%3A00.000Z"))


def test_a_column_is_added_from_the_fields_that_there_are(page):
    page.goto("/timeline")
    page.get_by_text("Columns 8").click()
    field = page.get_by_label("A field more")
    field.focus()
    page.locator("#field-names option[value='process.pid']").wait_for(state="attached")
    field.fill("process.pid")
    page.get_by_role("button", name="Add").click()
    page.get_by_role("columnheader", name="process.pid").wait_for()


@pytest.mark.parametrize("opens", ["list", "alert"])
def test_t_leads_from_an_alert_to_its_host(desk, page, opens):
    page.goto("/alerts?status=open&from=" if opens == "list" else f"/alerts/{desk.alerts[0]['kibana.alert.uuid']}")
    if opens == "list":
        page.locator("[data-row]").first.wait_for()
        page.keyboard.press("j")
    page.keyboard.press("t")
    page.wait_for_url("**/timeline?q=host.name*")
