"""What surrounds an alert: its host, its user, how common what happened is, and what can be looked up."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request

from tocsin.desk.alert.shown_alert import ShownAlert
from tocsin.desk.documents import flat_document
from tocsin.desk.searches import search
from tocsin.investigation.observables import observables
from tocsin.investigation.process_events import EVENTS
from tocsin.investigation.surroundings import Party, host_of, prevalence_search, prevalences, user_of
from tocsin.store.alerts.names import ALERTS_INDEX

SURROUNDINGS = ("host", "user", "prevalence", "observables", "sequence")


async def surroundings_of(request: Request, alert: ShownAlert, show: str) -> dict[str, Any]:
    """Return what a panel shows. Raises ApiError."""
    if show == "prevalence":
        body, compared = prevalence_search(alert.event)
        answer = await search(request, list(EVENTS), body)
        aggregations = answer["aggregations"]
        return {
            "prevalences": prevalences(compared, aggregations),
            "all_hosts": aggregations["all"]["hosts"]["value"],
        }
    if show == "observables":
        return {"observables": observables(alert.event)}
    if show == "sequence":
        return {"steps": await _steps(request, alert)}
    return await _party(request, alert, host_of(alert.event) if show == "host" else user_of(alert.event))


async def _party(request: Request, alert: ShownAlert, party: Party | None) -> dict[str, Any]:
    if party is None:
        return {"party": None}
    seen, alerts, logons = await asyncio.gather(
        search(request, list(EVENTS), party.seen()),
        search(request, [ALERTS_INDEX], party.alerts(alert.flat.id)),
        search(request, list(EVENTS), party.last_logons()),
    )
    figures = seen["aggregations"]
    return {
        "party": party,
        "first": figures["first"].get("value_as_string"),
        "last": figures["last"].get("value_as_string"),
        "others": figures["others"]["buckets"],
        "alerts": [flat_document(hit) for hit in alerts["hits"]["hits"]],
        "alert_count": alerts["hits"]["total"]["value"],
        "logons": [flat_document(hit) for hit in logons["hits"]["hits"]],
        "logon_count": logons["hits"]["total"]["value"],
    }


async def _steps(request: Request, alert: ShownAlert) -> list[Any]:
    """Return the building blocks of a sequence, in the order of its steps, for its alert or one of them."""
    query = {
        "bool": {
            "filter": [
                {"term": {"kibana.alert.group.id": alert.flat.text("kibana.alert.group.id") or alert.flat.id}},
                {"exists": {"field": "kibana.alert.building_block_type"}},
            ]
        }
    }
    answer = await search(request, [ALERTS_INDEX], {"query": query, "size": 200})
    steps = [flat_document(hit) for hit in answer["hits"]["hits"]]
    return sorted(steps, key=lambda step: int(step.raw("kibana.alert.group.index") or 0))
