"""Tests answered together, values remembered from table to table, guards: all give what single tests give."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.test_against_plain import CONDITIONS, EVENTS, SCHEMA, found_plainly
from tests.querying import schema_of
from tocsin.engine import graph
from tocsin.engine import literals as literals_module
from tocsin.engine import values as values_module
from tocsin.engine.column import encode
from tocsin.engine.evaluate import Evaluator, Plan, plan
from tocsin.engine.field_tests import FieldTests
from tocsin.engine.graph import Constant, Gate, KeyedQuery, Node, Target, compile_queries, program_of
from tocsin.engine.kernels import truth_of_values
from tocsin.engine.literals import Literals
from tocsin.engine.profile import Profile, profiled
from tocsin.engine.table import table_from_events
from tocsin.eql.compile import read
from tocsin.query_dsl.patterns import escape

TEXT = st.text(st.sampled_from("abAB*?\\.é\n-"), max_size=6)
STRINGS = schema_of(s1="keyword")


def plan_of(conditions: list[str]) -> Plan:
    rules = [KeyedQuery(str(n), read(f"any where {c}", SCHEMA)) for n, c in enumerate(conditions)]
    return plan(compile_queries(rules))


# ---- many texts in one pass


@given(
    st.lists(TEXT.filter(bool), min_size=1, max_size=5, unique=True),
    st.lists(TEXT, max_size=12),
    st.integers(0, 3),
    st.sampled_from([0, 4, 1_000]),
)
def test_every_text_is_found_in_the_values_that_hold_it_and_in_no_other(
    texts: list[str], values: list[str], cut: int, before_compiling: int
) -> None:
    array = pa.array(values, pa.string())[cut:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(literals_module, "BEFORE_COMPILING", before_compiling)
        found = Literals(texts).find(array)
    assert found is not None
    expected = {(v, t) for v, value in enumerate(values[cut:]) for t, text in enumerate(texts) if text in value}
    assert set(zip(*(column.tolist() for column in found), strict=True)) == expected


# ---- the tests of a field together


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace("\n", "\\n") + '"'


REGEXES = st.lists(
    st.one_of(
        TEXT.map(escape),
        st.sampled_from([".*", ".", "a?", "ab*", "b+", "[ab]", "[^a]*", "(a|b)", "a|b", "a{2}", "\\*", "ß"]),
    ),
    min_size=1,
    max_size=5,
).map("".join)
PATTERN_TESTS = st.one_of(
    st.builds("s1 regex{} ({})".format, st.sampled_from(["", "~"]), REGEXES.map(quoted)),
    st.builds("s1 : ({})".format, st.lists(TEXT.map(quoted), min_size=1, max_size=3).map(", ".join)),
    st.builds("s1 like ({})".format, st.lists(TEXT.map(quoted), min_size=1, max_size=3).map(", ".join)),
    st.builds("s1 == {}".format, TEXT.map(quoted)),
    st.builds("s1 in~ ({}, {})".format, TEXT.map(quoted), TEXT.map(quoted)),
    st.builds(
        "{}(s1, {})".format, st.sampled_from(["startsWith", "endsWith~", "stringContains"]), TEXT.map(quoted)
    ),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PATTERN_TESTS, min_size=1, max_size=8), st.lists(TEXT, min_size=1, max_size=20), st.data())
def test_together_gives_what_each_test_gives_alone(conditions: list[str], values: list[str], data: Any) -> None:
    program = plan_of(conditions).program
    tests = {number: node for number, node in enumerate(program.nodes) if isinstance(node, graph.Test)}
    if not tests:
        return
    column = encode(pa.array(values, pa.string()), None)
    assert column is not None
    fragments = sorted(FieldTests("s1", tests).literals.texts)
    without = frozenset(data.draw(st.sets(st.sampled_from(fragments)))) if fragments else frozenset()
    together = FieldTests("s1", tests, without)
    found = together.find(column)
    assert found is not None
    pairs = set(zip(found[0].tolist(), found[1].tolist(), strict=True))
    for number in together.together:
        truth = truth_of_values(tests[number].expression, "s1", column)
        assert {value for value, test in pairs if test == number} == set(np.flatnonzero(truth).tolist())


def test_a_text_that_stands_in_many_values_is_given_up_for_another_of_its_pattern() -> None:
    (tests,) = plan_of(['s1 : "*common*rare*"', 's1 : "*common*"']).fields
    assert tests.literals.texts == ("common",)
    column = encode(pa.array([f"common {n}" for n in range(2_000)]), None)
    assert column is not None
    tests.find(column)
    adapted = tests.adapted()
    assert adapted is not None
    assert adapted.literals.texts == ("rare",)
    assert len(adapted.together) == 1
    assert adapted.adapted() is None


# ---- from table to table


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(CONDITIONS, min_size=1, max_size=5),
    st.lists(EVENTS, min_size=1, max_size=4),
    st.sampled_from([0, 3, 8_192]),
    st.sampled_from([0, 50, 1 << 14]),
    st.booleans(),
)
def test_what_was_learnt_of_one_table_changes_nothing_in_the_next(
    conditions: list[str], tables: list[list[dict[str, Any]]], remembered: int, before: int, fast: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(values_module, "REMEMBERED", remembered)
        patch.setattr(literals_module, "BEFORE_COMPILING", before)
        if not fast:
            patch.setattr(literals_module, "hyperscan", None)
        made = plan_of(conditions)
        profile = Profile()
        evaluators = [Evaluator(made), Evaluator(made, profiled(profile))]
        for events in tables:
            table = table_from_events(events, made.program.fields, SCHEMA)
            expected = {
                (str(n), 0): rows
                for n, c in enumerate(conditions)
                if (rows := found_plainly(f"any where {c}", events))
            }
            for evaluator in evaluators:
                found = {target: rows.tolist() for target, rows in evaluator.matches(table).items()}
                assert found == expected


def test_a_plan_of_the_nodes_of_a_program_is_the_same_plan() -> None:
    made = plan_of(['s1 : ("*abc*", "x")', 's1 == "y" and n1 > 3'])
    events: list[dict[str, Any]] = [{"s1": "zABCz"}, {"s1": "X"}, {"s1": "y", "n1": 4}, {"s1": "y", "n1": 3}]
    table = table_from_events(events, made.program.fields, SCHEMA)
    found = Evaluator(plan(program_of(made.program.nodes, made.program.roots))).matches(table)
    assert {target: rows.tolist() for target, rows in found.items()} == {("0", 0): [0, 1], ("1", 0): [2]}


@pytest.mark.parametrize(
    ("nodes", "roots"),
    [
        ([Gate("and", (0,))], []),
        ([Gate("or", (1,)), Constant(True)], []),
        ([Constant(True), Gate("not", (-1,))], []),
        ([Constant(True), Gate("and", ())], []),
        ([Constant(True), Gate("nor", (0,))], []),
        ([Constant(True)], [(("rule", 0), 1)]),
        ([Constant(True)], [(("rule", 0), -1)]),
    ],
)
def test_nodes_that_are_no_graph_are_refused(nodes: list[Node], roots: list[tuple[Target, int]]) -> None:
    with pytest.raises(ValueError, match=r"operands|`nor`|stands on no node"):
        program_of(nodes, roots)


def test_rules_whose_guard_no_row_meets_are_not_looked_at() -> None:
    made = plan_of(['s1 == "a" and s2 : "*x*"', 's1 == "b" and (s2 : "*y*" or n1 == 1)'])
    profile = Profile()
    evaluator = Evaluator(made, profiled(profile))
    events = [{"s1": "b", "s2": "xy"}, {"s1": "c", "s2": "x"}]
    assert list(evaluator.matches(table_from_events(events, made.program.fields, SCHEMA))) == [("1", 0)]
    assert set(profile.roots) == {("1", 0)}
