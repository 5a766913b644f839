"""A thread that reads ahead changes nothing: order, errors, batches that are good until the next one."""

import threading
import time
from collections.abc import Iterator

import pytest

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
    read = 0

    def counted() -> Iterator[EventBatch]:
        nonlocal read
        for number in range(100):
            read += 1
            yield batch(number)

    for number, _ in enumerate(read_ahead(counted())):
        assert read <= number + AHEAD + 3
        if number == 10:
            time.sleep(0.05)
            assert read <= number + AHEAD + 3
            break


def test_a_borrowed_batch_is_done_with_before_the_next_is_read() -> None:
    working = threading.Event()

    def reader() -> Iterator[EventBatch]:
        for number in range(5):
            assert not working.is_set(), "the file was read while its batch was in use"
            yield batch(number, borrowed=True)

    count = 0
    for _ in read_ahead(reader()):
        working.set()
        time.sleep(0.01)
        working.clear()
        count += 1
    assert count == 5


def test_stopping_early_ends_the_thread() -> None:
    before = threading.active_count()
    batches = read_ahead(batch(n) for n in range(1_000))
    next(batches)
    batches.close()
    assert threading.active_count() == before
