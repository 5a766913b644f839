"""The list of cases, and the page of a case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from tocsin.api.transactions import RequestTransactions
from tocsin.desk.alerts.labels import REASON_LABELS
from tocsin.desk.cases.view import PAGE_SIZE, STATUS_CHOICES, CasesView
from tocsin.desk.cases.words import KIND_WORDS, activity_detail, activity_word
from tocsin.desk.documents import FlatDocument, flat_document
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.visitor import Reader
from tocsin.management.alerts import assignable_users
from tocsin.response.cases import activity, case_alerts, checklist, comments, evidence, links, listing, observables
from tocsin.response.cases.fields import CLOSED, SEVERITIES, STATUSES
from tocsin.response.cases.locking import find_case
from tocsin.store.alerts.names import ALERTS_INDEX
from tocsin.store.records.cases import StoredCase

router = APIRouter(route_class=PageRoute, include_in_schema=False)
SHOWN_ALERTS = 200  # of a case, on its page
_SHOWN_ACTIVITY = 200


@dataclass(frozen=True)
class ShownEvidence:
    """A piece of evidence, with the beginning of its document."""

    id: str
    kind: str
    title: str
    size: int
    sha256: str
    added: datetime
    added_by: str
    is_picture: bool


@router.get("/cases")
async def list_cases(request: Request, visitor: Reader, records: RequestTransactions) -> Response:
    """Show the cases that the address asks for."""
    view, now, name = CasesView.of(request.query_params), datetime.now(UTC), visitor.actor.name
    wanted = view.wanted(name, now)

    def read(session: Session) -> dict[str, Any]:
        cases = listing.find_cases(
            session, wanted, size=PAGE_SIZE, start=(view.page - 1) * PAGE_SIZE, sort=view.sort or "updatedAt",
            ascending=view.order == "asc",
        )  # fmt: skip
        ids = [case.id for case in cases]
        return {
            "cases": cases,
            "total": listing.count_cases(session, wanted),
            "alert_counts": case_alerts.count_alerts(session, ids),
            "progress": checklist.progress(session, ids),
            "due": listing.count_cases(session, listing.CaseFilter(due=now)),
            "mentioning": listing.count_cases(session, listing.CaseFilter(mentioned=name)),
            "tags": listing.all_tags(session),
            "users": assignable_users(session),
            "exists": listing.count_cases(session, listing.CaseFilter()) > 0,
        }

    context = await records.read(read)
    return page(
        request, "cases/list.html", visitor, view=view, page_size=PAGE_SIZE, statuses=STATUS_CHOICES,
        severities=SEVERITIES, is_due=lambda case: is_due(case, now), **context,
    )  # fmt: skip


@router.get("/cases/{id}")
async def show_case(request: Request, visitor: Reader, records: RequestTransactions, id: str) -> Response:
    """Show a case: what it is, what is to be done, its alerts, evidence, comments and activity."""
    now = datetime.now(UTC)

    def read(session: Session) -> dict[str, Any]:
        case = find_case(session, id)
        log = activity.activity_of(session, case.id, newest_first=True)
        known = [(kept.type, kept.value) for kept in observables.observables_of(session, case.id)]
        others = observables.cases_with(session, known)
        linked = links.linked_cases(session, case.id)
        return {
            "case": case,
            "is_due": is_due(case, now),
            "merged_into": find_case(session, case.merged_into) if case.merged_into else None,
            "tasks": checklist.tasks_of(session, case.id),
            "alerts": [
                _flat(document) for document in case_alerts.alert_documents(session, case.id)[:SHOWN_ALERTS]
            ],
            "alert_count": case_alerts.count_alerts(session, [case.id]).get(case.id, 0),
            "evidence": [_shown(piece) for piece in evidence.evidence_of(session, case.id)],
            "comments": comments.comments_of(session, case.id),
            "observables": observables.observables_of(session, case.id),
            "linked": linked,
            "similar": {
                other: shared for other, shared in others.items() if other.id != case.id and other not in linked
            },
            "log": [
                (
                    entry,
                    activity_word(entry.type, entry.action, entry.payload),
                    activity_detail(entry.type, entry.payload),
                )
                for entry in log[:_SHOWN_ACTIVITY]
            ],
            "log_length": len(log),
            "users": assignable_users(session),
        }

    context = await records.read(read)
    follow_up = context["case"].follow_up
    hosts = sorted({name for alert in context["alerts"] if (name := alert.text("host.name"))})
    return page(
        request, "cases/page.html", visitor, statuses=STATUSES, severities=SEVERITIES, reasons=REASON_LABELS,
        kind_words=KIND_WORDS, types=observables.TYPES, hosts=hosts,
        done=sum(task.done is not None for task in context["tasks"]),
        follow_up_local=follow_up.astimezone(visitor.zone).strftime("%Y-%m-%dT%H:%M") if follow_up else "",
        default_steps={text for _, text in checklist.DEFAULT_STEPS}, **context,
    )  # fmt: skip


def is_due(case: StoredCase, now: datetime) -> bool:
    """Tell whether a case is to be followed up by now."""
    return case.follow_up is not None and case.follow_up <= now and case.status != CLOSED


def _flat(document: Mapping[str, Any]) -> FlatDocument:
    id_ = str(document.get("kibana.alert.uuid", ""))
    return flat_document({"_id": id_, "_index": ALERTS_INDEX, "_source": document})


def _shown(piece: Any) -> ShownEvidence:
    return ShownEvidence(
        piece.id, piece.kind, piece.title, piece.size, piece.sha256, piece.added, piece.added_by,
        piece.kind == evidence.PICTURE,
    )  # fmt: skip
