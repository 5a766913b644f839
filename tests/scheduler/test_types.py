"""Rule types beside EQL: thresholds, new terms, indicators."""

from __future__ import annotations

import pytest

from tests.scheduler.virtual import MINUTE, SECOND, START, Office, rule
from tocsin.store.alerts.alert_index import AlertIndex
from tocsin.store.composite import CompositeStore

HOUR = 60 * MINUTE


def events(office, *rows):
    """Bring events in, each (minute, fields)."""
    for minute, fields in rows:
        office.until(START + int(minute * MINUTE))
        office.event(event={"category": "process"}, **fields)


def run_until(office, minute):
    office.until(START + int(minute * MINUTE))
    office.turn()


def on(host, user=None, **more):
    return {"host": {"name": host}, **({"user": {"name": user}} if user else {}), **more}


# ---- thresholds


def threshold(**threshold):
    return rule("r", "*:*", type="threshold", language="kuery", threshold=threshold)


def results(office):
    return [
        (
            {term["field"]: term["value"] for term in d["kibana.alert.threshold_result"]["terms"]},
            d["kibana.alert.threshold_result"]["count"],
        )
        for d in office.documents()
    ]


def test_a_group_that_is_large_enough_is_one_alert(tmp_path):
    office = Office(tmp_path, [threshold(field=["host.name"], value=3)])
    office.turn()
    events(office, (1, on("a")), (1, on("a")), (2, on("b")), (3, on("a")), (3, on("b")))
    run_until(office, 20)
    assert results(office) == [({"host.name": "a"}, 3)]


def test_an_event_counts_for_one_alert(tmp_path):
    """Two windows hold minutes 1 to 4; what the first has counted the second leaves out."""
    office = Office(tmp_path, [threshold(field=["host.name"], value=2)])
    office.turn()
    events(office, (1, on("a")), (4, on("a")))
    run_until(office, 5)
    events(office, (6, on("a")))
    run_until(office, 10)
    assert results(office) == [({"host.name": "a"}, 2)]
    events(office, (11, on("a")))
    run_until(office, 15)
    assert results(office) == [({"host.name": "a"}, 2), ({"host.name": "a"}, 2)]


@pytest.mark.parametrize(("least", "alerts"), [(2, 1), (3, 0)])
def test_a_group_needs_different_values_of_another_field(tmp_path, least, alerts):
    cardinality = [{"field": "user.name", "value": least}]
    office = Office(tmp_path, [threshold(field=["host.name"], value=3, cardinality=cardinality)])
    office.turn()
    events(office, (1, on("a", "ann")), (1, on("a", "ann")), (2, on("a", "ben")))
    run_until(office, 5)
    assert len(office.alerts()) == alerts


def test_without_fields_all_events_are_one_group(tmp_path):
    office = Office(tmp_path, [threshold(field=[], value=2)])
    office.turn()
    events(office, (1, on("a")), (1, {}))
    run_until(office, 5)
    assert results(office) == [({}, 2)]


def test_an_event_without_the_field_is_in_no_group_and_one_with_two_values_in_two(tmp_path):
    office = Office(tmp_path, [threshold(field=["process.args"], value=2)])
    office.turn()
    events(office, (1, {"process": {"args": ["x", "y"]}}), (2, {"process": {"args": ["x"]}}), (2, {}), (3, {}))
    run_until(office, 5)
    assert results(office) == [({"process.args": "x"}, 2)]


# ---- new terms


def new_terms(*fields, history="now-2h", **more):
    asked = {"new_terms_fields": list(fields), "history_window_start": history, **more}
    return rule("r", "*:*", type="new_terms", language="kuery", **asked)


def terms(office):
    return sorted(d["kibana.alert.new_terms"] for d in office.documents())


def test_a_value_that_history_has_not_seen_is_an_alert(tmp_path):
    office = Office(tmp_path, now=START - 5 * MINUTE)
    office.event(time=START - HOUR, event={"category": "process"}, **on("a", "old"))
    office.until(START)
    office.add(new_terms("user.name"))
    office.turn()
    events(office, (1, on("a", "old")), (2, on("a", "new")), (3, on("b", "new")))
    run_until(office, 60)
    assert terms(office) == [["new"]]
    [document] = office.documents()
    assert document["host"]["name"] == "a"  # its first event


