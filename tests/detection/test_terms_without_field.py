"""Words that name no field mean the same wherever a query stands.

Elasticsearch looks for them in every field that can be searched (`index.query.default_field` is `*`): in analysed
texts for words, in all others for whole values; a word that a field's type cannot have is passed over there
(server/src/main/java/org/elasticsearch/index/search/QueryParserHelper.java).
"""

from __future__ import annotations

from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.scheduler.virtual import MINUTE, START, Office, rule
from tests.store.memory import MemoryStore
from tocsin.detection.compile import prepare
from tocsin.detection.hunt import Hunt
from tocsin.moments import to_nanoseconds
from tocsin.rules.model import Rule
from tocsin.search.hits import context_of, read_search, run_search
from tocsin.search.selection import Clock
from tocsin.sources.batch import Rejects
from tocsin.sources.inputs import find_inputs
from tocsin.store.events import Document
from tocsin.store.lake.lake import LakeSettings, LakeStore

EVENTS: list[dict[str, Any]] = [
    {"message": "Invoke-Mimikatz", "event": {"category": "process"}, "process": {"name": "mimikatz.exe"}},
    {"process": {"name": "x.exe", "pid": 4624, "args": ["-k", "mimikatz"]}, "event": {"category": "process"}},
    {"source": {"ip": "10.1.2.3"}, "unheard": {"of": "Two Words", "count": 7, "yes": True}},
    {"powershell": {"file": {"script_block_text": "Invoke-Mimikatz -All"}}, "user": {"name": "ann"}},
    {"event": {"original": "mimikatz", "created": "2019-03-04T12:00:00Z"}},
]
for number, event in enumerate(EVENTS):
    event |= {"@timestamp": f"2026-01-05T00:0{number}:30.000Z", "n": str(number)}
# (language, query) -> the events that it finds
QUERIES: dict[tuple[str, str], list[int]] = {
    ("lucene", "*mimikatz*"): [0, 1, 3],
    ("lucene", "mimikatz"): [0, 1],
    ("lucene", "mimikatz.exe"): [0],
    ("lucene", "Mimikatz.exe"): [],
    ("lucene", '"invoke mimikatz"'): [0],
    ("lucene", '"Invoke-Mimikatz"'): [0, 3],
    ("lucene", "process.name:x.exe AND *mimi*"): [1],
    ("lucene", "*mimi* AND NOT process.name:*"): [3],
    ("lucene", "NOT *mimi*"): [2, 4],
    ("lucene", "4624"): [1],
    ("lucene", "10.1.2.3"): [2],
    ("lucene", "2019-03-04"): [4],
    ("lucene", '"Two Words"'): [2],
    ("lucene", "Two"): [],
    ("lucene", "/.*\\.exe/"): [0, 1],
    ("lucene", "process.\\*:mimikatz*"): [0, 1],
    ("lucene", "_exists_:process"): [0, 1],
    ("lucene", "_exists_:unheard"): [2],
    ("lucene", "unheard.\\*:7"): [2],
    ("kuery", "*mimikatz*"): [0, 1, 3],
    ("kuery", "mimikatz"): [0, 1],
    ("kuery", '"invoke mimikatz"'): [0],
    ("kuery", "event.category: process and not *Invoke*"): [1],
    ("kuery", "process.*: mimikatz*"): [0, 1],
    ("kuery", "unheard.of: *"): [2],
    ("kuery", "unheard: *"): [2],
    ("kuery", "7"): [2],
    # fields that no schema knows have the types of their values, which rules do not know beforehand
    ("kuery", "unheard.count: 7"): [2],
    ("kuery", 'unheard.count: ("6" or 7)'): [2],
    ("kuery", "unheard.count >= 7 and unheard.count < 10"): [2],
    ("kuery", "unheard.count > 7"): [],
    ("kuery", "unheard.yes: true"): [2],
    ("lucene", "unheard.count:[5 TO 9]"): [2],
    ("lucene", "unheard.yes:true AND unheard.of:Two\\ Words"): [2],
}
# a query in JSON -> the events that it finds
FILTERS: list[tuple[dict[str, Any], list[int]]] = [
    ({"query_string": {"query": "*mimikatz*", "default_field": "process.*"}}, [0, 1]),
    ({"query_string": {"query": "mimikatz", "fields": ["message^3", "process.name"]}}, [0]),
    ({"query_string": {"query": "ann mimikatz", "default_operator": "AND"}}, []),
    ({"multi_match": {"query": "mimikatz"}}, [0, 1]),
    ({"multi_match": {"query": "invoke mimikatz", "type": "phrase"}}, [0]),
    ({"multi_match": {"query": "mimi", "type": "phrase_prefix", "fields": ["message", "process.*"]}}, [0, 1]),
    ({"multi_match": {"query": "invoke other", "operator": "and", "fields": ["message"]}}, []),
    ({"simple_query_string": {"query": "mimi* + -ann"}}, [0, 1]),
    ({"simple_query_string": {"query": "ann | 10.1.2.3"}}, [2, 3]),
    ({"simple_query_string": {"query": '"invoke mimikatz" + (x | mimikatz.exe', "default_operator": "and"}}, [0]),
    ({"simple_query_string": {"query": "ann 7", "default_operator": "and"}}, []),
    ({"simple_query_string": {"query": "+|-"}}, []),
    ({"exists": {"field": "unheard"}}, [2]),
    ({"terms": {"unheard.count": [6, 7]}}, [2]),
    ({"term": {"unheard.yes": True}}, [2]),
    ({"range": {"unheard.count": {"gt": 6}}}, [2]),
    ({"match_phrase_prefix": {"message": "invoke mimi"}}, [0]),
    ({"match_bool_prefix": {"message": "other mimi"}}, [0]),
    ({"prefix": {"message": "mimi"}}, [0]),
    ({"wildcard": {"message": "m?mikatz"}}, [0]),
    ({"regexp": {"message": "mimi.+"}}, [0]),
]
ASKED: list[tuple[str, dict[str, Any], list[int]]] = [
    *(
        (f"{language} {text}", {"language": language, "query": text}, found)
        for (language, text), found in QUERIES.items()
    ),
    *((str(asked), {"language": "kuery", "filters": [{"query": asked}]}, found) for asked, found in FILTERS),
]


