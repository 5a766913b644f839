"""Packs: the queries that hosts run by themselves."""

from __future__ import annotations

from urllib.parse import quote

import orjson
from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.dependencies import ServiceFleet
from tocsin.api.transactions import RequestTransactions
from tocsin.desk.forms import Fields, Form, field
from tocsin.desk.hosts.labels import PLATFORM_LABELS
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.visitor import Reader, RuleWriter, Visitor
from tocsin.errors import TocsinError
from tocsin.response.hosts.packs import find_pack, packs, remove_pack, save_pack
from tocsin.store.records.models import SavedObject

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_EXAMPLE = """{
  "listening_ports": {
    "query": "SELECT pid, port, address FROM listening_ports",
    "interval": 3600
  }
}"""


@router.get("/hosts/packs")
async def show_packs(request: Request, visitor: Reader, records: RequestTransactions) -> Response:
    """Show all packs."""
    return page(request, "hosts/packs.html", visitor, packs=await records.read(packs))


@router.get("/hosts/packs/new")
async def new_pack(request: Request, visitor: RuleWriter) -> Response:
    """Show the form of a pack that is made."""
    return _form(request, visitor, None, {"queries": [_EXAMPLE], "enabled": ["on"]})


@router.get("/hosts/packs/{id}")
async def show_pack(request: Request, visitor: Reader, records: RequestTransactions, id: str) -> Response:
    """Show a pack."""
    pack = await records.read(lambda session: find_pack(session, visitor.actor, id))
    document = pack.document
    queries = orjson.dumps(document["queries"], option=orjson.OPT_INDENT_2).decode()
    fields = {
        "name": [pack.name], "description": [document["description"]], "platform": [document["platform"]],
        "enabled": ["on"] if document["enabled"] else [], "queries": [queries],
    }  # fmt: skip
    return _form(request, visitor, pack, fields)


def _form(
    request: Request, visitor: Visitor, pack: SavedObject | None, fields: Fields, problem: str = ""
) -> Response:
    return page(
        request, "hosts/pack.html", visitor, pack=pack, problem=problem, platforms=PLATFORM_LABELS,
        status=400 if problem else 200, enabled=bool(field(fields, "enabled")),
        values={name: field(fields, name) for name in ("name", "description", "platform", "queries")},
    )  # fmt: skip


@router.post("/hosts/packs")
async def keep_pack(
    request: Request, form: Form, visitor: RuleWriter, records: RequestTransactions, fleet: ServiceFleet
) -> Response:
    """Keep a pack: a new one, or the changes of one."""
    id_ = field(form, "id") or None
    try:
        queries = orjson.loads(field(form, "queries"))
    except orjson.JSONDecodeError as error:
        return _form(request, visitor, None, form, f"[queries] is no JSON: {error}")
    if isinstance(queries, dict) and isinstance(queries.get("queries"), dict):
        queries = queries["queries"]  # a whole pack, as osquery's files have it
    document = {
        "queries": queries, "description": field(form, "description"), "platform": field(form, "platform"),
        "enabled": bool(field(form, "enabled")),
    }  # fmt: skip

    def save(session: Session) -> str:
        return save_pack(session, visitor.actor, field(form, "name"), document, id_=id_).id

    try:
        saved_id = await records.run(save)
    except TocsinError as error:
        pack = await records.read(lambda session: find_pack(session, visitor.actor, id_)) if id_ else None
        return _form(request, visitor, pack, form, str(error))
    fleet.wake()
    return RedirectResponse(f"/hosts/packs/{quote(saved_id, safe='')}", 303)


@router.post("/hosts/packs/remove")
async def forget_pack(
    form: Form, visitor: RuleWriter, records: RequestTransactions, fleet: ServiceFleet
) -> Response:
    """Remove a pack."""
    await records.run(lambda session: remove_pack(session, visitor.actor, field(form, "id")))
    fleet.wake()
    return RedirectResponse("/hosts/packs", 303)