def test_a_value_is_new_again_when_history_has_forgotten_it(tmp_path):
    office = Office(tmp_path, [new_terms("user.name")])
    office.turn()
    events(office, (1, on("a", "ann")))
    run_until(office, 10)
    events(office, (90, on("a", "ann")))
    run_until(office, 100)
    assert terms(office) == [["ann"]]
    events(office, (300, on("a", "ann")))
    run_until(office, 310)
    assert terms(office) == [["ann"], ["ann"]]


def test_combinations_of_several_fields_are_new_together(tmp_path):
    office = Office(tmp_path, [new_terms("user.name", "host.name")])
    office.turn()
    events(office, (1, on("a", "ann")), (2, on("b", "ben")), (3, on("a")))
    run_until(office, 20)
    events(office, (21, on("b", "ann")), (22, on("a", "ann")))
    run_until(office, 30)
    assert terms(office) == [["ann", "a"], ["ann", "b"], ["ben", "b"]]


def test_the_layout_of_elastics_files_is_read(tmp_path):
    nested = {"value": ["user.name"], "history_window_start": [{"value": "now-1h"}]}
    office = Office(tmp_path, [rule("r", "*:*", type="new_terms", language="kuery", new_terms=nested)])
    office.turn()
    events(office, (1, on("a", "ann")))
    run_until(office, 5)
    assert terms(office) == [["ann"]]


# ---- indicators


def threat_match(*groups, **more):
    mapping = [
        {"entries": [{"field": f, "type": "mapping", "value": v, **m} for f, v, m in group]} for group in groups
    ]
    asked = {"threat_index": ["ti-*"], "threat_query": "*:*", "threat_mapping": mapping, **more}
    return rule("r", "source.ip: *", type="threat_match", language="kuery", **asked)


IP: tuple[str, str, dict[str, bool]] = ("source.ip", "threat.indicator.ip", {})
PORT: tuple[str, str, dict[str, bool]] = ("source.port", "threat.indicator.port", {})


def indicator(office, **fields):
    office.event(index="ti-abuse", threat={"indicator": fields, "feed": {"name": "abuse"}})


def test_an_event_with_a_value_of_an_indicator_is_an_alert(tmp_path):
    office = Office(tmp_path, [threat_match([IP])])
    indicator(office, ip="10.0.0.1", type="ipv4-addr")
    office.turn()
    events(office, (1, {"source": {"ip": "10.0.0.1"}}), (2, {"source": {"ip": "10.0.0.2"}}))
    run_until(office, 20)
    [document] = office.documents()
    [enrichment] = document["threat.enrichments"]
    assert enrichment["indicator"] == {"ip": "10.0.0.1", "type": "ipv4-addr"}
    assert enrichment["matched"]["atomic"] == "10.0.0.1"
    assert enrichment["matched"]["field"] == "source.ip"
    assert enrichment["feed"] == {"name": "abuse"}


@pytest.mark.parametrize(
    ("mapping", "alerts"),
    [
        ([[IP, PORT]], [443]),  # both
        ([[IP], [PORT]], [443, 80]),  # one of them
        ([[IP, (*PORT[:2], {"negate": True})]], [80]),
    ],
)
def test_entries_of_a_group_hold_together(tmp_path, mapping, alerts):
    office = Office(tmp_path, [threat_match(*mapping)])
    indicator(office, ip="10.0.0.1", port=443)
    office.turn()
    events(office, *((1, {"source": {"ip": "10.0.0.1", "port": port}}) for port in (443, 80)))
    run_until(office, 5)
    assert sorted(d["source"]["port"] for d in office.documents()) == sorted(alerts)


def test_the_query_of_indicators_is_read_at_each_run(tmp_path):
    office = Office(tmp_path, [threat_match([IP], threat_query='@timestamp >= "now-1h"')])
    indicator(office, ip="10.0.0.1")
    office.turn()
    events(office, (10, {"source": {"ip": "10.0.0.1"}}))
    run_until(office, 15)
    assert len(office.alerts()) == 1
    events(office, (90, {"source": {"ip": "10.0.0.1"}}))
    run_until(office, 95)
    assert len(office.alerts()) == 1


# ---- overrides


