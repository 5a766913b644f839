"""The columns of rows: what a buffer holds of each event that fits a rule.

A row is an event that fits one step of a rule. It has the event's times, its index and id, a hash of its join key,
and a few fields, each as a list of values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tocsin.ecs import FieldType
from tocsin.eql.functions import to_string

STEP, TIME, ARRIVED, ORDER, TIE = "_step", "_time", "_arrived", "_order", "_tie"
INDEX, ID, KEY = "_index", "_id", "_key"
NUMBERS = (STEP, TIME, ARRIVED, ORDER, TIE)
OWN = frozenset((*NUMBERS, INDEX, ID, KEY))
ANY_KEY = -1  # of a row with several join keys

Numbers = npt.NDArray[np.int64]
_NAMES = pa.dictionary(pa.int32(), pa.string())
_PHYSICAL = {
    FieldType.LONG: pa.int64(),
    FieldType.DOUBLE: pa.float64(),
    FieldType.BOOLEAN: pa.bool_(),
    FieldType.DATE: pa.timestamp("ns", "UTC"),
}


def schema_of(types: Mapping[str, FieldType]) -> pa.Schema:
    """Return the schema of rows of events with some fields."""
    own = [*((name, pa.int64()) for name in NUMBERS), (KEY, pa.int64()), (INDEX, _NAMES), (ID, pa.string())]
    return pa.schema([*own, *((name, pa.list_(_PHYSICAL.get(kind, pa.string()))) for name, kind in types.items())])


def hashes_of(values: Sequence[object]) -> Numbers:
    """Return a hash of each value; values that are equal as texts have equal hashes."""
    return np.fromiter((hash(v if isinstance(v, str) else to_string(v)) for v in values), np.int64, len(values))
