"""What queries are read against: the fields that they name, with their types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tocsin.date_formats import DEFAULT
from tocsin.ecs import FieldType, Schema
from tocsin.eql import syntax as s
from tocsin.field_patterns import ANALYSED, TEXTS, Content, field_pattern

# What words, numbers and so on can be looked for in, and what patterns can.
SEARCHED = tuple(content for content in Content if content is not Content.ANY)
PATTERNED = (Content.KEYWORD, *TEXTS)
# Types of mappings whose values are cut into words.
TEXT_TYPES = frozenset({"text", "match_only_text", "pattern_text", "annotated_text", "search_as_you_type"})


@dataclass(frozen=True)
class Context:
    """What a query is read against: the fields with their types, the time, and who reads KQL within it."""

    schema: Schema
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    read_kql: Callable[[str, Context], s.Expression] | None = None

    def type_of(self, name: str) -> FieldType | None:
        """Return a field's type, None for a field that nobody knows."""
        many = field_pattern(name)
        if many is not None:
            return many.content.type
        known = self.schema.find(name)
        return known.type if known else None

    def format_of(self, name: str) -> str:
        """Return the format of a field's dates."""
        known = self.schema.find(base_name(name))
        return (known.mapped.format if known and known.mapped else None) or DEFAULT


def is_text(name: str, context: Context | None = None) -> bool:
    """Tell whether words are searched for in a field: a mapping says so, or else the name."""
    known = None if context is None else context.schema.find(name)
    if known is not None and known.mapped is not None and known.mapped.type != "alias":
        return known.mapped.type in TEXT_TYPES
    many = field_pattern(name)
    return name in ANALYSED or name.endswith(".text") or (many is not None and many.content in TEXTS)


def is_caseless(name: str) -> bool:
    """Tell whether letter case does not matter in a field, whatever is asked: a multi-field of Elastic Defend."""
    return name.endswith(".caseless")


def base_name(name: str) -> str:
    """Return the field that a multi-field is of: `process.name.text` and `message.keyword` are columns of none."""
    for suffix in (".text", ".keyword", ".caseless"):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


def ref(name: str) -> s.FieldRef:
    """Return a reference to a field."""
    return s.FieldRef(base_name(name), optional=True)
