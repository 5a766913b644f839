"""Rules made and changed in the desk: the form, the check of a query while it is written, the preview, saving."""

from __future__ import annotations

import re
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import orjson
from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.answers import ApiError, api_error, bad_request
from tocsin.api.dependencies import ServiceStore
from tocsin.api.transactions import GoOn, RequestTransactions
from tocsin.desk.alerts.undo_offers import ActionMessage, Sentence, say
from tocsin.desk.forms import Form, field
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.rule_editor.fields import LANGUAGES, MORE, TYPES
from tocsin.desk.rule_editor.form import RuleForm, document_of, empty_form, form_of, read_form
from tocsin.desk.rule_editor.preview import SPANS, preview_of
from tocsin.desk.rule_editor.vocabulary import WORDS, fields_of_indices
from tocsin.desk.translations import N_
from tocsin.desk.visitor import Reader, RuleWriter, Visitor
from tocsin.detection.compile import query_errors
from tocsin.detection.rule_checks import Problem
from tocsin.errors import ConflictError, InvalidError, TocsinError, UnknownFieldError
from tocsin.management.rules.details import rule_called_by
from tocsin.management.rules.saving import InvalidRuleError, change_rule, create_rule, schema_of
from tocsin.response.reputation.indicator_hunt import rule_draft
from tocsin.response.reputation.indicator_hunts import find_hunt
from tocsin.store.events import EventStore
from tocsin.store.records.models import Connector

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_GROUPS = ("definition", "schedule", "about", "guide", "more")
_DEFAULT_SPAN = "6h"
_MOST_WARNINGS = 5  # that are said of a rule that is saved: its page has all
_SAVED = N_("The rule is saved.")
_WARNING = N_("Look again at %(field)s: %(message)s")
# How messages about a rule name its fields: `name: Required`, "`risk_score` is …".
_NAMED = re.compile(r"(?:^|; |: )(?:\[?([a-z_]+(?:\.[a-z_]+)*)\]?: |`([a-z_]+(?:\.[a-z_]+)*)` )")


@dataclass(frozen=True)
class EditedRule:
    """The rule that is edited: its id, name, document and revision in records; empty of a new one."""

    id: str = ""
    name: str = ""
    document: Mapping[str, Any] | None = None
    revision: int = 0
    enabled: bool = True

    @property
    def address(self) -> str:
        """The address of the form."""
        return f"/rules/{quote(self.id, safe='')}/edit" if self.id else "/rules/new"

    @property
    def is_readable_alone(self) -> bool:
        """Tell whether it is of a type that does not run here, and is not changed here."""
        return self.document is not None and self.document.get("type") not in TYPES


@router.get("/rules/new")
async def new_rule(request: Request, visitor: RuleWriter, records: RequestTransactions) -> Response:
    """Show the form of a new rule of the type that the address names."""
    asked, hunt = request.query_params.get("type", "eql"), request.query_params.get("indicator_hunt", "")
    form = empty_form(asked if asked in TYPES else "eql")
    if hunt:
        form = form_of(await records.read(lambda session: _draft_of_hunt(session, hunt)))
    texts = {**form.texts, "enabled": "on"}
    return await _shown(request, visitor, records, EditedRule(), replace(form, texts=texts))


@router.get("/rules/{id}/edit")
async def edit_rule(request: Request, visitor: RuleWriter, records: RequestTransactions, id: str) -> Response:
    """Show the form of a rule."""
    edited = await _edited(records, id)
    return await _shown(request, visitor, records, edited, _form_of_saved(edited))


def _draft_of_hunt(session: Session, id_: str) -> dict[str, Any]:
    """Return the draft of the rule that looks for a hunt's indicators, which are on a list of its name by now."""
    hunt = find_hunt(session, id_)
    return rule_draft(hunt.name, hunt.name, hunt.indicators)


def _form_of_saved(edited: EditedRule) -> RuleForm:
    return form_of({**(edited.document or {}), "enabled": edited.enabled})


@router.post("/rules/new")
async def add(
    request: Request, form: Form, visitor: RuleWriter, records: RequestTransactions, store: ServiceStore
) -> Response:
    """Save a new rule, or preview it."""
    return await _submitted(request, form, visitor, records, store, EditedRule())


@router.post("/rules/{id}/edit")
async def change(
    request: Request, form: Form, visitor: RuleWriter, records: RequestTransactions, store: ServiceStore, id: str
) -> Response:
    """Save a rule, or a copy of it with what was changed, or preview it."""
    return await _submitted(request, form, visitor, records, store, await _edited(records, id))


@router.post("/rule-editor/check")
async def check(request: Request, form: Form, visitor: Reader, store: ServiceStore) -> Response:
    """Return what is wrong with a query, each error with its place, as JSON for the editor."""
    kind, language, query = field(form, "type"), field(form, "language"), field(form, "query")

    def compile_query() -> list[dict[str, Any]]:
        schema = schema_of(store)({"index": _lines(field(form, "index"))})
        return [
            {
                "line": error.place.line if error.place else None,
                "column": error.place.column if error.place else 1,
                "end": error.place.end if error.place else 1,
                "message": error.message,
                "hint": error.hint,
                "severity": "warning" if isinstance(error, UnknownFieldError) else "error",
            }
            for error in query_errors(kind, language, query, schema)
        ]

    faults = [] if not query.strip() else await run_in_threadpool(compile_query)
    return Response(orjson.dumps(faults), media_type="application/json")


@router.get("/rule-editor/fields")
async def show_fields(request: Request, visitor: Reader, store: ServiceStore) -> Response:
    """Return the fields that a query over some indices can name, as JSON for the editor."""
    patterns = _lines(request.query_params.get("index", "")[:10_000]) or ["*"]
    fields = await run_in_threadpool(fields_of_indices, store, patterns)
    return Response(orjson.dumps(fields), media_type="application/json")


