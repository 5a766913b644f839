"""The event store: a journal that acknowledges, memory that is searched at once, Delta tables that stay."""

from __future__ import annotations

import itertools
import logging
import queue
import shutil
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from filelock import FileLock, Timeout

from tocsin.ecs import Field, FieldType, Schema, default_schema
from tocsin.store.events import Document, IndexInfo, Outcome, Result, Scan, StoredBatch, StoreError, StoreFullError
from tocsin.store.lake import journal
from tocsin.store.lake.fields import ID, IndexFields
from tocsin.store.lake.fresh import FreshIndex, Generation
from tocsin.store.lake.ids import ChosenIds, Key, Maker, content_of, key_of
from tocsin.store.lake.journal import Entry, Segment
from tocsin.store.lake.reading import read_file, read_table
from tocsin.store.lake.table import IndexTable, StoredFile, rows_of
from tocsin.store.patterns import matching

log = logging.getLogger(__name__)
_WRITERS = 3  # indices that are written at once: one waits for the disk while another packs


@dataclass(frozen=True)
class LakeSettings:
    """How the store keeps events. Sizes are in bytes, times in seconds."""

    flush_size: int = 96 << 20  # documents in the journal that make one commit
    flush_after: float = 10.0  # what waits longer is committed whatever its size
    waiting_size: int = 512 << 20  # documents that may wait for tables; more are refused
    reserve: int = 512 << 20  # disk space that is left free
    max_indices: int = 1_000
    keep_days: int | None = None
    keep_size: int | None = None
    clean_after: int = 1  # hours for which files of older versions are kept for other readers
    maintain_every: float = 5.0
    quiet: float = 300.0  # without new events, after which a slice of a day that is over is ordered


@dataclass
class _Request:
    entries: list[Entry]
    named: list[tuple[int, Key, int]]  # row, key, content: those whose sender chose the id
    size: int
    done: Future[list[Outcome]] = field(default_factory=Future)


