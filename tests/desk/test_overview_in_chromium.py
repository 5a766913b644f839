"""The overview and the matrix in a browser: by keys, and a look that is taken back."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.investigation.test_attack import threat
from tocsin.management.rules.saving import add_document
from tocsin.store.records.access import local_actor


@pytest.fixture(scope="module", autouse=True)
def second_tactic(desk) -> None:
    """A rule of another tactic than the bundled one's, which is not enabled."""
    document = {
        "name": "Of two tactics", "rule_id": "of-two-tactics", "type": "query", "query": "*", "description": "d",
        "severity": "low", "risk_score": 1, "threat": [threat("TA0001", "T1566", "T1566.001")], "enabled": False,
    }  # fmt: skip
    with desk.running.service.records.transaction() as session:
        add_document(session, local_actor("tests"), document)


def test_a_look_is_kept_when_somebody_says_so_and_can_be_taken_back(page: Page) -> None:
    page.keyboard.press("g")
    page.keyboard.press("o")
    page.wait_for_url("**/overview")
    expect(page.get_by_text("You have not said yet what you have seen")).to_be_visible()
    for _ in range(2):
        page.get_by_role("button", name="I have seen this").click()
        expect(page.get_by_text("You have seen everything up to")).to_be_visible()
    newer = page.locator(".since time").get_attribute("datetime") or ""
    page.get_by_role("button", name="Take back").click()
    expect(page.locator(".since time")).not_to_have_attribute("datetime", newer)
    assert (page.locator(".since time").get_attribute("datetime") or "") < newer


def test_the_matrix_is_walked_by_arrow_keys_and_a_cell_opens_its_rules(page: Page) -> None:
    page.goto("/overview/attack?subtechniques=open")
    first = page.locator("[data-matrix] section").nth(0).locator(".cell").first
    first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-matrix] section").nth(1).locator(".cell").first).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(first).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#chosen")).to_be_visible()
    expect(page.locator("#chosen tbody tr").first).to_be_visible()


def test_no_page_is_wider_than_a_narrow_screen(page: Page) -> None:
    page.set_viewport_size({"width": 420, "height": 900})
    for path in ("/overview", "/overview/attack", "/overview/sources"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 420, path
