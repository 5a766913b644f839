"""Sequences, samples and missing events: the semantics of Elasticsearch's, case by case, and on random streams."""

# ruff: noqa: E501 (a table reads better than it wraps)

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine import plain_sequences as plain
from tests.querying import schema_of, sequences
from tocsin.ecs import TIMESTAMP
from tocsin.engine.candidates import TIEBREAKER, Candidates, Places, Result, SequenceStream
from tocsin.engine.column import Rows
from tocsin.engine.evaluate import evaluate
from tocsin.engine.graph import KeyedQuery, compile_queries
from tocsin.engine.sequence import SequenceMatcher
from tocsin.engine.table import EventTable, table_from_events
from tocsin.eql import syntax as s
from tocsin.eql.compile import read

SCHEMA = schema_of(kind="keyword", k="keyword", j="keyword")
START = datetime(2024, 1, 1, tzinfo=UTC)


def event(kind: str, second: float, k: Any = "x", **more: Any) -> dict[str, Any]:
    return {"@timestamp": (START + timedelta(seconds=second)).isoformat(), "kind": kind, "k": k, **more}


def found(query: str, events: list[dict[str, Any]], **options: Any) -> list[tuple[int | None, ...]]:
    return [one.events for one in sequences(query, events, SCHEMA, **options)]


A_B = 'sequence by k [any where kind == "a"] [any where kind == "b"]'
A_ANY = 'sequence [any where kind == "a"] [any where true]'
SAMPLE = "sample by k [any where true] [any where true]"
A_B_C = A_B + ' [any where kind == "c"]'
A_B_C_D = A_B_C + ' [any where kind == "d"]'
A_B_10S = A_B.replace("by k", "by k with maxspan=10s")

