"""Completion of a query bar by keyboard, as a combobox."""

from __future__ import annotations


def test_a_query_is_written_by_choosing(page):
    page.goto("/alerts?from=")
    page.keyboard.press("/")
    bar = page.get_by_role("combobox", name="Query in KQL")
    bar.wait_for()
    page.keyboard.type("host.n")
    page.get_by_role("option", name="host.name").first.wait_for()
    assert bar.get_attribute("aria-expanded") == "true"
    page.keyboard.press("ArrowDown")
    option = page.locator(f"#{bar.get_attribute('aria-activedescendant')}")
    assert option.get_attribute("aria-selected") == "true"
    page.keyboard.press("Enter")
    page.get_by_role("option", name="SRV-FILE01").wait_for()
    page.keyboard.type("srv")
    page.get_by_role("option", name="WS-0142").wait_for(state="detached")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.get_by_role("option", name="and").wait_for()
    assert bar.input_value() == 'host.name: "SRV-FILE01.corp.example.com" '
    page.keyboard.press("Escape")
    page.get_by_role("option").first.wait_for(state="hidden")
    page.keyboard.press("Enter")
    page.wait_for_url("**/alerts?*SRV-FILE01*")
    page.locator("[data-row]").first.wait_for()


def test_what_is_wrong_is_said_while_it_is_typed_and_can_be_sent_all_the_same(page):
    page.goto("/alerts?from=")
    page.get_by_label("Query in KQL").click()
    page.keyboard.type("host.name: x )")
    page.locator("#completion mark").wait_for()
    assert page.locator("#completion mark").inner_text() == ")"
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()


def test_an_option_is_chosen_by_mouse_and_the_bar_keeps_the_focus(page):
    page.goto("/alerts?from=")
    bar = page.get_by_label("Query in KQL")
    bar.click()
    page.keyboard.type("user.nam")
    page.get_by_role("option", name="user.name").first.click()
    page.get_by_role("option", name="m.weber").click()
    assert bar.input_value() == 'user.name: "m.weber" '
    assert bar.evaluate("bar => bar === document.activeElement")


def test_a_service_that_does_not_answer_does_not_disturb_typing(page):
    page.goto("/alerts?from=")
    page.evaluate("() => { window.fetch = () => Promise.reject(new Error('no network')); }")
    bar = page.get_by_label("Query in KQL")
    bar.click()
    page.keyboard.type("user.name: m.weber")
    assert bar.input_value() == "user.name: m.weber"
