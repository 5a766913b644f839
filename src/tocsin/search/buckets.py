"""Aggregations into buckets: by value, by span of time, by query."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pyarrow as pa

from tocsin.addresses import canonical, number_of
from tocsin.date_math import add_to
from tocsin.ecs import FieldType, Schema
from tocsin.engine.column import Codes, Rows
from tocsin.engine.table import EventTable
from tocsin.eql.versions import version_key
from tocsin.moments import HOUR, MILLISECOND, MINUTE, SECOND, TIME_UNITS, iso, to_datetime
from tocsin.search.aggregation import KINDS, MOST_VALUES, Aggregation, Collected, codes_of
from tocsin.search.errors import SearchError
from tocsin.store.events import StoredBatch

MOST_BUCKETS = 65_536  # Elasticsearch's `search.max_buckets`


def _too_many() -> SearchError:
    reason = f"Trying to create too many buckets. Must be less than or equal to: [{MOST_BUCKETS}]"
    return SearchError(reason, hint="narrow the query, or use wider spans")


@dataclass
class _Bucket:
    count: int = 0
    below: dict[str, Collected] = field(default_factory=dict)


class _Buckets:
    """Buckets by key, each with its own aggregations below."""

    def __init__(self, aggregation: Aggregation, schema: Schema) -> None:
        self.aggregation, self.schema = aggregation, schema
        self.buckets: dict[Any, _Bucket] = {}
        self.check()

    def check(self) -> None:
        """Raise SearchError for what is wrong."""

    def empty(self) -> _Bucket:
        """Return a bucket without events."""
        return _Bucket(
            0, {name: aggregation.collect(self.schema) for name, aggregation in self.aggregation.below.items()}
        )

    def add(self, key: Any, batch: StoredBatch, table: EventTable, rows: Rows) -> None:
        """Take rows into a bucket."""
        bucket = self.count(key, len(rows))
        for collector in bucket.below.values():
            collector.take(batch, table, rows)

    def count(self, key: Any, events: int) -> _Bucket:
        """Count events in a bucket, and return it."""
        bucket = self.buckets.get(key)
        if bucket is None:
            if len(self.buckets) >= (MOST_BUCKETS if self.aggregation.below else MOST_VALUES):
                raise SearchError(
                    f"Trying to create too many buckets. Must be less than or equal to: [{MOST_BUCKETS}]"
                )
            bucket = self.buckets[key] = self.empty()
        bucket.count += events
        return bucket

    def by_code(
        self,
        keys: Callable[[int], Any],
        places: Rows,
        codes: Rows,
        batch: StoredBatch,
        table: EventTable,
        rows: Rows,
    ) -> None:
        """Take rows into the buckets of their codes; a row with a value twice is counted once."""
        if not len(codes):
            return
        if np.any(places[1:] == places[:-1]):  # rows with several values: places are in order
            one_each = np.unique(places * (int(codes.max()) + 1) + codes)
            places, codes = np.divmod(one_each, int(codes.max()) + 1)
        counts = np.bincount(codes)
        present = np.flatnonzero(counts).tolist()
        if not self.aggregation.below:
            for code in present:
                self.count(keys(code), int(counts[code]))
            return
        # Small numbers are sorted in one pass.
        order = np.argsort(codes.astype(np.uint16) if len(counts) <= 1 << 16 else codes, kind="stable")
        ends = np.cumsum(counts)
        for code in present:
            mine = places[order[ends[code] - counts[code] : ends[code]]]
            self.add(keys(code), batch, table, rows[mine])

    def shown(self, bucket: _Bucket, *, parsed: bool) -> dict[str, Any]:
        """Return a bucket's count and what is below it."""
        below = {name: collector.answer(parsed=parsed) for name, collector in bucket.below.items()}
        return {"doc_count": bucket.count, **below}


