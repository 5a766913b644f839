"""Timelines that people save: what is asked, events that are pinned, notes on both.

A pinned event is kept as a copy, so that it stays when the store removes it by its age. The copy is bounded: long
values are cut, and what is cut is named.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy.orm import Session

from tocsin.errors import InvalidError, NotFoundError
from tocsin.management.saved_objects import may_change_shared, save_object, saved_object, saved_objects
from tocsin.moments import iso
from tocsin.sources.batch import flatten, unflatten
from tocsin.store.records.access import Actor
from tocsin.store.records.models import SavedObject

TIMELINE = "timeline"
MOST_PINS, MOST_NOTES = 100, 300
_LONGEST_DESCRIPTION, _LONGEST_NOTE = 2_000, 2_000  # characters
_LARGEST_COPY, _LONGEST_VALUE = 6_000, 600  # bytes of a pinned event's copy, characters of a value that is cut
_Document = dict[str, Any]


@dataclass(frozen=True)
class PinnedEvent:
    """An event to be pinned: its index and id, its moment in nanoseconds as an address has it, its document."""

    index: str
    id: str
    at: str
    source: Mapping[str, Any]

    @property
    def key(self) -> str:
        """What addresses call the event."""
        return f"{self.index}:{self.id}"


def saved_timelines(session: Session, actor: Actor) -> Sequence[SavedObject]:
    """Return the timelines that somebody may see, by name."""
    return saved_objects(session, actor, TIMELINE)


def saved_timeline(session: Session, actor: Actor, id_: str) -> SavedObject:
    """Return a timeline. Raises NotFoundError."""
    return saved_object(session, actor, TIMELINE, id_)


def may_change_timeline(actor: Actor, timeline: SavedObject) -> bool:
    """Tell whether somebody may change a timeline that they may see."""
    return timeline.owner_id is not None or may_change_shared(actor)


def save_timeline(
    session: Session,
    actor: Actor,
    name: str,
    view: Mapping[str, str],
    *,
    description: str = "",
    id_: str | None = None,
    shared: bool = False,
) -> SavedObject:
    """Save what a timeline asks (`view`, as its address says it); of one that is there pins and notes stay.

    Raises NotFoundError and InvalidError.
    """
    if len(description) > _LONGEST_DESCRIPTION:
        raise InvalidError(f"[description] has at most {_LONGEST_DESCRIPTION:,} characters")
    before = {} if id_ is None else _locked(session, actor, id_).document
    document = {**_EMPTY, **before, "view": dict(view), "description": description.strip()}
    return save_object(session, actor, TIMELINE, name, document, id_=id_, shared=shared)


def pin_event(session: Session, actor: Actor, id_: str, event: PinnedEvent) -> SavedObject:
    """Pin an event to a timeline, once. Raises NotFoundError and InvalidError."""
    copy, cut = copied_document(event.source)
    pin = {
        "key": event.key, "index": event.index, "id": event.id, "at": event.at, "document": copy, "cut": cut,
        "pinned_by": actor.name, "pinned_at": iso(datetime.now(UTC)),
    }  # fmt: skip

    def change(document: _Document) -> None:
        if any(known["key"] == event.key for known in document["pins"]):
            return
        if len(document["pins"]) >= MOST_PINS:
            raise InvalidError(f"a timeline has at most {MOST_PINS} pinned events: unpin some")
        document["pins"] = sorted(
            [*document["pins"], pin], key=lambda known: (known["at"].zfill(20), known["key"])
        )

    return _changed(session, actor, id_, change)


def unpin_event(session: Session, actor: Actor, id_: str, key: str) -> SavedObject:
    """Take an event off a timeline's pins. Raises NotFoundError and InvalidError."""

    def change(document: _Document) -> None:
        document["pins"] = [pin for pin in document["pins"] if pin["key"] != key]

    return _changed(session, actor, id_, change)


def add_timeline_note(session: Session, actor: Actor, id_: str, text: str, key: str = "") -> SavedObject:
    """Write a note on a timeline, or on an event of it (`key`). Raises NotFoundError and InvalidError."""
    text = text.strip()
    if not text or len(text) > _LONGEST_NOTE:
        raise InvalidError(f"a note has 1 to {_LONGEST_NOTE:,} characters")
    note = {
        "id": uuid.uuid4().hex, "text": text, "key": key[:2_000], "written_by": actor.name, "author": actor.id,
        "written_at": iso(datetime.now(UTC)),
    }  # fmt: skip

    def change(document: _Document) -> None:
        if len(document["notes"]) >= MOST_NOTES:
            raise InvalidError(f"a timeline has at most {MOST_NOTES} notes: remove some")
        document["notes"] = [*document["notes"], note]

    return _changed(session, actor, id_, change)


def remove_timeline_note(session: Session, actor: Actor, id_: str, note_id: str) -> SavedObject:
    """Remove a note that somebody has written themselves. Raises NotFoundError and InvalidError."""

    def change(document: _Document) -> None:
        note = next((note for note in document["notes"] if note["id"] == note_id), None)
        if note is None:
            raise NotFoundError(f"there is no note {note_id}")
        if note["author"] != actor.id:  # names may be given again
            raise InvalidError(f"the note is of {note['written_by']}: nobody else removes it")
        document["notes"] = [known for known in document["notes"] if known["id"] != note_id]

    return _changed(session, actor, id_, change)


def copied_document(source: Mapping[str, Any]) -> tuple[_Document, list[str]]:
    """Return a document as a pin keeps it, and the names of its fields that are cut or left out."""
    if len(orjson.dumps(source, default=str)) <= _LARGEST_COPY:
        return dict(source), []
    flat = flatten(dict(source))
    cut = [name for name, value in flat.items() if len(_json(value)) > _LONGEST_VALUE]
    for name in cut:
        flat[name] = f"{_json(flat[name])[:_LONGEST_VALUE]}…"
    by_size = sorted(flat, key=lambda name: len(_json(flat[name]).encode()), reverse=True)
    while by_size and len(orjson.dumps(unflatten(flat), default=str)) > _LARGEST_COPY:
        name = by_size.pop(0)
        del flat[name]
        cut = [*dict.fromkeys([*cut, name])]
    return unflatten(flat), sorted(cut)


_EMPTY: Mapping[str, Any] = {"view": {}, "description": "", "pins": [], "notes": []}


def _json(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


def _changed(session: Session, actor: Actor, id_: str, change: Callable[[_Document], None]) -> SavedObject:
    timeline = _locked(session, actor, id_)
    document = {**_EMPTY, **timeline.document}
    change(document)
    return save_object(session, actor, TIMELINE, timeline.name, document, id_=id_)


def _locked(session: Session, actor: Actor, id_: str) -> SavedObject:
    """Return a timeline that others change after this transaction: nobody's pin or note is lost."""
    timeline = saved_timeline(session, actor, id_)
    session.refresh(timeline, with_for_update=True)
    return timeline
