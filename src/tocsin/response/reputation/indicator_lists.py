"""Lists of indicators: made, loaded from files, replaced, added to, and removed.

What a load reads and compresses it does outside of transactions; the blocks of a list change in one. See
`store/indicators/indicator_index.py` for where rules find them.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from tocsin.counted import counted
from tocsin.ecs import INDEX, TIMESTAMP
from tocsin.errors import ConflictError, InvalidError, NotFoundError
from tocsin.moments import DAY, iso
from tocsin.sources.indicators import Indicators
from tocsin.store.indicators.blocks import VALID_UNTIL, PackedBlock, expiry_of, pack, unpack
from tocsin.store.records.access import Actor, record
from tocsin.store.records.database import Records, begin_to_write
from tocsin.store.records.reputation import IndicatorBlock, IndicatorList

CONFIDENCES = ("None", "Low", "Medium", "High")
MOST_OF_LIST, MOST_IN_ALL = 500_000, 1_000_000  # indicators
_LONGEST_NAME, _LONGEST_SOURCE, _MOST_LISTS, _MOST_DAYS = 200, 1_000, 500, 36_500
_LARGEST = 64 << 10  # bytes of one indicator
_TRIES = 3  # of a change, when others change the list meanwhile
_Flat = Mapping[str, Any]
# What tells indicators of a list apart: their values, not what is said about them.
_VALUES = tuple(
    f"threat.indicator.{name}"
    for name in ("type", "ip", "port", "url.", "file.", "email.", "registry.", "as.number", "mac", "x509.")
)
_OWN = frozenset((INDEX, TIMESTAMP, "_id", "event.dataset", "event.module"))


@dataclass(frozen=True)
class NewList:
    """What somebody says about a list that they make; see IndicatorList."""

    name: str
    source: str = ""
    confidence: str | None = None
    valid_days: int | None = None


@dataclass(frozen=True)
class LoadResult:
    """What came of a load: how many indicators the list got and has now, and what was not taken, by reason."""

    list_id: str
    taken: int
    indicators: int
    skipped: Mapping[str, int]


def indicator_lists(session: Session) -> Sequence[IndicatorList]:
    """Return all lists, by name."""
    return session.scalars(select(IndicatorList).order_by(IndicatorList.name)).all()


def find_list(session: Session, name: str) -> IndicatorList:
    """Return a list by its id or its name. Raises NotFoundError."""
    either = (IndicatorList.id == name) | (IndicatorList.name == name)
    known = session.scalar(select(IndicatorList).where(either))
    if known is None:
        raise NotFoundError(f"there is no list of indicators {name}")
    return known


def make_list(session: Session, actor: Actor, new: NewList) -> IndicatorList:
    """Make a list without indicators. Raises InvalidError, ConflictError where one has the name."""
    _check(new)
    if session.scalar(select(IndicatorList.id).where(IndicatorList.name == new.name)) is not None:
        raise ConflictError(f"there is a list of indicators {new.name} already")
    if (session.scalar(select(func.count()).select_from(IndicatorList)) or 0) >= _MOST_LISTS:
        raise InvalidError(f"there may be {_MOST_LISTS:,} lists of indicators")
    now = datetime.now(UTC)
    made = IndicatorList(
        id=str(uuid.uuid4()), name=new.name, source=new.source, confidence=new.confidence,
        valid_days=new.valid_days, indicators=0, skipped={}, changed=time.time_ns(), created=now,
        created_by=actor.name[:160], updated=now, updated_by=actor.name[:160],
    )  # fmt: skip
    session.add(made)
    record(session, actor, "indicators.create", new.name, **_said(new))
    session.flush()
    return made


def change_list(session: Session, actor: Actor, id_: str, new: NewList) -> IndicatorList:
    """Change what a list says of itself; what it is loaded with from now on has it. The name stays.

    Raises NotFoundError, InvalidError.
    """
    known = find_list(session, id_)
    if new.name != known.name:
        raise InvalidError("[name] of a list stays: rules ask for it")
    _check(new)
    known.source, known.confidence, known.valid_days = new.source, new.confidence, new.valid_days
    _sign(known, actor)
    record(session, actor, "indicators.change", known.name, **_said(new))
    return known


def remove_list(session: Session, actor: Actor, id_: str) -> None:
    """Remove a list with its indicators. Raises NotFoundError."""
    known = find_list(session, id_)
    session.execute(delete(IndicatorBlock).where(IndicatorBlock.list_id == known.id))
    record(session, actor, "indicators.remove", known.name, indicators=known.indicators)
    session.delete(known)


def load_list(
    records: Records, actor: Actor, id_: str, read: Indicators, *, replace: bool, go_on: Callable[[], None]
) -> LoadResult:
    """Load a list with indicators, in place of those that it has or beside them.

    An indicator that the list has already, by its value, is replaced. `go_on` is called between steps, and raises
    where the work has to end. Raises NotFoundError, and InvalidError for more than a list may have.
    """
    with records.transaction() as session:
        known = find_list(session, id_)
        about = NewList(known.name, known.source, known.confidence, known.valid_days)
        list_id = known.id
    now, skipped = time.time_ns(), Counter(read.skipped)
    taken: dict[str, _Flat] = {}
    for document in read.documents:
        kept = _kept(document, list_id, about, now)
        reason = _not_kept(kept, now)
        if reason is None and kept["_id"] in taken:
            reason = "value that the files have twice"
        if reason is None:
            taken[kept["_id"]] = kept
        else:
            skipped[reason] += 1
    if len(taken) > MOST_OF_LIST:
        raise InvalidError(f"a list has at most {MOST_OF_LIST:,} indicators; these are {len(taken):,}")
    go_on()
    new_blocks = pack(taken.values())

    def without(document: _Flat) -> bool:
        return not replace and document["_id"] not in taken

    indicators = _change(records, actor, list_id, without, new_blocks, now, dict(skipped), go_on)
    return LoadResult(list_id, len(taken), indicators, dict(skipped))


def remove_indicators(
    records: Records, actor: Actor, id_: str, values: Iterable[str], go_on: Callable[[], None]
) -> int:
    """Remove the indicators of a list that have one of the values; return how many. Raises NotFoundError."""
    wanted = frozenset(value.strip().lower() for value in values)
    with records.transaction() as session:
        known = find_list(session, id_)
        list_id, before = known.id, known.indicators

    def stays(document: _Flat) -> bool:
        return wanted.isdisjoint(value.lower() for value in values_of(document))

    return before - _change(records, actor, list_id, stays, [], time.time_ns(), None, go_on)


def values_of(document: _Flat) -> list[str]:
    """Return the values of an indicator that people know it by."""
    return [
        str(value)
        for name, content in document.items()
        if name.startswith(_VALUES) and name != "threat.indicator.type"
        for value in (content if isinstance(content, list) else [content])
    ]


def documents_of(session: Session, id_: str) -> list[dict[str, Any]]:
    """Return the indicators of a list, also expired ones, as flat documents. Raises NotFoundError."""
    known = find_list(session, id_)
    blocks = select(IndicatorBlock.documents).where(IndicatorBlock.list_id == known.id).order_by(IndicatorBlock.id)
    return [document for packed in session.scalars(blocks) for document in unpack(packed)]


def _change(
    records: Records,
    actor: Actor,
    list_id: str,
    stays: Callable[[_Flat], bool],
    new_blocks: Sequence[PackedBlock],
    now: int,
    skipped: dict[str, Any] | None,
    go_on: Callable[[], None],
) -> int:
    """Let go of the indicators of a list that do not stay, and add blocks; return how many it has then."""
    for _ in range(_TRIES):
        with records.transaction() as session:
            changed = find_list(session, list_id).changed
            asked = select(IndicatorBlock.id, IndicatorBlock.loaded, IndicatorBlock.documents)
            blocks = session.execute(asked.where(IndicatorBlock.list_id == list_id)).all()
        gone, rewritten = list[int](), list[tuple[int, PackedBlock]]()
        for id_, loaded, packed in blocks:
            go_on()
            documents = unpack(packed)
            staying = [document for document in documents if stays(document)]
            if len(staying) < len(documents):
                gone.append(id_)
                rewritten += ((loaded, block) for block in pack(staying))
        with records.transaction() as session:
            begin_to_write(session)
            known = find_list(session, list_id)
            if known.changed != changed:
                continue
            session.execute(delete(IndicatorBlock).where(IndicatorBlock.id.in_(gone)))
            for loaded, block in (*rewritten, *((now, block) for block in new_blocks)):
                session.add(IndicatorBlock(list_id=list_id, loaded=loaded, **block._asdict()))
            session.flush()
            return _counted(session, actor, known, skipped, new_blocks)
    raise ConflictError("the list of indicators is being changed by others: try again")


def _counted(
    session: Session,
    actor: Actor,
    known: IndicatorList,
    skipped: dict[str, Any] | None,
    new_blocks: Sequence[PackedBlock],
) -> int:
    """Count the indicators of a list after a change. Raises InvalidError where there are too many."""
    total = func.coalesce(func.sum(IndicatorBlock.indicators), 0)
    count = int(session.scalar(select(total).where(IndicatorBlock.list_id == known.id)) or 0)
    if count > MOST_OF_LIST:
        raise InvalidError(f"a list has at most {MOST_OF_LIST:,} indicators; this would have {count:,}")
    if (whole := int(session.scalar(select(total)) or 0)) > MOST_IN_ALL:
        raise InvalidError(f"all lists have at most {MOST_IN_ALL:,} indicators; they would have {whole:,}")
    before, known.indicators = known.indicators, count
    known.changed = max(known.changed + 1, time.time_ns())
    if skipped is not None:
        known.skipped = skipped
    _sign(known, actor)
    taken = sum(block.indicators for block in new_blocks)
    record(session, actor, "indicators.load", known.name, loaded=taken, before=before, indicators=count)
    return count


def _kept(document: _Flat, list_id: str, about: NewList, now: int) -> dict[str, Any]:
    """Return an indicator as a list has it: what the list says stands where it says nothing itself."""
    fields = {name: value for name, value in document.items() if name not in _OWN}
    values = {name: value for name, value in fields.items() if name.startswith(_VALUES)}
    if about.valid_days is not None and VALID_UNTIL not in fields:
        fields[VALID_UNTIL] = iso(now + about.valid_days * DAY)
    if about.confidence is not None:
        fields.setdefault("threat.indicator.confidence", about.confidence)
    feed = fields.get("threat.feed.name")
    if about.source or isinstance(feed, str):
        fields.setdefault("threat.indicator.provider", about.source or feed)
    identity = orjson.dumps([list_id, values], option=orjson.OPT_SORT_KEYS, default=str)
    return {
        **fields, "threat.feed.name": about.name, "event.kind": "enrichment", "event.created": iso(now),
        "event.dataset": "ti_custom.indicator", "event.module": "ti_custom", "data_stream.type": "logs",
        "data_stream.dataset": "ti_custom.indicator", "data_stream.namespace": "lists",
        "_id": hashlib.sha256(identity).hexdigest()[:32],
    }  # fmt: skip


def _not_kept(document: _Flat, now: int) -> str | None:
    """Return why an indicator is not taken, None where it is."""
    if document.get("stix.revoked"):
        return "indicator that was revoked"
    end = expiry_of(document)
    if end is not None and end <= now:
        return "indicator that has expired"
    if len(orjson.dumps(document, default=str)) > _LARGEST:
        return f"indicator of more than {_LARGEST >> 10} KiB"
    return None


def _check(new: NewList) -> None:
    if not 0 < len(new.name) <= _LONGEST_NAME or not new.name.isprintable() or new.name != new.name.strip():
        raise InvalidError(f"[name] has 1 to {_LONGEST_NAME} printable characters, with no blank at its ends")
    if len(new.source) > _LONGEST_SOURCE:
        raise InvalidError(f"[source] has at most {_LONGEST_SOURCE:,} characters")
    if new.confidence is not None and new.confidence not in CONFIDENCES:
        raise InvalidError(f"[confidence] is one of {', '.join(CONFIDENCES)}")
    if new.valid_days is not None and not 0 < new.valid_days <= _MOST_DAYS:
        raise InvalidError(f"[valid_days] is from 1 to {counted(_MOST_DAYS, 'day')}")


def _said(new: NewList) -> dict[str, Any]:
    return {"source": new.source, "confidence": new.confidence, "valid_days": new.valid_days}


def _sign(known: IndicatorList, actor: Actor) -> None:
    known.updated, known.updated_by = datetime.now(UTC), actor.name[:160]
