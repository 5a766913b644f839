"""The event store: a journal that acknowledges, memory that is searched at once, Delta tables that stay."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
from filelock import Timeout

from tocsin.ecs import Field, FieldType, Schema
from tocsin.store.clock import ArrivalClock
from tocsin.store.columns.fields import IndexFields
from tocsin.store.durable import UNFINISHED, kind_of
from tocsin.store.events import (
    ID,
    ArrivedEvents,
    Document,
    IndexInfo,
    Outcome,
    Scan,
    SetAside,
    StoredBatch,
    StoreError,
    StoreFullError,
)
from tocsin.store.lake.clean_stop import CleanStop, Loss, losses_since, note_of, read_stop, stop_of, write_stop
from tocsin.store.lake.committer import Committer, Request
from tocsin.store.lake.contents import Contents, IndexSnapshot, LakeSettings
from tocsin.store.lake.guard import guard_of
from tocsin.store.lake.ids import ChosenIds, Key, Maker, content_of, key_of
from tocsin.store.lake.journal import journal
from tocsin.store.lake.journal.acknowledged import MARK, Acknowledged, read_mark
from tocsin.store.lake.journal.journal import Entry
from tocsin.store.lake.keeper import Keeper
from tocsin.store.lake.settler import PROBE, Settler
from tocsin.store.lake.strays import make_room, strays_in_index, strays_of, unknown
from tocsin.store.lake.tables.index_mappings import IndexMappings
from tocsin.store.lake.tables.index_scans import DividedScan, IndexScan, arrived_within, read_divided, read_tables
from tocsin.store.lake.tables.ordering import OrderingProcess
from tocsin.store.lake.tables.table import StoredFile, rows_of
from tocsin.store.mappings.index_mapping import IndexMapping
from tocsin.store.patterns import matching
from tocsin.store.resources import raise_if_lacking
from tocsin.store.schemas import common_schema, fields_by_type

__all__ = ["LakeSettings", "LakeStore"]
from tocsin.worker_thread import WorkerThread

log = logging.getLogger(__name__)
_SCHEMAS = 64  # of patterns, that are kept
_A_LOOK = 0.5  # seconds; a command that looks whether the folder is in use has its lock for a moment


class LakeStore:
    """An event store (`tocsin.store.events.EventStore`) in a folder that no other process uses.

    Raises StoreError when another one does.
    """

    def __init__(
        self,
        folder: Path,
        settings: LakeSettings | None = None,
        clock: ArrivalClock | None = None,
    ) -> None:
        self.settings = settings or LakeSettings()
        self.clock = clock or ArrivalClock()
        self._arriving: list[int] = []  # the stamps of what is on its way into the journal
        self._arrivals = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        strays = make_room(folder, ("lock",))
        self._folder = folder
        self._guard = guard_of(folder)
        try:
            self._guard.acquire(timeout=_A_LOOK)
        except Timeout:
            raise StoreError(
                f"{folder} is in use by another tocsin", hint="stop that one, or give this one its own --data"
            ) from None
        strays += make_room(folder)
        for name in unknown(folder):
            log.warning("%s in the data folder is nothing of tocsin's, and is left alone", name)
        events, self._journal = folder / "events", folder / "journal"
        for made in (events, self._journal):
            made.mkdir(exist_ok=True, mode=0o700)
        self._mappings = IndexMappings(folder / "mappings")
        self._schemas: dict[tuple[str, ...], tuple[object, Schema]] = {}
        self.contents = Contents(events, self._mappings)
        renamed = dict(journal.put_back(self._journal))
        for former, segment in renamed.items():
            log.warning("journal: segment %d was called %d, and has its name again", segment, former)
        self._ids, self._maker = ChosenIds(folder / "ids", self.contents.put_aside), Maker()
        moved = [Loss(name=name, reason=reason) for name, reason in strays]
        self._state = self._compare_with_last_stop(moved, renamed)
        self._name_strays(folder)
        self._noting, self._going = threading.Lock(), set[int]()
        self._committer = Committer(self.contents, self._ids, self._journal, self.settings)
        self._note()
        self.clock.never_before(max(self._committer.newest, self.contents.newest_arrival()))
        self._settler = Settler(self.contents, self._ids, self._journal, self.settings, self._note)
        self._ordering = OrderingProcess(folder / "ordering.lock")
        self._keeper = Keeper(self.contents, self.settings, self._ordering.order)
        self._stop = threading.Event()
        self._committing = WorkerThread(
            "store-commit", lambda _: self._committer.run(self._turned), wake=self._committer.stop
        )
        self._settling = WorkerThread(
            "store-settle", self._settler.run, wake=self._settler.wake, closing=self._stop
        )
        self._keeping = WorkerThread("store-keep", self._keeper.run, closing=self._stop)
        for worker in (self._committing, self._settling, self._keeping):
            worker.start()

    @property
    def losses(self) -> list[Loss]:
        """What was missing at this start and earlier ones, and was not repaired."""
        return self._state.losses

    def report_damage(self, name: str, reason: str) -> None:
        """Add damage to something beside the store's own files to what is set aside."""
        self.contents.put_aside(name, reason)

    def kept_records(self) -> bool:
        """Return whether a service has kept records beside this store."""
        return self._state.with_records

    def noted_records(self) -> bool:
        """Return whether a service has noted how far the records beside this store are."""
        return self._state.records_noted

    def keep_records(self, *, lost: str | None) -> None:
        """Write down that records are kept beside the store; what they have `lost` is reported until a repair."""
        self._state.with_records = self._state.records_noted = True
        if lost:
            self._state.losses.append(Loss(name="records", reason=lost))
            self.contents.put_aside("records", lost)
        self._note()

    def _note(self, going: Collection[int] = ()) -> None:
        """Write down what the store holds now, for good."""
        with self._noting:
            self._going.update(going)  # later notes may be written before these go
            write_stop(self._folder, note_of(self.contents.tables, self._state, self._journal, self._going))
            self._going.intersection_update(journal.segments(self._journal))

    def _turned(self) -> None:
        """Note the new segment of the journal, and have the one before it settled."""
        try:
            self._note()
        except OSError as error:  # that this segment goes would not be noticed
            log.warning("the new segment of the journal cannot be noted: %s", error)
        self._settler.wake()

    def _name_strays(self, folder: Path) -> None:
        """Set aside what lies in folders of the store's and is nothing of its own."""
        segments = frozenset(
            journal.path_of(self._journal, number).name for number in journal.segments(self._journal)
        )
        for stray in (
            *strays_of(self._journal, segments | {PROBE}),
            *strays_of(folder / "ids", self._ids.names()),
        ):
            self.contents.put_aside(*stray)
        for table in list(self.contents.tables.values()):
            for stray in strays_in_index(table.path):
                self.contents.put_aside(*stray)
        for path in self._mappings.strays:
            if not path.name.endswith(UNFINISHED):
                self.contents.put_aside(f"mappings/{path.name}", f"{kind_of(path)} that is no mapping")

    def _compare_with_last_stop(self, moved: Sequence[Loss], renamed: Collection[int]) -> CleanStop:
        """Set aside what has gone since the last note, what was `moved` now, and what had gone before.

        Segments that were `renamed` are not missed under those names.
        """
        contents = self.contents
        stop = read_stop(self._folder)
        try:
            acknowledged = read_mark(self._folder)
        except (OSError, ValueError) as error:
            raise_if_lacking(MARK, error)
            consequence = "acknowledged events that are gone from the newest segment are not noticed"
            contents.put_aside(MARK, f"it cannot be read, and {consequence}: {error}")
            acknowledged = Acknowledged()
        left_out = [index for index in stop.indices if contents.is_set_aside(index)]
        segments = [segment for segment in stop.segments or () if segment not in renamed]
        new = losses_since(
            stop.model_copy(update={"segments": segments}), contents.tables, left_out, self._journal, acknowledged
        )
        losses = list({(loss.index, loss.name): loss for loss in (*stop.losses, *moved, *new)}.values())
        for loss in losses:
            if loss.index is None:
                contents.put_aside(loss.name, loss.reason)
            elif loss.name == loss.index:
                contents.put_index_aside(loss.index, loss.reason)
            else:
                contents.put_part_aside(loss.index, loss.name.removeprefix(f"{loss.index}/"), loss.reason)
        return stop.model_copy(update={"losses": losses})

    # ---- adding

    def add(self, documents: Sequence[Document]) -> list[Outcome]:
        """Store documents; see EventStore."""
        if not documents:
            return []
        size = sum(len(document.source) for document in documents)
        problem = self._refusal(size)
        if problem:
            raise StoreFullError(problem, hint="nothing was stored; send it again later")
        with self._arrivals:
            now = self.clock.now()
            self._arriving.append(now)
        try:
            return self._add(documents, now, size)
        finally:
            with self._arrivals:
                self._arriving.remove(now)

    def _add(self, documents: Sequence[Document], now: int, size: int) -> list[Outcome]:
        entries: list[Entry] = []
        named: list[tuple[int, Key, int]] = []
        for row, (index, moment, source, chosen) in enumerate(documents):
            if chosen is not None:
                named.append((row, key_of(index, chosen), content_of(source)))
            id_ = self._maker.make(moment) if chosen is None else chosen
            entries.append(Entry(index, id_, chosen is not None, moment, now, source))
        request = Request(entries, named, size)
        self._committer.put(request)
        return request.done.result()

    def watermark(self) -> int:
        """Return the moment up to which arrivals are complete; see EventStore."""
        with self._arrivals:
            return min(self._arriving, default=self.clock.now())

    def _refusal(self, size: int) -> str | None:
        if self._stop.is_set():
            return "the store is closed"
        if self._committer.ended is not None:
            return self._committer.ended
        waiting = self.waiting()
        if waiting and waiting + size > self.settings.waiting_size:
            return self.contents.problem or f"{waiting:,} bytes of events wait to be written to disk"
        free = shutil.disk_usage(self._folder).free
        if free - size < self.settings.reserve:
            return f"the disk is full: {free:,} bytes free, {self.settings.reserve:,} kept in reserve"
        return None

    def set_aside(self) -> list[SetAside]:
        """Return what is damaged and left out; see EventStore."""
        return self.contents.set_aside()

    def check(self, size: int = 0) -> str | None:
        """Return why documents of some size cannot be stored now; see EventStore."""
        problem = self._refusal(size) or self.contents.problem
        if problem is None and self._settling.failure is not None:
            problem = f"the thread that brings events into their tables has ended: {self._settling.failure}"
        return problem

    def upkeep_problem(self) -> str | None:
        """Return why tables are not maintained; see EventStore."""
        failure = self._keeping.failure
        return None if failure is None else f"the thread that maintains tables has ended: {failure}"

    def waiting(self) -> int:
        """Return how many bytes of documents wait for the journal or for tables; see EventStore."""
        return self._committer.queued + self.contents.size

    def memory(self) -> dict[str, int]:
        """Return how many bytes are held of documents that are in no table, as they came and as columns."""
        documents, columns = self.contents.memory()
        return {"waiting_documents": self._committer.queued + documents, "waiting_columns": columns}

    def flush(self) -> None:
        """Bring what the journal holds into the tables; see EventStore. Raises StoreError when that fails."""
        contents = self.contents
        last = contents.current.segment

        def done() -> bool:
            with contents.lock:
                waiting = [g for g in (*contents.old, contents.current) if g.indices and g.segment <= last]
            return not waiting or self._stop.is_set()

        while not done():
            if contents.current.indices and contents.current.segment <= last:  # what comes later is not asked for
                self._committer.ask_for_turn(last)
            with self._settler.done:
                self._settler.done.wait_for(done, 0.5)
            if problem := contents.problem or self._committer.ended or self._settling.failure:
                raise StoreError(problem)

    def maintain(self, *, clean: bool = False) -> int:
        """Maintain tables now, as the keeper does in the background; return how many slices were ordered."""
        return self._keeper.maintain(self._stop, clean=clean)

    # ---- reading

    def scan(self, scan: Scan) -> Iterator[StoredBatch]:
        """Yield the events asked for; see EventStore."""
        return read_divided(self.divided_scan(scan), self)

    def find(self, patterns: Sequence[str], ids: Collection[str]) -> Iterator[StoredBatch]:
        """Yield batches with the events that have one of the ids; see EventStore."""
        for scan in self._scans_for(patterns, ids):
            yield from self.scan(scan)

    def _scans_for(self, patterns: Sequence[str], ids: Collection[str]) -> Iterator[Scan]:
        wanted = sorted(ids)
        for name in matching(patterns, list(self.contents.tables)):
            times = self._ids.times(name, wanted)
            if None in times.values() and not self._ids.complete:
                yield Scan([name], {ID})  # an id of a damaged file may be at any time
            elif moments := sorted({moment for moment in times.values() if moment is not None}):
                yield Scan([name], {ID}, times=moments)

    def indices(self, patterns: Sequence[str] = ("*",)) -> list[IndexInfo]:
        """Return the indices that the patterns take; see EventStore."""
        infos = []
        for snapshot in self.contents.snapshot(Scan(patterns)):
            spans = [(f.first, f.last) for f in snapshot.files] + [
                f.span() for f, rows in snapshot.buffers if rows
            ]
            events = rows_of(snapshot.files) + sum(rows for _, rows in snapshot.buffers)
            first = min((span[0] for span in spans), default=None)
            last = max((span[1] for span in spans), default=None)
            size = sum(file.size for file in snapshot.files)
            infos.append(IndexInfo(snapshot.table.name, events, size, first, last))
        return infos

    def arrived_events(self) -> Mapping[str, Sequence[ArrivedEvents]]:
        """Return what files and buffers of each index hold, as the tables' logs say; see EventStore."""
        return {
            snapshot.table.name: [
                *(ArrivedEvents(f.rows, f.size, f.first, f.last, f.arrived) for f in snapshot.files),
                *(ArrivedEvents(rows, 0, *b.span(), b.arrived()) for b, rows in snapshot.buffers if rows),
            ]
            for snapshot in self.contents.snapshot(Scan(("*",)))
        }

    def names(self) -> list[str]:
        """Return the names of all indices; see EventStore."""
        return sorted(self.contents.tables)

    def schema(self, patterns: Sequence[str] = ("*",)) -> Schema:
        """Return the known fields, those of mappings and those that events brought along; see EventStore."""
        indices = list(self._fields(patterns))
        state = tuple((name, id(fields.mapping_of()), len(fields.seen)) for name, fields in indices)
        kept = self._schemas.get(tuple(patterns))
        if kept is None or kept[0] != state:
            kept = state, common_schema(indices)
            if len(self._schemas) > _SCHEMAS:
                self._schemas.clear()
            self._schemas[tuple(patterns)] = kept
        return kept[1]

    def index_fields(self, patterns: Sequence[str] = ("*",)) -> Mapping[str, Mapping[str, Field]]:
        """Return the fields of each index; see EventStore."""
        return {name: fields.all() for name, fields in self._fields(patterns)}

    def fields(self, patterns: Sequence[str] = ("*",)) -> Mapping[str, Mapping[FieldType, list[str]]]:
        """Return the fields that events may have; see EventStore."""
        return fields_by_type(self.index_fields(patterns))

    def mapping(self, index: str) -> IndexMapping:
        """Return the mapping of an index; see EventStore."""
        return self._mappings.find(index)

    def begin(self, index: str, mapping: IndexMapping) -> None:
        """Let an index have a mapping from now on, and be there if it is not; see EventStore."""
        self._mappings.keep(index, mapping)
        if not self.contents.is_set_aside(index):
            self.contents.table(index)

    def _fields(self, patterns: Sequence[str]) -> Iterator[tuple[str, IndexFields]]:
        """Yield the fields of each index, those of its newest events included."""
        for snapshot in self.contents.snapshot(Scan(patterns)):
            with self.contents.apart(snapshot.table.name):
                for events, rows in snapshot.buffers:
                    events.tables(rows)
            if not self.contents.is_set_aside(snapshot.table.name):
                yield snapshot.table.name, snapshot.table.fields

    def divided_scan(self, scan: Scan) -> DividedScan:
        """Return what a scan reads of each index, as of this moment; see EventScans."""
        files, batches = [], list[StoredBatch]()
        for snapshot in self.contents.snapshot(scan):
            table, mapping = snapshot.table, snapshot.table.fields.mapping_of()
            buffered = list[StoredBatch]()
            with self.contents.apart(table.name):
                buffered = read_tables(table.name, mapping, _buffered_tables(snapshot, scan), scan)
            if not self.contents.is_set_aside(table.name):  # its buffered events may turn out to make no table
                files.append(IndexScan(table.name, table.path, mapping, tuple(snapshot.files)))
                batches += buffered
        return DividedScan(scan, tuple(files), iter(batches))

    def divided_find(self, patterns: Sequence[str], ids: Collection[str]) -> list[DividedScan]:
        """Return what `find` reads, as of this moment; see EventScans."""
        return [self.divided_scan(scan) for scan in self._scans_for(patterns, ids)]

    def put_file_aside(self, index: str, file: StoredFile, reason: str) -> bool:
        """Leave a file out from now on that cannot be read; see EventScans."""
        table = self.contents.tables.get(index)
        if table is None or file not in table.files:  # it was written anew, and removed, since the search began
            return False
        self.contents.put_file_aside(table, file, reason)
        return True

    def put_checksums_aside(self, index: str, file: StoredFile, reason: str) -> None:
        """Say that a file's checksums are damaged; see EventScans."""
        table = self.contents.tables.get(index)
        if table is not None:
            self.contents.put_checksums_aside(table, file, reason)

    # ---- closing

    def close(self) -> None:
        """Stop; see EventStore."""
        if self._stop.is_set():
            return
        self._committing.close()
        self._stop.set()
        self._ordering.close()
        for worker in (self._settling, self._keeping):
            worker.close()
        self._settler.close()
        self._committer.close()
        write_stop(self._folder, stop_of(self.contents.tables, self._state, self._journal))
        self._guard.release()


def _buffered_tables(snapshot: IndexSnapshot, scan: Scan) -> list[pa.Table]:
    """Return the events of an index that are in no file yet."""
    tables = []
    for events, rows in snapshot.buffers:
        left = rows
        for part in events.tables(rows):
            if left > 0:  # what came since the snapshot is left out
                wanted = arrived_within(part.slice(0, left), scan)
                if wanted.num_rows:
                    tables.append(wanted)
            left -= part.num_rows
    return tables
