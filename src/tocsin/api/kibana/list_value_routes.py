"""The values of lists over HTTP, as Kibana has them: one by one, and by the file."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from tocsin.api.answers import answer, bad_request
from tocsin.api.body import VALUES_SIZE, body_of, read_typed, read_upload
from tocsin.api.kibana.exception_objects import changing, told
from tocsin.api.kibana.list_objects import TYPES, checked_value, required_text, shown, shown_value
from tocsin.api.security import allow
from tocsin.api.working import Pace, worked
from tocsin.store.records import exceptions as kept
from tocsin.store.records.access import Actor, Scope

router = APIRouter(prefix="/api/lists/items", tags=["exceptions"])
_READ, _WRITE = Depends(allow(Scope.READ)), Depends(allow(Scope.WRITE_RULES))
_ITEM = body_of("list_id", "value", list_id="string", value="string")
_MOST = 1_000_000  # values that are imported at once
_MOST_SHOWN = 10_000  # values that are told in one answer


@router.post("", openapi_extra=_ITEM)
async def add_value(request: Request, actor: Actor = _WRITE) -> Response:
    """Add a value to a list."""
    body = await read_typed(request, id="string", list_id="string", name="string", type="string")

    def work(session: Any) -> Any:
        found = kept.get_values(session, required_text(body, "list_id"))
        value = checked_value(found.type, body.get("value"))
        if not kept.add_values(session, actor, found, [value]):
            raise kept.ExceptionListError(f'list item value: "{value}" already exists', 409)
        added = kept.find_value(session, found.id, value)
        return added and shown_value(added, found.type)

    return await told(request, work)


@router.get("", dependencies=[_READ])
async def read_values(
    request: Request, id: str | None = None, list_id: str | None = None, value: str | None = None
) -> Response:
    """Return one value, by its id, or the values of a list, or one of these."""

    def work(session: Any) -> Any:
        if id is not None:
            one = kept.get_value(session, id)
            return shown_value(one, kept.get_values(session, one.list_id).type)
        found = kept.get_values(session, list_id or "")
        if value is not None:
            there = kept.find_value(session, found.id, value)
            return [] if there is None else [shown_value(there, found.type)]
        some, total = kept.page_of_values(session, found.id, 0, _MOST_SHOWN)
        if total > _MOST_SHOWN:
            raise bad_request(
                f"the list has {total:,} values: ask for one, for pages (_find), or for a file (_export)"
            )
        return [shown_value(one, found.type) for one in some]

    return await told(request, work)


@router.put("", openapi_extra=body_of("id", "value", id="string", value="string"))
@router.patch("", openapi_extra=body_of("id", "value", id="string", value="string"))
async def change_value(request: Request, actor: Actor = _WRITE) -> Response:
    """Put another value in the place of one."""
    body = await read_typed(request, id="string", value="string")

    def work(session: Any) -> Any:
        one = kept.get_value(session, required_text(body, "id"))
        found = kept.get_values(session, one.list_id)
        kept.change_value(session, actor, found, one, checked_value(found.type, required_text(body, "value")))
        return shown_value(one, found.type)

    return await told(request, work)


@router.get("/_find", dependencies=[_READ])
async def find_values(
    request: Request,
    list_id: str,
    page: int = Query(1, ge=1, le=10_000),
    per_page: int = Query(20, ge=1, le=10_000),
) -> Response:
    """Return the values of a list, page by page."""

    def work(session: Any) -> Any:
        found = kept.get_values(session, list_id)
        some, total = kept.page_of_values(session, found.id, (page - 1) * per_page, per_page)
        data = [shown_value(one, found.type) for one in some]
        return {"data": data, "page": page, "per_page": per_page, "total": total, "cursor": ""}

    return await told(request, work)


@router.delete("")
async def delete_value(
    request: Request,
    id: str | None = None,
    list_id: str | None = None,
    value: str | None = None,
    actor: Actor = _WRITE,
) -> Response:
    """Take a value from a list: one by its id, or the one that a list has."""

    def work(session: Any) -> Any:
        one = kept.get_value(session, id) if id is not None else None
        found = kept.get_values(session, one.list_id if one is not None else list_id or "")
        gone = [] if one is None else shown_value(one, found.type)
        wanted = one.value if one is not None else value or ""
        if not kept.remove_values(session, actor, found, [wanted]):
            raise kept.ExceptionListError(f'list item value: "{wanted}" does not exist', 404)
        return gone

    return await told(request, work)


@router.post("/_import")
async def import_values(
    request: Request, list_id: str | None = None, type: str = "keyword", actor: Actor = _WRITE
) -> Response:
    """Add the lines of a file to a list; without its name to a new one, named like the file."""
    name, data = await read_upload(request, "a file with one value a line", VALUES_SIZE)

    def work(pace: Pace) -> Response:
        lines = [line for line in map(str.strip, data.decode("utf-8", "replace").splitlines()) if line]
        if len(lines) > _MOST:
            raise bad_request(f"the file has more than {_MOST:,} lines")
        return answer(request, changing(request, lambda session: take(session, lines, pace)))

    def take(session: Any, lines: list[str], pace: Pace) -> Any:
        if list_id is not None:
            found = kept.get_values(session, list_id)
        else:
            if type not in TYPES:
                raise bad_request(f"[type] is one of {', '.join(TYPES)}")
            about = {"id": name or "values", "name": name or "values", "type": type}
            found = kept.add_values_list(session, actor, about)
        kept.add_values(session, actor, found, (checked_value(found.type, line) for line in lines), pace.check)
        return shown(found)

    return await worked(request, work)


@router.post("/_export", dependencies=[_READ])
async def export_values(request: Request, list_id: str) -> Response:
    """Return the values of a list, one a line."""

    def work(session: Any) -> bytes:
        kept.get_values(session, list_id)
        return "".join(f"{value}\n" for value in kept.values_of(session, list_id)).encode()

    return Response(await worked(request, lambda pace: changing(request, work)), media_type="application/ndjson")