class _Terms(_Buckets):
    """The commonest values of a field."""

    def check(self) -> None:
        about = self.aggregation.about
        self.size = _positive(about.get("size", 10), "size")
        order = about.get("order", {"_count": "desc"})
        orders = order if isinstance(order, list) else [order]
        if not all(isinstance(o, dict) and len(o) == 1 and set(o.values()) <= {"asc", "desc"} for o in orders):
            raise SearchError("[order] of [terms] is an object with one name, asc or desc")
        self.order = [next(iter(o.items())) for o in orders]
        self.least = int(about.get("min_doc_count", 1))
        known = self.schema.find(self.aggregation.name)
        self.kind = known.type if known else None
        self.include, self.exclude = (_chooser(about.get(name), self.kind) for name in ("include", "exclude"))

    def take(self, batch: StoredBatch, table: EventTable, rows: Rows) -> None:
        column = table.column(self.aggregation.name)
        missing = self.aggregation.about.get("missing")
        if column is None:
            if missing is not None:
                self.add(missing, batch, table, rows)
            return
        places, codes = codes_of(column, rows)
        values = column.objects
        self.by_code(values.__getitem__, places, codes, batch, table, rows)
        if missing is not None and len(np.unique(places)) < len(rows):
            without = np.setdiff1d(np.arange(len(rows)), places)
            self.add(missing, batch, table, rows[without])

    def answer(self, *, parsed: bool) -> dict[str, Any]:
        chosen = [
            (key, bucket)
            for key, bucket in self.buckets.items()
            if bucket.count >= self.least and self.include(key, True) and not self.exclude(key, False)
        ]
        chosen.sort(key=lambda item: _rank(item[0], self.kind))
        for name, direction in reversed(self.order):
            chosen.sort(key=lambda item: self._order_of(name, item), reverse=direction == "desc")
        shown = [
            {**_key(key, self.kind), **self.shown(bucket, parsed=parsed)} for key, bucket in chosen[: self.size]
        ]
        others = sum(bucket.count for _, bucket in chosen[self.size :])
        return {"doc_count_error_upper_bound": 0, "sum_other_doc_count": others, "buckets": shown}

    def _order_of(self, name: str, item: tuple[Any, _Bucket]) -> Any:
        key, bucket = item
        if name == "_count":
            return bucket.count
        if name in ("_key", "_term"):
            return _rank(key, self.kind)
        path, _, part = name.partition(".")
        if path not in bucket.below:
            raise SearchError(f"[order] of [terms] names [{name}], which is no aggregation below it")
        value = bucket.below[path].answer(parsed=True).get(part or "value")
        return -math.inf if value is None else value


def _rank(key: Any, kind: FieldType | None) -> tuple[int, Any]:
    if kind is FieldType.IP:
        with suppress(ValueError):
            return (0, number_of(str(key)))
    if kind is FieldType.VERSION:
        return (1, version_key(str(key)))
    return (0, key) if isinstance(key, (int, float)) else (1, str(key))