class LakeStore:
    """An event store (`tocsin.store.events.EventStore`) in a folder that no other process uses.

    Raises StoreError when another one does.
    """

    def __init__(self, folder: Path, settings: LakeSettings | None = None) -> None:
        self.settings = settings or LakeSettings()
        self._events, self._journal = folder / "events", folder / "journal"
        for made in (folder, self._events, self._journal):
            made.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._guard = FileLock(folder / "lock")
        try:
            self._guard.acquire(timeout=0)
        except Timeout:
            raise StoreError(
                f"{folder} is in use by another tocsin", hint="stop that one, or give this one its own --data"
            ) from None
        self._state = threading.RLock()  # of tables and generations together
        self._ids, self._maker = ChosenIds(folder / "ids"), Maker()
        self._tables = {path.name: IndexTable(path.name, path) for path in sorted(self._events.iterdir())}
        self._old: list[Generation] = []
        self._queue: queue.Queue[_Request | None] = queue.Queue()
        self._queued = 0
        self._recover()
        self._flushed = threading.Condition()
        self._stop = threading.Event()
        self._rotate = threading.Event()
        self._maintaining = threading.Lock()
        self._problem: str | None = None
        self._writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix="store-write")
        self._threads = [
            threading.Thread(target=target, name=f"store-{target.__name__.strip('_')}", daemon=True)
            for target in (self._commit, self._flush, self._maintain)
        ]
        for thread in self._threads:
            thread.start()

    # ---- opening

    def _recover(self) -> None:
        numbers = journal.segments(self._journal)
        for number in numbers:
            path = journal.path_of(self._journal, number)
            entries, lost = journal.read(path)
            if lost:
                log.warning("journal segment %d: %d bytes behind its last whole frame", number, lost)
            generation = Generation(number, born=time.monotonic())
            self._remember(generation, entries)
            for entry in entries:
                if entry.named:
                    self._ids.add(number, key_of(entry.index, entry.id), content_of(entry.source), entry.time)
            for name in [name for name in generation.indices if self._table(name).segment >= number]:
                del generation.indices[name]  # committed before the end
            self._old.append(generation)
        last = max([*numbers, *(table.segment for table in self._tables.values()), 0])
        self._segment = Segment(self._journal, last + 1)
        self._current = Generation(last + 1)

    def _table(self, name: str) -> IndexTable:
        with self._state:
            if name not in self._tables:
                self._tables[name] = IndexTable(name, self._events / name)
            return self._tables[name]

    def _remember(self, generation: Generation, entries: Sequence[Entry]) -> None:
        by_index: dict[str, list[Entry]] = {}
        for entry in entries:
            by_index.setdefault(entry.index, []).append(entry)
            generation.size += len(entry.source)
        for name, some in by_index.items():
            fields = self._table(name).fields
            generation.indices.setdefault(name, FreshIndex(fields)).add(some)

    # ---- adding

    def add(self, documents: Sequence[Document]) -> list[Outcome]:
        """Store documents; see EventStore."""
        if not documents:
            return []
        size = sum(len(document.source) for document in documents)
        problem = self._refusal(size)
        if problem:
            raise StoreFullError(problem, hint="nothing was stored; send it again later")
        now = time.time_ns()
        entries = []
        named: list[tuple[int, Key, int]] = []
        for row, document in enumerate(documents):
            id_ = document.id
            if id_ is None:
                id_ = self._maker.make(document.time)
            else:
                named.append((row, key_of(document.index, id_), content_of(document.source)))
            chosen = document.id is not None
            entries.append(Entry(document.index, id_, chosen, document.time, now, document.source))
        request = _Request(entries, named, size)
        with self._state:
            self._queued += size
        self._queue.put(request)
        return request.done.result()

    def _refusal(self, size: int) -> str | None:
        if self._stop.is_set():
            return "the store is closed"
        with self._state:
            waiting = self._queued + self._current.size + sum(old.size for old in self._old)
        if waiting and waiting + size > self.settings.waiting_size:
            return self._problem or f"{waiting:,} bytes of events wait to be written to disk"
        free = shutil.disk_usage(self._folder).free
        if free - size < self.settings.reserve:
            return f"the disk is full: {free:,} bytes free, {self.settings.reserve:,} kept in reserve"
        return None

    def check(self, size: int = 0) -> str | None:
        """Return why documents of some size cannot be stored now; see EventStore."""
        return self._refusal(size) or self._problem

    def _commit(self) -> None:
        """Write what is asked for to the journal, in groups as large as they come; one thread."""
        while True:
            group = self._next_group()
            if group is None:
                break
            if group:
                self._write(group)
            current, settings = self._current, self.settings
            asked = self._rotate.is_set()
            self._rotate.clear()
            if current.indices and (
                asked
                or current.size >= settings.flush_size
                or time.monotonic() - current.born >= settings.flush_after
            ):
                self._turn()

    def _next_group(self) -> list[_Request] | None:
        """Return the requests that wait, none when it is time to look at the clock, None at the end."""
        group: list[_Request] = []
        size = 0
        while size < self.settings.flush_size:
            try:
                request = self._queue.get(timeout=0.2) if not group else self._queue.get_nowait()
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
        """Begin a new segment and a new generation."""
        try:
            segment = Segment(self._journal, self._segment.number + 1)
        except OSError as error:
            self._problem = f"no new journal segment: {error}"
            return
        self._segment.close()
        with self._state:
            self._old.append(self._current)
            self._segment, self._current = segment, Generation(segment.number)
        with self._flushed:
            self._flushed.notify_all()

    def _write(self, group: list[_Request]) -> None:
        outcomes: list[list[Outcome]] = []
        accepted: list[list[Entry]] = []
        claimed: list[Key] = []
        try:
            for request in group:
                results = self._judge(request, claimed)
                outcomes.append(results)
                accepted.append(
                    [e for e, r in zip(request.entries, results, strict=True) if r.result is Result.CREATED]
                )
            payloads = [journal.encode(entries) for entries in accepted if entries]
            if payloads:
                self._segment.append(payloads)
        except Exception as error:  # whatever it is, those who wait must be told
            self._ids.forget(self._segment.number, claimed)
            log.exception("writing to the journal failed")
            failure = StoreFullError(f"the journal cannot be written: {error}", hint="nothing was stored")
            for request in group:
                request.done.set_exception(failure)
            return
        finally:
            with self._state:
                self._queued -= sum(request.size for request in group)
        with self._state:
            if not self._current.indices:
                self._current.born = time.monotonic()
            for entries in accepted:
                self._remember(self._current, entries)
        for request, results in zip(group, outcomes, strict=True):
            request.done.set_result(results)

    def _judge(self, request: _Request, claimed: list[Key]) -> list[Outcome]:
        """Decide what becomes of each document, and claim the ids of those that will be stored."""
        outcomes = [Outcome(entry.id, Result.CREATED) for entry in request.entries]
        for name in dict.fromkeys(entry.index for entry in request.entries):
            if name not in self._tables and len(self._tables) >= self.settings.max_indices:
                for row, entry in enumerate(request.entries):
                    if entry.index == name:
                        outcomes[row] = Outcome(entry.id, Result.NO_ROOM)
            else:
                self._table(name)
        known = self._ids.find([key for _, key, _ in request.named]) if request.named else {}
        for row, key, content in request.named:
            if outcomes[row].result is not Result.CREATED:
                continue
            if key in known:
                same = known[key][0] == content
                outcomes[row] = Outcome(outcomes[row].id, Result.SAME if same else Result.CONFLICT)
                continue
            known[key] = (content, request.entries[row].time)
            self._ids.add(self._segment.number, key, *known[key])
            claimed.append(key)
        return outcomes

    # ---- tables

    def flush(self) -> None:
        """Bring what the journal holds into the tables; see EventStore."""
        last = self._current.segment

        def done() -> bool:
            with self._state:
                waiting = [g for g in (*self._old, self._current) if g.indices and g.segment <= last]
            return not waiting or self._stop.is_set()

        while not done():
            self._rotate.set()
            with self._flushed:
                self._flushed.wait_for(done, 0.5)
            if self._problem:
                raise StoreError(self._problem)

    def _flush(self) -> None:
        """Commit generations to tables, oldest first; one thread."""
        pause = 1.0
        while True:
            with self._flushed:
                self._flushed.wait_for(lambda: self._old or self._stop.is_set(), 1.0)
            if self._stop.is_set():
                return
            if not self._old:
                continue
            try:
                self._settle(self._next_generations())
                self._problem, pause = None, 1.0
            except Exception as error:  # a full disk, say: what is in the journal is safe, and tried again
                self._problem = f"events cannot be brought into their tables: {error}"
                log.exception("bringing segment %d into tables failed", self._old[0].segment)
                self._stop.wait(pause)
                pause = min(60.0, pause * 2)

    def _next_generations(self) -> list[Generation]:
        """Return the oldest generations that make one commit together."""
        some, size = self._old[:1], self._old[0].size
        for generation in self._old[1:]:
            size += generation.size
            if size > 2 * self.settings.flush_size:
                break
            some.append(generation)
        return some

    def _settle(self, generations: Sequence[Generation]) -> None:
        for generation in generations:
            self._ids.settle(generation.segment)
        names = dict.fromkeys(name for generation in generations for name in generation.indices)
        for done in [self._writers.submit(self._settle_index, name, generations) for name in names]:
            done.result()
        for generation in generations:
            with self._state:
                self._old.remove(generation)
            journal.path_of(self._journal, generation.segment).unlink(missing_ok=True)
        pa.default_memory_pool().release_unused()
        with self._flushed:
            self._flushed.notify_all()

    def _settle_index(self, name: str, generations: Sequence[Generation]) -> None:
        table = self._table(name)
        mine = [generation for generation in generations if name in generation.indices]
        whole = [generation.indices[name].whole() for generation in mine]
        version = table.append(pa.concat_tables(whole, promote_options="default"), generations[-1].segment)
        with self._state:
            table.publish(version)
            for generation in mine:
                del generation.indices[name]

    # ---- maintenance

    def _maintain(self) -> None:
        """Order slices, remove what is too old or too much, delete files nobody needs; one thread."""
        for round_ in itertools.count():
            if self._stop.wait(self.settings.maintain_every):
                return
            try:
                self.maintain(clean=round_ % 60 == 0)
            except Exception:
                log.exception("maintenance failed")

    def maintain(self, *, clean: bool = False) -> int:
        """Do what is due now; return how many slices were ordered."""
        with self._maintaining:  # delta-rs does not see that two rewrite the same files
            return self._maintained(clean=clean)

    def _maintained(self, *, clean: bool) -> int:
        now = datetime.now(UTC)
        done = 0
        self._retain(now)
        for table in list(self._tables.values()):
            for day, number in table.to_order(now, timedelta(seconds=self.settings.quiet)):
                if self._stop.is_set():
                    return done
                version = table.order(day, number)
                with self._state:
                    table.publish(version)
                done += 1
            if clean and table.files:
                table.clean(self.settings.clean_after)
        return done

    def _retain(self, now: datetime) -> None:
        settings = self.settings
        limit = date.min
        if settings.keep_days is not None:
            limit = (now - timedelta(days=settings.keep_days)).date()
        if settings.keep_size is not None:
            limit = max(limit, self._first_day_within(settings.keep_size))
        for table in list(self._tables.values()):
            # Days by name: a clock far off puts events into 1970-01-01, which goes with the oldest.
            if any(file.day < limit for file in table.files):
                version = table.expire(limit)
                with self._state:
                    table.publish(version)
                log.info("removed the events of %s before %s", table.name, limit)

    def _first_day_within(self, size: int) -> date:
        days: dict[date, int] = {}
        for table in self._tables.values():
            for file in table.files:
                days[file.day] = days.get(file.day, 0) + file.size
        total = 0
        for day in sorted(days, reverse=True):
            total += days[day]
            if total > size:
                return day + timedelta(days=1)
        return date.min

    # ---- reading

    def scan(self, scan: Scan) -> Iterator[StoredBatch]:
        """Yield the events asked for; see EventStore."""
        found = self._snapshot(scan)
        return self._batches(found, scan)

    def _snapshot(self, scan: Scan) -> list[tuple[IndexTable, list[StoredFile], list[tuple[FreshIndex, int]]]]:
        """Return, of one moment, the files and the fresh events to read of each index."""
        with self._state:
            found = []
            for name in matching(scan.patterns, self._tables):
                table = self._tables[name]
                files = [
                    file
                    for file in table.files
                    if (scan.start is None or file.last >= scan.start)
                    and (scan.end is None or file.first < scan.end)
                ]
                generations = (*self._old, self._current)
                fresh = [g.indices[name] for g in generations if name in g.indices]
                found.append((table, files, [(f, f.rows) for f in fresh]))
            return found

    def _batches(
        self, found: Sequence[tuple[IndexTable, list[StoredFile], list[tuple[FreshIndex, int]]]], scan: Scan
    ) -> Iterator[StoredBatch]:
        for table, files, fresh in found:
            for file in sorted(files, key=lambda file: file.first):
                yield from read_file(table.name, table.path / file.path, scan)
            for events, rows in fresh:
                left = rows
                for part in events.tables(rows):
                    if left > 0:  # what came since the snapshot is left out
                        yield read_table(table.name, part.slice(0, left), scan.fields)
                    left -= part.num_rows

    def find(self, patterns: Sequence[str], ids: Collection[str]) -> Iterator[StoredBatch]:
        """Yield batches with the events that have one of the ids; see EventStore."""
        wanted = sorted(ids)
        for name in matching(patterns, list(self._tables)):
            times = [t for t in self._ids.times(name, wanted).values() if t is not None]
            if times:
                start, end = min(times) // 1000 * 1000, max(times) + 1
                yield from self.scan(Scan([name], {ID}, start, end))

    def indices(self, patterns: Sequence[str] = ("*",)) -> list[IndexInfo]:
        """Return the indices that the patterns take; see EventStore."""
        infos = []
        for table, files, fresh in self._snapshot(Scan(patterns)):
            spans = [(f.first, f.last) for f in files] + [f.span() for f, rows in fresh if rows]
            events = rows_of(files) + sum(rows for _, rows in fresh)
            first = min((span[0] for span in spans), default=None)
            last = max((span[1] for span in spans), default=None)
            infos.append(IndexInfo(table.name, events, sum(file.size for file in files), first, last))
        return infos

    def schema(self, patterns: Sequence[str] = ("*",)) -> Schema:
        """Return the known fields and those that events brought along; see EventStore."""
        brought: dict[str, FieldType] = {}
        for name in matching(patterns, list(self._tables)):
            brought.update(self._fields_of(name).dynamic)
        return default_schema().extended(Field(name, kind) for name, kind in brought.items())

    def fields(self, patterns: Sequence[str] = ("*",)) -> Mapping[str, Mapping[FieldType, list[str]]]:
        """Return the fields that events have; see EventStore."""
        found: dict[str, dict[FieldType, list[str]]] = {}
        for name in matching(patterns, list(self._tables)):
            fields = self._fields_of(name)
            for seen in list(fields.seen):
                known = default_schema().find(seen)
                kind = known.type if known else fields.dynamic[seen]
                found.setdefault(seen, {}).setdefault(kind, []).append(name)
        return found

    def _fields_of(self, name: str) -> IndexFields:
        """Return the fields of an index, its newest events included."""
        for _, _, fresh in self._snapshot(Scan([name])):
            for events, rows in fresh:
                events.tables(rows)
        return self._tables[name].fields

    def waiting(self) -> int:
        """Return how many bytes of documents are in the journal and in no table yet."""
        with self._state:
            return self._queued + self._current.size + sum(old.size for old in self._old)

    # ---- closing

    def close(self) -> None:
        """Stop; see EventStore."""
        if self._stop.is_set():
            return
        self._queue.put(None)
        self._threads[0].join()
        self._stop.set()
        with self._flushed:
            self._flushed.notify_all()
        for thread in self._threads[1:]:
            thread.join()
        self._writers.shutdown()
        self._segment.close()
        self._guard.release()
