"""What people say of a case. `@name` calls a user, who finds the case among those that mention them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tocsin.errors import ConflictError, InvalidError, NotFoundError
from tocsin.response.cases.activity import note
from tocsin.response.cases.fields import LONGEST_TEXT, checked_text
from tocsin.response.cases.locking import locked_case
from tocsin.store.records.access import Actor, Scope
from tocsin.store.records.cases import CaseComment, StoredCase
from tocsin.store.records.models import User

MOST_COMMENTS = 10_000
_MENTION = re.compile(r"(?<![\w@.])@([^\s@:]{1,128})")
_MOST_MENTIONS = 100


def comments_of(session: Session, case_id: str) -> Sequence[CaseComment]:
    """Return the comments of a case, the oldest first."""
    query = select(CaseComment).where(CaseComment.case_id == case_id)
    return session.scalars(query.order_by(CaseComment.created, CaseComment.id)).all()


def add_comment(session: Session, actor: Actor, case_id: str, text: str) -> CaseComment:
    """Add a comment to a case. Raises NotFoundError and InvalidError."""
    case, text = locked_case(session, case_id), checked_text("comment", text, LONGEST_TEXT)
    count = session.scalar(select(func.count()).select_from(CaseComment).where(CaseComment.case_id == case.id))
    if (count or 0) >= MOST_COMMENTS:
        raise InvalidError(
            f"a case has at most {MOST_COMMENTS:,} comments", hint="go on in a case that is linked to it"
        )
    now, name = datetime.now(UTC), actor.name[:160]
    comment = CaseComment(
        id=str(uuid.uuid4()), case_id=case.id, text=text, mentions=mentions_in(session, text),
        author_id=actor.id[:64], revision=1, created=now, created_by=name, updated=now, updated_by=name,
    )  # fmt: skip
    session.add(comment)
    payload = {"id": comment.id, "comment": text, "mentions": comment.mentions}
    note(session, actor, case, "comment", "create", payload)
    return comment


def change_comment(
    session: Session, actor: Actor, case_id: str, comment_id: str, text: str, revision: int | None = None
) -> CaseComment:
    """Give a comment another text; the log keeps the one before.

    Raises NotFoundError, ConflictError where somebody has changed it since, and InvalidError, also where it is
    another person's.
    """
    case, comment = _locked_comment(session, actor, case_id, comment_id)
    if revision is not None and comment.revision != revision:
        raise ConflictError(f"the comment {comment_id} was changed by {comment.updated_by} meanwhile")
    text, before = checked_text("comment", text, LONGEST_TEXT), comment.text
    if text != before:
        comment.text, comment.mentions, comment.revision = text, mentions_in(session, text), comment.revision + 1
        comment.updated, comment.updated_by = datetime.now(UTC), actor.name[:160]
        payload = {"id": comment.id, "comment": text, "mentions": comment.mentions, "before": before}
        note(session, actor, case, "comment", "update", payload)
    return comment


def remove_comment(session: Session, actor: Actor, case_id: str, comment_id: str) -> None:
    """Remove a comment; the log keeps its text. Raises NotFoundError and InvalidError as `change_comment`."""
    case, comment = _locked_comment(session, actor, case_id, comment_id)
    session.delete(comment)
    note(session, actor, case, "comment", "delete", {"id": comment.id, "comment": comment.text})


def mentions_in(session: Session, text: str) -> list[str]:
    """Return the names of the users whom a text calls, in their order."""
    words = [match[1] for match, _ in zip(_MENTION.finditer(text), range(_MOST_MENTIONS), strict=False)]
    if not words:
        return []
    names = set(session.scalars(select(User.name).where(User.enabled)))
    called = (_longest_name(word, names) for word in words)
    return list(dict.fromkeys(name for name in called if name))


def _longest_name(word: str, names: Collection[str]) -> str:
    """Return the longest name that a word begins with and that ends where the word does, or before a mark."""
    ends = (end for end in range(len(word), 0, -1) if end == len(word) or not word[end].isalnum())
    return next((word[:end] for end in ends if word[:end] in names), "")


def _locked_comment(
    session: Session, actor: Actor, case_id: str, comment_id: str
) -> tuple[StoredCase, CaseComment]:
    case = locked_case(session, case_id)
    comment = session.get(CaseComment, comment_id, populate_existing=True)
    if comment is None or comment.case_id != case.id:
        raise NotFoundError(f"the case has no comment {comment_id}")
    if comment.author_id != actor.id and not actor.may(Scope.ADMIN):
        raise InvalidError(f"the comment is of {comment.created_by}: nobody else changes it")
    return case, comment
