"""The desk in a real browser."""

from __future__ import annotations


def test_alerts_are_walked_through_and_closed_by_keyboard(desk, page):
    rows = page.locator("[data-row]")
    assert rows.count() == 3
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert rows.nth(1).get_attribute("class") == "current"
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.wait_for_url("**/alerts/*")
    page.keyboard.press("a")
    page.get_by_text("acknowledged").first.wait_for()
    page.keyboard.press("g")
    page.keyboard.press("a")
    page.wait_for_url("**/alerts")
    rows.nth(1).wait_for()
    assert rows.count() == 2
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    page.goto("/alerts?status=acknowledged")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.get_by_role("button", name="Reopen").click()
    page.get_by_text("No alert fits").wait_for()


def test_the_theme_is_switched_and_kept(page):
    page.get_by_title("Light, dark or as the system").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark"
