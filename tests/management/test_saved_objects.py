"""What people save of the desk: who sees it, who may change it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tocsin.errors import InvalidError, NotFoundError
from tocsin.management.saved_objects import remove_object, save_object, saved_object, saved_objects
from tocsin.store.records.access import ROLES, Actor
from tocsin.store.records.models import User

VIEW = "alerts_view"


@pytest.fixture
def people(session):
    actors = {}
    for number, (name, role) in enumerate((("ann", "analyst"), ("bob", "analyst"), ("vic", "viewer")), 1):
        session.add(User(id=number, name=name, role=role, password_hash="", created=datetime.now(UTC)))
        actors[name] = Actor(name, ROLES[role], role=role, user_id=number)
    session.flush()
    return actors


def names(session, actor):
    return [kept.name for kept in saved_objects(session, actor, VIEW)]


def test_ones_own_are_seen_by_nobody_else_and_shared_ones_by_all(session, people):
    ann, bob, vic = people["ann"], people["bob"], people["vic"]
    own = save_object(session, ann, VIEW, "mine", {"q": "a"})
    save_object(session, ann, VIEW, "ours", {"q": "b"}, shared=True)
    save_object(session, vic, VIEW, "watched", {})
    assert [names(session, actor) for actor in (ann, bob, vic)] == [
        ["mine", "ours"],
        ["ours"],
        ["ours", "watched"],
    ]
    assert saved_object(session, ann, VIEW, own.id).document == {"q": "a"}
    for change in (saved_object, remove_object):
        with pytest.raises(NotFoundError):
            change(session, bob, VIEW, own.id)
    with pytest.raises(NotFoundError):
        saved_object(session, ann, "timeline", own.id)


def test_an_object_is_replaced_and_removed(session, people):
    ann, bob = people["ann"], people["bob"]
    shared = save_object(session, ann, VIEW, "ours", {"q": "b"}, shared=True)
    save_object(session, bob, VIEW, "ours, newer", {"q": "c"}, id_=shared.id)
    assert (shared.name, shared.document, shared.owner_id) == ("ours, newer", {"q": "c"}, None)
    assert (shared.created_by, shared.updated_by) == ("ann", "bob")
    remove_object(session, ann, VIEW, shared.id)
    assert names(session, bob) == []


def test_who_may_not_respond_changes_nothing_that_is_shared(session, people):
    vic = people["vic"]
    shared = save_object(session, people["ann"], VIEW, "ours", {}, shared=True)
    for change in (
        lambda: save_object(session, vic, VIEW, "x", {}, shared=True),
        lambda: save_object(session, vic, VIEW, "x", {}, id_=shared.id),
        lambda: remove_object(session, vic, VIEW, shared.id),
    ):
        with pytest.raises(InvalidError, match="respond to alerts"):
            change()


@pytest.mark.parametrize(
    ("name", "document"), [("", {}), ("  ", {}), ("n" * 201, {}), ("big", {"q": "x" * 1_000_001})]
)
def test_what_is_too_long_or_has_no_name_is_refused(session, people, name, document):
    with pytest.raises(InvalidError):
        save_object(session, people["ann"], VIEW, name, document)
    assert names(session, people["ann"]) == []
