"""Events that are in no table yet: each is held once, as it came or as columns."""

from __future__ import annotations

import threading

from tocsin.store.columns.fields import IndexFields
from tocsin.store.lake.journal.event_buffer import EventBuffer
from tocsin.store.lake.journal.journal import Entry


def _entries(first: int, end: int) -> list[Entry]:
    source = b'{"@timestamp":"2026-01-01T00:00:00Z","n":%d}'
    return [Entry("logs-a", str(number), True, number, number, source % number) for number in range(first, end)]


def _numbers(index: EventBuffer) -> list[int]:
    found: list[int] = index.whole().column("n").to_pylist()
    return found


def test_events_become_columns_when_they_are_looked_for_and_their_documents_go():
    index = EventBuffer(IndexFields())
    index.add(_entries(5, 8))
    assert index.documents_size > 0
    assert index.columns_size == 0
    assert _numbers(index) == [5, 6, 7]
    assert index.documents_size == 0
    assert index.columns_size > 0
    index.add(_entries(2, 5))
    assert (index.rows, index.span()) == (6, (2, 7))
    assert _numbers(index) == [5, 6, 7, 2, 3, 4]


def test_events_that_come_in_while_others_become_columns_are_there():
    index = EventBuffer(IndexFields())

    def add() -> None:
        for number in range(500):
            index.add(_entries(number, number + 1))

    adding = threading.Thread(target=add)
    adding.start()
    while adding.is_alive():
        index.tables(index.rows)
    assert _numbers(index) == list(range(500))
