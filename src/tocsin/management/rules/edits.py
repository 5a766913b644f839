"""Edits of many rules at once, as Kibana has them: each changes a part of a rule's document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tocsin.detection.schedule import UNITS
from tocsin.errors import InvalidError
from tocsin.moments import SECOND

_Edit = Callable[[dict[str, Any], Any], None]


def edited(document: Mapping[str, Any], edits: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a copy of a rule's document with edits, each a `type` and a `value`. Raises InvalidError."""
    changed = dict(document)
    for edit in edits:
        type_ = edit.get("type")
        apply = _EDITS.get(str(type_))
        if apply is None:
            raise InvalidError(f"[edit] knows {', '.join(_EDITS)}, not `{type_}`")
        try:
            apply(changed, edit.get("value"))
        except (TypeError, ValueError, AttributeError, KeyError):
            raise InvalidError(f"[edit]: `{type_}` cannot be done with this [value]") from None
    return changed


def changes_more_than_tags(edits: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether edits change what a rule does, so that it has to be checked again."""
    return any(edit.get("type") not in _OF_TAGS for edit in edits)


def _add(name: str) -> _Edit:
    return lambda document, value: document.update({name: list(dict.fromkeys((*document.get(name, ()), *value)))})


def _take(name: str) -> _Edit:
    return lambda document, value: document.update({name: [x for x in document.get(name, ()) if x not in value]})


def _set(name: str) -> _Edit:
    return lambda document, value: document.update({name: list(value)})


def _schedule(document: dict[str, Any], value: Mapping[str, Any]) -> None:
    interval, lookback = str(value.get("interval")), str(value.get("lookback", "0s"))
    try:
        total = sum(int(text[:-1]) * UNITS[text[-1]] for text in (interval, lookback))
    except (ValueError, KeyError, IndexError):
        raise InvalidError("[interval] and [lookback] are spans of time such as 5m") from None
    document.update({"interval": interval, "from": f"now-{total // SECOND}s"})


def _of_fields(edit: Callable[[str], _Edit]) -> _Edit:
    """Edit the fields that an alert's details show first."""

    def edit_fields(document: dict[str, Any], value: Mapping[str, Any]) -> None:
        inner = {"field_names": list((document.get("investigation_fields") or {}).get("field_names") or ())}
        edit("field_names")(inner, value["field_names"])
        document["investigation_fields"] = inner if inner["field_names"] else None

    return edit_fields


def _act(*, keep: bool) -> _Edit:
    """Set a rule's actions; with `keep`, in addition to those that it has."""

    def edit_actions(document: dict[str, Any], value: Mapping[str, Any]) -> None:
        before = list(document.get("actions") or ()) if keep else []
        throttle = value.get("throttle")
        frequency = None if throttle is None or throttle in ("rule", "no_actions") else {
            "summary": True, "notifyWhen": "onThrottleInterval", "throttle": throttle,
        }  # fmt: skip
        given = [{**({"frequency": frequency} if frequency else {}), **action} for action in value["actions"]]
        document["actions"] = [*before, *given]

    return edit_actions


_OF_TAGS = frozenset({"add_tags", "delete_tags", "set_tags"})
_EDITS: dict[str, _Edit] = {
    "add_tags": _add("tags"), "delete_tags": _take("tags"), "set_tags": _set("tags"),
    "add_index_patterns": _add("index"), "delete_index_patterns": _take("index"),
    "set_index_patterns": _set("index"), "set_schedule": _schedule,
    "set_timeline": lambda document, value: document.update(value),
    "add_rule_actions": _act(keep=True), "set_rule_actions": _act(keep=False),
    "add_investigation_fields": _of_fields(_add), "delete_investigation_fields": _of_fields(_take),
    "set_investigation_fields": _of_fields(_set),
    "set_alert_suppression": lambda document, value: document.update({"alert_suppression": dict(value)}),
    "delete_alert_suppression": lambda document, value: document.pop("alert_suppression", None),
}  # fmt: skip
