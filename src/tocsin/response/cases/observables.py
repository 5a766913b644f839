"""What a case is about: hashes, domains, addresses and URLs of its alerts, and those that people add."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.errors import InvalidError, NotFoundError
from tocsin.investigation.observables import ADDRESS, LOOK_UPS, observables
from tocsin.response.cases.activity import note
from tocsin.response.cases.fields import CLOSED, checked_text
from tocsin.response.cases.locking import locked_case
from tocsin.sources.batch import flatten
from tocsin.store.records.access import Actor
from tocsin.store.records.cases import CaseObservable, StoredCase
from tocsin.store.records.database import chunks

TYPES = tuple(LOOK_UPS)  # hash, domain, address, URL
MOST_OBSERVABLES = 1_000
_LONGEST_VALUE, _LONGEST_DESCRIPTION = 4_000, 500
Indicator = tuple[str, str]  # a type and a value


def indicators_of(documents: Iterable[Mapping[str, Any]]) -> list[Indicator]:
    """Return what documents of alerts hold that tells them from others, each once.

    Addresses of private networks are left out: other hosts of other networks have them too.
    """
    typed = (
        (observable.kind, observable.value)
        for document in documents
        for observable in observables(flatten(document))
        if observable.kind != ADDRESS or ip_address(observable.value).is_global
    )
    return list({(kind, value.lower()): (kind, value) for kind, value in typed}.values())


def observables_of(session: Session, case_id: str) -> Sequence[CaseObservable]:
    """Return what a case is about, by type and value."""
    kept = session.scalars(select(CaseObservable).where(CaseObservable.case_id == case_id)).all()
    return sorted(kept, key=lambda observable: (TYPES.index(observable.type), observable.value.lower()))


def add_observable(
    session: Session, actor: Actor, case_id: str, type_: str, value: str, description: str = ""
) -> CaseObservable:
    """Add a value to a case, once. Raises NotFoundError and InvalidError."""
    case = locked_case(session, case_id)
    if type_ not in TYPES:
        raise InvalidError(f"[type] is one of {', '.join(TYPES)}, not `{type_}`")
    value = checked_text("value", value, _LONGEST_VALUE)
    if type_ == ADDRESS:
        try:
            ip_address(value)
        except ValueError:
            raise InvalidError(f"[value] is no address: `{value}`") from None
    description = checked_text("description", description, _LONGEST_DESCRIPTION, 0)
    added = keep_indicators(session, actor, case, [(type_, value)], description or None)
    if not added:
        wanted = indicator_key((type_, value))
        return next(kept for kept in observables_of(session, case.id) if kept.key == wanted)
    note(session, actor, case, "observables", "add", {"type": type_, "value": value, "description": description})
    return added[0]


def remove_observable(session: Session, actor: Actor, case_id: str, observable_id: str) -> None:
    """Take a value off a case. Raises NotFoundError and InvalidError."""
    case = locked_case(session, case_id)
    observable = session.get(CaseObservable, observable_id)
    if observable is None or observable.case_id != case.id:
        raise NotFoundError(f"the case has no observable {observable_id}")
    session.delete(observable)
    note(session, actor, case, "observables", "delete", {"type": observable.type, "value": observable.value})


def keep_indicators(
    session: Session,
    actor: Actor,
    case: StoredCase,
    indicators: Iterable[Indicator],
    description: str | None = None,
) -> list[CaseObservable]:
    """Add to a locked case what it does not have yet, up to MOST_OBSERVABLES; return what was added."""
    present = set(session.scalars(select(CaseObservable.key).where(CaseObservable.case_id == case.id)))
    new = {indicator_key(indicator): indicator for indicator in indicators}
    added = [
        CaseObservable(
            id=str(uuid.uuid4()), case_id=case.id, type=type_, value=value[:_LONGEST_VALUE], key=key,
            description=description, added=datetime.now(UTC), added_by=actor.name[:160],
        )
        for key, (type_, value) in new.items()
        if key not in present and "\0" not in value
    ][: max(0, MOST_OBSERVABLES - len(present))]  # fmt: skip
    session.add_all(added)
    session.flush()
    return added


def cases_with(session: Session, indicators: Iterable[Indicator]) -> dict[StoredCase, list[Indicator]]:
    """Return the cases that are not closed and are about some of these values, with these; the newest first."""
    keys = [indicator_key(indicator) for indicator in indicators]
    shared: dict[str, list[Indicator]] = {}
    for chunk in chunks(keys):
        query = select(CaseObservable).join(StoredCase, StoredCase.id == CaseObservable.case_id)
        query = query.where(CaseObservable.key.in_(chunk), StoredCase.status != CLOSED)
        for observable in session.scalars(query):
            shared.setdefault(observable.case_id, []).append((observable.type, observable.value))
    cases = [
        case
        for chunk in chunks(shared)
        for case in session.scalars(select(StoredCase).where(StoredCase.id.in_(chunk)))
    ]
    return {case: shared[case.id] for case in sorted(cases, key=lambda case: -case.number)}


def indicator_key(indicator: Indicator) -> str:
    """Return what values that are the same have in common: letters of another case are no other value."""
    type_, value = indicator
    return hashlib.sha256(f"{type_}\n{value.lower()}".encode("utf-8", "surrogatepass")).hexdigest()
