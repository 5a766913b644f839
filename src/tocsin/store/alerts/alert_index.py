"""The alerts of records as an event store to read: a small row of each in memory, documents where they lie.

Alerts are written by rules, in one transaction with their executions, and changed by people (`store.records`). Who
does so, in whatever process, is seen by the next question.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
import orjson
import pyarrow as pa
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tocsin.ecs import TIMESTAMP, Field, FieldType, Schema, default_schema
from tocsin.store.alerts.arrays import Positions
from tocsin.store.alerts.documents import AlertDocument, AlertDocuments
from tocsin.store.alerts.field_columns import COMMON_FIELDS, CachedColumns, Columns, columns_of
from tocsin.store.alerts.members import ColumnBuilder, FieldNames
from tocsin.store.alerts.names import ALERTS_INDEX, ALERTS_NAMES, takes_alerts
from tocsin.store.alerts.rows import ROW_FIELDS, AlertRows, Places
from tocsin.store.columns.fields import IGNORED, MANY, IndexFields, column_name
from tocsin.store.columns.layout import MOMENT
from tocsin.store.columns.tables import logical_columns
from tocsin.store.events import ARRIVED, ID, IndexInfo, Scan, SetAside, StoredBatch, StoreError
from tocsin.store.mappings.index_mapping import NO_MAPPING, IndexMapping
from tocsin.store.records.database import Records
from tocsin.store.records.models import StoredAlert
from tocsin.store.schemas import common_schema, fields_by_type

_OVERLAP = 60_000_000_000  # nanoseconds: a change that was stamped earlier may be committed later
_WRAP = 1 << 40  # of moments, that a database can sum up those of many alerts; far more than the overlap
_BATCH = 1 << 16  # rows
_EXACT = pa.timestamp("ns", "UTC")

log = logging.getLogger(__name__)


class AlertIndex:
    """An EventReader of alerts: the index ALERTS_INDEX, which only patterns that begin with a dot take."""

    def __init__(self, records: Records) -> None:
        self._records, self._lock = records, threading.Lock()
        self._rows, self._fields = AlertRows(), IndexFields()
        self._names = FieldNames(self._fields)
        self._documents = AlertDocuments(records)
        self._columns = CachedColumns(self._documents, self._fields)
        self._schema: tuple[int, Schema] | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._load, name="alerts", daemon=True)

    def start(self) -> None:
        """Read the rows of all alerts in a thread; questions that come before wait for it."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more rows. May be called by a handler of signals."""
        self._stopped.set()

    def close(self) -> None:
        """Stop, and wait until nothing is read any more."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join()

    def _load(self) -> None:
        try:
            self._current()
        except Exception as error:  # the next question reads them, or says why they cannot be read
            if not self._stopped.is_set():
                log.warning("the alerts could not be read yet: %s", error, exc_info=error)

    # ---- keeping up

    def _current(self) -> AlertRows:
        """Return the rows of all alerts as they are now."""
        with self._lock:
            with self._records.transaction() as session:
                listed = self._listed(session)
            if listed is not None:
                self._rows = self._updated(*listed)
            return self._rows

    def _listed(self, session: Session) -> tuple[list[str], list[int], Places | None] | None:
        """Return the ids of alerts, when they were changed, and the rows of those that are known.

        These are alerts that were changed lately, with rows, or, if need be, all there are, without.

        None is returned when nothing has changed. What is in memory is compared with the database by numbers:
        how many alerts there are, how many were changed lately, and the sum of the moments at which.
        """
        rows = self._rows
        since = rows.newest - _OVERLAP
        total = select(func.count()).select_from(StoredAlert).scalar_subquery()
        lately = StoredAlert.changed >= since
        asked = select(total, func.count(), func.coalesce(func.sum(StoredAlert.changed % _WRAP), 0)).where(lately)
        count, recent, sum_ = (int(number) for number in session.execute(asked).one())
        mine = rows.changed[rows.changed >= since]
        if (count, recent, sum_) == (len(rows), len(mine), int((mine % _WRAP).sum())):
            return None
        listing = select(StoredAlert.id, StoredAlert.changed, StoredAlert.created)
        if len(rows):
            alerts = session.execute(listing.where(lately)).all()
            ids = [alert.id for alert in alerts]
            known = rows.places(ids, [alert.created for alert in alerts])
            if len(rows) + len(ids) - len(known[0]) == count:
                return ids, [alert.changed for alert in alerts], known
        alerts = session.execute(listing.order_by(StoredAlert.created, StoredAlert.id)).all()
        return [alert.id for alert in alerts], [alert.changed for alert in alerts], None

    def _updated(self, ids: list[str], moments: list[int], known: Places | None) -> AlertRows:
        """Return the rows as alerts are now that were listed (see there); those not in a list of all are gone."""
        rows = self._rows.without(pa.array(ids, pa.string())) if known is None else self._rows
        at, which = rows.places(ids) if known is None else known
        same = np.zeros(len(ids), np.bool_)
        same[which] = rows.changed[at] == np.array(moments, np.int64)[which]
        wanted = [ids[place] for place in np.flatnonzero(~same).tolist()]
        is_first = not len(rows)
        names = (*ROW_FIELDS, *COMMON_FIELDS) if is_first else ROW_FIELDS
        builder, read = ColumnBuilder(names, self._fields), list[AlertDocument]()
        for document in self._documents.read(wanted):
            if self._stopped.is_set():
                raise StoreError("the service stops", hint="ask again later")
            parsed = orjson.loads(document.text)
            self._names.learn(parsed)
            builder.add(document, parsed)
            read.append(document._replace(text=""))
        changed = dict(zip(which[~same[which]].tolist(), at[~same[which]].tolist(), strict=True))
        columns = builder.columns()
        places = {ids[row]: place for row, place in changed.items()}
        updated = rows.with_documents(read, columns_of(ROW_FIELDS, columns), places)
        if is_first:
            self._columns.keep(updated, COMMON_FIELDS, columns)
        return updated

    # ---- reading

    def rows(self) -> AlertRows:
        """Return the rows of all alerts as they are now."""
        return self._current()

    def scan(self, scan: Scan) -> Iterator[StoredBatch]:
        """Yield the alerts asked for, each as it is in the moment when it is read; see EventReader."""
        if not takes_alerts(scan.patterns):
            return iter(())
        return self._read(self._current(), scan)

    def _read(self, rows: AlertRows, scan: Scan) -> Iterator[StoredBatch]:
        columns = _of_rows(rows)
        others = [
            name for name in scan.fields
            if (name in self._fields.seen or name == IGNORED) and name not in (*ROW_FIELDS, TIMESTAMP)
        ]  # fmt: skip
        cached = self._columns.find(rows, others)
        for field_columns in cached.values():
            columns.update(field_columns)
        places, missing = _narrowed(rows, scan, columns), [name for name in others if name not in cached]
        if not missing:
            for start in range(0, len(places), _BATCH):
                yield self._batch(rows, places[start : start + _BATCH], scan.fields, columns, {})
        elif len(places):
            # What is asked for of most alerts is made for all: whoever asks next finds it.
            read = np.arange(len(rows)) if len(places) > len(rows) // 8 else places
            for read_places, made in self._columns.read(rows, missing, read):
                at = np.flatnonzero(np.isin(read_places, places))
                if len(at):
                    taken = {name: array.take(pa.array(at)) for name, array in made.items()}
                    yield self._batch(rows, read_places[at], scan.fields, columns, taken)

    def _batch(
        self, rows: AlertRows, places: Positions, fields: Collection[str], columns: Columns, taken: Columns
    ) -> StoredBatch:
        """Return some rows as a batch: of `columns` those in their places, `taken` as they are."""
        names = [name for field in fields for name in (column_name(field), column_name(field) + MANY)]
        whole = len(places) == len(rows)
        at = pa.array(places)
        there = {name: columns[name] if whole else columns[name].take(at) for name in names if name in columns}
        there.update(taken)
        chunked = {name: pa.chunked_array([array]) for name, array in there.items()}

        def ids(wanted: Sequence[int]) -> list[str]:
            texts: list[str] = rows.ids.take(pa.array(places[np.asarray(wanted, np.int64)])).to_pylist()
            return texts

        def sources(wanted: Sequence[int]) -> list[bytes]:
            return self._documents.sources(
                ids(wanted), rows.changed[places[np.asarray(wanted, np.int64)]].tolist()
            )

        return StoredBatch(ALERTS_INDEX, len(places), logical_columns(fields, chunked), sources, ids)

    def find(self, patterns: Sequence[str], ids: Collection[str]) -> Iterator[StoredBatch]:
        """Yield the alerts with one of the ids; see EventReader."""
        if not takes_alerts(patterns):
            return iter(())
        rows = self._current()
        places, _ = rows.places(list(dict.fromkeys(ids)))
        return iter([self._batch(rows, places, {ID}, _of_rows(rows), {})] if len(places) else [])

    def watermark(self) -> int:
        """Return the moment up to which arrivals are complete: that of the newest alert; see EventReader."""
        return int(self._current().created.max(initial=0))

    def indices(self, patterns: Sequence[str] = ("*",)) -> list[IndexInfo]:
        """Return the index of alerts, if the patterns take it; see EventReader."""
        if not takes_alerts(patterns):
            return []
        rows = self._current()
        first, last = (int(rows.created.min()), int(rows.created.max())) if len(rows) else (None, None)
        return [IndexInfo(ALERTS_INDEX, len(rows), 0, first, last)]

    def names(self) -> list[str]:
        """Return the names of the index; see EventReader."""
        return list(ALERTS_NAMES)

    def schema(self, patterns: Sequence[str] = ("*",)) -> Schema:
        """Return the known fields with those that alerts brought along; see EventReader."""
        if not takes_alerts(patterns):
            return default_schema()
        self._current()
        state = len(self._fields.seen)
        if self._schema is None or self._schema[0] != state:
            self._schema = state, common_schema([(ALERTS_INDEX, self._fields)])
        return self._schema[1]

    def fields(self, patterns: Sequence[str] = ("*",)) -> Mapping[str, Mapping[FieldType, list[str]]]:
        """Return the fields that alerts have; see EventReader."""
        return fields_by_type(self.index_fields(patterns))

    def index_fields(self, patterns: Sequence[str] = ("*",)) -> Mapping[str, Mapping[str, Field]]:
        """Return the fields of the index; see EventReader."""
        if not takes_alerts(patterns):
            return {}
        self._current()
        return {ALERTS_INDEX: self._fields.all()}

    def set_aside(self) -> list[SetAside]:
        """Return nothing: what is damaged of records, records say; see EventReader."""
        return []

    def mapping(self, index: str) -> IndexMapping:
        """Return an empty mapping; see EventReader."""
        return NO_MAPPING

    def memory(self) -> dict[str, int]:
        """Return how many bytes are held of alerts, by what for; see EventStore."""
        return {"alerts": self._rows.size + self._columns.size + self._documents.size}


def _of_rows(rows: AlertRows) -> dict[str, pa.Array]:
    """Return the columns that rows have."""
    made = pa.array(rows.created).cast(_EXACT)
    arrived = pa.array(rows.created // 1000).cast(MOMENT)
    return {**rows.columns, ID: rows.ids, TIMESTAMP: made, ARRIVED: arrived}


def _narrowed(rows: AlertRows, scan: Scan, columns: Columns) -> Positions:
    """Return the places of the rows that a scan may want, by their times and by values that they must have."""
    created, inside = rows.created, np.ones(len(rows), np.bool_)
    for start, end in ((scan.start, scan.end), (scan.arrived_from, scan.arrived_to)):
        if start is not None:
            inside &= created >= start
        if end is not None:
            inside &= created < end
    if scan.times is not None:
        inside &= np.isin(created, np.array(scan.times, np.int64))
    if ID in scan.equal:
        places, _ = rows.places(sorted(scan.equal[ID]))
        named = np.zeros(len(rows), np.bool_)
        named[places] = True
        inside &= named
    for name, values in scan.equal.items():
        column = columns.get(column_name(name))
        if column is None or column_name(name) + MANY in columns or not pa.types.is_dictionary(column.type):
            continue
        fits = np.isin(column.dictionary.to_numpy(zero_copy_only=False), list(values))
        codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        inside &= np.append(fits, False)[codes]
    return np.flatnonzero(inside)
