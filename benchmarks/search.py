"""Searches over a store of 50 million events, beside DuckDB and plain Parquet: `python -m benchmarks.search`.

The events are a fleet's, spread over 30 days; to have so many in minutes, the columns of a sample are written
again and again with other times. Figures of size are therefore not taken here (`benchmarks.ingest` has them).
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.fleet import Fleet, take_index
from tocsin.ecs import TIMESTAMP
from tocsin.moments import to_nanoseconds
from tocsin.search.eql import read_eql, run_eql
from tocsin.search.hits import context_of, read_search, run_search
from tocsin.search.selection import Clock
from tocsin.store.columns.documents import to_table
from tocsin.store.columns.layout import MOMENT
from tocsin.store.lake.journal.journal import Entry
from tocsin.store.lake.lake import LakeSettings, LakeStore
from tocsin.store.lake.tables.slices import order_slice
from tocsin.store.lake.tables.table import IndexTable

_SAMPLE, _DAYS = 300_000, 30
LAST = datetime(2026, 11, 1, tzinfo=UTC)
_ROUNDS = 7


def sample() -> dict[str, list[Entry]]:
    """Return a fleet's events by index."""
    entries: dict[str, list[Entry]] = {}
    for number, event in enumerate(Fleet(5).events(_SAMPLE)):
        index = take_index(event)
        at = to_nanoseconds(event[TIMESTAMP])
        entries.setdefault(index, []).append(Entry(index, f"{number:020}", False, at, at, orjson.dumps(event)))
    return entries


def build(data: Path, plain: Path, count: int) -> int:
    """Write a store, and the same columns as plain Parquet files of each day; return how many events."""
    plain.mkdir(parents=True)
    (data / "events").mkdir(parents=True)
    repeats = -(-count // (_SAMPLE * _DAYS))
    found = sorted(sample().items(), key=lambda item: -len(item[1]))
    with multiprocessing.Pool(2) as pool:
        return sum(pool.starmap(build_index, [(data, plain, *item, repeats) for item in found], chunksize=1))


def build_index(data: Path, plain: Path, index: str, entries: list[Entry], repeats: int) -> int:
    """Write one index, `repeats` times its sample on each day; return how many events."""
    rng = np.random.default_rng(len(entries))
    table = IndexTable(index, data / "events" / index)
    base = to_table(entries, table.fields)
    position = base.column_names.index(TIMESTAMP)
    written = 0
    for day in range(_DAYS):
        start = int((LAST - timedelta(days=_DAYS - day)).timestamp() * 1_000_000)
        parts = []
        for _ in range(repeats):
            times = np.sort(rng.integers(0, 86_400_000_000, base.num_rows)) + start
            moments = pa.array(times, pa.timestamp("us")).cast(MOMENT)
            parts.append(base.set_column(position, TIMESTAMP, moments))
        whole = pa.concat_tables(parts)
        table.commit(whole.slice(0, whole.num_rows // 2), 2 * day)
        table.commit(whole.slice(whole.num_rows // 2), 2 * day + 1)
        table.publish(table.current())
        for one in table.to_order(datetime.now(UTC), timedelta()):
            table.publish(table.order(one, order_slice))
        pq.write_table(whole, plain / f"{index}-{day:02}.parquet", compression="zstd")
        written += whole.num_rows
    table.clean(0)
    print(f"{index}: {written:,} events", flush=True)
    return written


def times_of(work: Callable[[], Any]) -> str:
    """Return the first, the median and the longest of several runs, in milliseconds."""
    taken = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        work()
        taken.append((time.perf_counter() - started) * 1000)
    return f"first {taken[0]:6.0f}, median {statistics.median(taken):6.0f}, longest {max(taken):6.0f} ms"


def main() -> None:
    """Build, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=50_000_000)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = given.folder or Path(made)
        data, plain = folder / "store", folder / "plain"
        if not data.exists():
            print(f"{build(data, plain, given.events):,} events")
        measure(data, plain)


def measure(data: Path, plain: Path) -> None:
    """Ask the store, DuckDB and pyarrow the same."""
    store = LakeStore(data, LakeSettings(maintain_every=1e9))
    total = sum(info.events for info in store.indices())
    start, end = LAST - timedelta(hours=72), LAST - timedelta(hours=24)
    print(f"{total:,} events in {len(store.indices())} indices; 48 h of one user's events:")
    window = {"gte": start.isoformat(), "lt": end.isoformat()}
    query = {"bool": {"filter": [{"term": {"user.name": "user77"}}, {"range": {TIMESTAMP: window}}]}}

    def search(size: int, patterns: tuple[str, ...] = ("*",)) -> Any:
        context = context_of(store, patterns)
        request = read_search({"query": query, "size": size, "sort": [{TIMESTAMP: "desc"}]}, context)
        return run_search(store, patterns, request, context.schema, Clock())

    found = search(10_000).total
    print(f"  {found:,} events")
    print(f"  tocsin, the newest 100 and how many: {times_of(lambda: search(100))}")
    print(f"  tocsin, 10,000 whole events:         {times_of(lambda: search(10_000))}")

    def eql() -> Any:
        context = context_of(store, ("*",))
        request = read_eql({"query": 'any where user.name == "user77"', "filter": query, "size": 100}, context)
        return run_eql(store, ("*",), request, context.schema, Clock())

    print(f"  tocsin, EQL, the last 100:           {times_of(eql)}")
    sql = (
        f'SELECT "{TIMESTAMP}", "_source", "_id" '
        f"FROM read_parquet('{plain}/*.parquet', union_by_name=true) "
        f"WHERE \"user.name\" = 'user77' AND \"{TIMESTAMP}\" >= TIMESTAMPTZ '{start.isoformat()}' "
        f'AND "{TIMESTAMP}" < TIMESTAMPTZ \'{end.isoformat()}\' ORDER BY "{TIMESTAMP}" DESC LIMIT 100'
    )
    connection = duckdb.connect()
    connection.execute("SET threads=2")
    print(f"  DuckDB on plain Parquet, 100:        {times_of(lambda: connection.execute(sql).fetchall())}")

    def arrow() -> Any:
        import pyarrow.compute as pc
        import pyarrow.dataset as ds

        low, high = (pa.scalar(moment, MOMENT) for moment in (start, end))
        wanted = (pc.field("user.name") == "user77") & (pc.field(TIMESTAMP) >= low) & (pc.field(TIMESTAMP) < high)
        found = ds.dataset(str(plain)).to_table(columns=[TIMESTAMP, "_source", "_id"], filter=wanted)
        return found.sort_by([(TIMESTAMP, "descending")]).slice(0, 100).to_pylist()

    print(f"  pyarrow on plain Parquet, 100:       {times_of(arrow)}")
    store.close()


if __name__ == "__main__":
    main()