def test_severity_score_and_name_come_from_the_event(tmp_path):
    more = {
        "severity_mapping": [
            {"field": "event.severity", "operator": "equals", "value": "3", "severity": "critical"},
            {"field": "event.severity", "operator": "equals", "value": "3", "severity": "medium"},
        ],
        "risk_score_mapping": [{"field": "event.risk_score", "operator": "equals", "value": ""}],
        "rule_name_override": "message",
        "building_block_type": "default",
    }
    office = Office(tmp_path, [rule("r", "any where true", **more)])
    office.turn()
    office.event(event={"severity": 3, "risk_score": 88.4}, message="Malware found")
    office.until(START + 5 * MINUTE + SECOND)
    office.turn()
    [document] = office.documents()
    assert document["kibana.alert.severity"] == "critical"
    assert document["kibana.alert.risk_score"] == 88
    assert document["kibana.alert.rule.name"] == "Malware found"
    assert document["kibana.alert.building_block_type"] == "default"


def on_alerts(name, query, **more):
    return rule(name, query, **{"type": "query", "language": "kuery", "index": [".alerts-security.*"], **more})


def office_of_alerts(folder, rules):
    office = Office(folder, rules)
    office.seen = CompositeStore(office.store, [AlertIndex(office.records)])
    office.turn()
    return office


def test_a_rule_on_alerts_reads_them(tmp_path):
    rules = [rule(), on_alerts("higher", "kibana.alert.rule.name: r"), on_alerts("highest", "process.name: *")]
    office = office_of_alerts(tmp_path, rules)
    events(office, (0, {"process": {"name": "bad.exe"}}))
    for minute in (5, 6, 10, 11, 15, 20):
        run_until(office, minute)
    documents = office.documents()
    names = [document["kibana.alert.rule.name"] for document in documents]
    assert sorted(names) == ["higher", "highest", "highest", "r"]
    first, second = (documents[names.index(name)] for name in ("r", "higher"))
    third = max(documents, key=lambda document: document["kibana.alert.depth"])
    assert [one["kibana.alert.depth"] for one in (first, second, third)] == [1, 2, 3]
    event, *alerts = third["kibana.alert.ancestors"]
    assert (event["type"], event["depth"]) == ("event", 0)
    assert [(a["type"], a["id"], a["rule"], a["depth"]) for a in alerts] == [
        ("signal", one["kibana.alert.uuid"], one["kibana.alert.rule.uuid"], one["kibana.alert.depth"])
        for one in (first, second)
    ]


@pytest.mark.parametrize(
    "circle",
    [
        [on_alerts("a", "process.name: *", index=[".alerts-*", "logs-*"])],
        [on_alerts("a", "process.name: *", index=[".alerts-*", "logs-*"]), on_alerts("b", "process.name: *")],
        [rule("a", 'any where process.name == "bad.exe"', index=["logs-*", ".alerts-security.alerts-default"])],
        [
            rule(
                "a", "from logs-*, .alerts-* | where process.name is not null", type="esql", language="esql",
                index=[],
            )
        ],
    ],
    ids=["itself", "two", "eql", "esql"],
)  # fmt: skip
def test_rules_that_would_raise_alerts_of_their_own_alerts_for_ever_do_not(tmp_path, circle):
    office = office_of_alerts(tmp_path, circle)
    events(office, (0, {"process": {"name": "bad.exe"}}))
    for minute in range(1, 60):
        run_until(office, minute)
    assert len(office.alerts()) == len(circle)


# ---- ES|QL


def esql(commands, **more):
    return rule("r", f"from logs-* metadata _id | {commands}", type="esql", language="esql", index=[], **more)


def test_an_event_that_a_piped_query_leaves_is_one_alert(tmp_path):
    """Two windows hold it; the alert is the event with what the query has made beside."""
    made = 'where host.name like "a*" | eval Esql.longer = concat(host.name, "!") | keep Esql.*'
    office = Office(tmp_path, [esql(made)])
    office.turn()
    events(office, (1, on("ann")), (3, on("ben")), (4, on("abe")))
    run_until(office, 20)
    assert [(d["host"]["name"], d["Esql"]["longer"]) for d in office.documents()] == [
        ("ann", "ann!"), ("abe", "abe!"),
    ]  # fmt: skip
    (first, *_) = office.documents()
    assert first["kibana.alert.rule.rule_type_id"] == "siem.esqlRule"
    assert first["kibana.alert.ancestors"][0]["type"] == "event"
    assert sum(run.duplicates for run in office.executions()) > 0


