"""Elasticsearch's bulk requests: an action line, and for most actions a document line below it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import orjson

from tocsin.errors import TocsinError
from tocsin.ingest.indices import Indices
from tocsin.ingest.intake import Intake, Refused
from tocsin.ingest.rejected import Rejected
from tocsin.store.events import Document, DocumentResult, EventStore, Outcome
from tocsin.store.mappings.templates import Templates
from tocsin.store.patterns import name_error

log = logging.getLogger(__name__)
_PIECE = 1 << 20  # bytes
ACTIONS = ("index", "create", "update", "delete")
_SHARDS = {"total": 1, "successful": 1, "failed": 0}


_STORED_FIELDS = {"_version": 1, "_shards": _SHARDS, "_seq_no": 0, "_primary_term": 1}
# The answer for a stored document, by its result and, if it matters, by the action.
_STORED: dict[tuple[DocumentResult, str | None], dict[str, Any]] = {
    (DocumentResult.CREATED, None): {**_STORED_FIELDS, "result": "created", "status": 201},
    (DocumentResult.SAME, "index"): {**_STORED_FIELDS, "result": "noop", "status": 200},
}


class BulkError(TocsinError):
    """A body that is no bulk request: none of it was stored."""


class Action(NamedTuple):
    """One action: what to do, where, with which document; `source` is None for a deletion."""

    kind: str
    index: str | None  # type: ignore[assignment]  # a tuple has a method of this name
    id: str | None
    source: bytes | None


class BulkTooLargeError(BulkError):
    """A bulk request with too many actions: none of it was stored."""


def parse(body: bytes, index: str | None, most: int = 1 << 62) -> list[Action]:
    """Return the actions of a request's body, `most` at most.

    Raises BulkError, with the number of the line; BulkTooLargeError for more actions, or twice as many lines.
    """
    if not body.strip():
        raise BulkError("request body is required")
    if not body.endswith(b"\n"):
        raise BulkError("The bulk request must be terminated by a newline [\\n]")
    actions: list[Action] = []
    known: dict[bytes, Action] = {}  # an action line without an id is mostly the same as the last one
    lines = _lines(body)
    number = 0
    for line in lines:
        number += 1
        if len(actions) == most or number > 2 * most:
            raise BulkTooLargeError(f"a bulk request has at most {most:,} actions: send the rest in others")
        if not line.strip():
            continue
        action = known.get(line)
        if action is None:
            action = _action(line, number, index)
            if action.id is None:
                known[line] = action
        if action.kind == "delete":
            actions.append(action)
            continue
        source = next(lines, b"").strip()
        if not source:
            raise BulkError(f"line {number + 1}: the document of the action in line {number} is missing")
        actions.append(Action(action.kind, action.index, action.id, source))
        number += 1
    return actions


def _lines(body: bytes) -> Iterator[bytes]:
    """Yield the lines of a body, which is split piece by piece: no other thread runs while one piece is split."""
    at = 0
    while at < len(body):
        end = body.rfind(b"\n", at, at + _PIECE) + 1 or body.find(b"\n", at) + 1 or len(body)
        lines = body[at:end].split(b"\n")
        if not lines[-1]:
            lines.pop()
        yield from lines
        at = end


def _action(line: bytes, number: int, index: str | None) -> Action:
    try:
        parsed = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BulkError(f"Malformed action/metadata line [{number}]: {error}") from None
    if not isinstance(parsed, dict) or len(parsed) != 1:
        raise BulkError(f"Malformed action/metadata line [{number}], expected an object with one action")
    [(kind, about)] = parsed.items()
    if kind not in ACTIONS:
        raise BulkError(
            f"Malformed action/metadata line [{number}], expected one of [{', '.join(ACTIONS)}] but found [{kind}]"
        )
    if not isinstance(about, dict):
        raise BulkError(f"Malformed action/metadata line [{number}], [{kind}] is no object")
    names = about.get("_index", index), about.get("_id")
    if any(name is not None and not isinstance(name, (str, int)) for name in names):
        raise BulkError(f"Malformed action/metadata line [{number}], [_index] and [_id] are text")
    place, id_ = (None if name is None else str(name) for name in names)
    return Action(kind, place, id_, None)


NO_SHARE = (
    "no more indices: this key or user has begun as many as are left for others; send to those that are there"
)


class Ingest:
    """Stores the documents that clients send, and keeps those that cannot be stored."""

    def __init__(
        self,
        store: EventStore,
        rejected: Rejected,
        templates: Callable[[], Templates] = dict,
        most_indices: int = 1_000,
    ) -> None:
        self.store, self.rejected = store, rejected
        self.indices = Indices(store, templates, most_indices)
        self.intake = Intake(mapping_of=self.indices.mapping_with)
        self.actions, self._lock = 0, threading.Lock()  # of bulk requests, which are being stored

    @contextmanager
    def under_way(self, actions: int, most: int) -> Iterator[bool]:
        """Count actions while they are stored; yield whether they may be: with others, at most `most`."""
        with self._lock:
            begun = not self.actions or self.actions + actions <= most
            self.actions += actions if begun else 0
        try:
            yield begun
        finally:
            with self._lock:
                self.actions -= actions if begun else 0

    def store_all(self, actions: Sequence[Action], owner: str | None = None) -> list[dict[str, Any]]:
        """Store the documents of actions; return the answer for each action.

        `owner` is the key or the user that sends them, None for whoever may begin all indices. Raises
        StoreFullError when nothing was stored.
        """
        taken = [self._take(action, owner) for action in actions]
        documents = [document for document in taken if isinstance(document, Document)]
        outcomes = iter(zip(documents, self.store.add(documents), strict=True))
        answers = []
        for action, document_or_refusal in zip(actions, taken, strict=True):
            if isinstance(document_or_refusal, Document):
                document, outcome = next(outcomes)
                answer = answer_of(document.index, outcome, action.kind)
            else:
                answer = refusal(action.index, action.id, document_or_refusal)
            if "error" in answer:
                self.rejected.add(action.index, action.source or b"", answer["error"])
            answers.append(answer)
        return answers

    def _take(self, action: Action, owner: str | None) -> Document | Refused:
        if action.kind in ("update", "delete"):
            return Refused("illegal_argument_exception", f"events are never changed: no [{action.kind}]")
        if action.index is None:
            return Refused("action_request_validation_exception", "index is missing")
        if owner is not None and name_error(action.index) is None and not self.indices.admits(action.index, owner):
            return Refused("validation_exception", NO_SHARE)
        try:
            document = self.intake.take(action.index, action.id, action.source or b"")
        except Exception:  # what no reader was ready for costs its own document, not those beside it
            log.exception("a document for %s cannot be read", action.index)
            reason = "failed to parse: an error of tocsin's own; its log has it"
            return Refused("document_parsing_exception", reason)
        if owner is None or not isinstance(document, Document) or self.indices.admits(document.index, owner):
            return document
        return Refused("validation_exception", NO_SHARE)


def answer_of(index: str, outcome: Outcome, kind: str) -> dict[str, Any]:
    """Return the answer about a document with the store's outcome."""
    stored = _STORED.get((outcome.result, kind)) or _STORED.get((outcome.result, None))
    if stored is not None:
        return {"_index": index, "_id": outcome.id, **stored}
    if outcome.result is DocumentResult.NO_ROOM:
        return refusal(index, outcome.id, Refused("validation_exception", "no more indices: the limit is reached"))
    if outcome.result is DocumentResult.SET_ASIDE:
        damaged = f"[{index}] is damaged and set aside; `tocsin store check` shows more"
        return refusal(index, outcome.id, Refused("unavailable_shards_exception", damaged, 503))
    reason = f"[{outcome.id}]: version conflict, document already exists (current version [1])"
    return refusal(index, outcome.id, Refused("version_conflict_engine_exception", reason, 409))


def refusal(index: str | None, id_: str | None, refused: Refused) -> dict[str, Any]:
    """Return the answer about a document that cannot be stored."""
    error = {"type": refused.kind, "reason": refused.reason}
    return {"_index": index, "_id": id_, "status": refused.status, "error": error}
