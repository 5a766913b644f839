"""Rules and exceptions made in a real browser, with its keyboard; the page's policy is never broken."""

from __future__ import annotations

import pytest

from tests.desk.conftest import tab_of
from tests.desk.watched import watched_desk


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    with watched_desk(tmp_path_factory.mktemp("watched")) as started:
        yield started


@pytest.fixture
def engineer_page(watched, chromium):
    """A tab in which an engineer has logged in, whose forms may be refused."""
    with tab_of(watched.desk, chromium, "engineer", accepted="status of 400") as page:
        yield page


def test_a_query_is_written_mended_previewed_and_saved(watched, engineer_page):
    page = engineer_page
    watched.event(process={"name": "written.exe"}, host={"name": "ws-1"})
    page.goto("/rules/new")
    query = page.get_by_role("textbox", name="Query", exact=True)
    query.click()
    # `a`, `c` and `x` are keys of the desk, but not in an editor.
    page.keyboard.type('process where process.name == "written.exe" and')
    page.get_by_text("1:48 the query ends too early").wait_for()
    assert page.locator(".cm-lint-marker-error").count() == 1
    for _ in " and":
        page.keyboard.press("Backspace")
    page.get_by_text("The query can be read.").wait_for()
    assert page.locator(".cm-lint-marker-error").count() == 0
    page.get_by_role("button", name="Preview").click()
    page.get_by_text("alert in the last 6 hours").wait_for()
    assert page.locator("#previewed tbody tr").count() == 1
    page.get_by_role("button", name="Make rule").click()
    page.get_by_text("2 fields have to be mended").wait_for()
    page.get_by_label("Name", exact=True).fill("Written by hand")
    page.get_by_label("Description", exact=True).fill("It is a test.")
    page.get_by_role("button", name="Make rule").click()
    page.get_by_role("heading", name="Written by hand").first.wait_for()
    [rule] = watched.http.get("/api/detection_engine/rules/_find").json()["data"]
    assert rule["query"] == 'process where process.name == "written.exe"'


def test_fields_and_words_are_completed(watched, engineer_page):
    page = engineer_page
    watched.event(process={"name": "x.exe"}, special={"marker": "y"})
    page.goto("/rules/new")
    page.get_by_role("textbox", name="Query", exact=True).click()
    with page.expect_response("**/rule-editor/check"):
        page.keyboard.type("any where special.m")
    option = page.get_by_role("option").filter(has_text="special.marker")
    option.wait_for()
    option.click()
    assert page.locator("textarea[name=query]").input_value() == "any where special.marker"
    page.keyboard.press("Control+a")
    page.keyboard.type("any where startsW")
    page.get_by_role("option").filter(has_text="startsWith").wait_for()


def test_an_exception_is_made_in_two_clicks_and_its_preview_follows_its_conditions(watched, engineer_page):
    page = engineer_page
    rule = watched.rule(rule_id="clicked", query='process where process.name == "clicked.exe"')
    for host in ("ws-1", "ws-2"):
        watched.event(process={"name": "clicked.exe"}, host={"name": host})
    watched.run(rule)
    alert = next(alert for alert in watched.alerts(rule) if alert["host"]["name"] == "ws-1")
    page.goto(f"/alerts/{alert['_id']}")
    page.locator("[data-exception]").click()
    page.get_by_text("hides 1 alert of the last 30 days").wait_for()
    page.locator("input[name=use-0]").uncheck()  # its host
    page.get_by_text("hides 2 alerts of the last 30 days").wait_for()
    page.get_by_label("Another field").fill("process.parent.name")
    page.get_by_role("button", name="Add condition").click()
    added = page.locator(".condition").filter(has=page.locator("input[value='process.parent.name']"))
    added.get_by_label("Operator").select_option("does_not_exist")
    page.locator("input[name=use-0]").check()
    page.get_by_text("hides 1 alert of the last 30 days").wait_for()
    page.get_by_role("button", name="Add exception").click()
    page.wait_for_url(f"**/alerts/{alert['_id']}")
    watched.event(process={"name": "clicked.exe"}, host={"name": "ws-1"})
    watched.run(rule)
    assert len(watched.alerts(rule)) == 2
