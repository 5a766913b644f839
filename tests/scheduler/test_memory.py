"""What is remembered of events: nothing that a window needs is left out, no tick passed over that sees a row."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scheduler.virtual import MINUTE, SECOND, START, rule
from tests.store.memory import MemoryStore
from tocsin.detection.compile import prepare
from tocsin.detection.compiled_rule import scheduled, with_rows
from tocsin.detection.rule_buffer import RuleBuffer
from tocsin.detection.rule_types.eql import sequence_findings
from tocsin.detection.schedule import Schedule, Window
from tocsin.ecs import default_schema
from tocsin.rules.files import read_rule
from tocsin.scheduler.buffer.joined_batches import join_batches
from tocsin.scheduler.buffer.row_reader import RowReader
from tocsin.store.clock import ArrivalClock
from tocsin.store.events import Document

A, B, C = ('[process where process.name == "a"]', '[process where process.name == "b"]', "[network where true]")
QUERIES = [
    f"sequence by host.name {A} {B}",
    f"sequence by host.name with maxspan=3m {A} {B} {C}",
    f"sequence by ?user.name {A} {B}",
    f"sequence by host.name, ?user.name {A} {C}",
    f"sequence {A} by host.name {C} by user.name",
    f"sequence by host.name {A} with runs=2 {B}",
    f"sequence by host.name with maxspan=2m {A} !{B}",
    f"sequence by host.name with maxspan=2m !{A} {B}",
    f"sequence by host.name {A} {B} until {C}",
    f"sequence {A} {B}",
    f"sequence by process.pid {A} {C}",
    f"sample by host.name {A} {B}",
]
SCHEDULE = Schedule(5 * MINUTE, "now-9m")


def rules():
    found = []
    for number, query in enumerate(QUERIES):
        ready, skipped = prepare([read_rule(rule(f"r{number}", query))])
        assert not skipped
        found.append(scheduled(with_rows(ready[0], default_schema()), f"r{number}", SCHEDULE))
    return found


RULES = rules()


def text(**fields):
    import orjson

    return orjson.dumps(fields)


names = st.one_of(st.sampled_from("xy"), st.lists(st.sampled_from("xy"), min_size=1, max_size=2, unique=True))
event = st.fixed_dictionaries(
    {"at": st.integers(0, 500), "category": st.sampled_from(["process", "process", "network"])},
    optional={"name": st.sampled_from("abc"), "host": names, "user": names, "pid": st.integers(1, 2)},
)


@settings(deadline=None)
@given(st.lists(event, max_size=14), st.lists(st.integers(1, 13), max_size=2))
def test_what_shares_no_key_with_a_needed_step_makes_no_difference(events, cuts):
    now = START
    store = MemoryStore(ArrivalClock(0, lambda: now, lambda: 0))
    for number, one in enumerate(events):
        now = START + (number + 1) * SECOND
        fields = {"event": {"category": one["category"]}, "@timestamp": (START // SECOND + one["at"]) * 1000}
        for key, path in (("host", "host"), ("user", "user")):
            if key in one:
                fields[path] = {"name": one[key]}
        process = {name: one[key] for name, key in (("name", "name"), ("pid", "pid")) if key in one}
        if process:
            fields["process"] = process
        time = START + one["at"] * SECOND
        store.add([Document("logs-a" if number % 2 else "logs-b", time, text(**fields), f"e{number}")])
    reader = RowReader(RULES)
    bounds = [0, *sorted(cuts), 60]
    found: dict[str, list[Any]] = {}
    for low, high in pairwise(bounds):
        read = reader.read(
            store, store.schema(), arrived_from=START + low * SECOND, arrived_to=START + high * SECOND
        )
        for uuid, parts in read.items():
            found.setdefault(uuid, []).extend(parts)
    window = Window(START, START + 540 * SECOND)
    for one_rule in RULES:
        parts = found.get(one_rule.uuid, [])
        some = RuleBuffer.of(one_rule, START, parts).window(window, START + 60 * SECOND)
        every = RuleBuffer(START)
        for part in parts:
            every.add(part)
        rows = every.window(window, START + 60 * SECOND)
        expected = [] if rows is None else sequence_findings(one_rule, rows, window)
        assert ([] if some is None else sequence_findings(one_rule, some, window)) == expected, one_rule.rule.query


@given(
    st.lists(st.tuples(st.integers(-3600, 7200), st.integers(0, 7200)), max_size=6),
    st.integers(0, 20), st.integers(1, 20),
)  # fmt: skip
def test_a_tick_that_is_passed_over_sees_nothing(rows, done, more):
    """Rows are (second of the event, second of its arrival)."""
    memory = RuleBuffer(START - 7200 * SECOND)
    reader = RowReader([RULES[9]])
    now = START
    store = MemoryStore(ArrivalClock(0, lambda: now, lambda: 0))
    for number, (time, arrived) in enumerate(sorted(rows, key=lambda row: row[1])):
        now = START + arrived * SECOND + number * 1000
        at = START + time * SECOND
        fields = {"event": {"category": "process"}, "process": {"name": "a"}, "@timestamp": at // 1_000_000}
        store.add([Document("logs-a", at, text(**fields), f"e{number}")])
    for part in reader.read(store, store.schema()).get("r9", []):
        memory.add(part)
    after = START + done * 5 * MINUTE
    last = after + more * 5 * MINUTE
    empty = memory.unseen(after, last, SCHEDULE)
    assert after <= empty <= last
    for tick in range(after + 5 * MINUTE, empty + 1, 5 * MINUTE):
        assert memory.window(SCHEDULE.window(tick), tick) is None
        assert not len(memory.late_times(tick - 5 * MINUTE, tick))
    if empty < last:  # and the next one does see something, or something is to come behind its window
        tick = empty + 5 * MINUTE
        held = [START + time * SECOND for time, arrived in rows if START + arrived * SECOND < tick]
        start = SCHEDULE.window(tick).start
        assert start is not None
        assert len(memory.late_times(tick - 5 * MINUTE, tick)) or any(time >= start for time in held)


def test_batches_of_several_indices_are_read_as_one():
    """A column of texts here and of lists there is one of lists; numbers are kept apart from texts."""
    import pyarrow as pa

    from tocsin.store.events import StoredBatch

    def batch(index, columns):
        rows = len(next(iter(columns.values())))
        return StoredBatch(
            index, rows, columns, lambda some: [b"%s%d" % (index.encode(), row) for row in some],
            lambda some: [f"{index}{row}" for row in some],
        )  # fmt: skip

    batches = [
        batch("a", {"k": pa.array(["x", None])}),
        batch("b", {"k": pa.array([["y", "z"], []]), "n": pa.array([1, 2])}),
        batch("c", {"k": pa.array(["x"]).dictionary_encode(), "n": pa.array(["one"])}),
    ]
    found = list(join_batches(batches))
    assert [one.rows for one in found] == [4, 1]
    assert found[0].columns["k"].to_pylist() == [["x"], [], ["y", "z"], []]
    assert found[0].columns["n"].to_pylist() == [None, None, 1, 2]
    assert found[0].indices().to_pylist() == ["a", "a", "b", "b"]
    assert found[0].ids([3, 0]) == ["b1", "a0"]
    assert found[0].sources([0, 2]) == [b"a0", b"b0"]
    assert [tuple(part) for part in found[0].parts()] == [("a", 0, 2), ("b", 2, 4)]
