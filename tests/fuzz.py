"""Hostile requests to every route, made from a seed: none may be answered with 5xx. `make fuzz` sends 20,000."""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import orjson
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from tests.api.conftest import Running, run_service
from tocsin.api.app import create_app

Random = random.Random
Route = tuple[str, tuple[str, ...]]  # the address, the methods
_STARS = "*a" * 40 + "*b"
TEXTS = (
    "", " ", "*", "_all", "-*", "a" * 5000, _STARS, "..", "../../etc/passwd", "%2e%2e%2fx", "%", "%%30", "\x00",
    "\u202e", "é", "\ud83d\ude00",
    "logs-fuzz-default", "logs-*", ".alerts-security.alerts-default", "remote:logs", "process.name", "@timestamp",
    "event.category",
    "(a+)+b", "((a{0,500}){0,500}){0,500}b", "<0-10000>" * 20, "[", "(", "\\", "/(/", "a~99999", "now+1y" * 300,
    "now-99999999999y",
    "2026-13-45T99:99:99Z", "0001-01-01", "9999-12-31T23:59:59.999999999Z", "1e400", "NaN", "Infinity", "-0",
    "0x10", "true", "null",
    "any where true", "process where process.name : \"*\"", "sequence [any where true] [any where true]",
    "any where " + "(" * 400,
    "from logs-* | stats count(*) by process.name", "from logs-* metadata _id | grok process.name \"%{WORD:a}\"",
    "process.name: x or (y", "5m", "-1", "1d", "99999999999999999999d", "0s", "eql", "kuery", "open", "closed",
    "list", "ip", "ip_range",
    "::1", "10.0.0.0/33", "http://127.0.0.1:1/", "{{#a}}{{/b}}", "{{{", "<script>", "'; drop table users; --",
    "a,b,c" * 100,
    "00000000-0000-0000-0000-000000000000", "Basic !!!", "ApiKey e", "application/json; charset=utf-99",
)  # fmt: skip
NUMBERS = (
    0, -1, 1, 2, 10, 10_001, 65_537, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**30, 0.5,
    -0.0, 1e308, 5e-324,
)  # fmt: skip
WORDS = (
    "query", "filter", "size", "from", "sort", "aggs", "fields", "_source", "search_after", "bool", "must",
    "should", "must_not", "term",
    "terms", "range", "gte", "lt", "format", "wildcard", "regexp", "exists", "field", "match", "match_phrase",
    "query_string", "ids",
    "values", "prefix", "date_histogram", "fixed_interval", "calendar_interval", "time_zone", "top_hits",
    "cardinality", "include",
    "order", "min_doc_count", "name", "type", "rule_id", "id", "ids", "list_id", "item_id", "entries", "operator",
    "value", "action",
    "edit", "actions", "config", "secrets", "connector_type_id", "params", "status", "signal_ids", "tags", "note",
    "username",
    "password", "role", "scopes", "mappings", "properties", "settings", "index_patterns", "template", "version",
    "interval",
    "threshold", "threat_mapping", "alert_suppression", "exceptions_list", "severity", "risk_score", "enabled",
    "objects", "_index",
    "@timestamp", "event", "category", "process", "host", "timeframeEnd", "invocationCount", "until",
    "expire_time", "namespace_type",
)  # fmt: skip
PARAMETERS = (
    "page", "per_page", "size", "from", "sort", "sort_field", "sort_order", "filter", "filter_path", "pretty", "q",
    "df", "timeout",
    "ignore_unavailable", "id", "rule_id", "list_id", "item_id", "namespace_type", "search", "keep_alive",
    "fields", "value", "type",
    "wait_for_completion_timeout", "keep_on_completion", "overwrite", "limit", "format", "_source",
    "_source_includes", "name",
    "track_total_hits", "rest_total_hits_as_int", "search_after", "cursor", "dry_run", "refresh", "op_type",
    "rule_uuid", "h", "s",
)  # fmt: skip
_RULE = {
    "name": "x", "description": "x", "type": "eql", "language": "eql", "query": "any where true",
    "severity": "low", "risk_score": 1,
    "index": ["logs-*"], "interval": "5m", "from": "now-6m", "enabled": False,
}  # fmt: skip
_SEARCH = {
    "query": {"bool": {"must": [{"term": {"process.name": "x"}}],
    "filter": [{"range": {"@timestamp": {"gte": "now-1d"}}}]}},
    "size": 5, "sort": [{"@timestamp": {"order": "desc"}}], "fields": ["process.*"],
    "_source": {"includes": ["process.*"]},
    "aggs": {"a": {"terms": {"field": "process.name", "size": 5}, "aggs": {"b": {"date_histogram": {
        "field": "@timestamp", "fixed_interval": "1h"}}}}},
}  # fmt: skip
_ITEM = {
    "list_id": "fuzz", "name": "x", "description": "x", "type": "simple", "namespace_type": "single",
    "entries": [{"field": "process.name", "operator": "included", "type": "match", "value": "x"}],
}  # fmt: skip
_CONNECTOR = {
    "name": "x", "connector_type_id": ".webhook", "config": {"url": "http://127.0.0.1:1/", "method": "post",
    "headers": {"a": "b"}},
    "secrets": {"user": "a", "password": "b"},
}  # fmt: skip
_MAPPING = {
    "mappings": {"properties": {"a": {"type": "keyword", "fields": {"b": {"type": "text"}}}}, "dynamic": "strict"},
    "settings": {},
}
_EVENT = {
    "@timestamp": "2026-01-01T00:00:00Z",
    "process": {"name": "x", "pid": 4},
    "event": {"category": "process"},
}
# A body that a route takes, by a part of its path: the first that fits is what is changed.
BODIES: tuple[tuple[str, Any], ...] = (
    ("_eql/search", {"query": "process where process.name : \"x*\"", "size": 5,
    "filter": {"term": {"process.name": "x"}}}),
    ("_field_caps", {"fields": ["process.*"]}), ("_bulk_create", [_RULE]), ("preview", {**_RULE,
    "invocationCount": 2}),
    ("_bulk_action", {"action": "enable", "query": "", "edit": [{"type": "add_tags", "value": ["a"]}]}),
    ("signals/search", _SEARCH), ("signals/status", {"status": "closed", "query": {"match_all": {}}}),
    ("signals/tags", {"ids": ["a"], "tags": {"tags_to_add": ["a"], "tags_to_remove": []}}),
    ("signals/assignees", {"ids": ["a"], "assignees": {"add": ["a"], "remove": []}}), ("_search", _SEARCH),
    ("_count", {"query": _SEARCH["query"]}),
    ("items", _ITEM), ("exception_lists", {"list_id": "fuzz", "name": "x", "description": "x",
    "type": "detection"}),
    ("connector", _CONNECTOR), ("rules", _RULE), ("api_key", {"name": "x", "scopes": ["read"],
    "expiration": "1d"}),
    ("_template", {"index_patterns": ["logs-none-*"], "template": _MAPPING, "priority": 1}), ("_mapping",
    _MAPPING["mappings"]),
    ("/lists", {"id": "fuzz", "name": "x", "description": "x", "type": "keyword", "value": "x",
    "list_id": "fuzz"}),
    ("users", {"name": "x", "role": "viewer"}), ("_doc", _EVENT), ("_create", _EVENT), ("{index}", _MAPPING),
)  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A request."""

    method: str
    url: str
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.url[:2000]}\n{list(self.headers)}\n{self.body[:4000]!r}"


def value(draw: Random, depth: int = 3) -> Any:
    """Return something that JSON can hold."""
    kind = draw.randrange(8 if depth else 5)
    match kind:
        case 0 | 1:
            return draw.choice(TEXTS)
        case 2 | 3:
            return draw.choice(NUMBERS)
        case 4:
            return draw.choice((None, True, False, [], {}))
        case 5:
            return [value(draw, depth - 1) for _ in range(draw.choice((1, 2, 3, 50)))]
        case _:
            return {draw.choice((*WORDS, *TEXTS)): value(draw, depth - 1) for _ in range(draw.randint(1, 4))}


def changed(draw: Random, given: Any) -> Any:
    """Return something with a part of it changed, lost, or with another beside it."""
    if isinstance(given, dict) and given and draw.random() < 0.85:
        name = draw.choice(list(given))
        match draw.randrange(8):
            case 0:
                return {key: one for key, one in given.items() if key != name}
            case 1:
                return {**given, draw.choice((*WORDS, *TEXTS)): value(draw)}
            case 2:
                return {draw.choice((*WORDS, *TEXTS)) if key == name else key: one for key, one in given.items()}
            case _:
                return {**given, name: changed(draw, given[name])}
    if isinstance(given, list) and given and draw.random() < 0.7:
        at = draw.randrange(len(given))
        return [*given[:at], changed(draw, given[at]), *given[at + 1 :]] * draw.choice((1, 1, 1, 30))
    return value(draw)


def spelled(draw: Random, given: Any) -> bytes:
    """Return something as JSON, or nearly."""
    text = _json(given).encode("utf-8", "surrogatepass")
    match draw.randrange(30):
        case 0:
            return text[: draw.randrange(len(text) + 1)]
        case 1:
            return text.replace(b'"', b"\xff", 1)
        case 2:
            return b"[" * 5000
        case 3:
            return b'{"query":' * 2000 + b"1" + b"}" * 2000
        case 4:
            return text[:-1] + b',"query":1,"query":{"match_all":{}}}' if text.endswith(b"}") else text
        case 5:
            return draw.choice(
                (b"NaN", b"-Infinity", b'{"size":NaN}', b'{"size":1e999}', b"9" * 5000, b"\xef\xbb\xbf{}")
            )
        case 6:
            return draw.randbytes(200)
        case 7:
            return b'"\\ud800"' if draw.random() < 0.5 else text.decode("utf-8", "replace").encode("utf-16")
    return text


def _json(given: Any) -> str:
    return json.dumps(given, ensure_ascii=False)


def lines(draw: Random, path: str) -> bytes:
    """Return a body of several lines."""
    head: Any = (
        {"index": "logs-*"}
        if "_msearch" in path
        else {draw.choice(("create", "index", "delete", "update", "x")): {"_index": "logs-fuzz-default"}}
    )
    body: Any = _SEARCH if "_msearch" in path else _EVENT
    found = []
    for _ in range(draw.choice((1, 1, 3))):
        found += [
            spelled(draw, changed(draw, head) if draw.random() < 0.4 else head),
            spelled(draw, changed(draw, body)),
        ]
    return b"\n".join(found) + (b"\n" if draw.random() < 0.9 else b"")


def made(draw: Random, routes: Sequence[Route]) -> Made:
    """Return a request to one of some routes."""
    path, methods = draw.choice(routes)
    method = draw.choice(methods) if draw.random() < 0.95 else draw.choice(("GET", "PUT", "DELETE", "PATCH"))
    url = path
    for name in re.findall(r"{(\w+)(?::path)?}", path):
        given = draw.choice(
            ("logs-fuzz-default", "logs-*", "admin", "fuzz", ".alerts-security.alerts-default", None, None)
        )
        text = quote(given or draw.choice(TEXTS).encode("utf-8", "surrogatepass")[:600], safe="") or "%20"
        if draw.random() < 0.05:
            text = draw.choice(("%ff%fe", "%00", "%c0%af", "%ed%a0%80", "a%2fb"))
        url = url.replace(f"{{{name}:path}}", text).replace(f"{{{name}}}", text)
    asked = []
    for _ in range(draw.choice((0, 0, 1, 1, 2, 4))):
        text = str(draw.choice((*TEXTS, *NUMBERS)))
        asked.append(f"{draw.choice(PARAMETERS)}={quote(text.encode('utf-8', 'surrogatepass')[:3000])}")
    if draw.random() < 0.02:
        asked.append("page=%ff")
    url += "?" + "&".join(asked) if asked else ""
    media, body = b"application/json", b""
    if method != "GET" or draw.random() < 0.5:
        if ("_bulk" in path and "_bulk_" not in path) or "_msearch" in path:
            body = lines(draw, path)
        elif "_import" in path:
            media = b"multipart/form-data; boundary=x"
            file = b"\n".join(spelled(draw, changed(draw, draw.choice((_RULE, _ITEM)))) for _ in range(3))
            body = (
                b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.ndjson"\r\n\r\n'
                + file
                + b"\r\n--x--\r\n"
            )
        else:
            wanted: Any = next((one for part, one in BODIES if part in path), {})
            for _ in range(draw.choice((0, 1, 1, 2, 3))):
                wanted = changed(draw, wanted)
            body = spelled(draw, wanted)
    headers = [(b"content-type", draw.choice((b"text/plain", b"", b"\xff")) if draw.random() < 0.05 else media)]
    if draw.random() < 0.95:
        headers.append((b"kbn-xsrf", b"1"))
    if draw.random() < 0.1:
        name = draw.choice(
            (
                b"accept",
                b"x-opaque-id",
                b"content-encoding",
                b"cookie",
                b"kbn-version",
                b"range",
                b"expect-ct",
                b"origin",
            )
        )
        headers.append(
            (
                name,
                draw.choice(TEXTS)
                .encode("utf-8", "replace")
                .replace(b"\x00", b"")[:500]
                .replace(b"\n", b"")
                .strip(),
            )
        )
    return Made(method, url, headers, body)


def routes_of(app: FastAPI) -> list[Route]:
    """Return every address of the application's own table with its methods, Kibana's in the default space too."""
    found: dict[str, set[str]] = {}
    for route in iter_route_contexts(app.routes):
        assert route.path is not None, f"{route} has no address"
        path = route.path if route.methods else f"{route.path}/{{rest:path}}"  # a folder of files
        for spelling in (path, f"/s/default{path}"):
            if spelling == path or spelling.startswith(_IN_SPACES):
                found.setdefault(spelling, set()).update(route.methods or ("GET",))
    return [(path, tuple(sorted(methods))) for path, methods in found.items()]


_IN_SPACES = ("/s/default/api/", "/s/default/internal/", "/s/default/logout")


@dataclass
class Report:
    """What came of a run."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    longest: float = 0.0  # seconds that `/healthz` took
    beside: int = 0  # the request that it took them beside

    def __str__(self) -> str:
        told = ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        return f"{told}; /healthz took {1000 * self.longest:.0f} ms at most, beside request {self.beside}"


