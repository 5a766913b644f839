"""What a hunt for the indicators of a case has seen becomes evidence of the case."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from tests.management.conftest import ACTOR
from tests.management.conftest import session as session
from tocsin.response.cases.cases import NewCase, create_case
from tocsin.response.cases.evidence import evidence_of, find_evidence
from tocsin.response.cases.hunt_results import add_hunt_result
from tocsin.store.records.reputation import IndicatorHunt

SIGHTING = {"host": "h", "event_field": "process.hash.sha256", "value": "v" * 64, "count": 1}


def hunt(case_id, sightings=1, **result):
    return IndicatorHunt(
        id="hunt", name="n" * 200, case_id=case_id, asked=datetime.now(UTC), asked_by="ann", state="done",
        cancelled=False, progress={}, ended=None, error=None, indicators=[],
        result={"sightings": [SIGHTING] * sightings, "hosts": ["h"], **result},
    )  # fmt: skip


@pytest.mark.parametrize(("sightings", "left"), [(1, 0), (5_000, 3_000)])
def test_a_case_has_what_a_hunt_has_seen(session, sightings, left):
    case = create_case(session, ACTOR, NewCase("a case"))
    add_hunt_result(session, hunt(case.id, sightings))
    (piece,) = evidence_of(session, case.id)
    assert (piece.kind, piece.added_by, piece.title[-6:]) == ("indicator", "ann", "1 host")
    document = orjson.loads(find_evidence(session, case.id, piece.id).content)
    assert (len(document["sightings"]), document["sightings_in_the_hunt_alone"]) == (sightings - left, left)
    assert document["hunt"] == "hunt"


@pytest.mark.parametrize("case_id", [None, "gone"])
def test_a_hunt_ends_also_without_its_case(session, case_id):
    add_hunt_result(session, hunt(case_id))
    session.flush()
