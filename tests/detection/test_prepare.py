"""Which rules can run, what their queries and filters state together, and why others cannot."""

from __future__ import annotations

from typing import Any

import pytest

from tocsin.detection.compile import doubtful_fields, prepare
from tocsin.engine.evaluate import evaluate
from tocsin.engine.graph import compile_queries
from tocsin.engine.table import table_from_events
from tocsin.eql import syntax as s
from tocsin.rules.model import Rule

EVENTS: list[dict[str, Any]] = [
    {"event.category": "process", "process.name": "cmd.exe", "file.path": "C:\\Temp\\a.ps1"},
    {"event.category": ["process", "file"], "process.name": "cmd.exe", "file.path": "C:\\Program Files\\a.ps1"},
    {"event.category": "network", "process.name": "cmd.exe"},
    {"event.category": "process", "process.name": "pwsh.exe", "file.path": "C:\\Temp\\b.ps1"},
]


def rule_of(query, type_="query", language="kuery", **more):
    about = {"rule_id": "r", "name": "r", "severity": "low", "risk_score": 1}
    return Rule.model_validate({**about, "type": type_, "language": language, "query": query, **more})


def matching(rule):
    ready, skipped = prepare([rule])
    assert skipped == []
    program = compile_queries([ready[0].keyed_query(any_index=True)])
    table = table_from_events(EVENTS, program.fields)
    return [int(row) for row in evaluate(program, table).get(("r", 0), [])]


def filter_of(query, **meta):
    return {"meta": meta, "query": query}


TEMP = {"wildcard": {"file.path": {"value": "?:\\\\temp\\\\*", "case_insensitive": True}}}
# what -> a rule, and the events that it matches
RUN = {
    "EQL": (rule_of('process where process.name == "cmd.exe"', "eql", "eql"), [0, 1]),
    "EQL that does not say so": (rule_of('process where process.name == "cmd.exe"', "eql", None), [0, 1]),
    "KQL": (rule_of("event.category: process and process.name: cmd.exe"), [0, 1]),
    "KQL that does not say so": (rule_of("process.name: cmd.exe", language=None), [0, 1, 2]),
    "KQL of two categories": (rule_of("event.category: (process and file)"), [1]),
    "Lucene": (rule_of("event.category:process AND process.name:cmd.*", language="lucene"), [0, 1]),
    "a saved query that is at hand": (rule_of("process.name: pwsh.exe", "saved_query", saved_id="x"), [3]),
    "a filter": (rule_of("event.category: process", filters=[filter_of(TEMP)]), [0, 3]),
    "a filter that excludes": (rule_of("event.category: process", filters=[filter_of(TEMP, negate=True)]), [1]),
    "a filter that is off": (rule_of("event.category: network", filters=[filter_of(TEMP, disabled=True)]), [2]),
    "several filters": (
        rule_of(
            'any where process.name == "cmd.exe"',
            "eql",
            "eql",
            filters=[{"meta": {}, "exists": {"field": "file.path"}}, filter_of(TEMP, negate=True)],
        ),
        [1],
    ),
}


@pytest.mark.parametrize("what", RUN)
def test_a_rule_matches(what):
    rule, expected = RUN[what]
    assert matching(rule) == expected


def test_a_query_that_demands_a_category_lets_other_events_be_left_out():
    ready, _ = prepare([rule_of("event.category: process and a: b"), rule_of("a: b or event.category: process")])
    assert [one.categories for one in ready] == [frozenset({"process"}), None]


def test_a_filter_holds_for_each_step_of_a_sequence_and_for_until():
    query = "sequence [process where true] [network where true] until [file where true]"
    ready, _ = prepare([rule_of(query, "eql", "eql", filters=[filter_of({"term": {"user.id": "7"}})])])
    filtered: s.Expression = s.Comparison("==", s.FieldRef("user.id"), s.Literal("7"))
    for event in s.event_queries(ready[0].statement.query):
        assert filtered in s.walk(event.condition)


