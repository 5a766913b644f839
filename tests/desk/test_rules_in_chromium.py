"""Rules in a browser: found, opened, switched, tagged, removed, imported; by pointer and by keys."""

from __future__ import annotations

import orjson
import pytest

from tests.desk.conftest import tab_of
from tests.desk.test_rules import RULE, document, saved


@pytest.fixture
def engineer(desk, chromium):
    """The tab of somebody who may change rules."""
    with tab_of(desk, chromium, "engineer") as page:
        yield page


def test_keys_lead_to_the_rules_and_into_one(page):
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/rules")
    page.keyboard.press("/")
    page.keyboard.type(RULE)
    page.keyboard.press("Enter")
    page.wait_for_url("**/rules?*q=*")
    page.locator("body").click(position={"x": 2, "y": 2})
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=RULE, level=1).wait_for()


def test_selected_rules_are_switched_without_a_reload(desk, engineer):
    with desk.logged_in("engineer") as client, saved(client, name="Zzqq walk", tags=["Zzqq walk"]):
        engineer.goto("/rules?tag=Zzqq+walk")
        engineer.get_by_label("Select Zzqq walk").check()
        engineer.get_by_role("button", name="Enable").click()
        engineer.get_by_text("Rules enabled: 1.").wait_for()
        engineer.get_by_label("all 1").check()
        engineer.get_by_text("More", exact=True).click()
        engineer.get_by_label("Tag", exact=True).fill("Zzqq second")
        engineer.get_by_role("button", name="Add").click()
        engineer.get_by_text("Rules that have the tag now: 1.").wait_for()
        engineer.get_by_label("Select Zzqq walk").check()
        engineer.get_by_text("More", exact=True).click()
        engineer.get_by_role("button", name="Remove …").click()
        engineer.get_by_role("heading", name="Remove rules: 1").wait_for()
        engineer.get_by_role("button", name="Remove", exact=True).click()
        engineer.get_by_text("Rules removed: 1. Their alerts stay.").wait_for()


def test_selected_rules_are_saved_as_a_file(desk, engineer, tmp_path):
    with desk.logged_in("engineer") as client, saved(client, name="Zzqq file", tags=["Zzqq file"]):
        engineer.goto("/rules?tag=Zzqq+file")
        engineer.get_by_label("Select Zzqq file").check()
        with engineer.expect_download() as saving:
            engineer.get_by_role("button", name="Export").click()
        saving.value.save_as(tmp_path / "rules.ndjson")
    lines = [orjson.loads(line) for line in (tmp_path / "rules.ndjson").read_bytes().splitlines()]
    assert [line.get("name") for line in lines] == ["Zzqq file", None]


def test_a_rule_is_switched_run_and_snoozed_from_its_page(desk, engineer):
    with desk.logged_in("engineer") as client, saved(client, name="Zzqq page") as id_:
        engineer.goto(f"/rules/{id_}")
        engineer.get_by_role("switch", name="disabled").click()
        engineer.get_by_role("switch", name="enabled").wait_for()
        engineer.get_by_text("More", exact=True).click()
        engineer.get_by_role("button", name="Snooze").click()
        engineer.get_by_text("snoozed until").wait_for()
        engineer.get_by_text("More", exact=True).click()
        engineer.get_by_role("button", name="Run", exact=True).click()
        engineer.get_by_role("heading", name="Runs that were asked for").wait_for()


def test_files_are_looked_at_and_then_imported(engineer, tmp_path):
    rules = [document(name="Zzqq imported <b>x</b>"), {"rule_id": "bad", "name": "bad"}]
    (tmp_path / "rules.ndjson").write_bytes(b"\n".join(map(orjson.dumps, rules)))
    engineer.goto("/rules/import")
    engineer.get_by_label("Files").set_input_files(tmp_path / "rules.ndjson")
    engineer.get_by_role("button", name="Show what would happen").click()
    engineer.get_by_role("heading", name="What would happen").wait_for()
    assert "description: Required" in engineer.locator("#preview").inner_text()
    engineer.get_by_role("button", name="Import", exact=True).click()
    engineer.get_by_text("Rules: 1.").wait_for()
    engineer.goto("/rules?q=zzqq+imported")
    engineer.get_by_label("all 1").check()
    engineer.get_by_text("More", exact=True).click()
    engineer.get_by_role("button", name="Remove …").click()
    engineer.get_by_role("button", name="Remove", exact=True).click()
    engineer.get_by_text("Rules removed: 1.").wait_for()


def test_an_earlier_version_is_restored(desk, engineer):
    with desk.logged_in("engineer") as client, saved(client, name="Zzqq version", tags=["Zzqq version"]) as id_:
        engineer.goto("/rules?tag=Zzqq+version")
        engineer.get_by_label("Select Zzqq version").check()
        engineer.get_by_text("More", exact=True).click()
        engineer.get_by_label("Tag", exact=True).fill("Zzqq wrong")
        engineer.get_by_role("button", name="Add").click()
        engineer.get_by_text("Rules that have the tag now: 1.").wait_for()
        engineer.goto(f"/rules/{id_}/versions")
        engineer.get_by_role("button", name="Restore revision 0").click()
        engineer.get_by_role("heading", name="From revision 1 to 2").wait_for()


@pytest.mark.parametrize("width", [420, 1280, 1920])
@pytest.mark.parametrize(
    "path", ["/rules", "/rules/{}", "/rules/{}/executions", "/rules/{}/versions", "/rules/import"]
)
def test_a_page_is_never_wider_than_the_window(desk, engineer, path, width):
    with desk.logged_in("engineer") as client, saved(client, name="W" * 300, tags=["W" * 200]) as id_:
        engineer.set_viewport_size({"width": width, "height": 900})
        engineer.goto(path.format(id_))
        assert engineer.locator("main").evaluate("element => element.scrollWidth <= element.clientWidth")
