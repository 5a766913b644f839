"""What surrounds an alert: its host, its user, how common what happened is, and what can be looked up."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from starlette.requests import Request

from tocsin.api.elasticsearch.searching import searched
from tocsin.desk.alert.evidence_view import EvidenceView
from tocsin.desk.alert.shown_alert import ShownAlert
from tocsin.desk.documents import flat_document
from tocsin.desk.indicators.reputation import known_of
from tocsin.desk.searches import search
from tocsin.desk.translations import N_
from tocsin.investigation.observables import observables
from tocsin.investigation.processes.host_events import Span
from tocsin.investigation.processes.process_events import EVENTS, around
from tocsin.investigation.processes.processes import moment_of
from tocsin.investigation.seen import SeenTask
from tocsin.investigation.surroundings import (
    Party,
    host_of,
    prevalence_search,
    prevalences,
    steps_search,
    user_of,
)
from tocsin.store.alerts.names import ALERTS_INDEX

# The logon types of Windows, by number and by the name that Beats gives them, as Microsoft describes event 4624.
_LOGON_TYPES = (
    ("2", "Interactive", N_("at the keyboard (2)")),
    ("3", "Network", N_("over the network (3)")),
    ("4", "Batch", N_("scheduled task (4)")),
    ("5", "Service", N_("service (5)")),
    ("7", "Unlock", N_("unlocked (7)")),
    ("8", "NetworkCleartext", N_("over the network, password in clear (8)")),
    ("9", "NewCredentials", N_("other credentials for the network (9)")),
    ("10", "RemoteInteractive", N_("remote desktop (10)")),
    ("11", "CachedInteractive", N_("at the keyboard, cached password (11)")),
    ("12", "CachedRemoteInteractive", N_("remote desktop, cached password (12)")),
    ("13", "CachedUnlock", N_("unlocked, cached password (13)")),
)
LOGON_TYPES = {key: words for number, name, words in _LOGON_TYPES for key in (number, name)}
SURROUNDINGS = ("host", "user", "prevalence", "observables", "sequence")


async def surroundings_of(request: Request, alert: ShownAlert, view: EvidenceView) -> dict[str, Any]:
    """Return what a panel shows. Raises ApiError."""
    show = view.show
    if show == "prevalence":
        body, compared = prevalence_search(alert.event)
        answer = await search(request, list(EVENTS), body)
        aggregations = answer["aggregations"]
        return {
            "prevalences": prevalences(compared, aggregations),
            "all_hosts": aggregations["all"]["hosts"]["value"],
        }
    if show == "observables":
        return {"observables": await known_of(request, observables(alert.event))}
    if show == "sequence":
        return {"steps": await steps_of(request, alert)}
    party = host_of(alert.event) if show == "host" else user_of(alert.event)
    return await _party(request, alert, party, None if view.ever else around(moment_of(alert.event) or 0))


async def _party(request: Request, alert: ShownAlert, party: Party | None, span: Span | None) -> dict[str, Any]:
    if party is None:
        return {"party": None}
    seen, alerts, *answers = await asyncio.gather(
        searched(request, SeenTask(party.events)),
        search(request, [ALERTS_INDEX], party.alerts(alert.flat.id)),
        *(search(request, list(EVENTS), body) for body in party.beside_and_logons(span)),
    )
    moments, beside, logons = orjson.loads(seen), answers[0], answers[-1]
    return {
        "party": party,
        "logon_types": LOGON_TYPES,
        "first": moments["first"],
        "last": moments["last"],
        "others": beside["aggregations"]["others"]["buckets"],
        "alerts": [flat_document(hit) for hit in alerts["hits"]["hits"]],
        "alert_count": alerts["hits"]["total"]["value"],
        "logons": [flat_document(hit) for hit in logons["hits"]["hits"]],
        "logon_count": logons["hits"]["total"]["value"],
    }


async def steps_of(request: Request, alert: ShownAlert) -> list[Any]:
    """Return the building blocks of a sequence, in the order of its steps, for its alert or one of them."""
    answer = await search(request, [ALERTS_INDEX], steps_search(alert.flat.values))
    steps = [flat_document(hit) for hit in answer["hits"]["hits"]]
    return sorted(steps, key=lambda step: int(step.raw("kibana.alert.group.index") or 0))