# what -> a rule, the reason why it does not run, and what is said of it
SKIPPED = {
    "a type of later": (rule_of("x", "machine_learning", "kuery"), "type machine_learning", "cannot run here"),
    "a language of nobody": (rule_of("x", "query", "sql"), "type query (sql)", "cannot run here"),
    "a saved query elsewhere": (rule_of(None, "saved_query", saved_id="x"), "invalid rule", "has no query"),
    "KQL that is none": (rule_of("a: (b"), "invalid query", "ends too early"),
    "Lucene that is none": (rule_of("a:(b", language="lucene"), "invalid query", "never closed"),
    "a filter that is none": (
        rule_of("a: b", filters=[filter_of({"fuzzy": {"a": "b"}})]),
        "invalid filter",
        "unknown query [fuzzy]",
    ),
}


@pytest.mark.parametrize("what", SKIPPED)
def test_a_rule_is_skipped_with_a_reason(what):
    rule, reason, said = SKIPPED[what]
    ready, skipped = prepare([rule])
    assert ready == []
    assert [one.reason for one in skipped] == [reason]
    assert said in skipped[0].message


# what -> a rule, and what is told about its fields
DOUBTFUL = {
    "a slip in KQL": (
        rule_of("proces.name: x and user.name: y"),
        ["`proces.name`", "did you mean `process.name`"],
    ),
    "a multi-field": (rule_of("process.name.caseless: x and process.command_line.text: y"), []),
    "a prefix that is known": (rule_of("winlog.event_data.Whatever: x"), []),
    "what EQL's author marked": (rule_of("process where ?proces.name == null", "eql", "eql"), []),
}


@pytest.mark.parametrize("what", DOUBTFUL)
def test_a_field_that_nobody_knows_is_told_of(what):
    rule, said = DOUBTFUL[what]
    (ready,), _ = prepare([rule])
    told = doubtful_fields(ready)
    assert len(told) == bool(said)
    assert all(part in told[0] for part in said)


# Each names a field that no schema knows, and has a fault besides: the fault is told, which no event mends.
FAULTY = {
    "ES|QL with a command that is not run": (
        rule_of('from logs-* | where none.field == "x" | completion a = none.field', "esql", "esql"),
        "`COMPLETION` is not supported",
    ),
    "ES|QL with a wrong argument": (
        rule_of('from logs-* | where none.field == "x" and match(process.name, process.args)', "esql", "esql"),
        "match takes a column and a text",
    ),
    "ES|QL with a column that `stats` has left out": (
        rule_of("from logs-* | stats c = count(none.field) by host.id | where process.pid > 1", "esql", "esql"),
        "there is no column `process.pid` here",
    ),
    "EQL": (
        rule_of('any where none.field == "x" and cidrMatch(source.ip, "10.0.0.0/99")', "eql", "eql"),
        "10.0.0.0/99",
    ),
}


@pytest.mark.parametrize("what", FAULTY)
def test_a_fault_is_not_hidden_by_an_unknown_field(what):
    rule, told = FAULTY[what]
    ready, skipped = prepare([rule])
    assert ready == []
    assert [one.reason for one in skipped] == ["invalid query"]
    assert told.lower() in skipped[0].message.lower()


def test_a_query_with_nothing_wrong_but_an_unknown_field_waits_for_the_field():
    query = (
        'from logs-* | mv_expand none.a | where match(none.b::string, "x") and cidr_match(none.c, "10.0.0.0/8") '
        '| grok none.d "%{WORD:made.@w}" | eval made.e = date_trunc(1 hour, none.e), made.f = none.f::double / 2 '
        "| stats made.g = first(none.g, none.e), made.h = weighted_avg(none.h, none.i) by none.j, made.e"
    )
    _, skipped = prepare([rule_of(query, "esql", "esql")])
    assert [one.reason for one in skipped] == ["unknown field"]