async def _submitted(
    request: Request,
    given: Form,
    visitor: Visitor,
    records: RequestTransactions,
    store: EventStore,
    edited: EditedRule,
) -> Response:
    kind = str((edited.document or {}).get("type") or field(given, "type"))
    if kind not in TYPES:
        raise bad_request(f"[type] is one of {', '.join(TYPES)}, not `{kind[:60]}`")
    form = read_form(given, kind)
    before = edited.document or {}
    document, problems = document_of(form, before)
    previews = "preview" in given
    missing = [name for name in ("name", "description") if name not in document]
    if not previews:
        problems += [Problem(name, "is missing", fatal=True) for name in missing]
    span = field(given, "span") or _DEFAULT_SPAN
    if problems:
        return await _shown(
            request, visitor, records, edited, form, problems=problems, previews=previews, span=span
        )
    try:
        if previews:
            preview = await preview_of(request, {**dict.fromkeys(missing, "preview"), **document}, span)
            if "hx-request" in request.headers:
                return page(
                    request, "rule_editor/preview.html", visitor, preview=preview, problems=(), **_spans(span)
                )
            return await _shown(request, visitor, records, edited, form, preview=preview, span=span)
        schemas = schema_of(store)

        def keep(session: Session, go_on: GoOn) -> tuple[str, Sequence[Problem]]:
            if not edited.id or "save_as" in given:
                own = {**document, "rule_id": str(uuid.uuid4())}
                if own.get("name") == edited.name and edited.id:
                    own["name"] = f"{edited.name} [Duplicate]"
                saved = create_rule(session, visitor.actor, own, schemas)
                return saved.rule.id, saved.warnings
            rule = rule_called_by(session, edited.id)
            if str(rule.revision) != field(given, "revision"):
                raise ConflictError(
                    f"{rule.updated_by} has changed this rule since this page was shown, to revision "
                    f"{rule.revision}. Open it anew in another tab, or save yours as a new rule"
                )
            return rule.id, change_rule(session, visitor.actor, rule, document, schemas).warnings

        id_, warnings = await records.run_in_turn(keep)
    except (ApiError, TocsinError) as error:
        problems = _problems_of(error)
        status = error.status if isinstance(error, ApiError) else api_error(error).status
        return await _shown(
            request, visitor, records, edited, form, problems=problems, previews=previews, span=span, status=status
        )
    reply = RedirectResponse(f"/rules/{quote(id_, safe='')}", 303)
    # With warnings it stays until it is dismissed.
    doubts = [
        Sentence(_WARNING, {"field": warning.field, "message": warning.message.partition("\n")[0]})
        for warning in warnings[:_MOST_WARNINGS]
    ]
    return say(request, visitor, reply, ActionMessage(Sentence(_SAVED), doubts))


def _problems_of(error: ApiError | TocsinError) -> list[Problem]:
    """Return an error as problems of fields; of none (an empty name) where it names none."""
    if isinstance(error, InvalidRuleError):
        return list(error.problems)
    message = error.reason if isinstance(error, ApiError) else error.message
    if isinstance(error, InvalidError):
        named = [match[1] or match[2] for match in _NAMED.finditer(message)]
        if named:
            return [Problem(name, message, fatal=True) for name in dict.fromkeys(named)]
    return [Problem("", message, fatal=True)]


async def _shown(
    request: Request,
    visitor: Visitor,
    records: RequestTransactions,
    edited: EditedRule,
    form: RuleForm,
    *,
    problems: Sequence[Problem] = (),
    preview: Any = None,
    previews: bool = False,
    span: str = _DEFAULT_SPAN,
    status: int = 0,
) -> Response:
    if previews and "hx-request" in request.headers:
        return page(request, "rule_editor/preview.html", visitor, preview=None, problems=problems, **_spans(span))
    by_field, others = _by_field(form, problems)
    connectors = await records.run(
        lambda session: [
            (known.id, known.name) for known in session.scalars(select(Connector).order_by(Connector.name))
        ]
    )
    return page(
        request, "rule_editor/page.html", visitor, status=status or (400 if problems else 200), edited=edited,
        form=form, groups=_GROUPS, problems=by_field, others=others, types=TYPES, more=MORE,
        languages=LANGUAGES.get(form.type, ()), words=orjson.dumps(WORDS).decode(), preview=preview,
        connectors=connectors, **_spans(span),
    )  # fmt: skip


def _spans(span: str) -> dict[str, Any]:
    return {"spans": SPANS, "span": span}


def _by_field(form: RuleForm, problems: Sequence[Problem]) -> tuple[dict[str, list[str]], list[str]]:
    """Return messages by the form's fields, and those about nothing that the form shows."""
    names = [known.name for known in form.fields] + ["query", "threat_query", "language", MORE]
    by_field: dict[str, list[str]] = defaultdict(list)
    others = []
    for problem in problems:
        head = problem.field.partition(".")[0]
        name = problem.field if problem.field in names else next(
            (known for known in names if known.partition(".")[0] == head), ""
        )  # fmt: skip
        if name:
            by_field[name].append(problem.message)
        else:
            others.append(f"{problem.field}: {problem.message}" if problem.field else problem.message)
    return by_field, others


async def _edited(records: RequestTransactions, id_: str) -> EditedRule:
    def read(session: Session) -> EditedRule:
        rule = rule_called_by(session, id_)
        return EditedRule(rule.id, rule.name, rule.document, rule.revision, rule.enabled)

    return await records.run(read)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
