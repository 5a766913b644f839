"""python-eql's own cases: queries over recorded events, string functions, constant folding."""

import json
import tomllib
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.dialect import respell
from tests.querying import matching, schema_of, sequences
from tests.shared import needs_shared, shared
from tocsin.ecs import Schema, default_schema
from tocsin.eql import normalise, parser
from tocsin.eql import syntax as s
from tocsin.eql.check import check
from tocsin.errors import QueryError

CASES = "conformance/eql-python"
pytestmark = needs_shared(CASES)
EXCEPTIONS = tomllib.loads((Path(__file__).parent / "exceptions.toml").read_text("utf-8"))
# The old cases read these; no recorded event has them.
ABSENT = ("missing_field", "bad_field", "null_field", "fake_field", "invalid_field_name")


def toml(name: str) -> dict[str, Any]:
    path = shared(f"{CASES}/{name}")
    return tomllib.loads(path.read_text("utf-8")) if path.exists() else {}


def queries() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = toml("test_queries.toml").get("queries", [])
    return found


@cache
def events() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(shared(f"{CASES}/test_data.json").read_text("utf-8"))
    return found


@cache
def schema() -> Schema:
    kinds = {}
    for event in events():
        for name, value in event.items():
            value = value[0] if isinstance(value, list) and value else value
            kinds[name] = {bool: "boolean", int: "long", float: "double", dict: "object"}.get(
                type(value), "keyword"
            )
    kinds.update(dict.fromkeys(ABSENT, "keyword"), source_address="ip")
    return schema_of(**kinds)


def reason(kind: str, number: object) -> str | None:
    return next((e["reason"] for e in EXCEPTIONS.get(kind, []) if number in e["cases"]), None)


@cache
def timed_events() -> list[dict[str, Any]]:
    """The events with their time, which they give in 100 ns since 1601, as ECS gives it."""
    since_1601 = datetime(1601, 1, 1, tzinfo=UTC)
    return [
        {**event, "@timestamp": (since_1601 + timedelta(microseconds=event["timestamp"] // 10)).isoformat()}
        for event in events()
    ]


def run(case: dict[str, Any]) -> list[int]:
    text = respell(case["query"], sensitive=case.get("case_sensitive", False))
    if text.lstrip().startswith("sequence"):
        found = sequences(text, timed_events(), schema(), "event_type", "serial_event_id")
        return [events()[row]["serial_event_id"] for one in found for row in one.events if row is not None]
    return [events()[row]["serial_event_id"] for row in matching(text, events(), schema(), "event_type")]


@pytest.mark.parametrize("number", range(len(queries())))
def test_query_returns_the_recorded_events(number: int) -> None:
    case = queries()[number]
    because = reason("queries", number)
    try:
        found = run(case)
    except QueryError:
        assert because, f"{case['query']} is refused and not listed as an exception"
        return
    if because:
        assert found != case["expected_event_ids"], "this case passes: take it off the list of exceptions"
    else:
        assert found == case["expected_event_ids"], case["query"]


def foldings() -> list[Any]:
    found = []
    for file in ("test_folding.toml", "test_string_functions.toml"):
        for group, body in toml(file).items():
            sensitive = bool(body.get("case_sensitive"))
            for number, case in enumerate(body.get("fold", {}).get("tests", [])):
                found.append(pytest.param(case, sensitive, id=f"{group}-{number}"))
    return found


@pytest.mark.parametrize(("case", "sensitive"), foldings())
def test_constants_fold(case: dict[str, Any], sensitive: bool, request: pytest.FixtureRequest) -> None:
    because = reason("folding", request.node.callspec.id)
    text = respell(case["expression"], sensitive=sensitive)
    try:
        # `!= null` makes a condition of any value, which is what the checker takes.
        check(parser.parse(f"any where ({text}) != null"), default_schema())
        folded = normalise.expression(parser.parse_expression(text), default_schema())
    except QueryError:
        assert because, f"{text} is refused and not listed as an exception"
        return
    value = folded.value if isinstance(folded, s.Literal) else folded
    expected = case.get("expected")
    same = type(value) is type(expected) and value == (
        pytest.approx(expected) if isinstance(value, float) else expected
    )
    if because:
        assert not same, "this case passes: take it off the list of exceptions"
    else:
        assert same, f"{text} gave {value!r}, expected {expected!r}"
