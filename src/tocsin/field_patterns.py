"""Names that stand for many fields: all whose names fit a pattern and that hold content of one kind.

A search word that names no field is looked for in all of them, and `process.*` names some. Which fields there are
is only known from events, so that a condition names `process.*#keyword`, for instance: whatever holds keywords
below `process`. A condition on such a name holds for an event as it would for one field with all their values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from tocsin.ecs import FieldType, Schema
from tocsin.linear_regex import star_match


class Content(StrEnum):
    """What fields hold, as far as the same condition can be asked of them."""

    KEYWORD = "keyword"
    TEXT = "text"  # cut into words by Elasticsearch's standard analyzer
    SCRIPT = "script"  # cut into words as Elastic's Windows integration does it
    IP = "ip"
    LONG = "long"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    DATE = "date"
    ANY = "any"  # anything: all that can be asked is whether there is a value

    @property
    def type(self) -> FieldType | None:
        """The type of the values; None for any."""
        if self is Content.ANY:
            return None
        return FieldType.KEYWORD if self in TEXTS else FieldType(self)


TEXTS = (Content.TEXT, Content.SCRIPT)
# The fields that Elasticsearch analyses, with the content that says how.
ANALYSED = {
    "message": Content.TEXT,
    "error.message": Content.TEXT,
    "error.stack_trace": Content.TEXT,
    "powershell.file.script_block_text": Content.SCRIPT,
    "alert.attributes.name": Content.TEXT,  # of a rule, as Kibana keeps it
}
# Kept with events, and searched by nobody (ECS: `index: false`).
_NOT_SEARCHED = frozenset({"event.original"})
_NAME = re.compile(rf"(.*\*.*)#({'|'.join(Content)})", re.DOTALL)
_BY_VALUE: tuple[tuple[type, Content], ...] = (
    (str, Content.KEYWORD),
    (bool, Content.BOOLEAN),
    (int, Content.LONG),
    (float, Content.DOUBLE),
)


@dataclass(frozen=True)
class FieldPattern:
    """All fields whose names fit a pattern with `*` and that hold content of one kind."""

    pattern: str
    content: Content

    @property
    def name(self) -> str:
        """The name by which conditions refer to these fields."""
        return f"{self.pattern}#{self.content}"

    @property
    def title(self) -> str:
        """What to call these fields."""
        kind = "" if self.content is Content.ANY else f"{self.content} "
        return f"any {kind}field" + ("" if self.pattern == "*" else f" of {self.pattern}")

    def fits(self, name: str) -> bool:
        """Return whether a field's name fits, whatever it holds."""
        return not name.startswith("_") and name not in _NOT_SEARCHED and bool(star_match(self.pattern)(name))


@lru_cache(4096)
def field_pattern(name: str) -> FieldPattern | None:
    """Return the pattern that a name in a condition is of; None for the name of one field."""
    match = _NAME.fullmatch(name) if "#" in name else None
    return FieldPattern(match[1], Content(match[2])) if match else None


def content_of(name: str, value: Any, schema: Schema) -> Content | None:
    """Return what a field holds: what the schema says, or else what a value of it shows."""
    if name in ANALYSED:
        return ANALYSED[name]
    known = schema.find(name)
    if known is not None:
        return None if known.type is FieldType.OBJECT else Content(known.type)
    return next((content for kind, content in _BY_VALUE if isinstance(value, kind)), None)


def with_fields(names: Iterable[str], present: Iterable[str]) -> frozenset[str]:
    """Return names of fields, with those of the fields present that fit instead of each name of a pattern."""
    given = frozenset(names)
    patterns = [pattern for name in given if (pattern := field_pattern(name)) is not None]
    if not patterns:
        return given
    fitting = {name for name in present if any(pattern.fits(name) for pattern in patterns)}
    return given.difference(pattern.name for pattern in patterns) | fitting
