"""The versions of a rule: which there are, how two of them differ, and the return to one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.answers import ApiError, bad_request
from tocsin.api.dependencies import ServiceStore
from tocsin.api.transactions import GoOn, RequestTransactions
from tocsin.desk.forms import Form, field
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.rules.alert_counts import alerts_address
from tocsin.desk.rules.page import SNOOZES, rule_address
from tocsin.desk.visitor import Reader, RuleWriter
from tocsin.management.differences import MemberDifference, differences
from tocsin.management.rules.details import rule_called_by
from tocsin.management.rules.documents import with_defaults
from tocsin.management.rules.saving import schema_of
from tocsin.management.rules.versions import ShownVersion, restore_version, shown_versions
from tocsin.store.records.rule_versions import MOST_VERSIONS

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class VersionComparison:
    """Two versions of a rule, and the members in which they differ."""

    before: ShownVersion
    after: ShownVersion
    members: list[MemberDifference]


@router.get("/rules/{id}/versions")
async def show_versions(request: Request, visitor: Reader, records: RequestTransactions, id: str) -> Response:
    """Show the versions of a rule, and how two of them differ: the last two, if none are named."""
    old, new = (request.query_params.get(name, "") for name in ("old", "new"))

    def read(session: Session) -> dict[str, Any]:
        rule = rule_called_by(session, id)
        versions = shown_versions(session, rule)
        return {"rule": rule, "versions": versions, "comparison": _compared(versions, old, new)}

    context = await records.run(read) | {
        "tab": "versions", "alerts_address": alerts_address, "snoozes": SNOOZES, "most": MOST_VERSIONS,
    }  # fmt: skip
    return page(request, "rules/versions.html", visitor, **context)


def _compared(versions: list[ShownVersion], old: str, new: str) -> VersionComparison | None:
    """Return how two versions differ, None where there is but one. Raises ApiError for one that is not there."""
    if len(versions) < 2 and not (old or new):
        return None
    after = _version(versions, new) if new else versions[0]
    before = _version(versions, old) if old else next((v for v in versions if v.revision < after.revision), after)
    return VersionComparison(
        before, after, differences(with_defaults(before.document), with_defaults(after.document))
    )


def _version(versions: list[ShownVersion], revision: str) -> ShownVersion:
    for version in versions:
        if str(version.revision) == revision:
            return version
    raise ApiError(404, "resource_not_found_exception", f"the rule has no version {revision}")


@router.post("/rules/{id}/restore")
async def restore(
    request: Request, form: Form, visitor: RuleWriter, records: RequestTransactions, store: ServiceStore, id: str
) -> Response:
    """Give a rule the document of an earlier version again."""
    revision, schemas = field(form, "revision"), schema_of(store)
    if not revision.isdecimal() or len(revision) > 12:
        raise bad_request("[revision] is the number of a version")

    def work(session: Session, go_on: GoOn) -> str:
        rule = rule_called_by(session, id)
        restore_version(session, visitor.actor, rule, int(revision), schemas)
        return rule_address(rule, "/versions")

    return RedirectResponse(await records.run_in_turn(work), 303)
