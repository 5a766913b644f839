"""New alerts of a list: counted for whoever reads it, and not shown before they ask for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tocsin.api.answers import bad_request
from tocsin.api.dependencies import RunningService
from tocsin.desk.alerts.view import AlertsView
from tocsin.desk.page_route import PageRoute
from tocsin.desk.searches import search
from tocsin.desk.visitor import Reader
from tocsin.moments import iso
from tocsin.store.alerts.alert_index import AlertIndex
from tocsin.store.alerts.names import ALERTS_INDEX

router = APIRouter(route_class=PageRoute, include_in_schema=False)
# When an alert was raised: in alerts `@timestamp` is that, and no time of their events.
_RAISED = "@timestamp"


@dataclass(frozen=True)
class ArrivalMark:
    """How far alerts had come when a list was shown.

    `newest` is the moment at which the newest of all alerts was raised (ns since 1970), and `at_newest` how many
    of that moment the list has: rules that run at one time raise their alerts at one moment, one rule after the
    other. `total` is how many alerts there are at all.
    """

    newest: int
    total: int
    at_newest: int = 0

    @property
    def moment(self) -> str:
        """The moment at which the newest alert was raised, to the nanosecond."""
        return iso(self.newest, 9)

    def written(self) -> str:
        """Return the mark as a parameter of an address."""
        return f"{self.newest}.{self.total}.{self.at_newest}"

    @staticmethod
    def read(text: str) -> ArrivalMark:
        """Return the mark that a parameter means. Raises ApiError."""
        parts = text.split(".")
        if len(parts) != 3 or not all(part.isascii() and part.isdecimal() and len(part) < 20 for part in parts):
            raise bad_request("[since] is no mark of a list")
        return ArrivalMark(*map(int, parts))


async def mark_now(request: Request, alerts: AlertIndex, view: AlertsView) -> ArrivalMark:
    """Return how far alerts have come. What is raised after it is new, also where it is in the list already."""
    mark = await run_in_threadpool(_mark, alerts)
    if not mark.total or not takes_new(view):
        return mark
    bounds = {"gte": mark.moment, "lte": mark.moment}
    return ArrivalMark(mark.newest, mark.total, await _count(request, view, bounds))


def takes_new(view: AlertsView) -> bool:
    """Tell whether a new alert can be one of a list: it is open, has no tag, and is nobody's."""
    status = view.chosen.get("status")
    is_new = (not status or "open" in status) and "open" not in view.excluded.get("status", ())
    return is_new and not view.until and not view.chosen.get("tag") and not view.chosen.get("assignee")


def arrivals_address(view: AlertsView, mark: ArrivalMark) -> str:
    """Return the address that counts new alerts of a list, empty where there can be none."""
    if not takes_new(view):
        return ""
    return f"/alerts/arrivals?{view.address().partition('?')[2]}&since={mark.written()}"


@router.get("/alerts/arrivals")
async def count_arrivals(request: Request, visitor: Reader, service: RunningService) -> Response:
    """Return how many alerts of a list were raised since it was shown, as `{"count": 7}`."""
    view, mark = AlertsView.of(request.query_params), ArrivalMark.read(request.query_params.get("since", ""))
    now = await run_in_threadpool(_mark, service.alerts)
    if (now.newest, now.total) == (mark.newest, mark.total):
        return JSONResponse({"count": 0})
    count = await _count(request, view, {"gte": mark.moment})
    return JSONResponse({"count": max(0, count - mark.at_newest)})


def _mark(alerts: AlertIndex) -> ArrivalMark:
    newest = alerts.watermark()
    return ArrivalMark(newest, sum(info.events for info in alerts.indices([ALERTS_INDEX])))


async def _count(request: Request, view: AlertsView, bounds: dict[str, str]) -> int:
    query = {"bool": {"filter": [view.search()["query"], {"range": {_RAISED: bounds}}]}}
    body: dict[str, Any] = {"query": query, "size": 0, "track_total_hits": True}
    answer = await search(request, [ALERTS_INDEX], body)
    return int(answer["hits"]["total"]["value"])
