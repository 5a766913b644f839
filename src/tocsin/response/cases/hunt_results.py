"""What hunts for the indicators of a case have seen: it becomes evidence of the case when they end."""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy.orm import Session

from tocsin.errors import TocsinError
from tocsin.response.cases.evidence import LARGEST_DOCUMENT, add_evidence
from tocsin.response.cases.locking import find_case
from tocsin.store.records.access import Actor
from tocsin.store.records.reputation import IndicatorHunt

log = logging.getLogger(__name__)
_SIGHTING = 500  # bytes of a sighting, more than most have
_LONGEST_NAME = 160  # characters of a hunt's name within a title


def add_hunt_result(session: Session, hunt: IndicatorHunt) -> None:
    """Add what a hunt has seen to the case that it was asked for, if that is there and takes it.

    It is added in the name of whoever asked for the hunt. The hunt keeps its result also where the case is gone.
    """
    if not hunt.case_id or hunt.result is None:
        return
    result: dict[str, Any] = dict(hunt.result)
    sightings = result.get("sightings", [])
    most = LARGEST_DOCUMENT // _SIGHTING
    cut = max(0, len(sightings) - most)
    result |= {"hunt": hunt.id, "sightings": sightings[:most], "sightings_in_the_hunt_alone": cut}
    hosts = len(result.get("hosts", ()))
    title = f"Hunt: {hunt.name[:_LONGEST_NAME]}: {hosts} host{'' if hosts == 1 else 's'}"
    try:
        with session.begin_nested():
            case = find_case(session, hunt.case_id)
            actor = Actor(hunt.asked_by, frozenset())
            add_evidence(session, actor, case.merged_into or case.id, "indicator", title, result)
    except TocsinError as error:
        log.warning("what the hunt %s has seen is not added to its case: %s", hunt.id, error)
