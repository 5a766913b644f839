"""A time is chosen on the histogram, by mouse and by keyboard."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit


def times(page):
    asked = parse_qs(urlsplit(page.url).query)
    return asked["from"][0], asked["to"][0]


def test_a_time_is_dragged_over_and_the_filters_stay(page):
    page.goto("/alerts?from=now-7d&severity=medium")
    box = page.locator("[data-brush] svg").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 25, steps=4)
    page.mouse.up()
    page.wait_for_url("**/alerts?*to=*")
    since, until = times(page)
    assert since < until
    assert "severity=medium" in page.url
    assert page.locator("[data-row]").count() == 3


def test_a_time_is_chosen_by_keyboard(page):
    page.goto("/alerts?from=now-7d")
    page.locator("[data-brush] svg").focus()
    page.keyboard.press("ArrowLeft")
    page.locator(".brushed").wait_for()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url("**/alerts?*to=*")
    since, until = times(page)
    assert since < until
    assert page.locator("[data-row]").count() == 3


def test_a_time_is_written(page):
    page.goto("/alerts?from=")
    page.get_by_text("from – to").click()
    page.get_by_label("From", exact=True).fill("now-2d")
    page.get_by_label("To", exact=True).fill("now-1d")
    page.get_by_role("button", name="Show this time").click()
    page.get_by_text("No alert fits").wait_for()
    assert times(page) == ("now-2d", "now-1d")
