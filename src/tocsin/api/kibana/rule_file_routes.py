"""Rules over HTTP by the file, as Kibana has it: import, export; and previews of rules that are not saved."""

from __future__ import annotations

import uuid
from typing import Any

import orjson
from fastapi import APIRouter, Depends, Request
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tocsin.api.answers import answer, answer_json, bad_request
from tocsin.api.body import IMPORT_SIZE, body_of, read_typed, read_upload
from tocsin.api.elasticsearch.searching import searched
from tocsin.api.kibana.rule_objects import checked, read_rule_body, schema_for
from tocsin.api.kibana.rule_transfer import Import, exported, lines_of
from tocsin.api.security import allow
from tocsin.api.working import Pace, worked
from tocsin.errors import RuleError
from tocsin.search.tasks import PreviewTask
from tocsin.store.records.access import Actor, Scope
from tocsin.store.records.models import StoredRule

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
    service = request.app.state.service

    def work(pace: Pace) -> dict[str, Any]:
        with service.records.transaction() as session:
            taken = Import(
                session,
                actor,
                service.store.schema(),
                overwrite,
                overwrite_exceptions,
                overwrite_action_connectors,
            )
            taken.take(lines_of(data), pace.check)
            return taken.told()

    told = await worked(request, work)
    service.scheduler.wake()
    return answer(request, told)


@router.post("/_export", openapi_extra=_OBJECTS, dependencies=[_READ])
async def export_rules(request: Request, exclude_export_details: bool = False) -> Response:
    """Return rules, all or those that the body names, with their exception lists, one object a line."""
    body = await read_typed(request, objects="objects")
    wanted = body.get("objects")
    names = None if wanted is None else [str(one.get("rule_id")) for one in wanted if isinstance(one, dict)]

    def work() -> bytes:
        with request.app.state.service.records.transaction() as session:
            rules = list(session.scalars(select(StoredRule).order_by(StoredRule.name, StoredRule.rule_id)))
            missing = [] if names is None else [n for n in names if n not in {r.rule_id for r in rules}]
            chosen = rules if names is None else [rule for rule in rules if rule.rule_id in names]
            return exported(session, chosen, missing, details=not exclude_export_details)

    return Response(await run_in_threadpool(work), media_type="application/ndjson")


# ---- previews


@router.post("/preview", openapi_extra=body_of("name", "type", name="string", type="string", query="string"))
async def preview_rule(request: Request, actor: Actor = Depends(allow(Scope.READ))) -> Response:  # noqa: B008
    """Run a rule that is not saved over the last `invocationCount` of its windows; nothing is kept.

    `timeframeEnd` is the moment of the last window. The alerts are in the answer, under `alerts`.
    """
    body = await read_rule_body(request)
    body.setdefault("rule_id", "preview")
    service = request.app.state.service

    count = body.get("invocationCount", 1)

    def check(pace: Pace) -> None:
        checked(body, schema_for(service.store, body))
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= 1000:
            raise bad_request("[invocationCount] is a number from 1 to 1000")

    await worked(request, check)
    records = service.config.records_url
    try:
        found = await searched(request, PreviewTask(body, count, body.get("timeframeEnd"), records))
    except RuleError as error:
        raise bad_request(str(error), "invalid_rule") from None
    about = orjson.dumps({"previewId": str(uuid.uuid4()), "isAborted": False})
    return await answer_json(request, about[:-1] + b"," + found[1:])
