"""The documents of exception lists and their items, in Kibana's form."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from tocsin.detection.alerts.exceptions import exception_condition
from tocsin.ecs import Schema
from tocsin.errors import InvalidDocumentError, InvalidError, QueryError
from tocsin.faults import fault_text, field_of
from tocsin.moments import iso, to_nanoseconds
from tocsin.query_dsl.context import Context
from tocsin.store.records.access import Actor
from tocsin.store.records.models import ExceptionItem, ExceptionList, ValueList

_MANAGED = frozenset(
    {"id", "created_at", "created_by", "updated_at", "updated_by", "_version", "tie_breaker_id", "comments"}
)
_LIST_DEFAULTS = {
    "description": "", "immutable": False, "namespace_type": "single", "os_types": [], "tags": [], "version": 1,
    "type": "detection",
}  # fmt: skip
_ITEM_DEFAULTS = {
    "comments": [], "description": "", "namespace_type": "single", "os_types": [], "tags": [], "type": "simple",
}  # fmt: skip


class _Members(BaseModel):
    """Members of lists and exceptions that are held against their types; others are kept as they are given."""

    model_config = ConfigDict(strict=True)

    name: str | None = None
    description: str | None = None
    type: str | None = None
    list_id: str | None = None
    namespace_type: str | None = None
    os_types: list[str] | None = None
    tags: list[str] | None = None


def list_document(stored: ExceptionList) -> dict[str, Any]:
    """Return an exception list's document."""
    return {**_LIST_DEFAULTS, **stored.document, "list_id": stored.list_id, **managed(stored)}


def item_document(stored: ExceptionItem) -> dict[str, Any]:
    """Return an exception's document."""
    return {**_ITEM_DEFAULTS, **stored.document, "item_id": stored.item_id, **managed(stored)}


def managed(stored: ExceptionList | ExceptionItem | ValueList) -> dict[str, Any]:
    """Return the members that the service itself sets."""
    return {
        "id": stored.id, "tie_breaker_id": stored.id, "_version": "",
        "created_at": iso(stored.created), "created_by": stored.created_by,
        "updated_at": iso(stored.updated), "updated_by": stored.updated_by,
    }  # fmt: skip


def read_list(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a list's document that its record keeps. Raises InvalidDocumentError."""
    if body.get("name") is None:
        raise InvalidDocumentError("name: Required")
    return _kept_members(body)


def _kept_members(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a document that its record keeps; those of null are as if they were not there.

    Raises InvalidDocumentError for a member that is not of its type: a list of systems that is none would be left
    out of the condition, and the exception would hold for all systems.
    """
    try:
        _Members.model_validate(body)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise InvalidDocumentError(f"[{field_of(fault)}] {fault_text(fault)}") from None
    return {
        name: value
        for name, value in body.items()
        if name not in _MANAGED and (value is not None or name not in _Members.model_fields)
    }


def read_item(
    body: Mapping[str, Any], actor: Actor, schema: Schema, before: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], datetime | None]:
    """Return the part of an exception's document that its record keeps, and when it expires. Raises InvalidError.

    `before` is the document that it replaces; the comments of that stay.
    """
    document = _kept_members(body)
    try:
        exception_condition([body], Context(schema), lambda _: [])
    except QueryError as error:
        raise InvalidDocumentError(error.message) from None
    document["comments"] = _comments(body.get("comments"), actor, (before or {}).get("comments") or [])
    expires = body.get("expire_time")
    if expires is None:
        return document, None
    try:
        moment = datetime.fromisoformat(str(expires).replace("Z", "+00:00"))
        to_nanoseconds(moment)
    except ValueError:
        raise InvalidError(f"[expire_time] is a moment as in 2027-01-01T00:00:00Z, not `{expires}`") from None
    return document, moment


def _comments(given: Any, actor: Actor, before: list[Any]) -> list[Any]:
    """Return the earlier comments as they are, and the new ones with their author and time."""
    known = {str(comment.get("comment")) for comment in before if isinstance(comment, dict)}
    comments = list(before)
    for comment in given if isinstance(given, list) else []:
        text = comment.get("comment") if isinstance(comment, dict) else comment
        if isinstance(text, str) and text not in known:
            made = comment if isinstance(comment, dict) and "created_at" in comment else {}
            stamp = iso(datetime.now(UTC))
            comments.append({"created_by": actor.name, "created_at": stamp, **made, "comment": text})
    return comments
