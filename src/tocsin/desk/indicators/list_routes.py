"""Lists of indicators: made, loaded by the file or pasted, looked through, and removed."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.body import IMPORT_SIZE, UploadedFiles, files_body
from tocsin.api.dependencies import ServiceRecords, ServiceWork
from tocsin.api.response.indicator_list_routes import MOST_FILES, uploaded_indicators
from tocsin.api.transactions import RequestTransactions
from tocsin.api.working import Pace, worked
from tocsin.desk.documents import flat_document
from tocsin.desk.forms import Form, field
from tocsin.desk.page_route import PageRoute, leave_page
from tocsin.desk.pages import page
from tocsin.desk.searches import search
from tocsin.desk.visitor import Reader, RuleWriter, Visitor
from tocsin.errors import InvalidError, TocsinError
from tocsin.response.reputation import indicator_lists as lists
from tocsin.response.reputation.indicator_hunt import MOST_INDICATORS
from tocsin.sources.indicators import Indicators, indicators_of
from tocsin.sources.text_files import TextFile
from tocsin.store.patterns import INDICATORS
from tocsin.store.records.reputation import IndicatorList

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_PAGE_SIZE = 100
_FILES = Annotated[
    UploadedFiles,
    files_body("STIX bundles, CSV, NDJSON, feeds of MISP or plain lists", IMPORT_SIZE, most_files=MOST_FILES),
]
_FIELDS = (
    "threat.indicator.type", "threat.indicator.name", "threat.indicator.ip", "threat.indicator.url.full",
    "threat.indicator.url.domain", "threat.indicator.file.hash.sha256", "threat.indicator.file.hash.sha1",
    "threat.indicator.file.hash.md5", "threat.indicator.file.name", "threat.indicator.confidence",
    "threat.indicator.description", "threat.indicator.provider", "stix.valid_until", "event.created",
)  # fmt: skip


@router.get("/indicators")
async def show_lists(request: Request, visitor: Reader, records: RequestTransactions) -> Response:
    """Show the lists of indicators."""
    return await _lists(request, visitor, records)


@router.post("/indicators")
async def add_list(
    request: Request,
    form: Form,
    visitor: RuleWriter,
    records: RequestTransactions,
    all_records: ServiceRecords,
    work: ServiceWork,
) -> Response:
    """Make a list, with the indicators that are pasted."""
    text, days = field(form, "indicators"), field(form, "valid_days").strip()

    def add(pace: Pace) -> str:
        if days and not (days.isascii() and days.isdecimal() and len(days) < 7):
            raise InvalidError("[valid_days] is a number of days")
        new = lists.NewList(
            field(form, "name").strip(), field(form, "source").strip(), field(form, "confidence") or None,
            int(days) if days else None,
        )  # fmt: skip
        read = pasted_indicators(text) if text.strip() else None
        with all_records.transaction() as session:
            id_ = lists.make_list(session, visitor.actor, new).id
        if read is not None:
            lists.load_list(all_records, visitor.actor, id_, read, replace=True, go_on=pace.check)
        return id_

    try:
        id_ = await worked(request, work, add)
    except TocsinError as error:
        return await _lists(request, visitor, records, problem=error.message, form=form)
    return RedirectResponse(_address(id_), 303)


def pasted_indicators(text: str) -> Indicators:
    """Return the indicators that somebody has pasted. Raises InputError."""
    return indicators_of([TextFile("pasted", text)])


async def _lists(
    request: Request, visitor: Visitor, records: RequestTransactions, *, problem: str = "", form: Any = None
) -> Response:
    given = {
        name: field(form or {}, name) for name in ("name", "source", "confidence", "valid_days", "indicators")
    }
    return page(
        request, "indicators/lists.html", visitor, status=400 if problem else 200, problem=problem, given=given,
        lists=await records.read(lists.indicator_lists), confidences=lists.CONFIDENCES,
    )  # fmt: skip


@router.get("/indicators/lists/{id}")
async def show_list(request: Request, visitor: Reader, records: RequestTransactions, id: str) -> Response:
    """Show a list with its indicators, those that a text fits."""
    known = await records.read(lambda session: lists.find_list(session, id))
    text = request.query_params.get("q", "").strip()[:200]
    asked = request.query_params.get("page", "1")
    number = min(max(1, int(asked[:6])), 100) if asked.isdecimal() and asked.isascii() else 1
    tests: list[dict[str, Any]] = [{"term": {"threat.feed.name": known.name}}]
    if text:
        escaped = "".join(f"\\{char}" if char in "*?\\" else char for char in text)
        pattern = {"value": f"*{escaped}*", "case_insensitive": True}
        names = ("threat.indicator.name", "threat.indicator.description", *_FIELDS[2:9])
        tests.append({"bool": {"should": [{"wildcard": {name: pattern}} for name in names]}})
    body = {
        "query": {"bool": {"filter": tests}}, "size": _PAGE_SIZE, "from": (number - 1) * _PAGE_SIZE,
        "_source": False, "fields": list(_FIELDS), "sort": [{"threat.indicator.name": "asc"}],
        "track_total_hits": True,
    }  # fmt: skip
    answer = await search(request, [INDICATORS], body)
    return page(
        request, "indicators/list.html", visitor, known=known, text=text, number=number, page_size=_PAGE_SIZE,
        indicators=[flat_document(hit) for hit in answer["hits"]["hits"]],
        fitting=answer["hits"]["total"]["value"],
        most_hunted=MOST_INDICATORS, address=lambda number: _address(known.id, q=text, page=str(number)),
    )  # fmt: skip


@router.post("/indicators/lists/{id}/load")
async def load(
    request: Request, visitor: RuleWriter, records: ServiceRecords, work: ServiceWork, id: str, files: _FILES
) -> Response:
    """Load a list with the indicators of files."""

    def run(pace: Pace) -> None:
        replace = files.fields.get("mode") == "replace"
        lists.load_list(records, visitor.actor, id, uploaded_indicators(files), replace=replace, go_on=pace.check)

    await worked(request, work, run)
    return leave_page(_address(id))


@router.post("/indicators/lists/{id}")
async def change_list(
    request: Request, form: Form, visitor: RuleWriter, records: ServiceRecords, work: ServiceWork, id: str
) -> Response:
    """Add the indicators that are pasted, or remove those that are ticked."""

    def run(pace: Pace) -> None:
        if "remove" in form:
            lists.remove_indicators(records, visitor.actor, id, form.get("value", []), pace.check)
        elif not field(form, "indicators").strip():
            raise InvalidError("there is no indicator to add")
        else:
            read = pasted_indicators(field(form, "indicators"))
            lists.load_list(records, visitor.actor, id, read, replace=False, go_on=pace.check)

    await worked(request, work, run)
    return RedirectResponse(_address(id), 303)


@router.post("/indicators/lists/{id}/remove")
async def remove_list(form: Form, visitor: RuleWriter, records: RequestTransactions, id: str) -> Response:
    """Remove a list with its indicators."""

    def work(session: Session) -> None:
        lists.remove_list(session, visitor.actor, id)

    await records.run(work)
    return RedirectResponse("/indicators", 303)


def address_of_list(known: IndicatorList) -> str:
    """Return the address of a list's page."""
    return _address(known.id)


def _address(id_: str, **more: str) -> str:
    kept = {name: value for name, value in more.items() if value and (name, value) != ("page", "1")}
    return f"/indicators/lists/{quote(id_, safe='')}" + (f"?{urlencode(kept)}" if kept else "")
