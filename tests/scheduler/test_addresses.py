"""Every type of rule takes an address for one value, however its events spell it."""

from __future__ import annotations

import orjson
import pytest

from tests.scheduler.virtual import MINUTE, START, Office, rule

SPELLED = ("10.1.2.3", "::ffff:10.1.2.3", "::FFFF:A01:203")


def events(office, *addresses, first=1):
    for n, address in enumerate(addresses):
        office.until(START + (first + n) * MINUTE)
        office.event(event={"category": "network"}, source={"ip": address}, host={"name": f"h{n}"})


def run_until(office, minute):
    office.until(START + minute * MINUTE)
    office.turn()


def office_of(tmp_path, **about):
    office = Office(tmp_path, [rule("r", **{"query": "network where true", **about})])
    office.turn()
    return office


KQL = {"language": "kuery", "query": "*:*"}


@pytest.mark.parametrize(
    ("about", "alerts"),
    [
        ({"query": 'network where source.ip == "10.1.2.3"'}, 3),
        ({"query": 'sequence by source.ip [any where host.name == "h0"] [any where host.name == "h2"]'}, 3),
        ({"query": "source.ip: 10.1.2.3", "type": "query", "language": "kuery"}, 3),
        ({"query": "source.ip:[10.1.2.0 TO 10.1.2.9]", "type": "query", "language": "lucene"}, 3),
        ({**KQL, "type": "threshold", "threshold": {"field": ["source.ip"], "value": 3}}, 1),
        ({**KQL, "type": "threshold", "threshold": {
            "field": [], "value": 1, "cardinality": [{"field": "source.ip", "value": 2}]}}, 0),
        ({**KQL, "type": "new_terms", "new_terms_fields": ["source.ip"], "history_window_start": "now-1h"}, 1),
        ({"alert_suppression": {"group_by": ["source.ip"]}}, 1),
        ({"type": "esql", "language": "esql",
          "query": "from logs-* | stats n = count(*) by source.ip | where n == 3"}, 1),
        ({"type": "esql", "language": "esql",
          "query": 'from logs-* metadata _id | where source.ip == "10.1.2.3"'}, 3),
        ({"exceptions_list": [], "query": 'network where not source.ip in ("::ffff:a01:203")'}, 0),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_spellings_of_an_address_are_one_value(tmp_path, about, alerts):
    office = office_of(tmp_path, **about)
    events(office, *SPELLED)
    run_until(office, 5)
    assert len(office.alerts()) == alerts


def test_an_indicator_is_met_however_it_is_spelled(tmp_path):
    entry = {"field": "source.ip", "type": "mapping", "value": "threat.indicator.ip"}
    about = {"type": "threat_match", "threat_index": ["ti-*"], "threat_query": "*:*"}
    office = office_of(tmp_path, **KQL, **about, threat_mapping=[{"entries": [entry]}])
    office.event(index="ti-a", threat={"indicator": {"ip": "::ffff:a01:203"}})
    events(office, *SPELLED)
    run_until(office, 5)
    assert len(office.alerts()) == 3


def test_an_alert_keeps_its_event_as_it_was_sent_and_groups_by_the_one_spelling(tmp_path):
    office = office_of(tmp_path, alert_suppression={"group_by": ["source.ip"]})
    events(office, *reversed(SPELLED))
    run_until(office, 5)
    [document] = [orjson.loads(alert.document) for alert in office.alerts()]
    assert document["source"]["ip"] == "::FFFF:A01:203"
    assert document["kibana.alert.suppression.terms"] == [{"field": "source.ip", "value": "10.1.2.3"}]
    assert document["kibana.alert.suppression.docs_count"] == 2
