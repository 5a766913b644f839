"""What is done with alerts: those that are selected, or all that a list's filter finds; and the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.answers import bad_request
from tocsin.api.transactions import RequestTransactions, TransactionRunner
from tocsin.desk.alerts.labels import LONGEST_NOTE
from tocsin.desk.alerts.neighbours import alert_address, list_address, neighbour, row_address, view_of
from tocsin.desk.alerts.undo_offers import SHOWN_SECONDS, ActionMessage, Sentence, offers_of, say
from tocsin.desk.forms import Fields, Form, field
from tocsin.desk.page_route import PageRoute, leave_page, path_of
from tocsin.desk.searches import matching_ids
from tocsin.desk.shown import cut_in_the_middle, visible
from tocsin.desk.translations import N_
from tocsin.desk.visitor import Responder, Visitor
from tocsin.management.alert_changes import (
    ChangedAlert,
    ChangedAlerts,
    NamesChange,
    UndoneChanges,
    WorkflowChange,
    change_alerts,
    undo_changes,
)
from tocsin.management.alerts import assignable_users
from tocsin.store.alerts.names import ALERTS_INDEX

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_AT_ONCE = 500  # alerts that are changed in one transaction
_SHOWN_IDS = 5  # unknown ids that a message names
_LONGEST_TAG = 256  # characters

_DONE: Mapping[str, str] = {
    "open": N_("Alerts reopened: %(count)s."),
    "acknowledged": N_("Alerts acknowledged: %(count)s."),
    "closed": N_("Alerts closed: %(count)s."),
    "tags": N_("Alerts with other tags: %(count)s."),
    "assignees": N_("Alerts with other assignees: %(count)s."),
    "undo": N_("Alerts that are again as they were: %(count)s."),
}
_SAME = N_("Nothing was changed: the alerts are so already.")
_NONE_SELECTED = N_("No alert is selected.")
_UNKNOWN = N_("There is no alert with the id %(ids)s.")
_UNKNOWN_MORE = N_("There are no alerts with the ids %(ids)s and %(count)s more.")
_STOPPED = N_("Of %(all)s alerts %(count)s were looked at, then it ended: %(reason)s")
_NO_TAG = N_("No tag was given.")
_NO_USER = N_("No user was chosen.")
_TOO_LATE = N_("It is too late to undo that: a change can be undone for %(seconds)s seconds.")
_CHANGED_SINCE = N_("Alerts that somebody has changed since, and that keep it: %(count)s.")


@router.post("/alerts/status")
async def set_status(request: Request, form: Form, visitor: Responder, records: RequestTransactions) -> Response:
    """Open, acknowledge or close alerts, closing with a reason and a comment."""
    status = field(form, "status")
    closes = status == "closed"
    comment = field(form, "comment").strip() if closes else ""
    if len(comment) > LONGEST_NOTE:
        raise bad_request(f"a comment has at most {LONGEST_NOTE:,} characters")
    change = WorkflowChange(status, (field(form, "reason") or None) if closes else None, comment)
    return await _changed(request, form, visitor, records, change, status)


@router.post("/alerts/tags")
async def set_tags(request: Request, form: Form, visitor: Responder, records: RequestTransactions) -> Response:
    """Give alerts tags, or take them from them."""
    given = (*field(form, "tags").split(","), *form.get("tag", []))
    tags = [tag for tag in dict.fromkeys(text.strip() for text in given) if tag]
    if any(len(tag) > _LONGEST_TAG for tag in tags):
        raise bad_request(f"a tag has at most {_LONGEST_TAG} characters")
    if not tags:
        return _said(request, form, visitor, ActionMessage(None, [Sentence(_NO_TAG)]))
    names = NamesChange(remove=tags) if field(form, "change") == "remove" else NamesChange(tags)
    return await _changed(request, form, visitor, records, WorkflowChange(tags=names), "tags")


@router.post("/alerts/assignees")
async def set_assignees(
    request: Request, form: Form, visitor: Responder, records: RequestTransactions
) -> Response:
    """Assign alerts to users, to the visitor, to others no more, or to nobody."""
    kind, users = field(form, "change"), list(dict.fromkeys(form.get("user", [])))
    if kind == "me":
        names = NamesChange([visitor.actor.name])
    elif kind == "nobody":
        names = NamesChange(remove_others=True)
    elif not users:
        return _said(request, form, visitor, ActionMessage(None, [Sentence(_NO_USER)]))
    elif kind == "remove":
        names = NamesChange(remove=users)
    else:
        known = await records.run(assignable_users)
        if unknown := [name for name in users if name not in known]:
            raise bad_request(
                f"alerts cannot be assigned to {', '.join(unknown)}: no such user may respond to them"
            )
        names = NamesChange(users)
    return await _changed(request, form, visitor, records, WorkflowChange(assignees=names), "assignees")


@router.post("/alerts/undo")
async def undo(request: Request, form: Form, visitor: Responder, records: RequestTransactions) -> Response:
    """Give alerts again what they had before the visitor's last change, for a short time after it."""
    offer = offers_of(request).take(visitor.actor.id, field(form, "token"))
    if offer is None or not offer.changed:
        too_late = Sentence(_TOO_LATE, {"seconds": str(SHOWN_SECONDS)})
        return _said(request, form, visitor, ActionMessage(None, [too_late]))

    def work(session: Session, batch: Sequence[ChangedAlert]) -> UndoneChanges:
        return undo_changes(session, visitor.actor, batch)

    outcome = await records.run_batches_in_turn(_batches(offer.changed), work)
    restored = sum(result.restored for result in outcome.results)
    changed_since = sum(result.changed_since for result in outcome.results)
    problems = [Sentence(_CHANGED_SINCE, {"count": f"{changed_since:,}"})] if changed_since else []
    looked_at = min(len(outcome.results) * _AT_ONCE, len(offer.changed))
    problems += _stopped(outcome.stopped, looked_at, len(offer.changed))
    message = ActionMessage(Sentence(_DONE["undo"], {"count": f"{restored:,}"}), problems)
    return say(request, visitor, _onward(request, offer.back or _back(request, form)), message)


