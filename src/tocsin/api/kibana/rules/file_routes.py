"""Rules over HTTP by the file, as Kibana has it: import, export; and previews of rules that are not saved."""

from __future__ import annotations

import uuid
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from tocsin.api.answers import NdjsonResponse, answer
from tocsin.api.body import IMPORT_SIZE, Upload, file_body, json_body
from tocsin.api.dependencies import ServiceConfig, ServiceStore, ServiceWork
from tocsin.api.elasticsearch.searching import RequestSearches, answer_json
from tocsin.api.kibana.import_answers import imported_rules
from tocsin.api.kibana.import_models import ImportedRules
from tocsin.api.kibana.rules.models import PreviewedAlerts, RuleExport, RulePreview
from tocsin.api.models import NOT_FOUND
from tocsin.api.security import allow
from tocsin.api.transactions import GoOn, RequestTransactions
from tocsin.api.working import worked
from tocsin.management.exports import export_rules
from tocsin.management.imports import Overwrite, import_objects, lines_of
from tocsin.management.rules.runs import prepare_preview
from tocsin.management.rules.saving import schema_of
from tocsin.store.records.access import Actor, Scope

router = APIRouter(prefix="/api/detection_engine/rules", tags=["rules"])
_READ, _WRITE = Depends(allow(Scope.READ)), Depends(allow(Scope.WRITE_RULES))
_Export = Annotated[Upload, file_body("an export, one object a line", IMPORT_SIZE)]


# ---- files


@router.post("/_import", response_model=ImportedRules)
async def import_rules(
    request: Request,
    transactions: RequestTransactions,
    store: ServiceStore,
    actor: Annotated[Actor, _WRITE],
    file: _Export,
    overwrite: Annotated[bool, Query(description="Whether rules replace those of the same `rule_id`.")] = False,
    overwrite_exceptions: Annotated[bool, Query(description="Whether exception lists and exceptions do.")] = False,
    overwrite_action_connectors: Annotated[bool, Query(description="Whether connectors do.")] = False,
) -> Response:
    """Import a file of rules, and of the exception lists, exceptions and connectors that they name.

    The form's part `file` is what an export answers: JSON objects, one a line. A rule that is refused is named
    under `errors`, and stops no other; the status is 200. Connectors come without their secrets.
    """
    schemas = schema_of(store)
    replaced = Overwrite(overwrite, overwrite_exceptions, overwrite_action_connectors)

    def work(session: Session, go_on: GoOn) -> Response:
        result = import_objects(session, actor, lines_of(file.data), schemas, replaced, go_on)
        return answer(request, imported_rules(result))

    return await transactions.run_in_turn(work)


@router.post("/_export", response_class=NdjsonResponse, responses=NOT_FOUND, dependencies=[_READ])
async def export(
    transactions: RequestTransactions,
    body: Annotated[RuleExport, json_body(RuleExport)],
    exclude_export_details: Annotated[
        bool, Query(description="Whether the last line, which counts what is exported, is left out.")
    ] = False,
) -> Response:
    """Export rules with their exception lists and connectors, one JSON object a line.

    Without a body, all rules; else those that `objects` names, of which each has to be there.
    """
    rule_ids = None if body.objects is None else [str(rule.rule_id) for rule in body.objects]
    summary = not exclude_export_details
    text = await transactions.read(lambda session: export_rules(session, rule_ids, summary=summary))
    return NdjsonResponse(text)


# ---- previews


@router.post("/preview", response_model=PreviewedAlerts, dependencies=[_READ])
async def preview_rule(
    request: Request,
    searches: RequestSearches,
    service_work: ServiceWork,
    store: ServiceStore,
    config: ServiceConfig,
    body: Annotated[RulePreview, json_body(RulePreview)],
) -> Response:
    """Run a rule that is not saved over the last `invocationCount` of its windows; nothing is kept.

    `timeframeEnd` is the moment of the last window. The alerts are in the answer, under `alerts`.
    """
    schemas, url = schema_of(store), config.records_url
    task = await worked(request, service_work, lambda pace: prepare_preview(body.document(), schemas, url))
    result = await searches.answer(task)
    about = orjson.dumps({"previewId": str(uuid.uuid4()), "isAborted": False})
    return await answer_json(request, about[:-1] + b"," + result[1:])
