"""Alerts in a real browser: acted on, taken back, arriving, looked at beside their list; by mouse and keyboard."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.api.conftest import PASSWORD
from tests.desk.many_alerts import desk_with_alerts, documents_of, raise_alerts

STATUS, REASON = "kibana.alert.workflow_status", "kibana.alert.workflow_reason"
TAGS, ASSIGNEES = "kibana.alert.workflow_tags", "kibana.alert.workflow_assignee_ids"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with desk_with_alerts(tmp_path_factory.mktemp("alerts"), 60) as desk:
        yield desk


def ids_in(page):
    return page.locator("[data-row]").evaluate_all("rows => rows.map(row => row.id.slice(6))")


def documents(desk, ids):
    return documents_of(desk.running.service.records, ids)


def current(page):
    return page.locator("[data-row].current").get_attribute("id").removeprefix("alert-")


def test_alerts_are_closed_and_that_is_undone_by_keyboard(desk, page):
    first, second, third = ids_in(page)[:3]
    for key in ("j", "x", "j", "x", "c"):
        page.keyboard.press(key)
    page.get_by_label("Reason").select_option("duplicate")
    page.get_by_label("Comment").fill("the same")
    page.keyboard.press("Enter")
    page.get_by_text("Alerts closed: 2.").wait_for()
    assert [document[REASON] for document in documents(desk, [first, second])] == ["duplicate"] * 2
    assert first not in ids_in(page)
    page.locator("tr.current").wait_for()
    page.keyboard.press("u")
    page.get_by_text("again as they were: 2.").wait_for()
    assert ids_in(page)[:3] == [first, second, third]
    assert [document[STATUS] for document in documents(desk, [first, second])] == ["open"] * 2


def test_all_that_the_filter_finds_are_tagged_and_assigned_by_mouse(desk, page):
    page.goto("/alerts?status=open&from=now-1h")
    page.get_by_label("that this filter finds").check()
    page.get_by_role("button", name="Tags …").click()
    page.get_by_label("Tags, separated by commas").fill("night, ours")
    page.get_by_role("button", name="Add", exact=False).click()
    page.get_by_text("Alerts with other tags: 60.").wait_for()
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("again as they were: 60.").wait_for()
    boxes = page.get_by_role("checkbox", name="Select", exact=True)
    boxes.nth(0).click()
    boxes.nth(3).click(modifiers=["Shift"])
    page.get_by_text("4 selected").wait_for()
    page.get_by_role("button", name="Assign …").click()
    page.get_by_label("engineer").check()
    page.get_by_role("button", name="Assign Enter").click()
    page.get_by_text("Alerts with other assignees: 4.").wait_for()
    first_five = documents(desk, ids_in(page)[:5])
    assert [document[ASSIGNEES] for document in first_five] == [["engineer"]] * 4 + [[]]
    assert first_five[0][TAGS] == []


def test_closing_on_its_page_goes_on_and_esc_goes_back_to_the_row(desk, page):
    ids = ids_in(page)
    for key in ("j", "j", "j", "o"):
        page.keyboard.press(key)
    page.wait_for_url(f"**/alerts/{ids[2]}?**")
    page.keyboard.press("c")
    page.get_by_label("Comment").press("Enter")
    page.wait_for_url(f"**/alerts/{ids[3]}?**")
    page.keyboard.press("j")
    page.wait_for_url(f"**/alerts/{ids[4]}?**")
    page.keyboard.press("Escape")
    page.wait_for_url("**/alerts?**")
    assert current(page) == ids[4]
    page.keyboard.press("u")
    page.wait_for_url(f"**/alerts/{ids[2]}?**")
    assert documents(desk, [ids[2]])[0][STATUS] == "open"


def test_new_alerts_wait_until_they_are_asked_for(desk, page):
    page.goto("/alerts?status=open")
    page.keyboard.press("j")
    page.keyboard.press("x")
    before, place = ids_in(page), page.locator("[data-row]").first.bounding_box()
    (new,) = raise_alerts(desk.running.service.records, 1)
    page.get_by_text("1 new").wait_for()
    assert page.title().startswith("(1) ")
    assert (ids_in(page), page.locator("[data-row]").first.bounding_box()) == (before, place)
    page.keyboard.press("n")
    page.locator(f"#alert-{new}.arrived").wait_for()
    assert ids_in(page)[:2] == [new, before[0]]
    assert current(page) == before[0]
    assert page.locator(f"#alert-{before[0]} input").is_checked()
    assert not page.title().startswith("(")


def test_whoever_is_logged_out_elsewhere_is_told_where_they_read(desk, chromium):
    context = chromium.new_context(base_url=desk.url)
    page = context.new_page()
    page.goto("/login")
    page.get_by_label("Name").fill("analyst")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/alerts")
    context.clear_cookies()
    page.get_by_text("You are logged out").wait_for()
    assert ids_in(page)
    context.close()


def test_an_alert_is_looked_at_beside_its_list_by_keyboard(desk, page):
    page.goto("/alerts?status=open")
    ids, place = ids_in(page), page.locator("[data-row]").first.bounding_box()
    page.keyboard.press("j")
    page.keyboard.press(" ")
    page.locator(f'[data-flyout-of="{ids[0]}"]').wait_for()
    assert page.locator("[data-row]").first.bounding_box() == place
    page.get_by_role("link", name="Table").click()
    page.get_by_placeholder("search fields and values").fill("COMMAND_line")
    assert page.locator("#flyout tr:visible").count() == 1
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.locator(f'[data-flyout-of="{ids[1]}"][data-flyout-tab="table"]').wait_for()
    page.wait_for_url(f"**flyout={ids[1]}&tab=table")
    page.reload()
    page.locator(f'[data-flyout-of="{ids[1]}"]').wait_for()
    assert current(page) == ids[1]
    page.keyboard.press("Escape")
    page.wait_for_url("**/alerts?status=open")
    assert page.locator("[data-flyout-of]").count() == 0
    assert page.evaluate("document.activeElement.closest('tr').id") == f"alert-{ids[1]}"


def test_a_note_is_added_beside_the_list_and_acting_goes_on_by_mouse(desk, page):
    page.goto("/alerts?status=open")
    ids = ids_in(page)
    page.get_by_role("link", name="Look at the alert beside the list").first.click()
    page.get_by_role("link", name="History").click()
    page.get_by_label("Note").fill("mine")
    page.get_by_label("Note").press("Enter")
    page.locator(".history").get_by_text("mine").wait_for()
    page.locator("[data-flyout-title]").click()
    page.keyboard.press("a")
    page.locator(f'[data-flyout-of="{ids[1]}"]').wait_for()
    page.get_by_label("Close", exact=True).click()
    assert page.locator("[data-flyout-of]").count() == 0
    (document,) = documents(desk, ids[:1])
    assert (document[STATUS], document["tocsin.notes"][0]["text"]) == ("acknowledged", "mine")


def test_a_service_that_is_away_is_said_to_be_so_and_asked_again(desk, chromium):
    context = chromium.new_context(base_url=desk.url)
    page = context.new_page()
    page.goto("/login")
    page.get_by_label("Name").fill("analyst")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/alerts")
    page.route("**/alerts/arrivals?*", lambda route: route.abort())
    page.get_by_text("the service does not answer").wait_for()
    page.unroute_all()
    page.get_by_text("the service does not answer").wait_for(state="hidden")
    context.close()


def test_groups_are_gone_through_by_keyboard(desk, page):
    page.goto("/alerts?from=&group=host")
    page.keyboard.press("j")
    expect(page.locator("[data-group].current")).to_be_focused()
    page.keyboard.press("Enter")
    rows = page.locator(".group").first.locator("[data-row]")
    expect(rows.first).to_be_visible()
    page.keyboard.press("j")
    expect(rows.first).to_have_class(re.compile("current"))
    for _ in range(rows.count()):
        page.keyboard.press("j")
    expect(page.locator("[data-group]").nth(1)).to_have_class(re.compile("current"))
