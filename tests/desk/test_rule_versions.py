"""The versions of a rule in the desk: every way of changing a rule keeps them, and one can be restored."""

from __future__ import annotations

import httpx
import orjson
import pytest

from tests.desk.conftest import token_of
from tests.desk.test_rules import document, posted, rule_in, saved


def changed(client, id_, **members):
    headers = {"Accept": "application/json", "x-csrf-token": token_of(client)}
    answer = client.patch("/api/detection_engine/rules", json={"id": id_, **members}, headers=headers)
    assert answer.status_code == 200, answer.text


def by_interface(client, id_):
    changed(client, id_, name="Zzqq after")


def by_bulk_edit(client, id_):
    posted(client, "/rules/action", action="add_tags", tag="Zzqq after", id=id_)


def by_import(client, id_):
    replaced = {**document(name="Zzqq after"), "rule_id": rule_in(client, id_)["rule_id"]}
    headers = {"Accept": "application/json", "x-csrf-token": token_of(client)}
    files = {"file": ("rules.ndjson", orjson.dumps(replaced))}
    answer = client.post(
        "/api/detection_engine/rules/_import", params={"overwrite": True}, files=files, headers=headers
    )
    assert answer.json()["success"], answer.text


@pytest.mark.parametrize("change", [by_interface, by_bulk_edit, by_import])
def test_every_way_of_changing_a_rule_keeps_the_version_before(desk, change):
    with desk.logged_in("engineer") as client, saved(client, name="Zzqq before") as id_:
        assert "There is but the present one" in client.get(f"/rules/{id_}/versions").text
        change(client, id_)
        text = client.get(f"/rules/{id_}/versions").text
    assert "From revision 0 to 1" in text
    assert "Zzqq after" in text.partition('class="difference"')[2] or "<mark>after</mark>" in text
    assert "engineer" in text


def test_both_sides_of_a_changed_line_are_there(desk):
    with (
        desk.logged_in("engineer") as client,
        saved(client, query='process where process.name : "before.exe"') as id_,
    ):
        changed(client, id_, query='process where process.name : "after.exe"')
        text = client.get(f"/rules/{id_}/versions").text
    assert "<mark>before</mark>" in text
    assert "<mark>after</mark>" in text


def test_any_two_versions_are_compared(desk):
    with desk.logged_in("engineer") as client, saved(client, name="Zzqq first") as id_:
        for name in ("Zzqq second", "Zzqq third"):
            changed(client, id_, name=name)
        text = client.get(f"/rules/{id_}/versions", params={"old": "0", "new": "2"}).text
        assert client.get(f"/rules/{id_}/versions", params={"old": "9"}).status_code == 404
    assert "<mark>first</mark>" in text
    assert "<mark>third</mark>" in text
    assert "Zzqq second" not in text


def test_a_restored_version_is_a_new_revision(desk):
    with desk.logged_in("engineer") as client, saved(client, name="Zzqq good", enabled=True) as id_:
        changed(client, id_, name="Zzqq bad", tags=["x"])
        answer = posted(client, f"/rules/{id_}/restore", revision="0")
        assert answer.headers["location"] == f"/rules/{id_}/versions"
        rule = rule_in(client, id_)
        text = client.get(answer.headers["location"]).text
    assert (rule["name"], rule["tags"], rule["revision"], rule["enabled"]) == ("Zzqq good", [], 2, True)
    assert "From revision 1 to 2" in text


@pytest.mark.parametrize(("revision", "status"), [("7", 404), ("x", 400), ("-1", 400), ("9" * 40, 400)])
def test_a_version_that_is_not_there_is_not_restored(desk, revision, status):
    with desk.logged_in("engineer") as client, saved(client) as id_:
        assert posted(client, f"/rules/{id_}/restore", revision=revision).status_code == status


def test_who_may_only_read_restores_nothing(desk):
    with desk.logged_in("engineer") as engineer, saved(engineer, name="Zzqq one") as id_:
        changed(engineer, id_, name="Zzqq two")
        with desk.logged_in("viewer") as client:
            assert "/restore" not in client.get(f"/rules/{id_}/versions").text
            assert posted(client, f"/rules/{id_}/restore", revision="0").status_code == 403
        assert "/restore" in engineer.get(f"/rules/{id_}/versions").text
        assert engineer.post(f"/rules/{id_}/restore", data={"revision": "0"}).status_code == 403
        assert rule_in(engineer, id_)["name"] == "Zzqq two"


def test_a_script_in_a_version_is_text(desk):
    with desk.logged_in("engineer") as client, saved(client, note="<script>alert(1)</script>") as id_:
        changed(client, id_, note="<script>alert(2)</script>\u202e")
        text = client.get(f"/rules/{id_}/versions").text
    assert "<script>alert" not in text
    assert "\u202e" not in text


def test_versions_go_with_their_rule(desk):
    with desk.logged_in("engineer") as client, saved(client) as id_:
        changed(client, id_, name="Zzqq two")
        posted(client, f"/rules/{id_}/action", action="delete", sure="1")
        answer: httpx.Response = client.get(f"/rules/{id_}/versions")
    assert answer.status_code == 404
