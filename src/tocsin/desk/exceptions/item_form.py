"""An exception as a form: its conditions, name, comment and expiry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from tocsin.api.answers import bad_request
from tocsin.desk.exceptions.conditions import ConditionRow, entries_of, read_rows, row_of_entry
from tocsin.desk.forms import Fields, field
from tocsin.moments import iso
from tocsin.store.records.models import ExceptionItem

_LONGEST_NAME = 250


@dataclass(frozen=True)
class ItemForm:
    """What a form says of an exception. `expires` is a moment as browsers write it, in the visitor's zone."""

    name: str
    rows: Sequence[ConditionRow]
    comment: str = ""
    expires: str = ""
    closes: str = ""  # which alerts are closed when it is saved: "", "this", "all"
    target: str = ""  # the rule's own list (empty), or the `list_id` of a shared one

    def body(
        self, zone: tzinfo, list_types: Mapping[str, str], event: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the exception in Kibana's form. Raises ApiError."""
        if not self.name or len(self.name) > _LONGEST_NAME:
            raise bad_request(f"the name has 1 to {_LONGEST_NAME} characters")
        comments = [{"comment": self.comment}] if self.comment else []
        return {
            "name": self.name, "description": self.name, "type": "simple",
            "entries": entries_of(self.rows, list_types, event), "comments": comments,
            "expire_time": self._end(zone),
        }  # fmt: skip

    def _end(self, zone: tzinfo) -> str | None:
        if not self.expires:
            return None
        try:
            moment = datetime.fromisoformat(self.expires)
            moment = moment.replace(tzinfo=zone) if moment.tzinfo is None else moment
            return iso(moment)
        except (ValueError, OverflowError):
            raise bad_request(f"the moment of expiry cannot be read: `{self.expires}`") from None


def read_item_form(form: Fields) -> ItemForm:
    """Return what a form says of an exception. Raises ApiError."""
    return ItemForm(
        name=field(form, "name").strip(),
        rows=read_rows(form),
        comment=field(form, "comment").strip(),
        expires=field(form, "expires").strip(),
        closes=field(form, "closes"),
        target=field(form, "target"),
    )


def form_of_item(item: ExceptionItem, zone: tzinfo) -> ItemForm:
    """Return the form of a saved exception."""
    entries = [entry for entry in item.document.get("entries") or () if isinstance(entry, dict)]
    expires = "" if item.expires is None else f"{item.expires.astimezone(zone):%Y-%m-%dT%H:%M}"
    return ItemForm(str(item.document.get("name") or ""), list(map(row_of_entry, entries)), expires=expires)


def has_expired(item: ExceptionItem) -> bool:
    """Tell whether an exception has expired."""
    return item.expires is not None and item.expires <= datetime.now(UTC)
