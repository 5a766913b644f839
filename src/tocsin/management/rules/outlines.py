"""The outlines of saved rules."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tocsin.errors import QueryError
from tocsin.esql.parse import parse
from tocsin.investigation.coverage.rule_outlines import EVERY_INDEX, RuleOutline, threats_of
from tocsin.store.records.models import StoredRule


def rule_outlines(session: Session) -> list[RuleOutline]:
    """Return all rules, by name. Of their documents only the few members are read that are shown."""
    document = StoredRule.document
    members = [document[name] for name in ("severity", "index", "language", "tags", "threat")]
    query = select(StoredRule.id, StoredRule.name, StoredRule.enabled, *members)
    rows = session.execute(query.order_by(func.lower(StoredRule.name), StoredRule.rule_id)).all()
    piped = [row[0] for row in rows if row[5] == "esql"]
    queries = select(StoredRule.id, document["query"]).where(StoredRule.id.in_(piped))
    piped_queries = {row[0]: row[1] for row in session.execute(queries)} if piped else {}
    outlines = []
    for id_, name, enabled, severity, index, _, tags, threat in rows:
        patterns = _piped_patterns(str(piped_queries[id_])) if id_ in piped_queries else _texts(index)
        outline = RuleOutline(
            id_, name, enabled, str(severity or ""), patterns or EVERY_INDEX, _texts(tags), threats_of(threat)
        )
        outlines.append(outline)
    return outlines


@lru_cache(maxsize=1024)
def _piped_patterns(query: str) -> tuple[str, ...]:
    """Return the index patterns of a query of ES|QL, those of all indices for one that cannot be read."""
    try:
        return parse(query).indices or EVERY_INDEX
    except QueryError:
        return EVERY_INDEX


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
