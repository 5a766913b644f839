"""Records that are read one by one, gathered for a table; what is no event is rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
import pyarrow as pa

from tocsin.ecs import INDEX, TIMESTAMP
from tocsin.engine.table import EventRow
from tocsin.sources.batch import Event, EventBatch, RawEvent, Reject, Rejects, RowBatch, Wanted, flatten
from tocsin.sources.document import Documents, dataset_name
from tocsin.sources.inputs import DAMAGE
from tocsin.sources.products.record import ProductRecord
from tocsin.sources.unseen import Judge, Reason, Unseen, first_untimed, is_timed, lacks_values, of_columns
from tocsin.sources.windows.forms.errors import CutOffError
from tocsin.sources.windows.record import MalformedRecord, WindowsRecord
from tocsin.sources.wrappers import UnwrappedEvent, body_of

_BATCH = 4096  # records


class Rows:
    """Records gathered for one table; `text` is a record's own JSON where it is at hand."""

    def __init__(self, name: str, wanted: Wanted, rejects: Rejects, documents: Documents) -> None:
        self.name, self.wanted, self.rejects, self.documents = name, wanted, rejects, documents
        self.rows: list[EventRow] = []
        self.texts: list[bytes | None] = []
        self.records: list[Any] = []
        self.counts: Counter[str] = Counter()

    def add(self, record: Any, place: str, text: bytes | None = None) -> None:
        """Add a record, or reject it by its `place`."""
        try:
            row = self.documents.row_of(record)
        except MalformedRecord as error:
            self.rejects.add(Reject(self.name, place, "malformed Windows event", str(error), shown(record)))
            return
        except ValueError as error:
            reason = "event without its values" if isinstance(error, CutOffError) else "not an event"
            self.rejects.add(Reject(self.name, place, reason, str(error), shown(record)))
            return
        self.counts[dataset_name(row)] += 1
        core = row.core if isinstance(row, UnwrappedEvent) else row
        if isinstance(core, ProductRecord) and core.lacks_action:
            self.rejects.unseen.add(Reason.NO_ACTION, self.name)
        if self.wanted.judge is not None:
            self._judge(row, self.wanted.judge, record)
        if not isinstance(row, dict) and not self.wanted.any_of(row.kind.categories):
            return
        self.rows.append(row)
        self.texts.append(text)
        self.records.append(record if text is None else None)

    def _judge(self, row: EventRow, judge: Judge, record: dict[str, Any]) -> None:
        if isinstance(row, dict):
            reasons = list(judge.of_document(row))
        else:
            reasons = [] if is_timed(row.get(TIMESTAMP)) else [Reason.NO_TIME]
            if not judge.reads_index(row.get(INDEX)):
                reasons.append(Reason.NO_INDEX)
            if _lacks_values(row):
                reasons.append(Reason.NO_VALUES)
        for reason in reasons:
            self.rejects.unseen.add(reason, self.name)
            if reason is Reason.NO_TIME:
                self.rejects.unseen.name_time(_values_of(record), self.name)

    def batch(self) -> RowBatch | None:
        """Return what was gathered, None when there was no event."""
        if not self.counts:
            return None

        def raw(row: int) -> RawEvent:
            text = self.texts[row]
            return RawEvent(
                orjson.dumps(self.records[row]) if text is None else text, self.name, self.documents.read
            )

        return RowBatch(self.rows, raw, self.counts)


def count_unseen(
    judge: Judge,
    columns: Mapping[str, pa.Array | pa.ChunkedArray],
    batch: EventBatch,
    name: str,
    unseen: Unseen,
    *,
    in_ecs: bool,
) -> None:
    """Count which events of a batch's columns no rule sees; `in_ecs` says that they came as documents."""
    for reason, count in of_columns(judge, columns, batch.table.rows, in_ecs=in_ecs).items():
        unseen.add(reason, name, count)
        if reason is Reason.NO_TIME and count:
            record = orjson.loads(batch.raw(first_untimed(columns.get(TIMESTAMP))).content)
            unseen.name_time(_values_of(record), name)


def _values_of(record: dict[str, Any]) -> Event:
    """Return what a record holds, without what is around it: a hit's head, the envelope of a streamed row."""
    body = body_of(record)
    inner = body.get("properties")
    return flatten(inner if isinstance(inner, dict) else body)


def _lacks_values(row: EventRow) -> bool:
    if not isinstance(row, WindowsRecord):
        return lacks_values(row.get)
    field = row.dataset.kind(row.event_id).always
    return bool(field) and row.get(field) is None


def in_batches(
    records: Iterable[tuple[Any, str]], name: str, wanted: Wanted, rejects: Rejects, documents: Documents
) -> Iterator[RowBatch]:
    """Yield records, each given with its place, in batches.

    Damage that ends them is raised when what came before it has been yielded.
    """
    rows = Rows(name, wanted, rejects, documents)
    damage: Exception | None = None
    try:
        for number, (record, place) in enumerate(records, 1):
            rows.add(record, place)
            if number % _BATCH == 0:
                if (batch := rows.batch()) is not None:
                    yield batch
                rows = Rows(name, wanted, rejects, documents)
    except DAMAGE as error:
        damage = error
    if (batch := rows.batch()) is not None:
        yield batch
    if damage is not None:
        raise damage


def shown(record: Any) -> str:
    """Return a record as a reject shows it."""
    return orjson.dumps(record, default=str).decode("utf-8", errors="replace")
