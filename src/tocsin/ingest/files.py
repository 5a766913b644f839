"""Files into the store: all formats that `tocsin hunt` reads, each event once, however often it is read."""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

import orjson

from tocsin.ecs import TIMESTAMP
from tocsin.ingest.bulk import Action
from tocsin.ingest.intake import index_of
from tocsin.sources.batch import Event, EventBatch, Reject, Rejects, Wanted, as_document
from tocsin.sources.date_order import DateOrder
from tocsin.sources.document import Documents
from tocsin.sources.inputs import Input
from tocsin.sources.read import read_inputs
from tocsin.sources.unseen import Unseen

_READ_SIZE = 8 << 20  # bytes that are read of a growing file at once
_BATCH, _BYTES = 2_000, 8 << 20  # events and bytes that are sent at once

# Sends actions and returns the status and the error of each, as the items of a bulk request's answer have them.
Send = Callable[[Sequence[Action]], Sequence[dict[str, object]]]


@dataclass
class Sent:
    """How many events of files were stored, known or refused."""

    created: int = 0
    known: int = 0  # that were stored before
    failed: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """Events sent."""
        return self.created + self.known + self.failed.total()


def send_files(
    inputs: Iterable[Input],
    send: Send,
    rejects: Rejects,
    progress: Callable[[Input | EventBatch], None] | None = None,
) -> Sent:
    """Send every event of files. Unreadable and refused ones go to `rejects`."""
    sent = Sent()
    batches = read_inputs(inputs, Wanted(frozenset({TIMESTAMP})), rejects, progress)
    for actions in _in_batches(_actions(batches, rejects.unseen, progress)):
        _account(sent, rejects, actions, send(actions))
    return sent


def _actions(
    batches: Iterable[EventBatch], unseen: Unseen, progress: Callable[[EventBatch], None] | None
) -> Iterator[Action]:
    for batch in batches:
        for row in range(batch.table.rows):
            raw = batch.raw(row)
            event = raw.event()
            unseen.judge(event, raw.origin, stored=True)
            yield action_of(raw.content, event)
        if progress:
            progress(batch)


def send_lines(
    lines: Sequence[bytes], send: Send, rejects: Rejects, sent: Sent, source: str | None = None, file: str = ""
) -> None:
    """Send lines of an NDJSON file: records of the given `source`, else each line may be of any source."""
    documents = Documents(source, dates=rejects.unseen.orders.setdefault(file, DateOrder()))
    actions = []
    for line in lines:
        try:
            event = documents.read(line)
            rejects.unseen.judge(event, file, stored=True)
        except ValueError as error:
            rejects.add(Reject(file, "", "not an event", str(error), line.decode("utf-8", "replace")))
            continue
        actions.append(action_of(line, event))
    for batch in _in_batches(actions):
        _account(sent, rejects, batch, send(batch))


def action_of(content: bytes, event: Event) -> Action:
    """Return the action that stores an event; its id comes from the `content` that it was made of."""
    return Action("create", index_of(event), id_of(content), orjson.dumps(as_document(event), default=str))


def id_of(content: bytes) -> str:
    """Return the id of an event from a file: the same for the same record, whichever file it is in."""
    return hashlib.blake2b(content, digest_size=15).hexdigest()


def _in_batches(actions: Iterable[Action]) -> Iterator[list[Action]]:
    batch: list[Action] = []
    size = 0
    for action in actions:
        batch.append(action)
        size += len(action.source or b"")
        if len(batch) >= _BATCH or size >= _BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _account(
    sent: Sent, rejects: Rejects, actions: Sequence[Action], answers: Sequence[dict[str, object]]
) -> None:
    for action, answer in zip(actions, answers, strict=True):
        if answer["status"] in (200, 201):
            sent.created += 1
        elif answer["status"] == 409:
            sent.known += 1
        else:
            error = answer.get("error")
            reason = error if isinstance(error, dict) else {"type": "unknown", "reason": str(error)}
            sent.failed[reason["type"]] += 1
            text = (action.source or b"").decode("utf-8", "replace")
            rejects.add(Reject(action.index or "", "", reason["type"], reason["reason"], text))


def follow(
    path: Path, stopped: Callable[[], bool], pause: float = 0.5, gone: Callable[[], None] = lambda: None
) -> Iterator[list[bytes]]:
    """Yield the lines of a growing file as they are finished, from its beginning, also when it is replaced.

    `gone` is called each time that the file is missing. The file is held open, so that a replaced file is read to
    its end and its inode is not used again meanwhile.
    """
    file: BinaryIO | None = None
    rest = b""
    there = True
    try:
        while not stopped():
            data = file.read(_READ_SIZE) if file else b""
            if data:
                *lines, rest = (rest + data).split(b"\n")
                whole = [line for line in lines if line.strip()]
                if whole:
                    yield whole
                continue
            there, was_there = path.exists(), there
            if was_there and not there:
                gone()
            if _has_moved(path, file):
                if file is not None:
                    file.close()
                file, rest = _opened(path), b""
            else:
                time.sleep(pause)
    finally:
        if file is not None:
            file.close()


def _has_moved(path: Path, file: BinaryIO | None) -> bool:
    """Return whether a path leads to another file than the open one, or the file was truncated."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    if file is None:
        return True
    return status.st_ino != os.fstat(file.fileno()).st_ino or status.st_size < file.tell()


def _opened(path: Path) -> BinaryIO | None:
    try:
        return cast("BinaryIO", path.open("rb", buffering=0))
    except FileNotFoundError:
        return None