CASES = [
    ("the newest waiting event is taken, older ones go", A_B, "a1 a2 b3 b4", [(1, 2)]),
    ("an event does not follow itself", A_ANY, "a1 a2 a3", [(0, 1), (1, 2)]),
    ("order is by time, not by arrival", A_B, "b2 a1", [(1, 0)]),
    ("events of one time are in order of arrival", A_B, "a1 b1", [(0, 1)]),
    ("keys must be equal", A_B, "a1 b2/y a3/y b4/y", [(2, 3)]),
    ("a null key joins nothing", A_B, "a1/- b2/-", []),
    ("an optional null key joins null", A_B.replace("by k", "by ?k"), "a1/- b2/-", [(0, 1)]),
    ("an optional null key joins no value", A_B.replace("by k", "by ?k"), "a1/- b2/y", []),
    ("many values: one sequence for each they share", A_B, "a1/x,y,z b2/z,x", [(0, 1), (0, 1)]),
    ("maxspan takes its end in", A_B_10S, "a1 b11", [(0, 1)]),
    ("beyond maxspan is none", A_B_10S, "a1 b12", []),
    ("what exceeds maxspan takes older ones with it", A_B_10S, "a1 a2 b13 b14", []),
    ("until ends what waits", A_B + ' until [any where kind == "u"]', "a1 u2 b3", []),
    ("until of another key does not", A_B + ' until [any where kind == "u"]', "a1 u2/y b3", [(0, 2)]),
    ("until behind the last step does not", A_B + ' until [any where kind == "u"]', "a1 b2 u3", [(0, 1)]),
    (
        "runs is so many of one step",
        'sequence [any where kind == "a"] with runs=3 [any where kind == "b"]',
        "a1 b2 a3 a4 b5",
        [(0, 2, 3, 4)],
    ),
    ("head takes the first", A_B + " | head 1", "a1 b2 a3 b4", [(0, 1)]),
    ("tail takes the last", A_B + " | tail 1", "a1 b2 a3 b4", [(2, 3)]),
    (
        "a missing event between leaves its place empty",
        'sequence by k with maxspan=1m [any where kind == "a"] ![any where kind == "m"] [any where kind == "b"]',
        "a1 b2 a3 m4 b5",
        [(0, None, 1)],
    ),
    (
        "a missing event at the end waits for maxspan",
        'sequence by k with maxspan=10s [any where kind == "a"] ![any where kind == "m"]',
        "a1 m5 a20 m31 a40 m50",
        [(2, None)],
    ),
    (
        "a missing event in front looks back maxspan",
        'sequence by k with maxspan=10s ![any where kind == "m"] [any where kind == "a"]',
        "m1 a5 a11 a12",
        [(None, 3)],
    ),
    (
        "missing in front and behind: the gap must be wider than maxspan",
        'sequence by k with maxspan=10s ![any where kind == "m"] [any where kind == "a"] ![any where kind == "n"]',
        "m1 a5 n11 m20 a25 n31",
        [(None, 4, None)],
    ),
    # ---- two, three and four stages in one pass, as sequences.series-spec has them
    ("what is left of the first step waits", A_B, "a1 b2 a3", [(0, 1)]),
    ("the first of several ends wins", A_B, "a1 b2 b3 b4", [(0, 1)]),
    ("ends before any start are nothing", A_B, "b1 b2 a3 b4 a5", [(2, 3)]),
    ("starts are merged into the newest, again and again", A_B, "a1 a2 b3 a4 a5 a6 b7 a8", [(1, 2), (5, 6)]),
    ("each end takes one start", A_B, "a1 a2 b3 b4 a5", [(1, 2)]),
    ("three steps, twice", A_B_C, "a1 b2 c3 a4 b5 c6", [(0, 1, 2), (3, 4, 5)]),
    ("a newer pair replaces an older one", A_B_C, "a1 b2 a3 b4 c5", [(2, 3, 4)]),
    ("a second middle waits without a start", A_B_C, "a1 b2 c3 b4 c5", [(0, 1, 2)]),
    ("noise before each step", A_B_C, "c1 b2 c3 a4 b5 a6 c7", [(3, 4, 6)]),
    ("starts that come between change nothing that is paired", A_B_C, "a1 c2 b3 a4 b5 c6", [(3, 4, 5)]),
    ("a pair that was passed by is gone", A_B_C, "a1 b2 a3 b4 a5 b6 c7 c8", [(4, 5, 6)]),
    ("sequences may overlap", A_B_C, "a1 b2 a3 c4 b5 c6", [(0, 1, 3), (2, 4, 5)]),
    ("four steps, overlapping", A_B_C_D, "a1 b2 c3 a4 b5 d6 c7 d8", [(0, 1, 2, 5), (3, 4, 6, 7)]),
    ("four steps, the first end missing", A_B_C_D, "a1 b2 c3 a5 b6 c7 d8", [(3, 4, 5, 6)]),
    (
        "keys run side by side",
        A_B_C,
        "a1 a2 b3/y b4 b5 a6/y a7 b8/y c9 c10/y c11",
        [(1, 3, 8), (5, 7, 9)],
    ),
    ("one event may stand in two sequences", 'sequence [any where kind == "a"] [any where kind == "a"]', "a1 a2 a3", [(0, 1), (1, 2)]),
    ("a window slides by one event", 'sequence [any where true] [any where true] [any where kind == "c"]', "a1 b2 c3 c4", [(0, 1, 2), (1, 2, 3)]),
    ("steps may differ in category", 'sequence [alpha where true] [beta where true]', "a1 b2", []),
    # ---- missing events, as test_missing_events has them
    (
        "nothing unwanted between: every pair",
        'sequence with maxspan=1m [any where kind == "a"] ![any where kind == "m"] [any where kind == "a"]',
        "a1 a2 a4",
        [(0, None, 1), (1, None, 2)],
    ),
    (
        "an unwanted event between spoils that pair alone",
        'sequence with maxspan=1m [any where kind == "a"] ![any where kind == "m"] [any where kind == "a"]',
        "a1 a2 m3 a4",
        [(0, None, 1)],
    ),
    (
        "a later pair is taken where the first is spoiled",
        'sequence with maxspan=1m [any where kind == "a"] [any where kind == "a"] ![any where kind == "m"] [any where kind == "a"]',
        "a1 a2 m3 a4 a5 m6",
        [(1, 3, None, 4)],
    ),
    (
        "two missing events, each in its own place",
        'sequence with maxspan=1m [any where kind == "a"] ![any where kind == "m"] [any where kind == "b"] ![any where kind == "n"] [any where kind == "c"]',
        "a1 n2 b3 m4 c5 a6 m7 b8 c9",
        [(0, None, 2, None, 4)],
    ),
    (
        "runs of a missing event leave so many places",
        'sequence with maxspan=1m [any where kind == "a"] ![any where kind == "m"] with runs=2 [any where kind == "b"]',
        "a1 b2",
        [(0, None, None, 1)],
    ),
    (
        "an unwanted event of another key spoils nothing",
        'sequence by k with maxspan=1m [any where kind == "a"] ![any where kind == "m"] [any where kind == "b"]',
        "a1 m2/y b3",
        [(0, None, 2)],
    ),
    # ---- samples, as test_sample and test_sample_multi have them
    ("a null key has no sample", SAMPLE, "a1/- a2/-", []),
    ("an optional null key has one", SAMPLE.replace("by k", "by ?k"), "a1/- a2/-", [(0, 1)]),
    ("one sample a key, however many there could be", A_B.replace("sequence", "sample"), "a1 a2 a3 b4 b5", [(0, 3)]),
    ("a key needs an event for each step", A_B.replace("sequence", "sample"), "a1 b2/y a3/z b4/z", [(2, 3)]),
    ("steps that share their only event have no sample", SAMPLE, "a1 a2/y", []),
    ("a step that others leave one event", SAMPLE.replace("[any where true] [any where true]", '[any where true] [any where kind == "a"]'), "a1 b2", [(1, 0)]),
    ("a sample takes one of each, in any order", A_B.replace("sequence", "sample"), "b1 a2 b3", [(1, 0)]),
    ("a sample's events differ", SAMPLE, "a1 a2/y a3", [(0, 2)]),
    ("a sample joins on keys that nobody has", "sample by ?none.such [any where kind == \"a\" and ?none.x == ?none.y] [any where kind == \"b\"]", "a1 b2/y", [(0, 1)]),
    ("a sample goes by its keys' order", SAMPLE, "a1/y a2/y a3 a4", [(2, 3), (0, 1)]),
]  # fmt: skip


