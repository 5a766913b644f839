"""What a rule tells of its last execution."""

from __future__ import annotations

from tests.scheduler.virtual import BAD, MINUTE, START, Office, rule
from tocsin.management.rules.documents import rule_document
from tocsin.management.rules.executions import last_executions
from tocsin.store.records.models import StoredRule


def summary(office):
    with office.records.transaction() as session:
        [id_] = office.names()
        found = rule_document(session.get(StoredRule, id_), last_executions(session, [id_]).get(id_))
    return found["execution_summary"]["last_execution"]


def test_an_execution_that_came_too_late_tells_by_how_much(tmp_path):
    office = Office(tmp_path, [rule(max_signals=1)])
    office.turn()
    office.pass_(MINUTE)
    office.event(**BAD)
    office.event(**BAD)
    office.until(START + 5 * MINUTE)
    office.turn()
    on_time = summary(office)
    assert (on_time["status"], on_time["message"]) == ("partial failure", "max alerts reached: 1 of 2")
    assert on_time["metrics"]["execution_gap_duration_s"] == 0
    office.stop()
    office.pass_(9 * MINUTE)  # the tick in between is due, and the next one is too, nearly
    office.event(**BAD)
    office.pass_(2 * MINUTE)
    office.turn()
    assert office.gaps()[0].first_tick == START + 10 * MINUTE
    office.until(START + 20 * MINUTE)
    office.turn()
    assert summary(office)["metrics"]["execution_gap_duration_s"] == 0
