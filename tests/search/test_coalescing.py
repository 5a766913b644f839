"""Small batches of an index are put together, and keep their documents and ids."""

from __future__ import annotations

import pyarrow as pa

from tocsin.search.coalescing import coalesced
from tocsin.store.events import StoredBatch


def batch(index: str, first: int, count: int, **columns: pa.Array) -> StoredBatch:
    names = [f"{index}-{number}" for number in range(first, first + count)]
    return StoredBatch(
        index,
        count,
        {"n": pa.array(range(first, first + count)), **columns},
        lambda rows: [names[row].encode() for row in rows],
        lambda rows: [names[row] for row in rows],
    )


def test_batches_of_an_index_become_one():
    batches = list(coalesced([batch("a", 0, 2), batch("b", 0, 1), batch("a", 2, 3)]))
    assert [(whole.index, whole.rows) for whole in batches] == [("a", 5), ("b", 1)]
    assert batches[0].columns["n"].to_pylist() == [0, 1, 2, 3, 4]
    assert batches[0].ids([4, 0, 2]) == ["a-4", "a-0", "a-2"]
    assert batches[0].sources([1, 3]) == [b"a-1", b"a-3"]


def test_a_field_that_one_batch_lacks_is_null_there():
    (whole,) = coalesced([batch("a", 0, 1, host=pa.array(["x"])), batch("a", 1, 1)])
    assert whole.columns["host"].to_pylist() == ["x", None]


def test_batches_stay_apart_where_a_field_has_other_types():
    batches = list(coalesced([batch("a", 0, 1, v=pa.array(["x"])), batch("a", 1, 1, v=pa.array([["x", "y"]]))]))
    assert [whole.rows for whole in batches] == [1, 1]


def test_a_large_batch_stays_as_it_is():
    large = batch("a", 0, 10_000)
    assert list(coalesced([large])) == [large]
