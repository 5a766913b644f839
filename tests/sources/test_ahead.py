"""A thread that reads ahead changes nothing: order, errors, batches that are good until the next one."""

import threading
from collections.abc import Iterator
from functools import partial

import pytest

from tests.waiting import eventually
from tocsin.engine.table import EventTable
from tocsin.sources.ahead import AHEAD, read_ahead
from tocsin.sources.batch import EventBatch, RawEvent


def batch(number: int, *, borrowed: bool = False) -> EventBatch:
    def raw(row: int) -> RawEvent:
        raise AssertionError

    return EventBatch(EventTable({}, number), raw, {}, borrowed)


def test_batches_come_in_order() -> None:
    assert [one.table.rows for one in read_ahead(batch(n) for n in range(20))] == list(range(20))


def test_what_reading_raises_is_raised_behind_the_batches_before_it() -> None:
    def broken() -> Iterator[EventBatch]:
        yield batch(1)
        raise OSError("the disk is gone")

    batches = read_ahead(broken())
    assert next(batches).table.rows == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(batches)


def test_no_more_is_read_than_may_wait() -> None:
    read = taken = most = 0

    def counted() -> Iterator[EventBatch]:
        nonlocal read, most
        for number in range(100):
            read = number + 1
            most = max(most, read - taken)
            yield batch(number)

    def has_read(batches: int) -> bool:
        return read == batches

    for number, _ in enumerate(read_ahead(counted())):
        # One is in use, and the reader has one that may not wait yet.
        eventually(partial(has_read, min(number + AHEAD + 2, 100)))
        taken = number + 1
    assert most == AHEAD + 2


def test_a_borrowed_batch_is_done_with_before_the_next_is_read() -> None:
    done = 0

    def reader() -> Iterator[EventBatch]:
        for number in range(1_000):
            assert done == number, "the file was read while its batch was in use"
            yield batch(number, borrowed=True)

    for _ in read_ahead(reader()):
        done += 1
    assert done == 1_000


def test_stopping_early_ends_the_thread() -> None:
    before = threading.active_count()
    batches = read_ahead(batch(n) for n in range(1_000))
    next(batches)
    batches.close()
    assert threading.active_count() == before
