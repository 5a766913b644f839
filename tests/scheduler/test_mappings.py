"""Rules on the clock see the mappings of their own indices: versions, aliases, nulls, dates, other types."""

from __future__ import annotations

import orjson
import pytest

from tests.scheduler.virtual import MINUTE, START, Office, iso_exact, rule
from tocsin.store.events import Document
from tocsin.store.lake.lake import LakeSettings, LakeStore
from tocsin.store.mappings.reading import read_mapping

PROPERTIES = {
    "agent.version": {"type": "version"},
    "login": {"type": "alias", "path": "user.name"},
    "user.name": {"type": "keyword"},
    "status": {"type": "keyword", "null_value": "NONE"},
    "seen": {"type": "date", "format": "yyyy/MM/dd"},
    "process.pid": {"type": "keyword"},
    "note": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
}


@pytest.fixture
def office(tmp_path):
    office = Office(tmp_path)
    office.seen = LakeStore(tmp_path / "lake", LakeSettings(reserve=0), office.clock)
    office.seen.begin("logs-mapped", read_mapping({"properties": PROPERTIES}))
    yield office
    office.seen.close()


def alerts_of(office, events, *rules):
    """Return, for each rule, the numbers of the events that it alerted on."""
    for document in rules:
        office.add(document)
    office.turn()
    office.until(START + MINUTE)
    for number, event in enumerate(events, 1):
        document = {"@timestamp": iso_exact(office.now), "n": number, "event": {"category": "process"}, **event}
        index = document.pop("_index", "logs-mapped")
        office.seen.add([Document(index, office.now, orjson.dumps(document), None)])
    office.until(START + 6 * MINUTE)
    office.turn()
    found: dict[str, list[int]] = {}
    for document in office.documents():
        if "n" in document:  # a sequence's own alert has what its events have in common
            found.setdefault(document["kibana.alert.rule.rule_id"], []).append(document["n"])
    return {name: sorted(numbers) for name, numbers in found.items()}


EVENTS = [
    {"agent": {"version": "1.9.0"}, "user": {"name": "alice"}, "status": None, "seen": "2026/01/05"},
    {"agent": {"version": "1.10.0"}, "user": {"name": "bob"}, "status": "open", "note": "lazy dog"},
]


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"query": 'process where agent.version < "1.10.0"'}, [1]),
        ({"query": 'process where login == "bob"'}, [2]),
        ({"query": 'process where status == "NONE" and seen == "2026-01-05T00:00:00Z"'}, [1]),
        ({"type": "query", "language": "kuery", "query": "login: bob and agent.version >= 1.10"}, [2]),
        ({"type": "query", "language": "kuery", "query": "note: DOG"}, [2]),
        ({"type": "query", "language": "lucene", "query": "login:ali* AND agent.version:[1.2 TO 1.9.9]"}, [1]),
        ({"type": "esql", "language": "esql",
          "query": 'from logs-* metadata _id | where agent.version > "1.9.0" and login == "bob"'}, [2]),
        ({"type": "esql", "language": "esql",
          "query": 'from logs-* metadata _id | where status == "NONE" | keep login, _id'}, [1]),
        ({"query": 'process where true', "alert_suppression": {"group_by": ["status"]}}, [1, 2]),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_rules_follow_mappings(office, about, expected):
    assert alerts_of(office, EVENTS, rule("r", **about)) == {"r": expected}


def test_a_sequence_joined_by_an_alias(office):
    events = [{"user": {"name": "alice"}}, {"user": {"name": "alice"}}, {"user": {"name": "bob"}}]
    query = "sequence by login [process where n < 3] [process where n > 1]"
    assert alerts_of(office, events, rule("r", query=query)) == {"r": [1, 2]}
    [shell] = [one for one in office.documents() if "n" not in one]
    assert shell["user"]["name"] == "alice"


def test_each_rule_is_read_against_its_own_indices(office):
    """`process.pid` is a keyword in one index by its mapping, and a number, as ECS has it, in the other."""
    events = [
        {"process": {"pid": "x4"}},
        {"process": {"pid": 4}},
        {"process": {"pid": 4}, "_index": "logs-other"},
        {"process": {"pid": 5}, "_index": "logs-other"},
    ]
    office.seen.add(
        [Document("logs-other", 0, b'{"@timestamp":"1970-01-01T00:00:00Z","process":{"pid":1}}', None)]
    )
    found = alerts_of(
        office,
        events,
        rule("keyword", index=["logs-mapped"], query='process where process.pid == "4" or process.pid == "x4"'),
        rule("number", index=["logs-other"], query="process where process.pid == 4"),
        rule("both", index=["logs-*"], query="process where process.pid == 4"),
    )
    assert found == {"keyword": [1, 2], "number": [3], "both": [2, 3]}


def test_a_mapping_that_comes_later(office):
    office.add(rule("r", index=["logs-late"], query='process where build.version < "1.10"'))
    office.turn()
    office.seen.begin(
        "logs-late", read_mapping({"properties": {"build": {"properties": {"version": {"type": "version"}}}}})
    )
    events = [
        {"build": {"version": "1.9"}, "_index": "logs-late"},
        {"build": {"version": "1.11"}, "_index": "logs-late"},
    ]
    assert alerts_of(office, events) == {"r": [1]}


def test_an_esql_rule_tells_nanoseconds_apart(office):
    office.add(
        rule(
            "r",
            type="esql",
            language="esql",
            query='from logs-* metadata _id | where @timestamp == "2026-01-05T00:01:00.000000789Z"',
        )
    )
    office.turn()
    office.until(START + MINUTE)
    for rest in (788, 789):
        time = office.now + rest
        source = orjson.dumps({"@timestamp": f"2026-01-05T00:01:00.000000{rest}Z", "n": rest})
        office.seen.add([Document("logs-mapped", time, source, None)])
    office.until(START + 6 * MINUTE)
    office.turn()
    assert [document["n"] for document in office.documents()] == [789]


def test_a_piped_query_says_what_a_field_is_that_no_index_has(office):
    """`SET unmapped_fields` of Elasticsearch 9.3: a rule runs although nothing has its field, or reads documents.

    What is null while no index has the field has its values once one has.
    """
    query = 'set unmapped_fields="{}"; from logs-* | where nobody.has {}'
    office.add(rule("null", query.format("nullify", "is null"), type="esql", language="esql", index=[]))
    office.add(rule("text", query.format("load", '== "x"'), type="esql", language="esql", index=[]))
    assert alerts_of(office, [{}]) == {"null": [1]}
    document = {"@timestamp": iso_exact(office.now), "n": 2, "nobody": {"has": "x"}}
    office.seen.add([Document("logs-mapped", office.now, orjson.dumps(document), None)])
    for minute in range(7, 15):
        office.until(START + minute * MINUTE)
        office.turn()
    found = {(d["kibana.alert.rule.rule_id"], d["n"]) for d in office.documents()}
    assert found == {("null", 1), ("text", 2)}
