"""Exceptions: how they are checked and kept, those of one rule, and values of lists."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from tests.management.conftest import ACTOR, rule, save, schemas
from tocsin.errors import ConflictError, InvalidDocumentError, InvalidError, NotFoundError
from tocsin.management.exceptions import items, values
from tocsin.management.exceptions.documents import item_document
from tocsin.management.exceptions.finding import find_documents
from tocsin.store.records import exceptions as records
from tocsin.store.records.models import StoredRule

SCHEMA = schemas({})
ENTRY = {"field": "process.name", "operator": "included", "type": "match", "value": "good.exe"}


def body(**more):
    return {"list_id": "known", "item_id": "i", "name": "Good", "type": "simple", "entries": [ENTRY], **more}


@pytest.fixture
def known(session):
    return records.add_list(session, ACTOR, {"name": "Known", "list_id": "known", "type": "detection"})


def test_comments_keep_who_made_them(session, known):
    item = items.create_item(session, ACTOR, body(comments=["first"]), SCHEMA)
    items.change_item(session, ACTOR, item, body(comments=[{"comment": "second"}]), SCHEMA)
    comments = item_document(item)["comments"]
    assert [(one["comment"], one["created_by"]) for one in comments] == [("first", "ann"), ("second", "ann")]


@pytest.mark.parametrize(
    ("more", "error", "reason"),
    [
        ({"entries": [{**ENTRY, "type": "unheard"}]}, InvalidDocumentError, "unheard"),
        ({"expire_time": "soon"}, InvalidError, "[expire_time]"),
        ({"description": 5}, InvalidDocumentError, "[description] is 5"),
        ({"os_types": "windows"}, InvalidDocumentError, "[os_types] is `windows`, and must be a list"),
        ({"os_types": [{}]}, InvalidDocumentError, "[os_types[0]] is a table, and must be a text"),
        ({"tags": [None]}, InvalidDocumentError, "[tags[0]] is empty, and must be a text"),
        ({"list_id": "nowhere"}, NotFoundError, '"nowhere"'),
    ],
)
def test_an_exception_that_cannot_be_kept_is_refused(session, known, more, error, reason):
    with pytest.raises(error) as raised:
        items.create_item(session, ACTOR, body(**more), SCHEMA)
    assert reason in raised.value.message


def test_members_of_null_are_as_if_they_were_not_there(session, known):
    item = items.create_item(session, ACTOR, body(description=None, os_types=None), SCHEMA)
    assert (item_document(item)["description"], item_document(item)["os_types"]) == ("", [])


def test_an_id_is_given_once(session, known):
    items.create_item(session, ACTOR, body(), SCHEMA)
    with pytest.raises(ConflictError):
        items.create_item(session, ACTOR, body(), SCHEMA)


def test_the_list_of_elastic_endpoint_is_made_with_its_first_exception(session):
    item = items.create_item(session, ACTOR, body(list_id=records.ENDPOINT_LIST), SCHEMA)
    assert records.get_list(session, list_id=records.ENDPOINT_LIST)
    assert items.find_item(session, None, "i", within=records.ENDPOINT_LIST) is item


def test_an_exception_of_another_list_is_not_found_within_one(session, known):
    items.create_item(session, ACTOR, body(), SCHEMA)
    with pytest.raises(NotFoundError):
        items.find_item(session, None, "i", within=records.ENDPOINT_LIST)


def test_a_rule_gets_one_list_of_its_own(session):
    save(session, rule())
    stored = session.scalar(select(StoredRule))
    for name in ("a", "b"):
        items.add_to_rule(session, ACTOR, stored, [{"name": name, "type": "simple", "entries": [ENTRY]}], SCHEMA)
    [reference] = stored.document["exceptions_list"]
    assert reference["type"] == "rule_default"
    assert [item.document["name"] for item in records.items_of(session, [reference["list_id"]])] == ["a", "b"]
    with pytest.raises(InvalidDocumentError, match="items"):
        items.add_to_rule(session, ACTOR, stored, [], SCHEMA)


def test_items_are_counted_by_system(session, known):
    for number, systems in enumerate((["windows"], ["windows", "linux"], [])):
        items.create_item(session, ACTOR, body(item_id=str(number), os_types=systems), SCHEMA)
    assert items.count_systems(session, known) == {"windows": 2, "linux": 1, "macos": 0, "total": 3}


@pytest.mark.parametrize(
    ("text", "sort_field", "descending", "names"),
    [
        (None, None, False, ["b", "A"]),
        (None, "name", False, ["A", "b"]),
        (None, "name", True, ["b", "A"]),
        ("exception-list.attributes.name: b", None, False, ["b"]),
        ("exception-list-agnostic.attributes.name: A", "created_at", False, ["A"]),
    ],
)
def test_lists_are_found_and_put_in_order(text, sort_field, descending, names):
    found = find_documents([{"name": "b"}, {"name": "A"}], text, sort_field, descending=descending)
    assert [one["name"] for one in found] == names


def test_what_lists_are_not_sorted_by_is_told():
    with pytest.raises(InvalidError, match="sort_field"):
        find_documents([], None, "size")


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        ("keyword", " x ", "x"),
        ("long", "5", "5"),
        ("ip", "2001:DB8::1", "2001:db8::1"),
        ("ip_range", "10.0.0.0/8", "10.0.0.0/8"),
        ("ip_range", "10.0.0.1-10.0.0.9", "10.0.0.1-10.0.0.9"),
        ("ip_range", "10.0.0.1", "10.0.0.1"),
    ],
)
def test_a_value_is_kept_in_one_spelling(session, kind, given, kept):
    value_list = values.import_values(session, ACTOR, b"", name="l", kind=kind)
    assert values.add_value(session, ACTOR, value_list, given).value == kept
    with pytest.raises(ConflictError):
        values.add_value(session, ACTOR, value_list, given)
    values.remove_value(session, ACTOR, value_list, kept)
    with pytest.raises(NotFoundError):
        values.remove_value(session, ACTOR, value_list, kept)


@pytest.mark.parametrize(("kind", "value"), [("long", "x"), ("ip", "x"), ("ip_range", "10.0.0.9-10.0.0.x")])
def test_what_is_no_value_of_the_type_is_refused(session, kind, value):
    value_list = values.import_values(session, ACTOR, b"", name="l", kind=kind)
    with pytest.raises(InvalidError, match="is no value of a list of the type"):
        values.import_values(session, ACTOR, value.encode(), value_list, name="", kind="")


def test_no_other_type_is_known(session):
    with pytest.raises(InvalidError, match="type"):
        values.import_values(session, ACTOR, b"", name="l", kind="colour")
