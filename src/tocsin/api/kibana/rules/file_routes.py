"""Rules over HTTP by the file, as Kibana has it: import, export; and previews of rules that are not saved."""

from __future__ import annotations

import uuid

import orjson
from fastapi import APIRouter, Depends, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from tocsin.api.answers import answer
from tocsin.api.body import IMPORT_SIZE, body_of, read_typed, read_upload
from tocsin.api.elasticsearch.searching import answer_json, searched
from tocsin.api.kibana.import_answers import imported_rules
from tocsin.api.kibana.rules.bodies import read_rule_body
from tocsin.api.kibana.transactions import GoOn, in_records, in_turn
from tocsin.api.security import allow
from tocsin.api.working import worked
from tocsin.management.exports import export_rules
from tocsin.management.imports import Overwrite, import_objects, lines_of
from tocsin.management.rules.runs import prepare_preview
from tocsin.management.rules.saving import schema_of
from tocsin.store.records.access import Actor, Scope

router = APIRouter(prefix="/api/detection_engine/rules", tags=["rules"])
_READ, _WRITE = Depends(allow(Scope.READ)), Depends(allow(Scope.WRITE_RULES))
_OBJECTS = body_of(objects="array")


# ---- files


@router.post("/_import")
async def import_rules(
    request: Request,
    overwrite: bool = False,
    overwrite_exceptions: bool = False,
    overwrite_action_connectors: bool = False,
    actor: Actor = _WRITE,
) -> Response:
    """Take in an export: rules, and what they name. One that is refused stops no other."""
    data = (await read_upload(request, "an export, one object a line", IMPORT_SIZE)).data
    schemas = schema_of(request.app.state.service.store)
    replaced = Overwrite(overwrite, overwrite_exceptions, overwrite_action_connectors)

    def work(session: Session, go_on: GoOn) -> Response:
        result = import_objects(session, actor, lines_of(data), schemas, replaced, go_on)
        return answer(request, imported_rules(result))

    return await in_turn(request, work)


@router.post("/_export", openapi_extra=_OBJECTS, dependencies=[_READ])
async def export(request: Request, exclude_export_details: bool = False) -> Response:
    """Return rules, all or those that the body names, with their exception lists, one object a line."""
    body = await read_typed(request, objects="objects")
    objects = body.get("objects")
    rule_ids = None if objects is None else [str(named.get("rule_id")) for named in objects]
    summary = not exclude_export_details
    text = await in_records(request, lambda session: export_rules(session, rule_ids, summary=summary))
    return Response(text, media_type="application/ndjson")


# ---- previews


@router.post("/preview", openapi_extra=body_of("name", "type", name="string", type="string", query="string"))
async def preview_rule(request: Request, actor: Actor = _READ) -> Response:
    """Run a rule that is not saved over the last `invocationCount` of its windows; nothing is kept.

    `timeframeEnd` is the moment of the last window. The alerts are in the answer, under `alerts`.
    """
    body = await read_rule_body(request)
    service = request.app.state.service
    schemas, records = schema_of(service.store), service.config.records_url
    task = await worked(request, lambda pace: prepare_preview(body, schemas, records))
    result = await searched(request, task)
    about = orjson.dumps({"previewId": str(uuid.uuid4()), "isAborted": False})
    return await answer_json(request, about[:-1] + b"," + result[1:])