def fuzz(running: Running, requests: int, seed: int, first: int = 0) -> Report:
    """Send requests, each made from the seed and its number; return what came of them."""
    routes = routes_of(create_app(running.service))
    report, stop = Report(), threading.Event()
    sending = first

    def look() -> None:
        with running.http("") as client:
            while not stop.wait(0.05):
                began = time.perf_counter()
                client.get("/healthz")
                took = time.perf_counter() - began
                if took > report.longest:
                    report.longest, report.beside = took, sending

    def key() -> str:
        return running.add_key("read", "ingest", "write_rules", "respond", "admin")

    looking = threading.Thread(target=look)
    looking.start()
    api_key, client = key(), running.http("")
    for number in range(first, first + requests):
        sending = number
        one = made(Random(f"{seed}/{number}"), routes)
        headers = [*one.headers, (b"authorization", f"ApiKey {api_key}".encode())]
        try:
            answer = client.request(one.method, one.url, headers=headers, content=one.body)
        except (httpx.RemoteProtocolError, httpx.ReadError) as error:
            report.faults.append(f"{error!r} to request {number} of seed {seed}: {one}")
            continue
        except (httpx.LocalProtocolError, httpx.InvalidURL, ValueError):
            continue  # nothing that can be sent
        report.statuses[answer.status_code] += 1
        if (answer.status_code >= 500 and not _is_failed_action(answer)) or not _is_told(answer):
            told = f"{answer.status_code} {answer.text[:500]}"
            report.faults.append(f"request {number} of seed {seed} was answered with {told}\n{one}")
        if answer.status_code == 401:  # it has revoked its own key
            api_key = key()
    stop.set()
    looking.join()
    return report


def _is_failed_action(answer: httpx.Response) -> bool:
    """Tell whether an action on rules failed for some of them, which Kibana answers with 500."""
    return answer.request.url.path.endswith("/rules/_bulk_action") and b'"success":false' in answer.content


def _is_told(answer: httpx.Response) -> bool:
    """Tell whether an error is in the API's form."""
    if answer.status_code < 400 or answer.request.method == "HEAD":
        return True
    try:
        told = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return False
    return isinstance(told, dict)


def main() -> None:
    """Fuzz a service of its own, and fail with what was answered wrongly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="the number of the first request")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, run_service(Path(folder), search_timeout=5) as running:
        report = fuzz(running, given.requests, given.seed, given.first)
    for fault in report.faults:
        print(fault, end="\n\n")
    print(report)
    sys.exit(bool(report.faults))


if __name__ == "__main__":
    main()
