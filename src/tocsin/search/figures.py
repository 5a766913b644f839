"""Aggregations to a figure or a few events: how many values, sums and extremes, the first hits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.ecs import FieldType, Schema
from tocsin.engine.column import Rows
from tocsin.engine.table import EventTable
from tocsin.moments import MILLISECOND, iso
from tocsin.search.aggregation import KINDS, MOST_VALUES, Aggregation, codes_of, numbers_of
from tocsin.search.documents import HitForm, hits_of, read_sort, read_source
from tocsin.search.errors import SearchError
from tocsin.search.sorting import TopRows
from tocsin.store.events import StoredBatch


class _Cardinality:
    """How many distinct values there are, counted exactly."""

    def __init__(self, aggregation: Aggregation, schema: Schema) -> None:
        self.name = aggregation.name
        self.values: set[Any] = set()

    def take(self, batch: StoredBatch, table: EventTable, rows: Rows) -> None:
        column = table.column(self.name)
        if column is not None:
            _, codes = codes_of(column, rows)
            self.values.update(column.values.take(pa.array(np.unique(codes))).to_pylist())
        if len(self.values) > MOST_VALUES:
            raise SearchError(f"[{self.name}] has more than {MOST_VALUES:,} values", hint="narrow the query")

    def answer(self, *, parsed: bool) -> dict[str, Any]:
        return {"value": len(self.values)}


class _Metric:
    """Sums and extremes of a field's numbers."""

    def __init__(self, aggregation: Aggregation, schema: Schema) -> None:
        self.aggregation = aggregation
        known = schema.find(aggregation.name)
        self.date = known is not None and known.type is FieldType.DATE
        self.count, self.sum, self.min, self.max = 0, 0.0, math.inf, -math.inf

    def take(self, batch: StoredBatch, table: EventTable, rows: Rows) -> None:
        column = table.column(self.aggregation.name)
        if self.aggregation.kind == "value_count":
            self.count += 0 if column is None else len(codes_of(column, rows)[0])
            return
        numbers = numbers_of(column, rows)
        if len(numbers):
            self.count += len(numbers)
            self.sum += float(numbers.sum())
            self.min, self.max = min(self.min, float(numbers.min())), max(self.max, float(numbers.max()))

    def answer(self, *, parsed: bool) -> dict[str, Any]:
        there = self.count > 0
        scale = MILLISECOND if self.date else 1
        values = {
            "count": self.count,
            "min": self.min / scale if there else None,
            "max": self.max / scale if there else None,
            "avg": self.sum / self.count / scale if there else None,
            "sum": self.sum / scale,
        }
        kind = self.aggregation.kind
        if kind == "stats":
            return values
        value = values["count" if kind == "value_count" else kind]
        if self.date and value is not None and kind in ("min", "max", "avg"):
            return {"value": value, "value_as_string": iso(int(value * MILLISECOND))}
        return {"value": value}


class _TopHits:
    """The first events of a bucket."""

    def __init__(self, aggregation: Aggregation, schema: Schema) -> None:

        about = aggregation.about
        size = about.get("size", 3)
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= 100:
            raise SearchError("[size] of [top_hits] is a whole number from 0 to 100")
        sort, scored = read_sort(about.get("sort"), schema)
        self.schema = schema
        self.form = HitForm(sort, scored, read_source(about.get("_source", True)))
        self.top = TopRows(sort, size)
        self.total = 0

    def take(self, batch: StoredBatch, table: EventTable, rows: Rows) -> None:
        self.total += len(rows)
        self.top.collect(batch, table, rows)

    def answer(self, *, parsed: bool) -> dict[str, Any]:

        hits = hits_of(self.top, self.top.sorted_events(), self.form, self.schema, parsed=parsed)
        score = 1.0 if hits and self.form.scored else None
        return {"hits": {"total": {"value": self.total, "relation": "eq"}, "max_score": score, "hits": hits}}


KINDS.update({"cardinality": _Cardinality, "top_hits": _TopHits})
KINDS.update(dict.fromkeys(("min", "max", "avg", "sum", "value_count", "stats"), _Metric))
