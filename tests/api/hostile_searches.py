"""Requests that each did hold, or could hold, a service that runs whatever it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MANY_STARS = "*a" * 120 + "*b"
DEEP = 4_000


@dataclass(frozen=True)
class Hostile:
    """A request; `body` is JSON, or text as it is."""

    name: str
    path: str
    body: Any = None
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)


def search(name: str, query: Any = None, path: str = "/logs-*/_search", **body: Any) -> Hostile:
    return Hostile(name, path, {**({} if query is None else {"query": query}), **body})


def eql(name: str, query: str, **body: Any) -> Hostile:
    return Hostile(name, "/logs-*/_eql/search", {"query": query, **body})


def preview(name: str, **rule: Any) -> Hostile:
    about = {
        "name": "x", "description": "x", "severity": "low", "risk_score": 1, "interval": "1m", "from": "now-1h",
        "index": ["logs-*"], **rule,
    }  # fmt: skip
    return Hostile(name, "/api/detection_engine/rules/preview", about, headers={"kbn-xsrf": "true"})


def esql(name: str, commands: str) -> Hostile:
    return preview(name, type="esql", language="esql", query=f"from logs-* metadata _id, _index | {commands}")


def quoted(form: str, many: int) -> str:
    """Return texts of a form with the numbers up to some other, as a list in EQL."""
    return ", ".join(f'"{form.format(n)}"' for n in range(many))


def nested(query: Any, depth: int) -> Any:
    for _ in range(depth):
        query = {"bool": {"must": [query]}}
    return query


def aggregations(kind: dict[str, Any], depth: int) -> dict[str, Any]:
    return {"a": {**kind, **({"aggs": aggregations(kind, depth - 1)} if depth > 1 else {})}}


_BACKTRACKS = "(a+)+b"
_LINE = "process.command_line"
_MANY_KEYS, _MANY_GREEDY = "%{a} " * 500, "%{GREEDYDATA:a}" * 30
_DOUBLED = ", ".join([f"x0 = {_LINE}", *(f"x{n} = concat(x{n - 1}, x{n - 1})" for n in range(1, 40))])
_TERMS = {"terms": {"field": _LINE, "size": 60_000}}
_WILDCARDS = [{"wildcard": {_LINE: f"*{n}*a*"}} for n in range(3000)]
_NUMBERS = [str(n) for n in range(100_000)]
_SEARCH_LINES = b'{"index":"logs-*"}\n{"size":100,"sort":["process.command_line"]}\n'
_PARTS = ",".join(["**.a.**.b.**.c.**._id"] * 190)
_DEEP_FILTER = "(" * 3000 + "alert.attributes.name:x" + ")" * 3000
SEARCHES = (
    # ---- patterns
    Hostile("index pattern of many stars", f"/{MANY_STARS}/_search", {}),
    Hostile("many index patterns", f"/{','.join(f'*{n}*a*a*' for n in range(1000))}/_search", {}),
    Hostile("more index patterns than may be", f"/{',*' * 3000}/_count", {}),
    Hostile("field pattern of many stars", f"/_field_caps?fields={MANY_STARS}", method="GET"),
    search("fields of many stars", fields=[MANY_STARS] * 200, size=1000),
    search("source filter of many stars", _source={"includes": [MANY_STARS] * 100}, size=1000),
    search("wildcard of many stars", {"wildcard": {_LINE: MANY_STARS}}),
    search("wildcard over every field", {"query_string": {"query": MANY_STARS, "fields": ["*"]}}),
    search("field names of many stars", {"query_string": {"query": f"{MANY_STARS}:x"}}),
    search("regular expression that backtracks", {"regexp": {_LINE: _BACKTRACKS}}),
    search("numeric intervals", {"regexp": {_LINE: "<0-10000>" * 200}}),
    search("one large numeric interval", {"regexp": {_LINE: "<0-9999999999999999>"}}),
    search("repetition of repetitions", {"regexp": {_LINE: "((a{0,500}){0,500}){0,500}b"}}),
    search("complements", {"regexp": {_LINE: "~(" * 200 + "a" + ")" * 200}}),
    search("fuzzy and near", {"query_string": {"query": '"a b"~99999 AND aaaa~9'}}),
    eql("regular expression of a computed value", f'any where concat({_LINE}, "") regex "{_BACKTRACKS}"'),
    eql("wildcard of a computed value", f'any where concat({_LINE}, "") : "{MANY_STARS}"'),
    eql("many regular expressions", f"any where {_LINE} regex ({quoted('(a|{0})*{0}b', 800)})"),
    eql("repetitions", f'any where {_LINE} regex "(a{{0,500}}){{0,500}}b"'),
    # ---- many of something
    search("terms by the hundred thousand", {"terms": {_LINE: [f"v{n}" for n in range(100_000)]}}),
    search("wildcards by the thousand", {"bool": {"should": _WILDCARDS}}),
    search("ids by the hundred thousand", {"ids": {"values": _NUMBERS}}),
    eql("in by the hundred thousand", f"any where {_LINE} in ({quoted('{0}', 60_000)})"),
    eql("or by the thousand", "any where " + " or ".join(f'{_LINE} : "*{n}*a*"' for n in range(2000))),
    eql("concatenation by the thousand", f"any where length(concat({', '.join([_LINE] * 3000)})) > 5"),
    eql("arithmetic", "any where " + " * ".join(["process.pid"] * 3000) + " > 5"),
    Hostile("many searches", "/_msearch", _SEARCH_LINES * 200, headers={"content-type": "application/x-ndjson"}),
    # ---- depth
    Hostile(
        "nested query", "/logs-*/_search", b'{"query":' + b'{"bool":{"must":' * DEEP + b"{}" + b"}}" * DEEP + b"}"
    ),
    search("nested query, as deep as JSON", nested({"match_all": {}}, 80)),
    search("nested query that may be", nested({"term": {_LINE: "a"}}, 60)),
    search("nested query string", {"query_string": {"query": "(" * DEEP + "a" + ")" * DEEP}}),
    eql("nested condition", "any where " + "(" * DEEP + "true" + ")" * DEEP),
    eql("nested negation", "any where " + "not " * DEEP + "true"),
    eql("nested calls", "any where " + "concat(" * 900 + _LINE + ")" * 900 + ' == "x"'),
    # ---- answers without end
    search("buckets in buckets", aggs=aggregations(_TERMS, 8), size=0),
    search("many aggregations", aggs=dict.fromkeys(_NUMBERS[:300], _TERMS), size=0),
    search(
        "spans of a millisecond",
        size=0,
        aggs=aggregations({"date_histogram": {"field": "@timestamp", "fixed_interval": "1ms"}}, 3),
    ),
    search("include of terms", size=0, aggs={"a": {"terms": {**_TERMS["terms"], "include": _BACKTRACKS}}}),
    search("include of many", size=0, aggs={"a": {"terms": {"field": _LINE, "include": _NUMBERS}}}),
    search(
        "first hits of each bucket", size=0, aggs={"a": {**_TERMS, "aggs": {"t": {"top_hits": {"size": 100}}}}}
    ),
    search("as many hits as may be", size=10_000, sort=[_LINE, {"process.pid": "desc"}, "@timestamp"]),
    search("sorted by a script", sort=[{"_script": {"type": "number", "script": "while(true){}"}}]),
    search("sorted by many fields", sort=[_LINE, "process.pid", "@timestamp"] * 200, size=10_000),
    search("part of the answer", path=f"/logs-*/_search?filter_path={_PARTS}", size=10_000),
    # ---- sequences
    eql("sequence of everything", "sequence" + " [any where true]" * 4, size=10_000),
    eql("sequence with many runs", "sequence with maxspan=3650d [any where true] with runs=100 [any where false]"),
    eql(
        "sample of everything",
        "sample by host.id [any where true] [any where process.pid > 0] [any where true]",
        max_samples_per_key=100_000,
        size=10_000,
    ),
    # ---- dates
    search("date math without end", {"range": {"@timestamp": {"gte": "now" + "+1y" * 20_000}}}),
    search("date math far away", {"range": {"@timestamp": {"gte": "now-99999999999999999y"}}}),
    search("date format without end", {"range": {"@timestamp": {"gte": "1", "format": "yyyy||" * 5000}}}),
    # ---- rules that are tried
    preview("preview of many windows", type="eql", language="eql", query="any where true", invocationCount=1000),
    preview("preview in KQL", type="query", language="kuery", query=f"{_LINE}: {MANY_STARS}"),
    preview("preview in KQL, nested", type="query", language="kuery", query="(" * DEEP + "a:b" + ")" * DEEP),
    preview("preview in Lucene", type="query", language="lucene", query=f"{_LINE}:/{_BACKTRACKS}/"),
    preview(
        "preview of a threshold",
        type="threshold",
        language="kuery",
        query="*",
        threshold={"field": [_LINE, "process.pid"], "value": 1},
    ),
    esql("dissect", f'dissect {_LINE} "{_MANY_KEYS}" | keep a'),
    esql("grok", f'grok {_LINE} "{_MANY_GREEDY}b" | keep a'),
    esql("grok that backtracks", f'grok {_LINE} "^(a+)+(?<c>b)$" | keep c'),
    esql("replace", f'eval x = replace({_LINE}, "{_BACKTRACKS}", "c") | where x == "c"'),
    esql("split", f'eval x = split({_LINE}, "a") | mv_expand x | stats n = count(*) by x, {_LINE}'),
    esql("doubled again and again", f"eval {_DOUBLED} | keep x39"),
    esql("repeated", f"eval x = repeat({_LINE}, 1000000) | where length(x) > 5 | keep x"),
    esql("grouped by everything", f"stats v = values({_LINE}) by {_LINE}, process.pid | sort v desc"),
    esql("nested", "where " + "(" * DEEP + "true" + ")" * DEEP),
    Hostile(
        "exception of many wildcards",
        "/api/exception_lists/items/_preview",
        {"entries": [{"field": _LINE, "type": "wildcard", "operator": "included", "value": MANY_STARS}] * 500},
        headers={"kbn-xsrf": "true"},
    ),
    Hostile("rules by a nested filter", f"/api/detection_engine/rules/_find?filter={_DEEP_FILTER}", method="GET"),
    Hostile(
        "alerts by a pattern",
        "/api/detection_engine/signals/search",
        {"query": {"wildcard": {"kibana.alert.rule.name": MANY_STARS}}},
        headers={"kbn-xsrf": "true"},
    ),
)