def test_a_group_is_one_alert_while_windows_overlap_and_a_new_one_behind_them(tmp_path):
    office = Office(tmp_path, [esql("stats c = count(*), u = values(user.name) by host.name | where c >= 2")])
    office.turn()
    events(office, (1, on("a", "ann")), (2, on("a", "ben")), (4.5, on("a", "cid")))
    run_until(office, 5)
    events(office, (6, on("a", "dan")))
    run_until(office, 10)  # its window holds minutes 1 to 10
    (alert,) = office.documents()
    assert (alert["host"]["name"], alert["c"], alert["u"]) == ("a", 3, ["ann", "ben", "cid"])
    assert len(alert["kibana.alert.ancestors"]) == 3
    events(office, (13, on("a", "eve")), (14, on("a", "fay")))
    run_until(office, 20)
    assert [d["u"] for d in office.documents()] == [["ann", "ben", "cid"], ["dan", "eve", "fay"]]


def test_the_time_of_a_piped_query_is_that_of_the_tick(tmp_path):
    office = Office(tmp_path, [esql("where @timestamp < now() - 5m | keep *", **{"from": "now-11m"})])
    office.turn()
    events(office, (1, on("a")))
    run_until(office, 5)
    assert office.alerts() == []
    run_until(office, 10)
    assert len(office.alerts()) == 1


def test_a_piped_query_that_fails_does_so_alone(tmp_path):
    """A regular expression that would run for ever is ended, and the other rules go on."""
    endless = esql('where replace(host.name, "(a|aa)+$", "") == "x"')
    office = Office(tmp_path, [endless, rule("other", "process where true")])
    office.turn()
    events(office, (1, on("a" * 5000 + "b")))
    run_until(office, 5)
    names = office.names()
    found = {names[run.rule_uuid]: run for run in office.executions()}
    assert found["r"].status == "failed"
    assert "cannot be evaluated" in found["r"].messages[0]
    assert [name for name, _ in office.named_alerts()] == ["other"]


def test_piped_rules_have_their_exceptions_and_suppression(tmp_path):
    suppression = {"group_by": ["Esql.first"]}
    office = Office(
        tmp_path, [esql("eval Esql.first = left(host.name, 1) | keep Esql.*", alert_suppression=suppression)]
    )
    office.turn()
    events(office, (1, on("ann")), (2, on("abe")), (3, on("ben")))
    run_until(office, 5)
    counts = {d["host"]["name"]: d["kibana.alert.suppression.docs_count"] for d in office.documents()}
    assert counts == {"ann": 1, "ben": 0}


# ---- fields that events bring along

_UNHEARD = {
    "eql": {"query": 'iam where aws.cloudtrail.request_parameters : "*quarantine*"'},
    "esql": {
        "query": """from logs-* metadata _id
        | where event.category == "iam" and aws.cloudtrail.request_parameters like "*Quarantine*" """,
    },
}


@pytest.mark.parametrize("language", _UNHEARD)
def test_a_field_that_no_schema_knows_comes_with_the_events(tmp_path, language):
    """Elasticsearch fails such a rule for an unknown column until an index has the field.

    There an integration's package tells its fields before an event has them: here that is a warning, said once.
    """
    office = Office(tmp_path, [rule("r", type=language, language=language, **_UNHEARD[language])])
    office.turn()
    events(office, (1, on("a")))
    for minute in (5, 10, 15):
        run_until(office, minute)
    [waited] = office.executions()
    assert (waited.status, waited.ticks) == ("warning", 3)
    assert waited.messages == [
        "no event has had the field `aws.cloudtrail.request_parameters`: the rule cannot match until one has"
    ]
    assert office.gaps() == []
    parameters = {"cloudtrail": {"request_parameters": "{policyArn=AWSCompromisedKeyQuarantineV2}"}}
    office.until(START + 16 * MINUTE)
    office.event(event={"category": "iam"}, aws=parameters)
    run_until(office, 20)
    assert len(office.alerts()) == 1
    assert [one.status for one in office.executions()][1:] == ["succeeded"]
