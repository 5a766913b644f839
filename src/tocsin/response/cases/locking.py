"""Cases found by their ids, and locked for who changes them: what is read is what is changed."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.errors import ConflictError, InvalidError, NotFoundError
from tocsin.store.records.cases import StoredCase
from tocsin.store.records.database import begin_to_write


def find_case(session: Session, case_id: str) -> StoredCase:
    """Return a case by its id, or by its number, as `17` or `#17`. Raises NotFoundError."""
    number = case_id.removeprefix("#")
    is_number = number.isascii() and number.isdigit() and len(number) < 10
    by = StoredCase.number == int(number) if is_number else StoredCase.id == case_id
    case = session.scalar(select(StoredCase).where(by))
    if case is None:
        raise NotFoundError(f"there is no case {case_id}")
    return case


def locked_case(session: Session, case_id: str, revision: int | None = None) -> StoredCase:
    """Return a case that others change after this transaction.

    Raises NotFoundError, ConflictError where it has another revision than the one that somebody has seen, and
    InvalidError where it was merged into another.
    """
    begin_to_write(session)
    id_ = find_case(session, case_id).id
    locked = select(StoredCase).where(StoredCase.id == id_).with_for_update()
    case = session.scalar(locked.execution_options(populate_existing=True))
    if case is None:  # removed since
        raise NotFoundError(f"there is no case {case_id}")
    if revision is not None and case.revision != revision:
        raise ConflictError(
            f"the case {case_id} was changed by {case.updated_by} meanwhile",
            hint="look at it again, then change it",
        )
    if case.merged_into is not None:
        raise InvalidError(f"the case {case_id} was merged into {case.merged_into}", hint="change that one")
    return case
