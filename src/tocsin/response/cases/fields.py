"""What a case says of itself, and what each of its fields may hold: limits and words are Kibana's.

Source: x-pack/plugins/cases/common/constants and common/types/api of elastic/kibana.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from tocsin.errors import InvalidError

OPEN, IN_PROGRESS, CLOSED = "open", "in-progress", "closed"
STATUSES = (OPEN, IN_PROGRESS, CLOSED)
SEVERITIES = ("low", "medium", "high", "critical")
OWNER = "securitySolution"  # the application that owns cases, as Kibana calls it
LONGEST_TITLE, LONGEST_TEXT = 160, 30_000  # characters; the latter of a description or comment
_LONGEST_TAG, _MOST_TAGS, _MOST_ASSIGNEES, _LONGEST_CATEGORY = 256, 200, 10, 50
_LONGEST_NAME, _LONGEST_FOLLOW_UP = 160, 500


def checked_text(name: str, value: Any, longest: int, shortest: int = 1) -> str:
    """Return a text without blanks around it. Raises InvalidError for one that records cannot hold."""
    if not isinstance(value, str):
        raise InvalidError(f"[{name}] is a text")
    text = value.strip()
    if not shortest <= len(text) <= longest:
        raise InvalidError(f"[{name}] has {shortest} to {longest:,} characters")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidError(f"[{name}] has a character that is none (NUL, or half of a pair)")
    return text


def checked_names(name: str, value: Any, most: int, longest: int) -> list[str]:
    """Return names, each once. Raises InvalidError."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise InvalidError(f"[{name}] is a list")
    names = list(dict.fromkeys(checked_text(name, member, longest) for member in value))
    if len(names) > most:
        raise InvalidError(f"[{name}] has at most {most} members")
    return names


def _choice(name: str, choices: Sequence[str]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in choices:
            raise InvalidError(f"[{name}] is one of {', '.join(choices)}, not `{value}`")
        return str(value)

    return check


def _text(name: str, longest: int, shortest: int = 1) -> Callable[[Any], str]:
    return lambda value: checked_text(name, value, longest, shortest)


def _text_or_none(name: str, longest: int) -> Callable[[Any], str | None]:
    return lambda value: (checked_text(name, value, longest, 0) or None) if value is not None else None


def _names(name: str, most: int, longest: int) -> Callable[[Any], list[str]]:
    return lambda value: checked_names(name, value, most, longest)


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidError("[settings.syncAlerts] is true or false")
    return value


def _follow_up(value: Any) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime) or not 1970 <= value.year < 9999:
        raise InvalidError("[follow_up] is a moment between 1970 and 9998")
    return value.astimezone(UTC)


# Checks of the fields of a case that somebody may change, in the order in which changes are noted.
FIELDS: Mapping[str, Callable[[Any], Any]] = MappingProxyType({
    "title": _text("title", LONGEST_TITLE),
    "description": _text("description", LONGEST_TEXT, 0),
    "severity": _choice("severity", SEVERITIES),
    "tags": _names("tags", _MOST_TAGS, _LONGEST_TAG),
    "assignees": _names("assignees", _MOST_ASSIGNEES, _LONGEST_NAME),
    "owner": _text_or_none("owner", _LONGEST_NAME),
    "category": _text_or_none("category", _LONGEST_CATEGORY),
    "sync_alerts": _switch,
    "follow_up": _follow_up,
    "follow_up_note": _text_or_none("follow_up_note", _LONGEST_FOLLOW_UP),
    "close_reason": _text_or_none("close_reason", 255),
    "status": _choice("status", STATUSES),
})  # fmt: skip
# What the activity log calls the change of a field, where its own name is not that of Kibana's user action.
ACTIVITY_TYPES: Mapping[str, str] = MappingProxyType({"sync_alerts": "settings", "follow_up_note": "follow_up"})


def checked_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values of fields as a case keeps them. Raises InvalidError, also for a field that is none."""
    unknown = sorted(values.keys() - FIELDS.keys())
    if unknown:
        raise InvalidError(f"a case has no field {unknown[0]}", hint=f"it has {', '.join(FIELDS)}")
    return {name: check(values[name]) for name, check in FIELDS.items() if name in values}
