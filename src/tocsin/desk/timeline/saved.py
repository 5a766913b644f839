"""Timelines that are saved: their list, what is asked, pinned events and notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.answers import ApiError, bad_request
from tocsin.api.transactions import RequestTransactions
from tocsin.desk.documents import FlatDocument, flat_document
from tocsin.desk.forms import Fields, Form, field
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.searches import search
from tocsin.desk.timeline.events import LATEST, TimelineRow, event_search
from tocsin.desk.timeline.view import TimelineView
from tocsin.desk.visitor import Reader, Visitor
from tocsin.desk.whole_numbers import read_whole_number
from tocsin.management import timelines
from tocsin.management.saved_objects import remove_object
from tocsin.management.timelines import PinnedEvent
from tocsin.store.records.access import Actor
from tocsin.store.records.models import SavedObject

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class TimelinePin:
    """An event that is pinned: its copy as a row, what of it is cut, who pinned it, and when."""

    row: TimelineRow
    cut: tuple[str, ...]
    pinned_by: str
    pinned_at: str
    source: Mapping[str, Any]


@dataclass(frozen=True)
class SavedTimeline:
    """A saved timeline as its page shows it. `view` is what it asks, as an address says it."""

    id: str
    name: str
    description: str
    view: Mapping[str, str]
    pins: tuple[TimelinePin, ...]
    notes: tuple[Mapping[str, Any], ...]
    is_shared: bool
    may_change: bool
    updated: datetime
    updated_by: str

    @staticmethod
    def of(timeline: SavedObject, actor: Actor) -> SavedTimeline:
        """Return a timeline as somebody sees it."""
        document = timeline.document
        return SavedTimeline(
            timeline.id, timeline.name, str(document.get("description", "")), document.get("view", {}),
            tuple(map(_pin, document.get("pins", ()))), tuple(document.get("notes", ())),
            timeline.owner_id is None, timelines.may_change_timeline(actor, timeline),
            timeline.updated, timeline.updated_by,
        )  # fmt: skip

    @property
    def pinned(self) -> frozenset[str]:
        """What addresses call the events that are pinned."""
        return frozenset(pin.row.key for pin in self.pins)

    def pin(self, key: str) -> TimelinePin | None:
        """Return the pin of an event."""
        return next((pin for pin in self.pins if pin.row.key == key), None)

    def notes_on(self, key: str) -> tuple[Mapping[str, Any], ...]:
        """Return the notes on an event, or with an empty key those on the whole."""
        return tuple(note for note in self.notes if note["key"] == key)

    def is_changed(self, view: TimelineView) -> bool:
        """Tell whether a page asks something else than what is saved."""
        return _said(view.parameters()) != _said(self.view)


def _said(view: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in view.items() if text or name == "from"}


def _pin(pin: Mapping[str, Any]) -> TimelinePin:
    document = flat_document({"_id": pin["id"], "_index": pin["index"], "_source": pin["document"]})
    moment = read_whole_number(pin["at"], LATEST)
    row = TimelineRow(document, None if moment is None else (moment,))
    return TimelinePin(row, tuple(pin["cut"]), pin["pinned_by"], pin["pinned_at"], pin["document"])


def find_saved(session: Session, actor: Actor, id_: str) -> SavedTimeline:
    """Return a timeline as somebody sees it. Raises NotFoundError."""
    return SavedTimeline.of(timelines.saved_timeline(session, actor, id_), actor)


@router.get("/timeline/saved")
async def list_saved(request: Request, visitor: Reader, records: RequestTransactions) -> Response:
    """Show the timelines that are saved."""

    def work(session: Session) -> list[SavedTimeline]:
        return [
            SavedTimeline.of(each, visitor.actor) for each in timelines.saved_timelines(session, visitor.actor)
        ]

    return page(request, "timeline/saved.html", visitor, timelines=await records.run(work))


@router.post("/timeline/save")
async def save(request: Request, form: Form, visitor: Reader, records: RequestTransactions) -> Response:
    """Save what a timeline asks, as a new one where it has no id yet or another one is wanted."""
    view = _view(form, visitor)
    id_ = None if field(form, "new") else view.id or None

    def work(session: Session) -> str:
        timeline = timelines.save_timeline(
            session, visitor.actor, field(form, "name"), _said(view.parameters()),
            description=field(form, "description"), id_=id_, shared=bool(field(form, "shared")),
        )  # fmt: skip
        return timeline.id

    return _back(view, await records.run(work))


@router.post("/timeline/remove")
async def remove(request: Request, form: Form, visitor: Reader, records: RequestTransactions) -> Response:
    """Remove a saved timeline."""
    id_ = field(form, "id")
    await records.run(lambda session: remove_object(session, visitor.actor, timelines.TIMELINE, id_))
    return RedirectResponse("/timeline/saved", 303)


@router.post("/timeline/pins")
async def pin(request: Request, form: Form, visitor: Reader, records: RequestTransactions) -> Response:
    """Pin an event, or unpin it: `event` is its moment, a colon, and what addresses call it.

    Where the timeline is not saved yet, it is saved with a name of its own.
    """
    view = _view(form, visitor)
    at, _, key = field(form, "event").partition(":")
    if field(form, "unpin"):
        await records.run(lambda session: timelines.unpin_event(session, visitor.actor, view.id, key))
        return _back(view, view.id)
    answer = await search(request, *event_search(key, at))
    if not answer["hits"]["hits"]:
        raise ApiError(404, "resource_not_found_exception", "this event is not in the store: it cannot be pinned")
    hit = answer["hits"]["hits"][0]
    event = PinnedEvent(
        hit["_index"], hit["_id"], "" if read_whole_number(at, LATEST) is None else at, hit["_source"]
    )

    def work(session: Session) -> str:
        return timelines.pin_event(session, visitor.actor, _ensured(session, visitor, view), event).id

    return _back(view, await records.run(work))


@router.post("/timeline/notes")
async def write_note(request: Request, form: Form, visitor: Reader, records: RequestTransactions) -> Response:
    """Write a note on a timeline or on an event, or remove one's own."""
    view, note = _view(form, visitor), field(form, "remove")

    def work(session: Session) -> str:
        if note:
            return timelines.remove_timeline_note(session, visitor.actor, view.id, note).id
        id_ = _ensured(session, visitor, view)
        key = field(form, "key")
        return timelines.add_timeline_note(session, visitor.actor, id_, field(form, "text"), key).id

    return _back(view, await records.run(work))


def _ensured(session: Session, visitor: Visitor, view: TimelineView) -> str:
    """Return the id of a timeline, which is saved first where it has none."""
    if view.id:
        return view.id
    name = f"Timeline of {datetime.now(UTC).astimezone(visitor.zone):%Y-%m-%d %H:%M}"
    return timelines.save_timeline(session, visitor.actor, name, _said(view.parameters())).id


def _view(form: Fields, visitor: Visitor) -> TimelineView:
    """Return the timeline that a form was sent from: `view` is the query of its address."""
    text = field(form, "view")
    if not text.startswith(("/timeline?", "/timeline")):
        raise bad_request("the form names no timeline")
    return TimelineView.of(QueryParams(text.partition("?")[2]), visitor.zone)


def _back(view: TimelineView, id_: str) -> Response:
    return RedirectResponse(view.address(id=id_), 303)


def pinned_document(timeline: SavedTimeline | None, key: str) -> FlatDocument | None:
    """Return the copy of an event that is pinned, None where it is not."""
    known = timeline.pin(key) if timeline else None
    return known.row.document if known else None
