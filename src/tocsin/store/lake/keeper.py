"""One thread maintains tables: it makes one file of each slice, and removes what is too old or too much."""

from __future__ import annotations

import itertools
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

from tocsin.store.lake.contents import NO_DAMAGE, Contents, LakeSettings
from tocsin.store.lake.tables.checksums import FAULTS, LostChecksumsError, verify
from tocsin.store.lake.tables.slices import Slice, order_slice
from tocsin.store.lake.tables.table import IndexTable, Order
from tocsin.store.resources import is_lack_of_resources

log = logging.getLogger(__name__)
_CLEAN_EVERY = 60  # rounds
_BUSY = 0.4  # of the processors' time, taken by this process, above which ordering waits
_A_ROUND = 4  # slices, behind which it is looked again how busy the process is
_ROUNDS_WITHOUT = 60  # of an index that could not be maintained
_SUMMED = 64 << 20  # bytes of files that get their checksums late, a round
_MOST_WAITING = 400  # slices; more are ordered however busy it is


class Load:
    """How busy this process is."""

    def __init__(self) -> None:
        self._processors = (
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        )
        self._used, self._at = time.process_time(), time.monotonic()

    def share(self) -> float:
        """Return the share of the processors' time that this process has taken since it was last asked."""
        used, at = time.process_time(), time.monotonic()
        share = (used - self._used) / max(at - self._at, 1e-3) / self._processors
        self._used, self._at = used, at
        return share


class Keeper:
    """Maintains tables; `order` is what writes a slice anew in the background."""

    def __init__(self, contents: Contents, settings: LakeSettings, order: Order) -> None:
        self._contents, self._settings, self._order = contents, settings, order
        self._busy = threading.Lock()  # delta-rs does not see that two rewrite the same files
        self._load = Load()
        self._failing: dict[str, int] = {}  # by index, the rounds for which it is left alone

    def run(self, stop: threading.Event) -> None:
        """Maintain until stopped."""
        for round_ in itertools.count():
            if stop.wait(self._settings.maintain_every):
                return
            try:
                self.maintain(stop, clean=round_ % _CLEAN_EVERY == 0, order=self._order)
            except Exception:
                if not stop.is_set():
                    log.exception("maintenance failed")

    def maintain(self, stop: threading.Event, *, clean: bool = False, order: Order = order_slice) -> int:
        """Do what is due now, here unless `order` does it elsewhere; return how many slices were ordered."""
        done = 0
        now = datetime.now(UTC)
        tables = [table for table in list(self._contents.tables.values()) if not self._is_failing(table)]
        with self._busy:
            self._retain(now, stop)
            quiet = timedelta(seconds=self._settings.quiet)
            waiting = [
                (table, slice_)
                for table in tables
                for slice_ in table.to_order(now, quiet)
                if self._may(table, slice_)
            ]
            if order is not order_slice:
                waiting = self._affordable(waiting)
            for table, slice_ in waiting:
                if stop.is_set():
                    return done
                with self._apart(table, stop):
                    if not self._verified(table, slice_):
                        continue
                    version = table.order(slice_, order)
                    with self._contents.lock:
                        table.publish(version)
                    done += 1
            left = _SUMMED
            for table in tables:
                with self._apart(table, stop):
                    left -= table.sum_up(left)
            for table in tables:
                if clean and table.files and self._contents.is_unharmed(table):
                    with self._apart(table, stop):
                        table.clean(self._settings.clean_after)
        return done

    @contextmanager
    def _apart(self, table: IndexTable, stop: threading.Event) -> Iterator[None]:
        """Keep what fails for one index from the others; it is tried again after some rounds."""
        try:
            yield
        except NO_DAMAGE:
            raise
        except BaseException as error:  # delta-rs panics, and its panics are no Exceptions
            if not stop.is_set():
                self._failing[table.name] = _ROUNDS_WITHOUT
                log.warning("%s cannot be maintained: %s: %s", table.name, type(error).__name__, error)

    def _is_failing(self, table: IndexTable) -> bool:
        left = self._failing.pop(table.name, 0)
        if left > 1:
            self._failing[table.name] = left - 1
        return left > 0

    def _may(self, table: IndexTable, slice_: Slice) -> bool:
        """Return whether all files of a slice can be read: what is set aside stays as it is."""
        files = [file for file in table.files if (file.day, file.slice) == (slice_.day, slice_.number)]
        return all(self._contents.may_be_written_anew(table, file) for file in files)

    def _verified(self, table: IndexTable, slice_: Slice) -> bool:
        """Return whether the files of a slice are as they were written; those that are not are set aside.

        Written anew, what is wrong in them would have checksums that are right.
        """
        for file in table.files:
            if (file.day, file.slice) != (slice_.day, slice_.number):
                continue
            try:
                verify(table.path / file.path)
            except LostChecksumsError as error:
                self._contents.put_checksums_aside(table, file, str(error))
            except FAULTS as error:
                if is_lack_of_resources(error):
                    raise
                self._contents.put_file_aside(table, file, error)
        return self._may(table, slice_)

    def _affordable(self, waiting: list[tuple[IndexTable, Slice]]) -> list[tuple[IndexTable, Slice]]:
        """Return the slices to order now: none while much comes in, as ordering costs as much as storing."""
        affordable = waiting[: max(_A_ROUND, len(waiting) - _MOST_WAITING)]
        return affordable if self._load.share() < _BUSY or len(waiting) > _MOST_WAITING else []

    def _retain(self, now: datetime, stop: threading.Event) -> None:
        settings = self._settings
        limit = date.min
        if settings.keep_days is not None:
            limit = (now - timedelta(days=settings.keep_days)).date()
        if settings.keep_size is not None:
            limit = max(limit, self._first_day_within(settings.keep_size))
        for table in list(self._contents.tables.values()):
            # A clock that is far off puts events into 1970-01-01, which goes with the oldest.
            if any(file.day < limit for file in table.files):
                with self._apart(table, stop):
                    version = table.expire(limit)
                    with self._contents.lock:
                        table.publish(version)
                    log.info("removed the events of %s before %s", table.name, limit)

    def _first_day_within(self, size: int) -> date:
        """Return the first of the last days that take no more than so many bytes."""
        days: dict[date, int] = {}
        for table in self._contents.tables.values():
            for file in table.files:
                days[file.day] = days.get(file.day, 0) + file.size
        total = 0
        for day in sorted(days, reverse=True):
            total += days[day]
            if total > size:
                return day + timedelta(days=1)
        return date.min
