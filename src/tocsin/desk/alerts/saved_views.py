"""Saved views of the list of alerts: own ones and shared ones, and the one with which somebody's list begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.transactions import RequestTransactions
from tocsin.desk.alerts.view import AlertsView
from tocsin.desk.forms import Fields, Form, field
from tocsin.desk.page_route import PageRoute
from tocsin.desk.visitor import Reader
from tocsin.errors import InvalidError, NotFoundError
from tocsin.management.saved_objects import (
    may_change_shared,
    remove_object,
    save_object,
    saved_object,
    saved_objects,
)
from tocsin.store.records.access import Actor
from tocsin.store.records.models import SavedObject

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_VIEW, _DEFAULT = "alerts_view", "alerts_default_view"
_OF_A_PAGE = ("page", "after", "before", "flyout", "view")  # parameters that no view has


@dataclass(frozen=True)
class SavedView:
    """A view, whether it is shared, whether its visitor may change it, and whether their list begins with it."""

    id: str
    name: str
    address: str
    shared: bool
    changeable: bool
    is_default: bool


def saved_views(session: Session, actor: Actor) -> Sequence[SavedView]:
    """Return the views that somebody may see, by name."""
    default = _default_id(session, actor)
    return [_saved_view(view, actor, default) for view in saved_objects(session, actor, _VIEW)]


def default_address(session: Session, actor: Actor) -> str:
    """Return the address of the view with which somebody's list begins, empty where it is the usual one."""
    default = _default_id(session, actor)
    if not default:
        return ""
    try:
        return _address(saved_object(session, actor, _VIEW, default))
    except NotFoundError:  # it was shared, and somebody has removed it
        return ""


# `do` is save (a new one), overwrite, remove, begin (with it), or begin-as-usual.
@router.post("/alerts/views")
async def change_views(request: Request, form: Form, visitor: Reader, records: RequestTransactions) -> Response:
    """Save a list under a name, replace or remove a view, or begin with one."""
    address = await records.run(lambda session: _changed(session, visitor.actor, form))
    return RedirectResponse(address, 303)


def _changed(session: Session, actor: Actor, form: Fields) -> str:
    kind, id_, query = field(form, "do"), field(form, "view"), _query(field(form, "query"))
    match kind:
        case "save":
            shared = field(form, "shared") == "true"
            return _address(
                save_object(session, actor, _VIEW, field(form, "name"), {"query": query}, shared=shared)
            )
        case "overwrite":
            name = saved_object(session, actor, _VIEW, id_).name
            return _address(save_object(session, actor, _VIEW, name, {"query": query}, id_=id_))
        case "remove":
            remove_object(session, actor, _VIEW, id_)
            return f"/alerts?{query or urlencode({'from': ''})}"
        case "begin" | "begin-as-usual":
            if actor.user_id is None:
                raise InvalidError("only users have a list that begins with a view of theirs")
            for known in _defaults(session, actor):
                remove_object(session, actor, _DEFAULT, known.id)
            if kind == "begin-as-usual":
                return f"/alerts?{query or urlencode({'from': ''})}"
            view = saved_object(session, actor, _VIEW, id_)
            save_object(session, actor, _DEFAULT, actor.name, {"view": view.id})
            return _address(view)
    raise InvalidError(f"[do] is save, overwrite, remove, begin or begin-as-usual, not {kind!r}")


def _query(text: str) -> str:
    """Return the parameters of a list that a view has. Raises ApiError for too many."""
    pairs = [pair for pair in parse_qsl(text, keep_blank_values=True) if pair[0] not in _OF_A_PAGE]
    return AlertsView.of(QueryParams(pairs)).address().partition("?")[2]


def _address(view: SavedObject) -> str:
    return f"/alerts?{urlencode({'view': view.id})}&{view.document.get('query', '')}"


def _saved_view(view: SavedObject, actor: Actor, default: str) -> SavedView:
    shared = view.owner_id is None
    return SavedView(
        view.id, view.name, _address(view), shared, not shared or may_change_shared(actor), view.id == default
    )


def _defaults(session: Session, actor: Actor) -> list[Any]:
    own = saved_objects(session, actor, _DEFAULT)
    return [known for known in own if known.owner_id is not None and known.owner_id == actor.user_id]


def _default_id(session: Session, actor: Actor) -> str:
    return next((str(known.document.get("view", "")) for known in _defaults(session, actor)), "")
