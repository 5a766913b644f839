"""What users would pick instead, on the same events: python-eql for a rule set, DuckDB for one rule as SQL."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from tocsin.detection.compiled_rule import CompiledRule

# The reference rule by hand, as an analyst would write it for a file of events.
REFERENCE_SQL = """
select count(*) from read_json('{path}', format='newline_delimited', columns={{
  event: 'STRUCT(category VARCHAR[], type VARCHAR[])', host: 'STRUCT(os STRUCT("type" VARCHAR))',
  process: 'STRUCT(name VARCHAR, args VARCHAR[], pe STRUCT(original_file_name VARCHAR))'}})
where list_contains(event.category, 'process') and list_contains(event.type, 'start') and host.os.type = 'windows'
  and (lower(process.name) = 'mpcmdrun.exe' or process.pe.original_file_name = 'MpCmdRun.exe')
  and list_contains(list_transform(process.args, lambda a: lower(a)), '-downloadfile')
  and list_contains(list_transform(process.args, lambda a: lower(a)), '-url')
  and list_contains(list_transform(process.args, lambda a: lower(a)), '-path')
"""


def duckdb_reference(path: Path) -> int:
    """Run the reference rule as SQL over an NDJSON file and return how many events match."""
    duckdb: Any = import_module("duckdb")
    ((found,),) = duckdb.sql(REFERENCE_SQL.format(path=path)).fetchall()
    return int(found)


def python_eql(ready: Sequence[CompiledRule], path: Path, count: int) -> tuple[list[CompiledRule], float]:
    """Return the rules that python-eql can run, and how many of a file's first events a second it does.

    It knows neither lists in `event.category` nor in `event.type`, so that it is given their first value.
    """
    eql: Any = import_module("eql")
    events = []
    with path.open("rb") as file:
        for line in islice(file, count):
            event = orjson.loads(line)
            event["event"] |= {name: event["event"][name][0] for name in ("category", "type")}
            events.append(eql.Event(event["event"]["category"], 0, event))
    able, queries = [], []
    for rule in ready:
        try:
            with eql.parser.elasticsearch_syntax:
                query = eql.parse_query(rule.rule.query)
            _stream(eql.PythonEngine(), [query], events[:100])
        except Exception:  # whatever it cannot do is not measured
            continue
        able.append(rule)
        queries.append(query)
    started = time.process_time()
    _stream(eql.PythonEngine(), queries, events)
    return able, len(events) / (time.process_time() - started)


def _stream(engine: Any, queries: Sequence[Any], events: Sequence[Any]) -> None:
    for query in queries:
        engine.add_query(query)
    engine.stream_events(events, finalize=False)
