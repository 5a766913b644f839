"""Gaps in records: ticks of a rule that were missed, who has run them later, and the tick where a rule goes on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from tocsin.store.records.models import Gap, StoredRule

# Tables rather than entities, as in `execution_records`.
_GAPS: Any = Gap.__table__
_LAST_GAP = (
    select(_GAPS.c.id, _GAPS.c.last_tick, _GAPS.c.filled_by)
    .where(_GAPS.c.rule_uuid == bindparam("rule"), _GAPS.c.cause == bindparam("why"))
    .order_by(_GAPS.c.id.desc())
    .limit(1)
)
_WIDEN_GAP = update(_GAPS).where(_GAPS.c.id == bindparam("gap")).values(last_tick=bindparam("upto"))
_INSERT_GAP = insert(_GAPS)


def record_gap(
    session: Session,
    rule: str,
    first: int,
    final: int,
    cause: str,
    interval: int,
    *,
    filled_by: str | None = None,
) -> bool:
    """Record ticks that were missed; `filled_by` says who has run them later. Adjacent ticks become one gap.

    Return whether this is a new gap.
    """
    now, connection = datetime.now(UTC), session.connection()
    before = connection.execute(_LAST_GAP, {"rule": rule, "why": cause}).first()
    if before is not None and before.last_tick + interval == first and before.filled_by == filled_by:
        connection.execute(_WIDEN_GAP, {"gap": before.id, "upto": final})
        return False
    values = {
        "rule_uuid": rule, "first_tick": first, "last_tick": final, "cause": cause, "found": now,
        "filled": now if filled_by else None, "filled_by": filled_by,
    }  # fmt: skip
    connection.execute(_INSERT_GAP, values)
    return True


def fill_gaps(session: Session, rule: str, first: int, final: int, by: str) -> int:
    """Record that every tick from `first` to `final` has been run; return how many gaps that fills."""
    inside = (Gap.rule_uuid == rule, Gap.filled.is_(None), Gap.first_tick >= first, Gap.last_tick <= final)
    filled = session.execute(update(Gap).where(*inside).values(filled=datetime.now(UTC), filled_by=by))
    return int(filled.rowcount)  # type: ignore[attr-defined]


def skip(session: Session, rule: str, previous: int | None, upto: int) -> None:
    """Let a rule go on after the tick `upto`, without running the ticks before."""
    session.execute(
        update(StoredRule).where(StoredRule.id == rule, StoredRule.done_to.is_not_distinct_from(previous))
        .values(done_to=upto)
    )  # fmt: skip
