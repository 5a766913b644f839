"""The indicators that a hunt is given in files, as indicator-match rules read them.

All of them are used: the `threat_query` of a rule selects feeds and ages of an index, which files do not have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from tocsin.detection.columns import schema_of
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.rows import EventPart, rows_of
from tocsin.detection.rule_types.findings import Event, IndicatorReader, Place, event_place
from tocsin.ecs import default_schema
from tocsin.engine.table import table_from_events


def indicator_reader(documents: Sequence[Event]) -> IndicatorReader:
    """Return a reader of indicators, which are flat documents (dotted field name -> value or list)."""
    by_place = {event_place(document): document for document in documents}

    def rows(query: CompiledRule) -> Iterable[pa.Table]:
        if by_place:
            yield _rows(query, by_place)

    def of_places(places: Iterable[Place]) -> Mapping[Place, Event]:
        return {place: by_place[place] for place in places}

    return IndicatorReader(default_schema(), rows, of_places)


def _rows(query: CompiledRule, by_place: Mapping[Place, Event]) -> pa.Table:
    table = table_from_events(list(by_place.values()), query.row_fields, default_schema())
    indices = pa.array([place.index for place in by_place], pa.string()).dictionary_encode()
    part = EventPart(table, pa.array([place.id for place in by_place], pa.string()), indices)
    every = part.fitting((), np.arange(table.rows))
    times = np.zeros(table.rows, np.int64)  # not used: indicators of any time count
    return rows_of(query, 0, part, every, times, times, schema_of(query.row_types))