async def _changed(
    request: Request, form: Fields, visitor: Visitor, records: TransactionRunner, change: WorkflowChange, kind: str
) -> Response:
    """Change the alerts that a form means, and say on the next page how many, and what could not be done."""
    ids = await selected_alerts(request, form)
    if not ids:
        return _said(request, form, visitor, ActionMessage(None, [Sentence(_NONE_SELECTED)]))
    next_page = await _next_page(request, form) if kind == "closed" else ""

    def work(session: Session, batch: Sequence[str]) -> ChangedAlerts:
        return change_alerts(session, visitor.actor, batch, change)

    outcome = await records.run_batches_in_turn(_batches(ids), work)
    changed = [alert for result in outcome.results for alert in result.alerts]
    unknown = [id_ for result in outcome.results for id_ in result.unknown]
    problems = [*_unknown(unknown), *_stopped(outcome.stopped, len(outcome.results) * _AT_ONCE, len(ids))]
    text = Sentence(_DONE[kind], {"count": f"{len(changed):,}"}) if changed or problems else Sentence(_SAME)
    back = _back(request, form)
    message = ActionMessage(text, problems, changed, back)
    return say(request, visitor, _onward(request, next_page or back), message)


async def selected_alerts(request: Request, form: Fields) -> list[str]:
    """Return the ids of the alerts that a form means. Raises ApiError.

    "All" are those that the list's filter finds and that were there when the list was shown: what has been raised
    since nobody has seen.
    """
    if field(form, "all") != "true":
        return list(dict.fromkeys(form.get("id", [])))
    tests: list[dict[str, Any]] = [view_of(f"?{field(form, 'filter')}").search()["query"]]
    if seen := field(form, "seen"):
        tests.append({"range": {"@timestamp": {"lte": seen}}})
    return await matching_ids(request, [ALERTS_INDEX], {"bool": {"filter": tests}})


async def _next_page(request: Request, form: Fields) -> str:
    """Return where whoever closes an alert on its page goes: to the next of the list that it came from."""
    list_, ids = list_address(field(form, "list")), form.get("id", [])
    if not list_ or len(ids) != 1:
        return ""
    next_id = await neighbour(request, list_, ids[0])
    return alert_address(next_id, list_) if next_id else row_address(ids[0], list_)


def _batches(members: Sequence[Any]) -> list[Sequence[Any]]:
    return [members[start : start + _AT_ONCE] for start in range(0, len(members), _AT_ONCE)]


def _unknown(ids: Sequence[str]) -> list[Sentence]:
    if not ids:
        return []
    named = ", ".join(visible(cut_in_the_middle(id_)) for id_ in ids[:_SHOWN_IDS])
    if len(ids) <= _SHOWN_IDS:
        return [Sentence(_UNKNOWN, {"ids": named})]
    return [Sentence(_UNKNOWN_MORE, {"ids": named, "count": f"{len(ids) - _SHOWN_IDS:,}"})]


def _stopped(reason: str, looked_at: int, of: int) -> list[Sentence]:
    if not reason:
        return []
    return [Sentence(_STOPPED, {"all": f"{of:,}", "count": f"{looked_at:,}", "reason": reason})]


def _said(request: Request, form: Fields, visitor: Visitor, message: ActionMessage) -> Response:
    return say(request, visitor, _onward(request, _back(request, form)), message)


def _back(request: Request, form: Fields) -> str:
    return path_of(request.headers.get("hx-current-url") or field(form, "back"))


def _onward(request: Request, address: str) -> Response:
    """Return the way to a page. A part of a page that is replaced can become a list, and nothing else."""
    if "hx-request" in request.headers and not list_address(address):
        return leave_page(address)
    return RedirectResponse(address, 303)
