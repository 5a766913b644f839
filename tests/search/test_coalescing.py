"""Small batches are put together, and keep their indices, documents and ids."""

from __future__ import annotations

from datetime import UTC, datetime

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
    (whole,) = coalesced([batch("a", 0, 2), batch("a", 2, 3)])
    assert (whole.index, whole.rows) == ("a", 5)
    assert whole.columns["n"].to_pylist() == [0, 1, 2, 3, 4]
    assert whole.ids([4, 0, 2]) == ["a-4", "a-0", "a-2"]
    assert whole.sources([1, 3]) == [b"a-1", b"a-3"]


def test_batches_of_several_indices_become_one_whose_rows_have_theirs():
    (whole,) = coalesced([batch("a", 0, 2), batch("b", 0, 1), batch("a", 2, 1)])
    assert [whole.index_of(row) for row in range(whole.rows)] == ["a", "a", "b", "a"]
    assert whole.index_column().to_pylist() == ["a", "a", "b", "a"]
    assert whole.ids([3, 2]) == ["a-2", "b-0"]
    assert whole.sources([2, 0]) == [b"b-0", b"a-0"]


def test_texts_and_moments_meet_however_batches_hold_them():
    moment = datetime(2026, 11, 20, tzinfo=UTC)
    coded = {"host": pa.array(["x"]).dictionary_encode(), "at": pa.array([moment], pa.timestamp("us", "UTC"))}
    plain = {"host": pa.array(["y"]), "at": pa.array([moment], pa.timestamp("ns", "UTC"))}
    (whole,) = coalesced([batch("a", 0, 1, **coded), batch("b", 0, 1, **plain)])
    assert whole.columns["host"].to_pylist() == ["x", "y"]
    assert len(set(whole.columns["at"].cast(pa.int64()).to_pylist())) == 1


def test_a_field_that_one_batch_lacks_is_null_there():
    (whole,) = coalesced([batch("a", 0, 1, host=pa.array(["x"])), batch("a", 1, 1)])
    assert whole.columns["host"].to_pylist() == ["x", None]


def test_batches_stay_apart_where_a_field_has_other_types():
    batches = list(coalesced([batch("a", 0, 1, v=pa.array(["x"])), batch("a", 1, 1, v=pa.array([["x", "y"]]))]))
    assert [whole.rows for whole in batches] == [1, 1]


def test_batches_of_one_index_become_one_where_those_of_another_have_other_types():
    texts, numbers = pa.array(["x"]), pa.array([7])
    batches = coalesced([batch("a", 0, 1, v=texts), batch("b", 0, 1, v=numbers), batch("a", 1, 1, v=texts)])
    assert [(whole.index, whole.rows) for whole in batches] == [("a", 2), ("b", 1)]


def test_a_large_batch_stays_as_it_is():
    large = batch("a", 0, 10_000)
    assert list(coalesced([large])) == [large]
