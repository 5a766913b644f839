"""Rules over HTTP by the file and by the hundred, as Kibana has it: import, export, bulk actions, previews."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from fastapi import APIRouter, Depends, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import Response

from tocsin.api.answers import ApiError, answer, bad_request
from tocsin.api.body import body_of, read_typed
from tocsin.api.exception_routes import kept_item, kept_list, shown_item, shown_list
from tocsin.api.rule_objects import checked, kept, read_rule_body, save_changed, save_new, shown
from tocsin.api.rule_query import matching_rules
from tocsin.api.security import allow
from tocsin.detection.schedule import SECOND, UNITS
from tocsin.ecs import Schema
from tocsin.errors import RuleError, TocsinError
from tocsin.moments import to_nanoseconds
from tocsin.rules.files import read_rule
from tocsin.store.records import exceptions as lists
from tocsin.store.records.access import Actor, Scope
from tocsin.store.records.models import ExceptionItem, ExceptionList, StoredRule
from tocsin.store.records.rules import add_rule, ask_run, change_rule, remove_rule, set_enabled
from tocsin.watch.backfill import preview, ticks_of, watched_rule

router = APIRouter(prefix="/api/detection_engine/rules", tags=["rules"])
_READ, _WRITE = Depends(allow(Scope.READ)), Depends(allow(Scope.WRITE_RULES))
_OBJECTS = body_of(objects="array")


# ---- files


@router.post("/_import")
async def import_rules(
    request: Request, overwrite: bool = False, overwrite_exceptions: bool = False, actor: Actor = _WRITE
) -> Response:
    """Take in an export: rules, and the exception lists that they name. One that is refused stops no other."""
    async with request.form(max_files=1) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise bad_request("[file] is missing: an export, one object a line")
        data = await file.read()
    service = request.app.state.service

    def work() -> dict[str, Any]:
        with service.records.transaction() as session:
            taken = Import(session, actor, service.store.schema(), overwrite, overwrite_exceptions)
            taken.take(data.splitlines())
            return taken.told()

    told = await run_in_threadpool(work)
    service.watch.wake()
    return answer(request, told)


class Import:
    """An export on its way in."""

    def __init__(
        self,
        session: Session,
        actor: Actor,
        schema: Schema,
        overwrite: bool = False,
        overwrite_exceptions: bool = False,
    ) -> None:
        self.session, self.actor, self.schema = session, actor, schema
        self.overwrite, self.overwrite_exceptions = overwrite, overwrite_exceptions
        self.rules = self.done = self.exceptions = 0
        self.errors: list[dict[str, Any]] = []
        self.list_errors: list[dict[str, Any]] = []

    def take(self, lines: Iterable[bytes]) -> None:
        """Take the objects of an export, its lists first: rules name them."""
        rules: list[dict[str, Any]] = []
        items: list[dict[str, Any]] = []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                found = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                self._refuse(f"(line {number})", 400, f"line {number} is no JSON: {error}")
                continue
            if not isinstance(found, dict):
                self._refuse(f"(line {number})", 400, f"line {number} is no object")
            elif "entries" in found and "list_id" in found:
                items.append(found)
            elif "list_id" in found:
                self._list(found)
            elif "exported_count" in found or "exported_rules_count" in found:
                continue
            elif "rule_id" in found or "risk_score" in found:
                rules.append(found)
        for item in items:
            self._item(item)
        known_lists = lists.list_ids(self.session)
        for rule in rules:
            self._rule(rule, known_lists)

    def _refuse(self, rule_id: str, status: int, message: str) -> None:
        self.errors.append({"rule_id": rule_id, "error": {"status_code": status, "message": message}})

    def _list(self, found: dict[str, Any]) -> None:
        found = {**found, "list_id": str(found["list_id"])}
        known = self.session.scalar(select(ExceptionList).where(ExceptionList.list_id == found["list_id"]))
        if known is None:
            lists.add_list(self.session, self.actor, kept_list({"name": found["list_id"], **found}))
        elif self.overwrite_exceptions:
            lists.change_list(self.session, self.actor, known, kept_list({"name": found["list_id"], **found}))
        else:
            return
        self.exceptions += 1

    def _item(self, found: dict[str, Any]) -> None:
        item_id = str(found.get("item_id") or uuid.uuid4())
        known = self.session.scalar(select(ExceptionItem).where(ExceptionItem.item_id == item_id))
        try:
            document, expires = kept_item({**found, "item_id": item_id}, self.actor, self.schema)
            if known is None:
                lists.add_item(self.session, self.actor, document, expires)
            elif self.overwrite_exceptions:
                lists.change_item(self.session, self.actor, known, document, expires)
            else:
                return
            self.exceptions += 1
        except (ApiError, TocsinError) as error:
            message = error.reason if isinstance(error, ApiError) else error.message
            self.list_errors.append(
                {"error": {"status_code": 400, "message": message}, "id": item_id, "list_id": found.get("list_id")}
            )

    def _rule(self, found: dict[str, Any], known_lists: set[str]) -> None:
        self.rules += 1
        rule_id = str(found.get("rule_id") or uuid.uuid4())
        body = {**found, "rule_id": rule_id}
        known = self.session.scalar(select(StoredRule).where(StoredRule.rule_id == rule_id))
        if known is not None and not self.overwrite:
            self._refuse(rule_id, 409, f'rule_id: "{rule_id}" already exists')
            return
        try:
            checked(body, self.schema, known_lists)
        except ApiError as error:
            self._refuse(rule_id, error.status, error.reason)
            return
        if known is None:
            save_new(self.session, self.actor, {"enabled": False, **body})
        else:
            save_changed(self.session, self.actor, known, body)
        self.done += 1

    def told(self) -> dict[str, Any]:
        """Return what is told about the import, as Kibana does."""
        return {
            "success": not self.errors, "success_count": self.done, "rules_count": self.rules,
            "errors": self.errors, "exceptions_success": not self.list_errors,
            "exceptions_success_count": self.exceptions, "exceptions_errors": self.list_errors,
            "action_connectors_success": True, "action_connectors_success_count": 0,
            "action_connectors_errors": [], "action_connectors_warnings": [],
        }  # fmt: skip


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


def exported(
    session: Session, rules: Sequence[StoredRule], missing: Sequence[str] = (), *, details: bool = True
) -> bytes:
    """Return rules as an export."""
    named = {name for rule in rules for name in lists.lists_of(rule.document)}
    found = list(session.scalars(select(ExceptionList).where(ExceptionList.list_id.in_(named))))
    items = lists.items_of(session, named)
    lines = [*map(shown, rules), *map(shown_list, found), *map(shown_item, items)]
    summary = {
        "exported_count": len(lines), "exported_rules_count": len(rules),
        "missing_rules": [{"rule_id": name} for name in missing], "missing_rules_count": len(missing),
        "exported_exception_list_count": len(found), "exported_exception_list_item_count": len(items),
        "missing_exception_list_items": [], "missing_exception_list_items_count": 0,
        "missing_exception_lists": [], "missing_exception_lists_count": 0,
        "exported_action_connector_count": 0, "missing_action_connection_count": 0,
        "missing_action_connections": [], "excluded_action_connection_count": 0,
        "excluded_action_connections": [],
    }  # fmt: skip
    return b"".join(orjson.dumps(line) + b"\n" for line in ([*lines, summary] if details else lines))


# ---- bulk actions

_Act = Callable[[Session, Actor, StoredRule, Mapping[str, Any]], None]


def _enable(session: Session, actor: Actor, rule: StoredRule, body: Mapping[str, Any]) -> None:
    set_enabled(session, actor, rule, True)


def _disable(session: Session, actor: Actor, rule: StoredRule, body: Mapping[str, Any]) -> None:
    set_enabled(session, actor, rule, False)


def _delete(session: Session, actor: Actor, rule: StoredRule, body: Mapping[str, Any]) -> None:
    remove_rule(session, actor, rule)


def _duplicate(session: Session, actor: Actor, rule: StoredRule, body: Mapping[str, Any]) -> None:
    about = body.get("duplicate") or {}
    copy = {**rule.document, "rule_id": str(uuid.uuid4()), "name": f"{rule.name} [Duplicate]", "immutable": False}
    if not about.get("include_exceptions", True):
        copy["exceptions_list"] = []
    add_rule(session, actor, kept(copy), enabled=False)


def _run(session: Session, actor: Actor, rule: StoredRule, body: Mapping[str, Any]) -> None:
    _ask(session, actor, rule, body.get("run") or {}, "manual")


def _fill(session: Session, actor: Actor, rule: StoredRule, body: Mapping[str, Any]) -> None:
    _ask(session, actor, rule, body.get("fill_gaps") or {}, "backfill")


def _ask(session: Session, actor: Actor, rule: StoredRule, about: Mapping[str, Any], kind: str) -> None:
    """Ask for a run over a span of time, given in ISO 8601; without one, over the window that ends now."""
    start, end = about.get("start_date"), about.get("end_date")
    try:
        last = to_nanoseconds(end or datetime.now(UTC))
        first = to_nanoseconds(start) if start else last
    except (ValueError, OverflowError) as error:
        raise bad_request(f"[start_date] and [end_date] are moments: {error}") from None
    if first > last:
        raise bad_request("[start_date] lies behind [end_date]")
    ask_run(session, rule, kind, (first, last), actor.name)


def _edit(session: Session, actor: Actor, rule: StoredRule, body: Mapping[str, Any]) -> None:
    document = dict(rule.document)
    for one in body.get("edit") or ():
        edit = _EDITS.get(str(one.get("type")))
        if edit is None:
            raise bad_request(f"[edit] knows {', '.join(_EDITS)}, not `{one.get('type')}`")
        try:
            edit(document, one.get("value"))
        except (TypeError, ValueError, AttributeError):
            raise bad_request(f"[edit]: `{one.get('type')}` cannot be done with this [value]") from None
    change_rule(session, actor, rule, document)


def _add(name: str) -> Callable[[dict[str, Any], Any], None]:
    return lambda document, value: document.update({name: list(dict.fromkeys((*document.get(name, ()), *value)))})


def _take(name: str) -> Callable[[dict[str, Any], Any], None]:
    return lambda document, value: document.update({name: [x for x in document.get(name, ()) if x not in value]})


def _set(name: str) -> Callable[[dict[str, Any], Any], None]:
    return lambda document, value: document.update({name: list(value)})


def _schedule(document: dict[str, Any], value: Mapping[str, Any]) -> None:
    interval, lookback = str(value.get("interval")), str(value.get("lookback", "0s"))
    try:
        total = sum(int(text[:-1]) * UNITS[text[-1]] for text in (interval, lookback))
    except (ValueError, KeyError, IndexError):
        raise bad_request("[interval] and [lookback] are spans of time such as 5m") from None
    document.update({"interval": interval, "from": f"now-{total // SECOND}s"})


_EDITS: dict[str, Callable[[dict[str, Any], Any], None]] = {
    "add_tags": _add("tags"), "delete_tags": _take("tags"), "set_tags": _set("tags"),
    "add_index_patterns": _add("index"), "delete_index_patterns": _take("index"),
    "set_index_patterns": _set("index"), "set_schedule": _schedule,
    "set_timeline": lambda document, value: document.update(value),
}  # fmt: skip
_ACTIONS: dict[str, _Act] = {
    "enable": _enable, "disable": _disable, "delete": _delete, "duplicate": _duplicate, "edit": _edit, "run": _run,
    "fill_gaps": _fill,
}  # fmt: skip


@router.post("/_bulk_action", openapi_extra=body_of("action", action="string", query="string", ids="texts"))
async def bulk_action(request: Request, dry_run: bool = False, actor: Actor = _WRITE) -> Response:
    """Do something with many rules: those that `ids` or a filter in KQL (`query`) name, or all."""
    body = await read_typed(
        request, ids="texts", query="string", edit="objects", duplicate="object", run="object", fill_gaps="object"
    )
    name = str(body.get("action"))
    if name not in (*_ACTIONS, "export"):
        raise bad_request(f"[action] is one of {', '.join((*_ACTIONS, 'export'))}")
    service = request.app.state.service

    def work() -> bytes | dict[str, Any]:
        with service.records.transaction() as session:
            rules = list(session.scalars(select(StoredRule).order_by(StoredRule.name)))
            ids = body.get("ids")
            chosen = (
                [rule for rule in rules if rule.id in ids] if ids else matching_rules(rules, body.get("query"))
            )
            if name == "export":
                return exported(session, chosen)
            if not dry_run:
                for rule in chosen:
                    _ACTIONS[name](session, actor, rule, body)
            gone = name in ("delete", "duplicate")
            told = [] if gone else [shown(rule) for rule in chosen]
            return _bulk_told(name, told, len(chosen))

    found = await run_in_threadpool(work)
    service.watch.wake()
    if isinstance(found, bytes):
        return Response(found, media_type="application/ndjson")
    return answer(request, found)


def _bulk_told(name: str, rules: list[dict[str, Any]], count: int) -> dict[str, Any]:
    sorts: dict[str, Any] = {"created": [], "deleted": [], "skipped": [], "updated": rules}
    summary = {"failed": 0, "skipped": 0, "succeeded": count, "total": count}
    return {"success": True, "rules_count": count, "attributes": {"results": sorts, "summary": summary}}


# ---- previews


@router.post("/preview", openapi_extra=body_of("name", "type", name="string", type="string", query="string"))
async def preview_rule(request: Request, actor: Actor = Depends(allow(Scope.READ))) -> Response:  # noqa: B008
    """Run a rule that is not saved over the last `invocationCount` of its windows; nothing is kept.

    `timeframeEnd` is the moment of the last window. The alerts are in the answer, under `alerts`.
    """
    body = await read_rule_body(request)
    body.setdefault("rule_id", "preview")
    service = request.app.state.service

    def work() -> dict[str, Any]:
        checked(body, service.store.schema(), None)
        count = body.get("invocationCount", 1)
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= 1000:
            raise bad_request("[invocationCount] is a number from 1 to 1000")
        try:
            end = to_nanoseconds(body.get("timeframeEnd") or datetime.now(UTC))
            rule = watched_rule(service.records, "preview", read_rule(body), service.store)
            interval = rule.schedule.interval
            ticks = [end - interval * back for back in range(count - 1, 0, -1)] + ticks_of(rule, end, end, end)
        except (RuleError, ValueError, OverflowError) as error:
            raise bad_request(str(error), "invalid_rule") from None
        result, alerts, runs = preview(service.watch.watch.executor, rule, ticks)
        logs = [
            {
                "errors": [run.failure] if run.failure else [], "warnings": run.messages,
                "startedAt": run.started.isoformat(), "duration": int(sum(run.durations.values()) * 1000),
            }
            for run in runs
        ]  # fmt: skip
        return {
            "previewId": str(uuid.uuid4()), "isAborted": False, "logs": logs, "matches": result.matches,
            "alerts": [orjson.loads(alert.document) for alert in alerts],
        }  # fmt: skip

    return answer(request, await run_in_threadpool(work))
