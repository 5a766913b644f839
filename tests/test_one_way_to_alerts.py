"""The same events give the same alerts in a hunt and in the service, whatever the type of the rule."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.scheduler.virtual import MINUTE, START, Office, iso_exact, rule
from tocsin.detection.alerts.documents import hunt_document
from tocsin.detection.compile import prepare
from tocsin.detection.hunt import Hunt
from tocsin.detection.hunt_indicators import indicator_reader
from tocsin.detection.rule_types.catalogue import RULE_TYPES
from tocsin.rules.files import read_rule
from tocsin.sources.batch import Rejects, flatten
from tocsin.sources.inputs import Input, find_inputs

# What says when a rule ran, and for whom: ids of alerts and events follow from where events lie.
RUN = frozenset((
    "@timestamp", "kibana.alert.start", "kibana.alert.last_detected", "kibana.alert.intended_timestamp",
    "kibana.alert.uuid", "kibana.alert.group.id", "kibana.alert.rule.uuid", "kibana.alert.rule.execution.uuid",
    "kibana.alert.rule.execution.timestamp", "kibana.alert.rule.execution.type",
))  # fmt: skip
OVERRIDES: dict[str, Any] = {
    "severity_mapping": [{"field": "user.name", "operator": "equals", "value": "ann", "severity": "high"}],
    "risk_score_mapping": [{"field": "process.pid", "operator": "equals", "value": ""}],
    "rule_name_override": "host.name",
}
KQL: dict[str, Any] = {"language": "kuery", "type": "query"}
SUPPRESSED = {"alert_suppression": {"group_by": ["host.name"]}}
RULES = {
    "eql": {},
    "eql with overrides": OVERRIDES,
    "eql, suppressed": SUPPRESSED,
    "sequence": {"query": 'sequence by host.name [any where user.name == "ann"] [any where user.name == "ben"]'},
    "sequence with a missing event": {
        "query": 'sequence by host.name with maxspan=1m [any where user.name == "ann"] '
        '![any where user.name == "eve"] [any where user.name == "ben"]'
    },
    "sequence, suppressed": {
        "query": 'sequence by host.name [any where user.name == "ann"] [any where user.name == "ben"]',
        **SUPPRESSED,
    },
    "query": {**KQL, "query": "process.name: bad.exe", **OVERRIDES},
    "query in Lucene": {**KQL, "language": "lucene", "query": "process.name:bad.exe"},
    "query, suppressed": {**KQL, "query": "process.name: bad.exe", **SUPPRESSED},
    "building block": {**KQL, "query": "process.name: bad.exe", "building_block_type": "default"},
    "saved query": {**KQL, "type": "saved_query", "saved_id": "s", "query": "process.name: bad.exe"},
    "threshold": {
        **KQL, "type": "threshold", "query": "*:*", "threshold": {
            "field": ["host.name"], "value": 2, "cardinality": [{"field": "user.name", "value": 2}],
        },
    },
    "new terms": {
        **KQL, "type": "new_terms", "query": "*:*", "new_terms_fields": ["host.name", "user.name"],
        "history_window_start": "now-7d",
    },
    "indicator match": {
        **KQL, "type": "threat_match", "query": "*:*", "threat_index": ["ti-*"], "threat_query": "*:*",
        "threat_mapping": [
            {"entries": [{"field": "source.ip", "type": "mapping", "value": "threat.indicator.ip"}]}
        ],
    },
    "indicator match of numbers": {
        **KQL, "type": "threat_match", "query": "*:*", "threat_index": ["ti-*"], "threat_query": "*:*",
        "threat_mapping": [
            {"entries": [{"field": "process.pid", "type": "mapping", "value": "threat.indicator.port"}]}
        ],
    },
    "ES|QL": {
        "type": "esql", "language": "esql", "index": None,
        "query": 'from logs-* metadata _id | where process.name == "bad.exe" | eval length = length(user.name)',
    },
    "ES|QL that counts": {
        "type": "esql", "language": "esql", "index": None,
        "query": "from logs-* | stats people = count_distinct(user.name) by host.name | where people > 1",
    },
}  # fmt: skip
EVENTS = [
    (1.0, "a", "ann", "bad.exe"), (1.2, "a", "ben", "good.exe"), (1.5, "b", "ann", "bad.exe"),
    (2.0, "a", "ann", "bad.exe"), (3.0, "c", "eve", "good.exe"), (3.1, "a", "ben", "bad.exe"),
]  # fmt: skip
INDICATOR = {
    "event": {"kind": "enrichment"},
    "threat": {"indicator": {"ip": "10.0.0.1", "port": 2, "type": "ipv4-addr"}, "feed": {"name": "f"}},
}


def documents() -> list[dict[str, Any]]:
    return [
        {
            "@timestamp": iso_exact(START + int(minute * MINUTE)),
            "event": {"category": "process", "kind": "event", "action": "start"},
            "host": {"name": host}, "user": {"name": user}, "process": {"name": name, "pid": number},
            "source": {"ip": f"10.0.0.{number}"},
        }
        for number, (minute, host, user, name) in enumerate(EVENTS)
    ]  # fmt: skip


def described(more: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in rule(**more).items() if value is not None}


def in_service(folder, more: dict[str, Any]) -> list[dict[str, Any]]:
    office = Office(folder, [described(more)])
    office.event(index="ti-a", **INDICATOR)
    office.turn()
    for (minute, *_), document in zip(EVENTS, documents(), strict=True):
        office.until(START + int(minute * MINUTE))
        office.event(**{name: value for name, value in document.items() if name != "@timestamp"})
    office.until(START + 5 * MINUTE)
    office.turn()
    found: list[dict[str, Any]] = office.documents()
    return found


def in_a_hunt(folder, more: dict[str, Any]) -> list[dict[str, Any]]:
    file = folder / "events.ndjson"
    file.write_bytes(b"".join(orjson.dumps(document) + b"\n" for document in documents()))
    ready, skipped = prepare([read_rule(described(more))], open_fields=True)
    assert not skipped
    hunt = Hunt(ready, indicators=indicator_reader([flatten(INDICATOR)]))
    report = hunt.run(inputs(file), Rejects())
    assert not report.skipped
    found = []
    for alert in report.alerts:
        document = hunt_document(alert)
        found += [*document["tocsin"].pop("building_blocks", ()), document]
    return found


def inputs(file) -> list[Input]:
    return list(find_inputs([str(file)]))


def without_run(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return documents in an order that follows from what they say, without what says when and for whom."""
    plain = []
    for document in documents:
        document = {name: value for name, value in document.items() if name not in RUN}
        for ancestor in document["kibana.alert.ancestors"]:
            for name in ("id", "index", "rule"):
                ancestor.pop(name, None)
        for enrichment in document.get("threat.enrichments", ()):
            for name in ("id", "index"):
                enrichment["matched"].pop(name)
        own = document.get("tocsin", {})
        own.pop("origin", None)
        if not own:
            document.pop("tocsin", None)
        document.pop("ecs", None)
        plain.append(orjson.loads(orjson.dumps(document, default=str)))
    return sorted(plain, key=lambda document: orjson.dumps(document, option=orjson.OPT_SORT_KEYS))


def test_every_type_of_rule_is_among_them():
    assert {"eql", *(more["type"] for more in RULES.values() if "type" in more)} == RULE_TYPES.keys()


@pytest.mark.parametrize("name", RULES)
def test_a_hunt_and_the_service_give_the_same_alerts(tmp_path, name):
    hunted, raised = in_a_hunt(tmp_path, RULES[name]), in_service(tmp_path, RULES[name])
    assert hunted, "no alert at all"
    assert without_run(hunted) == without_run(raised)
