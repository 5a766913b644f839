"""Cases: made, found, changed, removed; which of them an alert belongs to; their activity."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Path, Query
from sqlalchemy.orm import Session
from starlette.responses import Response

from tocsin.api.answers import ApiError, bad_request
from tocsin.api.body import json_body
from tocsin.api.kibana.cases.documents import case_answer, read_version, user, user_actions
from tocsin.api.kibana.cases.models import (
    CaseAlertAnswer,
    CaseAnswer,
    CaseChangeBody,
    CaseChangesBody,
    CasesPage,
    CaseTotals,
    CaseUser,
    NewCaseBody,
    RelatedCase,
    Severity,
    Status,
    UserActionsPage,
)
from tocsin.api.kibana.parameters import AlertIdInPath, SortOrder
from tocsin.api.models import CONFLICT, NOT_FOUND
from tocsin.api.security import allow
from tocsin.api.transactions import RequestTransactions
from tocsin.date_math import parse_date_math
from tocsin.moments import iso
from tocsin.response.cases import listing
from tocsin.response.cases.activity import activity_of
from tocsin.response.cases.case_alerts import attachments, cases_of_alert, count_alerts
from tocsin.response.cases.cases import NewCase, change_case, create_case, remove_case
from tocsin.response.cases.comments import comments_of
from tocsin.response.cases.fields import CLOSED, IN_PROGRESS, OPEN, OWNER, checked_text
from tocsin.response.cases.locking import find_case
from tocsin.store.alerts.names import ALERTS_INDEX
from tocsin.store.records.access import Actor, Scope

router = APIRouter(prefix="/api/cases", tags=["cases"])
_READ = Depends(allow(Scope.READ))
_Responder = Annotated[Actor, Depends(allow(Scope.RESPOND))]
_Administrator = Annotated[Actor, Depends(allow(Scope.ADMIN))]
CaseIdInPath = Annotated[str, Path(description="The case's id.")]
_Texts = Annotated[list[str], Query(description="Only these; several are alternatives.")]
_Moment = Annotated[str | None, Query(description="A moment, or date math as `now-1d`.", examples=["now-1d"])]
_Page = Annotated[int, Query(ge=1, le=10_000, description="Which page; the first is 1.")]
_PerPage = Annotated[int, Query(ge=1, le=100, description="How many a page has at most.")]
_SORTS = Literal["createdAt", "updatedAt", "closedAt", "title", "category", "status", "severity"]
_FIELDS = ("title", "description", "status", "severity", "tags", "category")


@router.post("", response_model=CaseAnswer)
async def make_case(
    transactions: RequestTransactions, actor: _Responder, body: Annotated[NewCaseBody, json_body(NewCaseBody)]
) -> Response:
    """Make a case."""
    _check_owner(body.owner)
    _check_connector(body.connector.id if body.connector else "none", body.customFields)
    new = NewCase(
        title=body.title,
        description=checked_text("description", body.description, 30_000),
        severity=body.severity or "low",
        tags=body.tags,
        assignees=[assignee.uid for assignee in body.assignees or ()],
        category=body.category,
        sync_alerts=body.settings.syncAlerts,
    )
    return await transactions.answer(lambda session: case_answer(session, create_case(session, actor, new)))


@router.get("/_find", response_model=CasesPage, dependencies=[_READ])
async def find_cases(
    transactions: RequestTransactions,
    page: _Page = 1,
    perPage: _PerPage = 20,  # noqa: N803 - Kibana's names
    status: Annotated[list[Status], Query(description="Only cases of these statuses.")] = [],  # noqa: B006
    severity: Annotated[list[Severity], Query(description="Only cases of these severities.")] = [],  # noqa: B006
    tags: _Texts = [],  # noqa: B006
    assignees: _Texts = [],  # noqa: B006
    reporters: _Texts = [],  # noqa: B006
    category: _Texts = [],  # noqa: B006
    owner: _Texts = [],  # noqa: B006
    search: Annotated[str, Query(description="Words of the title and description.")] = "",
    searchFields: Annotated[  # noqa: N803
        list[Literal["title", "description"]], Query(description="Where the words are looked for.")
    ] = ["title", "description"],  # noqa: B006
    defaultSearchOperator: Annotated[  # noqa: N803
        Literal["AND", "OR"], Query(description="Whether a case has all words or one of them.")
    ] = "OR",
    from_: Annotated[_Moment, Query(alias="from")] = None,
    to: _Moment = None,
    sortField: Annotated[_SORTS, Query(description="What cases are sorted by.")] = "createdAt",  # noqa: N803
    sortOrder: SortOrder = "desc",  # noqa: N803
) -> Response:
    """Return the cases that fit, page by page, and how many there are of each status."""
    now = datetime.now(UTC)
    wanted = listing.CaseFilter(
        statuses=status, severities=severity, tags=tags, assignees=assignees, reporters=reporters,
        categories=category, search=search, any_word=defaultSearchOperator == "OR", search_fields=searchFields,
        since=_moment("from", from_, now), until=_moment("to", to, now),
    )  # fmt: skip

    def work(session: Session) -> CasesPage:
        if owner and OWNER not in owner:
            return CasesPage(
                cases=[], page=page, per_page=perPage, total=0, count_open_cases=0, count_in_progress_cases=0,
                count_closed_cases=0,
            )  # fmt: skip
        cases = listing.find_cases(
            session, wanted, size=perPage, start=(page - 1) * perPage, sort=sortField, ascending=sortOrder == "asc"
        )
        counts = listing.count_by_status(session, wanted)
        return CasesPage(
            cases=[case_answer(session, case) for case in cases],
            page=page,
            per_page=perPage,
            total=listing.count_cases(session, wanted),
            count_open_cases=counts[OPEN],
            count_in_progress_cases=counts[IN_PROGRESS],
            count_closed_cases=counts[CLOSED],
        )

    return await transactions.answer(work)


@router.patch("", response_model=list[CaseAnswer], responses=NOT_FOUND | CONFLICT)
async def change_cases(
    transactions: RequestTransactions,
    actor: _Responder,
    body: Annotated[CaseChangesBody, json_body(CaseChangesBody)],
) -> Response:
    """Change cases: all of them, or none where one has another version than the one that was seen."""
    changes = [(change, _changed_values(change)) for change in body.cases]

    def work(session: Session) -> list[CaseAnswer]:
        before = {change.id: find_case(session, change.id).revision for change, _ in changes}
        cases = {  # locked in one order, so that two requests do not wait for each other
            change.id: change_case(session, actor, change.id, values, read_version(change.version))
            for change, values in sorted(changes, key=lambda pair: pair[0].id)
        }
        if all(cases[id_].revision == revision for id_, revision in before.items()):
            raise ApiError(406, "not_acceptable", "All update fields are identical to current version.")
        return [case_answer(session, cases[change.id]) for change, _ in changes]

    return await transactions.answer(work)


@router.delete("", status_code=204, responses=NOT_FOUND)
async def remove_cases(
    transactions: RequestTransactions,
    actor: _Administrator,
    ids: Annotated[list[str], Query(description="The ids, also as one list in JSON.", examples=['["66b9aa00"]'])],
) -> Response:
    """Remove cases with their comments and evidence; their activity logs stay. It needs an administrator."""
    wanted = _ids(ids)

    def work(session: Session) -> None:
        for id_ in wanted:
            remove_case(session, actor, id_)

    await transactions.run(work)
    return Response(status_code=204)


@router.get("/tags", response_model=list[str], dependencies=[_READ])
async def case_tags(transactions: RequestTransactions) -> Response:
    """Return the tags that cases have."""
    return await transactions.answer(listing.all_tags)


@router.get("/reporters", response_model=list[CaseUser], dependencies=[_READ])
async def case_reporters(transactions: RequestTransactions) -> Response:
    """Return who has made cases."""

    def work(session: Session) -> list[CaseUser]:
        return [user(name) for name in listing.distinct_values(session, "created_by")]

    return await transactions.answer(work)


@router.get("/configure", response_model=list[dict[str, Any]], dependencies=[_READ])
async def case_configuration(transactions: RequestTransactions) -> Response:
    """Return how cases are configured: nothing is, so that the list is empty."""
    return await transactions.answer(lambda session: [])


@router.get("/alerts/{id}", response_model=list[RelatedCase], dependencies=[_READ])
async def related_cases(transactions: RequestTransactions, id: AlertIdInPath) -> Response:
    """Return the cases that an alert belongs to."""

    def work(session: Session) -> list[RelatedCase]:
        return [
            RelatedCase(
                id=case.id,
                title=case.title,
                description=case.description,
                status=case.status,  # type: ignore[arg-type]
                createdAt=iso(case.created),
                totals=CaseTotals(
                    alerts=count_alerts(session, [case.id]).get(case.id, 0),
                    userComments=len(comments_of(session, case.id)),
                ),
            )
            for case in cases_of_alert(session, id)
        ]

    return await transactions.answer(work)


@router.get("/{case_id}", response_model=CaseAnswer, responses=NOT_FOUND, dependencies=[_READ])
async def get_case(
    transactions: RequestTransactions,
    case_id: CaseIdInPath,
    includeComments: Annotated[  # noqa: N803
        bool, Query(description="Whether its comments and alerts are returned, too.")
    ] = True,
) -> Response:
    """Return a case."""
    return await transactions.answer(
        lambda session: case_answer(session, find_case(session, case_id), with_comments=includeComments)
    )


@router.get("/{case_id}/alerts", response_model=list[CaseAlertAnswer], responses=NOT_FOUND, dependencies=[_READ])
async def case_alerts(transactions: RequestTransactions, case_id: CaseIdInPath) -> Response:
    """Return the alerts of a case."""

    def work(session: Session) -> list[CaseAlertAnswer]:
        return [
            CaseAlertAnswer(id=kept.alert_id, index=ALERTS_INDEX, attached_at=iso(kept.added))
            for kept in attachments(session, find_case(session, case_id).id)
        ]

    return await transactions.answer(work)


@router.get(
    "/{case_id}/user_actions/_find", response_model=UserActionsPage, responses=NOT_FOUND, dependencies=[_READ]
)
async def find_user_actions(
    transactions: RequestTransactions,
    case_id: CaseIdInPath,
    page: _Page = 1,
    perPage: _PerPage = 20,  # noqa: N803
    sortOrder: SortOrder = "asc",  # noqa: N803
    types: _Texts = [],  # noqa: B006
) -> Response:
    """Return the activity log of a case, as far as Kibana has such entries."""

    def work(session: Session) -> UserActionsPage:
        case = find_case(session, case_id)
        actions = user_actions(activity_of(session, case.id, newest_first=sortOrder == "desc"))
        chosen = [action for action in actions if not types or action.type in types]
        return UserActionsPage(
            userActions=chosen[(page - 1) * perPage : page * perPage],
            page=page,
            perPage=perPage,
            total=len(chosen),
        )

    return await transactions.answer(work)


def _changed_values(change: CaseChangeBody) -> dict[str, Any]:
    """Return the fields of a case that a change gives, with their values. Raises ApiError."""
    given = change.model_fields_set
    values = {name: getattr(change, name) for name in _FIELDS if name in given}
    if change.assignees is not None:
        values["assignees"] = [assignee.uid for assignee in change.assignees]
    if change.settings is not None:
        values["sync_alerts"] = change.settings.syncAlerts
    _check_connector(change.connector.id if change.connector else "none", change.customFields)
    _check_owner(str((change.model_extra or {}).get("owner", OWNER)))
    return values


def _check_owner(owner: str) -> None:
    if owner != OWNER:
        raise bad_request(f"[owner] is {OWNER}: there are no cases of `{owner}`")


def _check_connector(id_: str, custom_fields: list[Any] | None) -> None:
    if id_ != "none":
        raise bad_request(f"[connector] is `none`: cases are pushed to no other system, as to `{id_}`")
    if custom_fields:
        raise bad_request("[customFields] is empty: cases have no custom fields")


def _moment(name: str, text: str | None, now: datetime) -> datetime | None:
    try:
        return parse_date_math(text, now) if text else None
    except (ValueError, OverflowError) as error:
        raise bad_request(f"[{name}] {error}") from None


def _ids(given: list[str]) -> list[str]:
    """Return ids of a query, each of its own or all as one list in JSON."""
    ids: list[Any] = given
    if len(given) == 1 and given[0].startswith("["):
        try:
            ids = orjson.loads(given[0])
        except ValueError:
            raise bad_request("[ids] is a list in JSON") from None
    if not 1 <= len(ids) <= 100 or not all(isinstance(id_, str) and id_ for id_ in ids):
        raise bad_request("[ids] has 1 to 100 ids")
    return list(dict.fromkeys(ids))