def stream(text: str) -> list[dict[str, Any]]:
    """`a1/x,y` is kind a at second 1 with the keys x and y; `-` is no key; without a key it is x."""
    events = []
    for word in text.split():
        head, _, keys = word.partition("/")
        key = {"": "x", "-": None}.get(keys, keys.split(",") if "," in keys else keys)
        events.append(event(head[0], int(head[1:]), key))
    return events


def sequence(text: str) -> s.Sequence:
    query = read(text, SCHEMA).query
    assert isinstance(query, s.Sequence)
    return query


@pytest.mark.parametrize(("query", "events", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_sequence(query: str, events: str, expected: list[tuple[int | None, ...]]) -> None:
    assert found(query, stream(events)) == expected


def test_the_tiebreaker_orders_events_of_one_time_and_none_is_last() -> None:
    events = [event("b", 1), event("b", 1, event__sequence=2), event("a", 1, event__sequence=1)]
    events = [{name.replace("__", "."): value for name, value in e.items()} for e in events]
    assert found(A_B, events) == [(2, 1)]


def test_keys_may_have_another_name_in_each_step() -> None:
    query = 'sequence [any where kind == "a"] by k [any where kind == "b"] by j'
    result = sequences(query, [event("a", 1, "p"), event("b", 2, "q", j="p")], SCHEMA)
    assert [(one.keys, one.events) for one in result] == [(("p",), (0, 1))]


# ---- random streams

KINDS = st.sampled_from("abcm")
KEYS = st.sampled_from([["x"], ["y"], ["x", "y"], []])
EVENTS = st.lists(
    st.fixed_dictionaries({"time": st.integers(0, 20), "key": KEYS, "kind": KINDS}), min_size=1, max_size=18
)
STEPS = st.lists(
    st.builds(plain.Step, KINDS, st.booleans(), st.sampled_from([1, 1, 1, 2, 3])), min_size=2, max_size=4
).filter(lambda steps: any(not step.missing for step in steps))


def text_of(steps: list[plain.Step], maxspan: int | None, until: str | None) -> str:
    span = "" if maxspan is None else f" with maxspan={maxspan}s"
    brackets = " ".join(
        f'{"!" * step.missing}[any where kind == "{step.kind}"] with runs={step.runs}' for step in steps
    )
    return f"sequence by k{span} {brackets}" + (f' until [any where kind == "{until}"]' if until else "")


def rows(events: list[plain.Event]) -> list[dict[str, Any]]:
    return [event(e["kind"], e["time"], e["key"] or None) for e in events]


def expected_of(found: set[plain.Result]) -> list[tuple[Any, ...]]:
    return sorted(((key, events) for key, events in found), key=repr)


def as_results(found: list[Result]) -> list[tuple[Any, ...]]:
    return sorted(((one.keys[0], one.events) for one in found), key=repr)


@settings(max_examples=1500, deadline=None)
@given(STEPS, EVENTS, st.integers(1, 12), st.booleans(), st.sampled_from([None, "c", "b"]), st.data())
def test_the_matcher_agrees_with_the_plain_one_wherever_the_tables_are_cut(
    steps: list[plain.Step],
    events: list[plain.Event],
    span: int,
    bounded: bool,
    until: str | None,
    data: st.DataObject,
) -> None:
    maxspan = span if bounded or any(step.missing for step in steps) else None
    cuts = data.draw(st.sets(st.integers(1, len(events)), max_size=3))
    result = sequences(text_of(steps, maxspan, until), rows(events), SCHEMA, cuts=cuts)
    assert as_results(result) == expected_of(plain.sequences(steps, events, maxspan, until))


@settings(max_examples=1000, deadline=None)
@given(STEPS, EVENTS, st.integers(1, 12), st.sampled_from([None, "c"]), st.sets(st.integers(1, 17), max_size=4))
def test_a_stream_that_is_cut_saved_and_restored_anywhere_finds_each_sequence_once(
    steps: list[plain.Step], events: list[plain.Event], span: int, until: str | None, stops: set[int]
) -> None:
    text = text_of(steps, span, until)
    ordered = [events[number] for number in sorted(range(len(events)), key=lambda n: (events[n]["time"], n))]
    query = sequence(text)
    stream = SequenceStream(query)
    result: list[Result] = []
    for start, end in pairwise([0, *sorted(stop for stop in stops if stop < len(ordered)), len(ordered)]):
        result += stream.feed(*fits_of(query, rows(ordered[start:end])), start)
        result += stream.forget(int(START.timestamp() + ordered[end - 1]["time"]) * 1_000_000_000)
        saved = json.loads(json.dumps(stream.save()))
        stream = SequenceStream(query)
        stream.restore(saved)
    result += stream.finish()
    assert as_results(result) == expected_of(plain.sequences(steps, ordered, span, until))


def add(candidates: Candidates, arrival: int, table: EventTable, fits: list[Rows]) -> Rows:
    return candidates.add(table, fits, Places(table, arrival))


def fits_of(query: s.Sequence, events: list[dict[str, Any]], *more: str) -> tuple[EventTable, list[Rows]]:
    """Return events as a table, and its rows that fit each step."""
    program = compile_queries([KeyedQuery("q", s.Statement(query))])
    table = table_from_events(events, [*program.fields, "k", TIMESTAMP, TIEBREAKER, *more], SCHEMA)
    found = evaluate(program, table)
    steps = len(s.event_queries(query))
    return table, [found.get(("q", number), np.empty(0, np.intp)) for number in range(steps)]


def test_beyond_the_ceiling_the_oldest_unfinished_go_and_are_counted() -> None:
    query = sequence(A_B)
    stream = SequenceStream(query, ceiling=10)
    starts = [event("a", n, str(n)) for n in range(12)]
    assert stream.feed(*fits_of(query, starts), 0) == []
    ends = [event("b", 100 + n, str(n)) for n in range(12)]
    kept = [one.events[0] for one in stream.feed(*fits_of(query, ends), 12)]
    assert kept == list(range(2, 12))
    assert stream.matcher.lost["ceiling"] == 2


def test_what_a_stream_remembers_is_bounded_by_maxspan() -> None:
    query = sequence(A_B_10S)
    stream = SequenceStream(query)
    for batch in range(20):
        events = [event("a", batch * 100 + n, f"{batch}-{n}") for n in range(50)]
        stream.feed(*fits_of(query, events), batch * 50)
        saved = stream.save()
        assert len(saved["keys"]) == len(saved["matcher"]["waiting"][0]["keys"]) == 11
    assert stream.matcher.lost["maxspan"] == 20 * 50 - 11


def test_a_matcher_tells_how_far_sequences_got_and_what_ended_them() -> None:
    query = sequence(A_B_10S + ' until [any where kind == "u"]')
    candidates = Candidates(query)
    events = stream("a1 u2 a3 b4 a5 b30/y a31/y b50/y a60 b61")
    add(candidates, 0, *fits_of(query, events))
    matcher = SequenceMatcher(query)
    assert [one.events for one in candidates.results(matcher)] == [(2, 3), (8, 9)]
    assert matcher.reached == {0: 5, 1: 2}
    assert matcher.lost == {"until": 1, "maxspan": 1}


def test_keys_are_counted_out_by_the_events_that_they_have() -> None:
    query = sequence(A_B)
    candidates = Candidates(query)
    rows = add(candidates, 100, *fits_of(query, stream("a1 b2 a3/y b4/z a5 b6/y c7")))
    assert rows.tolist() == [0, 1, 2, 3, 4, 5]
    assert candidates.joined() == [(3, 2), (3, 3)]
    assert candidates.complete_keys() == 2


def test_events_without_a_time_are_counted() -> None:
    query = sequence(A_B)
    candidates = Candidates(query)
    add(candidates, 0, *fits_of(query, [event("a", 1), {"kind": "b", "k": "x"}]))
    assert candidates.untimed == 1
    assert candidates.results() == []


def test_keys_of_another_type_in_another_table_are_compared_as_text() -> None:
    query = sequence(A_B.replace("by k", "by ?n.n"))
    candidates = Candidates(query)
    add(candidates, 0, *fits_of(query, [{**event("a", 1), "n.n": 7}], "n.n"))
    add(candidates, 1, *fits_of(query, [{**event("b", 2), "n.n": "7"}], "n.n"))
    assert [one.keys for one in candidates.results()] == [("7",)]
