"""Saved queries and packs: queries that people keep, and those that hosts run by themselves on a schedule.

A pack becomes a part of the configuration that hosts ask for (osquery's docs/wiki/deployment/configuration.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tocsin.errors import InvalidError
from tocsin.investigation.guides.osquery import Verdict, checked_query
from tocsin.management.saved_objects import remove_object, save_object, saved_object, saved_objects
from tocsin.store.records.access import Actor
from tocsin.store.records.models import SavedObject

PACK, SAVED_QUERY = "osquery_pack", "osquery_saved_query"
DELIMITER = "/"  # between `pack`, the pack's name and the query's in what hosts log: no name has it
SHORTEST_INTERVAL, LONGEST_INTERVAL = 10, 604_800  # seconds, as osquery has them
_NAME = re.compile(r"[\w .-]{1,64}")
_MOST_QUERIES = 200
_PLATFORMS = ("windows", "linux", "darwin")


def save_query(
    session: Session, actor: Actor, name: str, query: str, *, description: str = "", id_: str | None = None,
    document: Mapping[str, Any] | None = None,
) -> SavedObject:  # fmt: skip
    """Keep a query for all, a new one where `id_` is None. Raises InvalidError, NotFoundError."""
    if not query.strip():
        raise InvalidError("[query] is missing")
    kept = {**(document or {}), "query": query, "description": description[:2_000]}
    return save_object(session, actor, SAVED_QUERY, name, kept, id_=id_, shared=True)


def saved_queries(session: Session, actor: Actor) -> Sequence[SavedObject]:
    """Return the saved queries by their names."""
    return saved_objects(session, actor, SAVED_QUERY)


def save_pack(
    session: Session, actor: Actor, name: str, document: Mapping[str, Any], *, id_: str | None = None
) -> SavedObject:
    """Keep a pack: `queries` by their names, each with `query` and `interval`. Raises InvalidError, NotFoundError.

    A query's members are osquery's: `snapshot`, `removed`, `platform`, `version`; and Elastic's `ecs_mapping`.
    """
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise InvalidError("[name] of a pack has letters, digits, blanks, `.`, `_` and `-`, 64 at most")
    if any(pack.name == name and pack.id != id_ for pack in packs(session)):
        raise InvalidError(f"there is a pack {name} already")
    queries = document.get("queries")
    if not isinstance(queries, Mapping) or not 0 < len(queries) <= _MOST_QUERIES:
        raise InvalidError(f"[queries] has 1 to {_MOST_QUERIES} queries by their names")
    platform = str(document.get("platform") or "")
    kept = {
        "description": str(document.get("description") or "")[:2_000],
        "enabled": bool(document.get("enabled", True)),
        "platform": _platform(platform),
        "queries": {_query_name(key): _pack_query(key, value, platform) for key, value in queries.items()},
    }
    return save_object(session, actor, PACK, name, kept, id_=id_, shared=True)


def _query_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidError(f"[queries.{name}] is no name: letters, digits, blanks, `.`, `_` and `-`, 64 at most")
    return name


def _platform(text: str) -> str:
    unknown = [part for part in text.split(",") if part and part not in _PLATFORMS]
    if unknown:
        raise InvalidError(f"[platform] is some of {', '.join(_PLATFORMS)}, and not {unknown[0]}")
    return text


def _pack_query(name: str, value: Any, of_pack: str) -> dict[str, Any]:
    where = f"queries.{name}"
    if not isinstance(value, Mapping) or not isinstance(value.get("query"), str) or not value["query"].strip():
        raise InvalidError(f"[{where}.query] is missing")
    try:
        interval = int(value.get("interval", 3_600))
    except (TypeError, ValueError):
        interval = 0
    if not SHORTEST_INTERVAL <= interval <= LONGEST_INTERVAL:
        raise InvalidError(f"[{where}.interval] is {SHORTEST_INTERVAL} to {LONGEST_INTERVAL:,} seconds")
    platform = _platform(str(value.get("platform") or ""))
    checks = [checked_query(value["query"], part) for part in (platform or of_pack).split(",")]
    right = [check for check in checks if check.verdict is not Verdict.WRONG]
    if not right:
        raise InvalidError(f"[{where}.query] {checks[0].reason}")
    mapping = value.get("ecs_mapping")
    return {
        "query": right[0].query, "interval": interval, "platform": platform,
        "version": str(value.get("version") or ""), "snapshot": bool(value.get("snapshot", False)),
        "removed": bool(value.get("removed", True)),
        "ecs_mapping": dict(mapping) if isinstance(mapping, Mapping) else {},
    }  # fmt: skip


def packs(session: Session) -> Sequence[SavedObject]:
    """Return the packs by their names."""
    return session.scalars(
        select(SavedObject)
        .where(SavedObject.type == PACK, SavedObject.owner_id.is_(None))
        .order_by(SavedObject.name)
    ).all()


def find_pack(session: Session, actor: Actor, id_: str) -> SavedObject:
    """Return a pack. Raises NotFoundError."""
    return saved_object(session, actor, PACK, id_)


def remove_pack(session: Session, actor: Actor, id_: str) -> None:
    """Remove a pack: hosts stop running it when they ask for their configuration. Raises NotFoundError."""
    remove_object(session, actor, PACK, id_)


def find_saved_query(session: Session, actor: Actor, id_: str) -> SavedObject:
    """Return a saved query. Raises NotFoundError."""
    return saved_object(session, actor, SAVED_QUERY, id_)


def remove_saved_query(session: Session, actor: Actor, id_: str) -> None:
    """Remove a saved query. Raises NotFoundError."""
    remove_object(session, actor, SAVED_QUERY, id_)


def packs_state(session: Session) -> tuple[Any, ...]:
    """Return what is another when packs have changed."""
    state = select(func.count(), func.max(SavedObject.updated)).where(SavedObject.type == PACK)
    return tuple(session.execute(state).one())


def pack_queries(session: Session) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the queries of all packs, also of those that are switched off, by the pack's name and their own."""
    return {
        (pack.name, name): query
        for pack in packs(session)
        for name, query in dict(pack.document.get("queries") or {}).items()
    }


def configuration(session: Session) -> dict[str, Any]:
    """Return the configuration that hosts are given: the packs that are switched on."""
    enabled = [pack for pack in packs(session) if pack.document.get("enabled")]
    return {
        "options": {"pack_delimiter": DELIMITER},
        "schedule": {},
        "packs": {pack.name: _as_osquery_has_it(pack.document) for pack in enabled},
    }


def _as_osquery_has_it(document: Mapping[str, Any]) -> dict[str, Any]:
    queries = {
        name: {key: value for key, value in query.items() if key != "ecs_mapping" and value != ""}
        for name, query in document["queries"].items()
    }
    platform = document.get("platform")
    return {**({"platform": platform} if platform else {}), "queries": queries}


def named_pack_query(name: str, known: Mapping[tuple[str, str], Any]) -> tuple[str, str] | None:
    """Return the pack and the query that a name of a log stands for; None for a query of no pack.

    A host whose flags have another delimiter than ours writes the names in another way.
    """
    if not name.startswith("pack"):
        return None
    delimiter, rest = name[4:5], name[5:]
    pairs = [(rest[:at], rest[at + 1 :]) for at, sign in enumerate(rest) if sign == delimiter]
    return next((pair for pair in pairs if pair in known), pairs[0] if pairs else None)
