"""What is done in a case: its fields, tasks, comments, alerts, observables, links; merged and removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from tocsin.api.answers import bad_request
from tocsin.api.transactions import RequestTransactions, TransactionRunner
from tocsin.desk.cases.form import follow_up_of, names_of
from tocsin.desk.forms import Fields, Form, field
from tocsin.desk.page_route import PageRoute
from tocsin.desk.visitor import Administrator, Responder, Visitor
from tocsin.desk.whole_numbers import read_whole_number
from tocsin.response.cases import case_alerts, checklist, comments, links, observables
from tocsin.response.cases.cases import change_case, remove_case
from tocsin.response.cases.locking import find_case

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_LARGEST_REVISION = 2**62
_Change = Callable[[Session, str], Any]
# How fields of a form become those of a case. A form has those that it changes.
_TEXTS = ("title", "description", "severity", "status", "owner", "category", "follow_up_note", "close_reason")


@router.post("/cases/{id}/change")
async def change(form: Form, visitor: Responder, records: RequestTransactions, id: str) -> Response:
    """Change fields of a case, if nobody has changed it since the page was shown."""
    values: dict[str, Any] = {name: field(form, name) for name in _TEXTS if name in form}
    if "assignees_shown" in form:
        values["assignees"] = [name for name in dict.fromkeys(form.get("assignee", [])) if name]
    if "tags" in form:
        values["tags"] = names_of(field(form, "tags"))
    if "follow_up" in form:
        values["follow_up"] = follow_up_of(field(form, "follow_up"), visitor.zone)
    if "sync_shown" in form:
        values["sync_alerts"] = field(form, "sync_alerts") == "1"
    revision = read_whole_number(field(form, "revision"), _LARGEST_REVISION)
    return await _done(
        records, id, "", lambda session, case_id: change_case(session, visitor.actor, case_id, values, revision)
    )


@router.post("/cases/{id}/merge")
async def merge(form: Form, visitor: Responder, records: RequestTransactions, id: str) -> Response:
    """Merge a case into another, whose page is shown then."""

    def work(session: Session) -> int:
        return links.merge_cases(session, visitor.actor, id, field(form, "other")).number

    return RedirectResponse(f"/cases/{await records.run(work)}", 303)


@router.post("/cases/{id}/remove")
async def remove(form: Form, visitor: Administrator, records: RequestTransactions, id: str) -> Response:
    """Remove a case; its activity log stays."""
    await records.run(lambda session: remove_case(session, visitor.actor, id))
    return RedirectResponse("/cases", 303)


def _add_task(session: Session, visitor: Visitor, case_id: str, form: Fields) -> None:
    checklist.add_task(session, visitor.actor, case_id, field(form, "text"), assignee=field(form, "assignee"))


def _set_done(session: Session, visitor: Visitor, case_id: str, form: Fields) -> None:
    is_done = field(form, "do") == "done"
    checklist.set_task_done(session, visitor.actor, case_id, field(form, "task"), done=is_done)


def _assign_task(session: Session, visitor: Visitor, case_id: str, form: Fields) -> None:
    checklist.assign_task(session, visitor.actor, case_id, field(form, "task"), field(form, "assignee"))


def _remove_task(session: Session, visitor: Visitor, case_id: str, form: Fields) -> None:
    checklist.remove_task(session, visitor.actor, case_id, field(form, "task"))


def _add_comment(session: Session, visitor: Visitor, case_id: str, form: Fields) -> None:
    comments.add_comment(session, visitor.actor, case_id, field(form, "text"))


def _change_comment(session: Session, visitor: Visitor, case_id: str, form: Fields) -> None:
    comments.change_comment(session, visitor.actor, case_id, field(form, "comment"), field(form, "text"))


def _remove_comment(session: Session, visitor: Visitor, case_id: str, form: Fields) -> None:
    comments.remove_comment(session, visitor.actor, case_id, field(form, "comment"))


def _remove_alerts(session: Session, visitor: Visitor, case_id: str, form: Fields) -> None:
    case_alerts.remove_alerts(session, visitor.actor, case_id, form.get("alert", []))


def _add_observable(session: Session, visitor: Visitor, case_id: str, form: Fields) -> None:
    type_, value = field(form, "type"), field(form, "value")
    observables.add_observable(session, visitor.actor, case_id, type_, value, field(form, "description"))


def _remove_observable(session: Session, visitor: Visitor, case_id: str, form: Fields) -> None:
    observables.remove_observable(session, visitor.actor, case_id, field(form, "observable"))


def _link(session: Session, visitor: Visitor, case_id: str, form: Fields) -> None:
    links.link_cases(session, visitor.actor, case_id, field(form, "other"))


def _unlink(session: Session, visitor: Visitor, case_id: str, form: Fields) -> None:
    links.unlink_cases(session, visitor.actor, case_id, field(form, "other"))


_Handler = Callable[[Session, Visitor, str, Fields], None]
# By what of a case is changed, and what is done with it.
_CHANGES: Mapping[str, Mapping[str, _Handler]] = {
    "tasks": {
        "add": _add_task, "done": _set_done, "not-done": _set_done, "assign": _assign_task, "remove": _remove_task,
    },
    "comments": {"add": _add_comment, "change": _change_comment, "remove": _remove_comment},
    "alerts": {"remove": _remove_alerts},
    "observables": {"add": _add_observable, "remove": _remove_observable},
    "links": {"add": _link, "remove": _unlink},
}  # fmt: skip


@router.post("/cases/{id}/{part}")
async def change_part(
    form: Form, visitor: Responder, records: RequestTransactions, id: str, part: str
) -> Response:
    """Change the tasks, comments, alerts, observables or links of a case."""
    handler = _CHANGES.get(part, {}).get(field(form, "do"))
    if handler is None:
        raise bad_request(
            f"[do] is one of {', '.join(_CHANGES.get(part, ())) or 'none'}, not `{field(form, 'do')}`"
        )
    return await _done(records, id, part, lambda session, case_id: handler(session, visitor, case_id, form))


async def _done(records: TransactionRunner, id_: str, part: str, work: _Change) -> Response:
    """Change a case, and go back to its page."""

    def run(session: Session) -> int:
        work(session, id_)
        return find_case(session, id_).number

    number = await records.run(run)
    return RedirectResponse(f"/cases/{number}{'#' if part else ''}{part}", 303)
