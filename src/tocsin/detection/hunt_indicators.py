"""The indicators that a hunt is given in files, as indicator-match rules read them.

All of them are looked for: a rule's `threat_query` chooses feeds and ages of an index, which files do not have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from tocsin.detection.columns import ID, INDEX, KEY, NUMBERS, schema_of
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.rule_types.findings import Event, IndicatorReader, Place, event_place, many
from tocsin.ecs import default_schema


def indicator_reader(documents: Sequence[Event]) -> IndicatorReader:
    """Return what reads some indicators, flat documents (dotted field name -> value or list)."""
    by_place = {event_place(document): document for document in documents}

    def rows(query: CompiledRule) -> Iterable[pa.Table]:
        if by_place:
            yield _rows(query, by_place)

    def of_places(places: Iterable[Place]) -> Mapping[Place, Event]:
        return {place: by_place[place] for place in places}

    return IndicatorReader(default_schema(), rows, of_places)


def _rows(query: CompiledRule, by_place: Mapping[Place, Event]) -> pa.Table:
    schema = schema_of(query.row_types)
    numbers = pa.array(np.zeros(len(by_place), np.int64))
    columns = {
        **dict.fromkeys((*NUMBERS, KEY), numbers),
        INDEX: pa.array([place.index for place in by_place]).dictionary_encode(),
        ID: pa.array([place.id for place in by_place]),
    }
    for name in query.row_fields:
        columns[name] = pa.array(
            [_values(document.get(name)) for document in by_place.values()], pa.list_(pa.string())
        )
    table = pa.table({name: columns[name] for name in schema.names})
    return table.cast(
        pa.schema([schema.field(n) if n not in query.row_fields else table.field(n) for n in schema.names])
    )


def _values(value: object) -> list[str]:
    return [text if isinstance(text, str) else str(text) for text in many(value)]
