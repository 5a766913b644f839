"""Import of rules from files: first what would happen, then, of the same files, that it happens."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from tocsin.api.answers import bad_request
from tocsin.api.body import IMPORT_SIZE, UploadedFiles, files_body
from tocsin.api.dependencies import ServiceStore
from tocsin.api.transactions import GoOn, RequestTransactions
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.visitor import RuleWriter
from tocsin.management.import_previews import ImportPreview, preview_import
from tocsin.management.imports import ImportResult, Overwrite, import_objects
from tocsin.management.rules.files import ExportLines, read_uploaded_files
from tocsin.management.rules.saving import schema_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_MOST_FILES = 1_000
_FILES = Annotated[
    UploadedFiles, files_body("rules in TOML, or as Kibana exports them", IMPORT_SIZE, most_files=_MOST_FILES)
]
_SHOWN = 100  # rules and reasons of one kind that are listed


@router.get("/rules/import")
async def import_page(request: Request, visitor: RuleWriter) -> Response:
    """Show where files are chosen."""
    megabytes = IMPORT_SIZE >> 20
    return page(request, "rules/import.html", visitor, megabytes=megabytes, most_files=_MOST_FILES)


@router.post("/rules/import")
async def import_files(
    request: Request, visitor: RuleWriter, records: RequestTransactions, store: ServiceStore, uploaded: _FILES
) -> Response:
    """Say what an import of files would do; do it if they are those of which it was said."""
    schemas = schema_of(store)
    enables = uploaded.fields.get("enable") == "1"
    digest = hashlib.sha256(
        b"\0".join(part for f in uploaded.files for part in (f.name.encode(), f.data))
    ).hexdigest()
    confirmed = uploaded.fields.get("confirmed", "")
    if uploaded.fields.get("action") == "import" and confirmed == digest:
        replaced = Overwrite(
            rules=uploaded.fields.get("overwrite") == "1",
            exceptions=uploaded.fields.get("overwrite_exceptions") == "1",
            connectors=uploaded.fields.get("overwrite_connectors") == "1",
        )

        def load(session: Session, go_on: GoOn) -> tuple[ExportLines, ImportResult]:
            read = read_uploaded_files([(f.name, f.data) for f in uploaded.files], enable=enables)
            return read, import_objects(session, visitor.actor, read.lines, schemas, replaced, go_on)

        read, result = await records.run_in_turn(load)
        context: dict[str, Any] = {
            "read": read, "result": result, "refused": _refusals(result, read), "shown": _SHOWN,
        }  # fmt: skip
        return page(request, "rules/imported.html", visitor, **context)

    def look(session: Session, go_on: GoOn) -> tuple[ExportLines, ImportPreview]:
        read = read_uploaded_files([(f.name, f.data) for f in uploaded.files], enable=enables)
        return read, preview_import(session, visitor.actor, read.lines, schemas, go_on)

    if not any(f.data.strip() for f in uploaded.files):
        raise bad_request("the files are empty")
    read, preview = await records.run_in_turn(look)
    context = {
        "preview": preview, "digest": digest, "refused": _refusals(preview.result, read), "shown": _SHOWN,
        "is_other": bool(confirmed) and confirmed != digest,
    }  # fmt: skip
    return page(request, "rules/import_preview.html", visitor, **context)


def _refusals(result: ImportResult, read: ExportLines) -> Sequence[tuple[str, str]]:
    """Return what is not taken in, each by its id or place, with the reason; not rules that are there."""
    there = result.known_rules
    refused = [("", message) for message in read.unreadable]
    refused += [(r.id, r.error.message) for r in (*result.refused, *result.refused_exceptions) if r not in there]
    return refused