def _key(key: Any, kind: FieldType | None) -> dict[str, Any]:
    """Return a bucket's key as clients see it."""
    if isinstance(key, bool):
        return {"key": int(key), "key_as_string": str(key).lower()}
    if kind is FieldType.DATE and isinstance(key, int):
        return {"key": key // MILLISECOND, "key_as_string": iso(key)}
    return {"key": key}


_Chooser = Callable[[Any, bool], bool]


def _chooser(given: Any, kind: FieldType | None) -> _Chooser:
    """Return whether a key is named by `include` or `exclude`: a regular expression or a list."""
    if given is None:
        return lambda key, default: default
    if isinstance(given, list):
        named = {str(value) if kind is not FieldType.IP else _one_spelling(str(value)) for value in given}
        return lambda key, default: str(key) in named
    if not isinstance(given, str):
        raise SearchError("[include] and [exclude] take a regular expression or a list")
    from tocsin.eql.strings import UnsupportedPattern, lucene_to_regex
    from tocsin.linear_regex import whole_match

    try:
        fits = whole_match(lucene_to_regex(given))
    except UnsupportedPattern as error:
        raise SearchError(f"[include] or [exclude]: {error}") from None
    return lambda key, default: bool(fits(str(key)))


def _one_spelling(address: str) -> str:
    try:
        return canonical(address)
    except ValueError:
        raise SearchError(f"'{address}' is not an IP string literal, in [include] or [exclude]") from None


def _positive(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise SearchError(f"[{name}] must be a positive whole number, not {value!r}")
    return value


_CALENDAR = {
    "minute": "m", "1m": "m", "hour": "h", "1h": "h", "day": "d", "1d": "d", "week": "w", "1w": "w",
    "month": "M", "1M": "M", "quarter": "q", "1q": "q", "year": "y", "1y": "y",
}  # fmt: skip


class _DateHistogram(_Buckets):
    """Events by spans of time."""

    def check(self) -> None:
        about = self.aggregation.about
        fixed, calendar = about.get("fixed_interval"), about.get("calendar_interval", about.get("interval"))
        self.zone = _zone(about.get("time_zone", "UTC"))
        self.unit: str | None = None
        self.step = 0
        if fixed is not None:
            interval = re.fullmatch(r"(\d{1,6})(ms|s|m|h|d)", str(fixed))
            if interval is None or not int(interval[1]):
                raise SearchError(f"[fixed_interval] is a number with ms, s, m, h or d, not {fixed!r}")
            self.step = int(interval[1]) * TIME_UNITS[interval[2]]
        elif calendar in _CALENDAR:
            self.unit = _CALENDAR[calendar]
        else:
            raise SearchError("[date_histogram] needs [fixed_interval] or [calendar_interval]")
        self.least = int(about.get("min_doc_count", 0))
        order = about.get("order", {"_key": "asc"})
        if not isinstance(order, dict) or len(order) != 1:
            raise SearchError("[order] of [date_histogram] is an object with one name")
        self.order = next(iter(order.items()))

    def take(self, batch: StoredBatch, table: EventTable, rows: Rows) -> None:
        # Moments are nearly all different: to code them as distinct values would cost most of the counting.
        column = table.take(rows).column(self.aggregation.name, distinct=False)
        if column is None or not pa.types.is_int64(column.values.type):
            return
        places, codes = codes_of(column, np.arange(len(rows)))
        values = column.values.to_numpy(zero_copy_only=False)[codes]
        starts, numbers = np.unique(self._starts(values), return_inverse=True)
        self.by_code(lambda code: int(starts[code]), places, numbers.reshape(-1), batch, table, rows)

    def _starts(self, values: Codes) -> Codes:
        """Return the beginning of each moment's span."""
        if self.unit is None and self.zone is UTC:
            return np.asarray(values // self.step * self.step, np.int64)
        hour = HOUR // 4  # offsets of zones are whole quarters of an hour
        quarters, inverse = np.unique(values // hour, return_inverse=True)
        offsets = np.array([self._offset(int(q) * hour) for q in quarters], np.int64)[inverse.reshape(-1)]
        local = values + offsets
        if self.unit is None:
            return np.asarray(local // self.step * self.step - offsets, np.int64)
        days, inverse = np.unique(local // (hour if self.unit in "mh" else 4 * 24 * hour), return_inverse=True)
        if self.unit in "mh":
            step = MINUTE if self.unit == "m" else 4 * hour
            return np.asarray(local // step * step - offsets, np.int64)
        floors = [self._floor(int(day)) for day in days]
        return np.asarray(np.array(floors, np.int64)[inverse.reshape(-1)])

    def _offset(self, moment: int) -> int:
        at = to_datetime(moment)
        return int((self.zone.utcoffset(at.astimezone(self.zone)) or timedelta()).total_seconds()) * SECOND

    def _floor(self, day: int) -> int:
        """Return the beginning (ns) of the span that a local day lies in."""
        date = datetime(1970, 1, 1) + timedelta(days=day)
        if self.unit == "w":
            date -= timedelta(days=date.weekday())
        if self.unit in ("M", "q", "y"):
            date = date.replace(day=1)
        if self.unit == "q":
            date = date.replace(month=(date.month - 1) // 3 * 3 + 1)
        if self.unit == "y":
            date = date.replace(month=1)
        return int(date.replace(tzinfo=self.zone).timestamp()) * SECOND

    def answer(self, *, parsed: bool) -> dict[str, Any]:

        if self.least == 0 and len(self.buckets) > 1:
            self._fill()
        chosen = [
            (key, self.buckets[key]) for key in sorted(self.buckets) if self.buckets[key].count >= self.least
        ]
        name, direction = self.order
        chosen.sort(key=lambda item: item[1].count if name == "_count" else item[0], reverse=direction == "desc")
        shown = [
            {"key_as_string": iso(key), "key": key // MILLISECOND, **self.shown(bucket, parsed=parsed)}
            for key, bucket in chosen
        ]
        return {"buckets": shown}

    def _fill(self) -> None:
        """Add the spans in between that have no event."""
        last = max(self.buckets)
        at = min(self.buckets)
        while at < last:
            if len(self.buckets) > MOST_BUCKETS:
                raise SearchError(
                    f"Trying to create too many buckets. Must be less than or equal to: [{MOST_BUCKETS}]"
                )
            at = self._next(at)
            if at not in self.buckets and at < last:
                self.buckets[at] = self.empty()

    def _next(self, start: int) -> int:
        if self.unit is None or self.unit in "mh":
            return start + (self.step or (MINUTE if self.unit == "m" else HOUR))
        local = to_datetime(start).astimezone(self.zone).replace(tzinfo=None)
        amount, unit = (3, "M") if self.unit == "q" else (1, self.unit)
        return int(add_to(local, amount, unit).replace(tzinfo=self.zone).timestamp()) * SECOND


def _zone(name: Any) -> tzinfo:
    if name in ("UTC", "Z", "+00:00"):
        return UTC
    offset = re.fullmatch(r"([+-])(\d\d):?(\d\d)", str(name))
    if offset:
        span = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(span if offset[1] == "+" else -span)
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError):
        raise SearchError(f"[time_zone]: no zone [{name}]") from None


class _Filters(_Buckets):
    """Events that meet queries."""

    def check(self) -> None:
        self.buckets = {name: self.empty() for name in self.aggregation.conditions}

    def take(self, batch: StoredBatch, table: EventTable, rows: Rows) -> None:
        for name, met in self.aggregation.matching.among(table, rows):
            if len(met):
                self.add(name, batch, table, met)

    def answer(self, *, parsed: bool) -> dict[str, Any]:
        shown = {name: self.shown(bucket, parsed=parsed) for name, bucket in self.buckets.items()}
        return shown[""] if self.aggregation.kind == "filter" else {"buckets": shown}


class _Missing(_Buckets):
    """Events without a value of a field."""

    def check(self) -> None:
        self.buckets[""] = self.empty()

    def take(self, batch: StoredBatch, table: EventTable, rows: Rows) -> None:
        column = table.column(self.aggregation.name)
        without = rows if column is None else rows[column.counts[rows] == 0]
        if len(without):
            self.add("", batch, table, without)

    def answer(self, *, parsed: bool) -> dict[str, Any]:
        return self.shown(self.buckets[""], parsed=parsed)


KINDS.update({"terms": _Terms, "date_histogram": _DateHistogram})
KINDS.update({"filter": _Filters, "filters": _Filters, "missing": _Missing})