def as_rules() -> list[Rule]:
    about = {"severity": "low", "risk_score": 1, "type": "query", "query": "*:*"}
    return [Rule.model_validate({**about, "rule_id": name, "name": name, **more}) for name, more, _ in ASKED]


@pytest.fixture(scope="module", params=["ndjson", "json", "parquet"])
def hunted(request, tmp_path_factory):
    """The events that each query finds in a hunt: over columns, and over events that are read one by one."""
    file = tmp_path_factory.mktemp("hunt") / f"events.{request.param}"
    if request.param == "parquet":
        pq.write_table(pa.Table.from_struct_array(pa.array(EVENTS)), file)
    else:
        text = b"\n".join(map(orjson.dumps, EVENTS)) + b"\n"
        file.write_bytes(orjson.dumps(EVENTS) if request.param == "json" else text)
    ready, skipped = prepare(as_rules())
    assert not skipped
    inputs = find_inputs([str(file)])
    report = Hunt(ready, any_index=True).run(inputs, Rejects())
    assert report.total_events == len(EVENTS)
    found: dict[str, list[int]] = {}
    for alert in report.alerts:
        found.setdefault(alert.rule.rule_id, []).append(int(alert.event["n"]))
    return found


@pytest.mark.parametrize(("name", "expected"), [(name, found) for name, _, found in ASKED])
def test_a_hunt_finds_it(hunted, name, expected):
    assert hunted.get(name, []) == expected


def documents() -> list[Document]:
    return [Document("logs-a", to_nanoseconds(event["@timestamp"]), orjson.dumps(event)) for event in EVENTS]


@pytest.fixture(scope="module", params=["memory", "lake"])
def store(request, tmp_path_factory):
    if request.param == "memory":
        memory = MemoryStore()
        memory.add(documents())
        yield memory
        return
    settings = LakeSettings(flush_after=1e9, maintain_every=1e9, quiet=0, clean_after=0)
    lake = LakeStore(tmp_path_factory.mktemp("search"), settings)
    lake.add(documents()[:3])
    lake.flush()
    lake.add(documents()[3:])
    yield lake
    lake.close()


IN_JSON = [
    *(
        ({"query_string": {"query": text}}, found)
        for (language, text), found in QUERIES.items()
        if language == "lucene"
    ),
    *FILTERS,
]


@pytest.mark.parametrize(("query", "expected"), IN_JSON, ids=[str(query) for query, _ in IN_JSON])
def test_a_search_finds_it(store, query, expected):
    context = context_of(store, ["logs-*"])
    answer = run_search(
        store, ["logs-*"], read_search({"query": query, "sort": "@timestamp"}, context), context.schema, Clock(),
        parsed=True,
    )  # fmt: skip
    assert [int(hit["_source"]["n"]) for hit in answer.hits] == expected


def test_a_rule_on_the_clock_finds_it(tmp_path):
    rules = [rule(name, **{"query": "*:*", "type": "query", **more}) for name, more, _ in ASKED]
    office = Office(tmp_path, rules)
    office.turn()
    for number, event in enumerate(EVENTS):
        office.event(
            START + number * MINUTE,
            id_=str(number),
            **{name: value for name, value in event.items() if name != "@timestamp"},
        )
    office.until(START + 6 * MINUTE)
    office.turn()
    found: dict[str, list[int]] = {name: [] for name, *_ in ASKED}
    names = office.names()
    for alert in office.alerts():
        found[names[alert.rule_uuid]].append(int(orjson.loads(alert.document)["n"]))
    assert {name: sorted(numbers) for name, numbers in found.items()} == {name: found for name, _, found in ASKED}
