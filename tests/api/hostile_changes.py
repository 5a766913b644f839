"""Changes, imports and bulk requests that did hold, or could hold, a service that runs whatever it is asked."""

from __future__ import annotations

from typing import Any

from tests.api.hostile_searches import Hostile, search

_KIBANA = {"kbn-xsrf": "true"}
_RULES, _LISTS = "/api/detection_engine/rules", "/api/lists"
_EXCEPTIONS = "/api/exception_lists"
_NUMBERS = ",".join(map(str, range(100_000)))
_VALUES = b"\n".join(b"%d" % n for n in range(100_000))


def rule(name: str, path: str = _RULES, method: str = "POST", **about: Any) -> Hostile:
    body = {
        "name": "x", "description": "x", "severity": "low", "risk_score": 1, "interval": "5m", "from": "now-1h",
        "index": ["logs-*"], "enabled": False, "type": "eql", "language": "eql", **about,
    }  # fmt: skip
    return Hostile(name, path, body, method, _KIBANA)


def upload(name: str, path: str, file: bytes) -> Hostile:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    form = head + file + b"\r\n--x--\r\n"
    return Hostile(name, path, form, headers={**_KIBANA, "content-type": "multipart/form-data; boundary=x"})


def bulk(name: str, lines: bytes) -> Hostile:
    return Hostile(name, "/logs-hostile-default/_bulk", lines, headers={"content-type": "application/x-ndjson"})


def entries(many: int, kind: str) -> list[dict[str, Any]]:
    return [
        {"field": "process.name", "operator": "included", "type": kind, "value": f"*a{n}*b*"} for n in range(many)
    ]


CHANGES = (
    # ---- queries
    rule("rule of 100,000 numbers", query=f"any where process.pid in ({_NUMBERS})"),
    rule("rule of 15,000 numbers", query=f"any where process.pid in ({','.join(map(str, range(15_000)))})"),
    rule("rule of many or", query="any where " + " or ".join(f'process.name : "*a{n}*b"' for n in range(8_000))),
    rule("rule of unknown fields", query="any where " + " or ".join(f"a.b{n} == 1" for n in range(6_000))),
    rule(
        "rule in KQL of unknown fields",
        type="query", language="kuery", query=" or ".join(f"process.nam{n}: a" for n in range(8_000)),
    ),
    rule(
        "rule in Lucene's syntax of many words",
        type="query", language="lucene", query=" ".join(f"a{n}*" for n in range(30_000)),
    ),
    rule(
        "rule in ES|QL of many numbers",
        type="esql", language="esql",
        query=f"from logs-* metadata _id | where process.pid in ({','.join(map(str, range(15_000)))})",
    ),
    rule(
        "rule of many filters",
        type="query", language="kuery", query="*",
        filters=[{"meta": {}, "query": {"wildcard": {"process.name": f"*{n}*"}}} for n in range(10_000)],
    ),
    rule("preview of 100,000 numbers", f"{_RULES}/preview", query=f"any where process.pid in ({_NUMBERS})"),
    Hostile("rules at once", f"{_RULES}/_bulk_create", [{"name": "x"}] * 50_000, headers=_KIBANA),
    Hostile(
        "edit of 100,000 rules", f"{_RULES}/_bulk_action",
        {"action": "edit", "ids": ["x"] * 100_000, "edit": [{"type": "add_tags", "value": ["a"]}]},
        headers=_KIBANA,
    ),
    upload("import of a million empty rules", f"{_RULES}/_import", b"{}\n" * 1_000_000),
    upload("import of empty lines", f"{_RULES}/_import", b"\n" * 9_000_000),
    # ---- exceptions and lists
    *(
        Hostile(
            f"exception of 10,000 entries ({kind})", f"{_EXCEPTIONS}/items",
            {"list_id": "endpoint_list", "name": "x", "type": "simple", "entries": entries(10_000, kind)},
            headers=_KIBANA,
        )
        for kind in ("wildcard", "match")
    ),
    upload("import of a million exceptions", f"{_EXCEPTIONS}/_import", b'{"list_id":1,"entries":1}\n' * 360_000),
    upload("list of many values", f"{_LISTS}/items/_import?type=keyword", _VALUES),
    upload("list of too many bytes", f"{_LISTS}/items/_import?type=ip", b"10.0.0.1\n" * 2_000_000),
    Hostile("page of a long list", f"{_LISTS}/items/_find?list_id=a.txt&per_page=10000", None, "GET"),
    Hostile("last page of it", f"{_LISTS}/items/_find?list_id=a.txt&per_page=10000&page=100", None, "GET"),
    Hostile("all of a long list", f"{_LISTS}/items?list_id=a.txt", None, "GET"),
    Hostile("file of a long list", f"{_LISTS}/items/_export?list_id=a.txt", None, headers=_KIBANA),
    # ---- large bodies
    search("terms of a million values", {"terms": {"process.pid": list(range(1_000_000))}}),
    search("terms of 65,536 values", {"terms": {"process.name": [f"{n}" * 8 for n in range(65_536)]}}),
    Hostile("many small values", "/logs-*/_search", b"[" + b"[]," * 20_000_000 + b"1]"),
    Hostile("many small values of a rule", _RULES, b'{"a":[' + b"[]," * 340_000 + b"1]}", headers=_KIBANA),
    Hostile("empty searches", "/_msearch", b"\n" * 90_000_000, headers={"content-type": "application/x-ndjson"}),
    bulk("empty lines", b"\n" * 90_000_000),
    bulk("600,000 empty documents", b'{"create":{}}\n{}\n' * 600_000),
    bulk("many deletions", b'{"delete":{"_id":"a"}}\n' * 4_000_000),
    bulk("many documents that are none", b'{"create":{}}\n1\n' * 90_000),
    bulk("many indices", b"".join(b'{"create":{"_index":"logs-i%d"}}\n{}\n' % n for n in range(3_000))),
)  # fmt: skip
