"""Documents of events and alerts as pages read them: flat, a field's values by its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tocsin.desk.shown import visible
from tocsin.investigation.happened import who_did_what


@dataclass(frozen=True)
class FlatDocument:
    """A document by the names of its fields. `values` holds one value or a list a field."""

    id: str
    index: str
    values: Mapping[str, Any]

    def text(self, *names: str) -> str:
        """Return the first of some fields that has a value, as text in which nothing hides; empty if none has."""
        return next((text for name in names if (text := visible(self.values.get(name)))), "")

    @property
    def sentence(self) -> str:
        """What happened: who did what; what the rule says of it where the event does not tell."""
        return who_did_what(self.text) or self.text("kibana.alert.reason")

    def raw(self, name: str) -> Any:
        """Return a field's value, the first of several, None where there is none."""
        value = self.values.get(name)
        return (value[0] if value else None) if isinstance(value, list) else value


def flat_document(hit: Mapping[str, Any]) -> FlatDocument:
    """Return a hit of a search: its `fields` where those were asked for, else its `_source`."""
    values = hit.get("fields") or dict(_flat(hit.get("_source", {}), ""))
    return FlatDocument(str(hit["_id"]), str(hit["_index"]), values)


def _flat(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from _flat(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", inner
