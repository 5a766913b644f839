"""One thread writes to the journal: all requests that wait at once, each answered when it is on disk."""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from tocsin.store.events import DocumentResult, Outcome, StoreFullError
from tocsin.store.lake.contents import Contents, LakeSettings
from tocsin.store.lake.ids import ChosenIds, Key, content_of, key_of
from tocsin.store.lake.journal import journal
from tocsin.store.lake.journal.acknowledged import Mark
from tocsin.store.lake.journal.event_buffer import Generation
from tocsin.store.lake.journal.journal import Entry, Segment
from tocsin.store.lake.reasons import sentence
from tocsin.store.resources import raise_if_lacking

log = logging.getLogger(__name__)
_LOOK = 0.2  # seconds after which the thread looks at the clock


@dataclass
class Request:
    """Events to store; `named` are those whose sender chose the id: row, key, content."""

    entries: list[Entry]
    named: list[tuple[int, Key, int]]
    size: int
    done: Future[list[Outcome]] = field(default_factory=Future)


class Committer:
    """Judges ids, writes to the journal, and turns to a new segment when one is full or old enough."""

    def __init__(self, contents: Contents, ids: ChosenIds, folder: Path, settings: LakeSettings) -> None:
        self._contents, self._ids, self._folder, self._settings = contents, ids, folder, settings
        self._queue: queue.Queue[Request | None] = queue.Queue()
        self._queued, self._lock = 0, threading.Lock()
        self._ended: str | None = None  # why the thread writes no more, where it was not asked to end
        self._asked: int | None = None  # the segment that another one is to follow soon
        self.newest = 0  # the last arrival that the journal held at the start
        self._segment = self._recover()
        self._mark = Mark(folder.parent)

    def _recover(self) -> Segment:
        """Take up what the journal holds, and begin a new segment."""
        contents = self._contents
        numbers = journal.segments(self._folder)
        for number in numbers:
            path = journal.path_of(self._folder, number)
            try:
                content = journal.read(path)
            except OSError as error:
                raise_if_lacking(f"journal/{path.name}", error)
                contents.put_aside(f"journal/{path.name}", error)
                continue
            if content.cut_off:
                log.warning("journal segment %d: %d bytes behind its last whole frame", number, content.cut_off)
            entries = content.entries
            generation = Generation(number, born=time.monotonic())
            if content.fault:
                contents.put_aside(f"journal/{path.name}", content.fault)
                generation.held = True
            contents.remember(generation, entries)
            self.newest = max(self.newest, *(entry.ingested for entry in entries), 0)
            for entry in entries:
                if entry.named:
                    self._ids.add(number, key_of(entry.index, entry.id), content_of(entry.source), entry.time)
            for name in list(generation.indices):
                if contents.tables[name].segment >= number:
                    del generation.indices[name]  # committed before the end
            contents.old.append(generation)
        last = max([*journal.numbers(self._folder), *(table.segment for table in contents.tables.values()), 0])
        contents.current = Generation(last + 1)
        return Segment(self._folder, last + 1)

    @property
    def queued(self) -> int:
        """How many bytes of documents wait for the journal."""
        return self._queued

    def put(self, request: Request) -> None:
        """Ask for events to be stored."""
        with self._lock:
            if self._ended is not None:
                request.done.set_exception(StoreFullError(self._ended, hint="nothing was stored"))
                return
            self._queued += request.size
            self._queue.put(request)

    def ask_for_turn(self, segment: int) -> None:
        """Begin a new segment soon if this is the current one, unless it is empty."""
        self._asked = segment

    def stop(self) -> None:
        """End the thread when everything that was asked for is done."""
        self._queue.put(None)

    def close(self) -> None:
        """Close the segment and the mark, when the thread has ended."""
        self._segment.close()
        self._mark.close()

    def run(self, turned: Callable[[], None]) -> None:
        """Write until stopped; `turned` is called when a generation is ready for the tables.

        Whatever else ends it is said to those who wait, and to whoever comes later.
        """
        try:
            self._run(turned)
        except BaseException as error:
            self._refuse(f"the thread that writes the journal has ended: {sentence(error)}")
            raise

    def _run(self, turned: Callable[[], None]) -> None:
        settings = self._settings
        self._begin_mark()
        while (group := self._next_group()) is not None:
            if group:
                self._write(group)
            current = self._contents.current
            asked = self._asked == current.segment
            self._asked = None
            if current.indices and (
                asked
                or current.size >= settings.flush_size
                or time.monotonic() - current.born >= settings.flush_after
            ):
                self._turn()
                turned()

    def _refuse(self, reason: str) -> None:
        with self._lock:
            self._ended, self._queued = reason, 0
            while not self._queue.empty():
                request = self._queue.get_nowait()
                if request is not None:
                    request.done.set_exception(StoreFullError(reason, hint="nothing was stored"))

    @property
    def ended(self) -> str | None:
        """Why nothing is written any more, None while the thread runs or was asked to end."""
        return self._ended

    def _begin_mark(self) -> None:
        try:
            self._mark.begin(self._segment.number)
        except OSError as error:
            log.warning("how far the journal is acknowledged cannot be written down: %s", error)

    def _next_group(self) -> list[Request] | None:
        """Return the requests that wait, none when it is time to look at the clock, None at the end."""
        group: list[Request] = []
        size = 0
        while size < self._settings.flush_size:
            try:
                request = self._queue.get_nowait() if group else self._queue.get(timeout=_LOOK)
            except queue.Empty:
                return group
            if request is None:
                if not group:
                    return None
                self._queue.put(None)
                return group
            group.append(request)
            size += request.size
        return group

    def _turn(self) -> None:
        contents = self._contents
        try:
            number = self._segment.number + 1
            while os.path.lexists(journal.path_of(self._folder, number)):  # nothing of ours
                number += 1
            segment = Segment(self._folder, number)
        except OSError as error:
            contents.problem = f"no new journal segment: {error}"
            return
        self._segment.close()
        with contents.lock:
            contents.old.append(contents.current)
            self._segment, contents.current = segment, Generation(segment.number)

    def _write(self, group: list[Request]) -> None:
        outcomes: list[list[Outcome]] = []
        accepted: list[list[Entry]] = []
        claimed: list[Key] = []
        try:
            for request in group:
                results = self._judge(request, claimed)
                outcomes.append(results)
                both = zip(request.entries, results, strict=True)
                accepted.append([entry for entry, outcome in both if outcome.result is DocumentResult.CREATED])
            groups = [entries for entries in accepted if entries]
            if groups:
                self._segment.append(groups)
                self._mark.write(self._segment.number, self._segment.size)
        except Exception as error:  # whatever it is, those who wait must get it
            self._ids.forget(self._segment.number, claimed)
            log.exception("writing to the journal failed")
            failure = StoreFullError(f"the journal cannot be written: {error}", hint="nothing was stored")
            for request in group:
                request.done.set_exception(failure)
            return
        finally:
            with self._lock:
                self._queued -= sum(request.size for request in group)
        contents = self._contents
        with contents.lock:
            if not contents.current.indices:
                contents.current.born = time.monotonic()
            for entries in accepted:
                contents.remember(contents.current, entries)
        for request, results in zip(group, outcomes, strict=True):
            request.done.set_result(results)

    def _refusal(self, index: str) -> DocumentResult | None:
        """Return why an index takes no events, None when it does."""
        contents = self._contents
        if index not in contents.tables and len(contents.tables) >= self._settings.max_indices:
            return DocumentResult.SET_ASIDE if contents.is_set_aside(index) else DocumentResult.NO_ROOM
        if not contents.is_set_aside(index):
            with contents.apart(index):
                contents.table(index)
        return DocumentResult.SET_ASIDE if contents.is_set_aside(index) else None

    def _judge(self, request: Request, claimed: list[Key]) -> list[Outcome]:
        """Decide what becomes of each document, and claim the ids of those that will be stored."""
        outcomes = [Outcome(entry.id, DocumentResult.CREATED) for entry in request.entries]
        for name in dict.fromkeys(entry.index for entry in request.entries):
            refusal = self._refusal(name)
            if refusal is None:
                continue
            for row, entry in enumerate(request.entries):
                if entry.index == name:
                    outcomes[row] = Outcome(entry.id, refusal)
        known = self._ids.find([key for _, key, _ in request.named]) if request.named else {}
        for row, key, content in request.named:
            if outcomes[row].result is not DocumentResult.CREATED:
                continue
            if key in known:
                same = known[key][0] == content
                outcomes[row] = Outcome(outcomes[row].id, DocumentResult.SAME if same else DocumentResult.CONFLICT)
                continue
            known[key] = (content, request.entries[row].time)
            self._ids.add(self._segment.number, key, *known[key])
            claimed.append(key)
        return outcomes
