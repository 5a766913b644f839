"""The language in one call: text -> parsed, checked, normalised statement."""

from __future__ import annotations

from tocsin.ecs import Schema, default_schema
from tocsin.eql import syntax as s
from tocsin.eql.check import check
from tocsin.eql.normalise import normalise
from tocsin.eql.parser import parse


def read(text: str, schema: Schema | None = None) -> s.Statement:
    """Return the normal form of an EQL text. Raises QueryError with line, column and hint."""
    schema = schema or default_schema()
    statement = parse(text)
    check(statement, schema, text)
    return normalise(statement, schema)
