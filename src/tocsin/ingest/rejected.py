"""Documents that could not be stored: counted, written to one file a day, and the last of each reason shown."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from tocsin.moments import iso
from tocsin.sources.batch import Reject

log = logging.getLogger(__name__)
_LARGEST = 256 << 20  # bytes of a day's file; above that, documents are only counted
_SHOWN = 64 << 10  # bytes of a document that are kept
_SAMPLES, _SAMPLE_SIZE = 3, 2_000  # of a reason that are kept in memory; bytes of the document of each
_MOST_REASONS, _MOST_MINUTES = 100, 10_080  # with samples; for which it is known how many there were
_IS_STORED = "version_conflict_engine_exception"  # the store has another document under this id


@dataclass(frozen=True)
class RejectedSample:
    """A document that was rejected: when, for which index, why, and how it begins. `size` is all of its bytes."""

    time: datetime
    index: str | None
    detail: str
    size: int
    beginning: str


@dataclass(frozen=True)
class RejectedDocuments:
    """Documents that were rejected for one reason: how many, and the last of them, the newest first."""

    reason: str
    count: int
    samples: Sequence[RejectedSample]


class Rejected:
    """Writes rejected documents into a folder.

    What is asked of it is kept in memory, and begins with the service: counts by the minute, for the last
    `_MOST_MINUTES` in which a document was rejected, and the last `_SAMPLES` documents of each reason, cut at
    `_SAMPLE_SIZE` bytes, so that all of it takes at most some megabytes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self.began = datetime.now(UTC)
        self._minutes: dict[int, Counter[str]] = {}
        self._samples: dict[str, deque[RejectedSample]] = {}

    def add(self, index: str | None, source: bytes, error: Mapping[str, str]) -> None:
        """Write one document with the reason; a version conflict is only counted, because its event is stored."""
        now = datetime.now(UTC)
        self._count(now, index, source, error)
        if error["type"] == _IS_STORED:
            return
        entry = {
            "@timestamp": iso(now),
            "index": index,
            "reason": error["type"],
            "detail": error["reason"],
            "size": len(source),
            "content": source[:_SHOWN].decode("utf-8", "replace"),
        }
        path = self._folder / f"{now:%Y-%m-%d}.ndjson"
        try:
            with self._lock:
                self._folder.mkdir(parents=True, exist_ok=True)
                if os.path.lexists(path) and not path.is_file():
                    raise OSError(f"{path} is no file")
                if path.exists() and path.stat().st_size > _LARGEST:
                    return
                with path.open("ab") as file:
                    file.write(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))
        except OSError as error_:
            log.warning("a rejected document cannot be kept: %s", error_)

    def _count(self, now: datetime, index: str | None, source: bytes, error: Mapping[str, str]) -> None:
        reason = error["type"]
        beginning = source[:_SAMPLE_SIZE].decode("utf-8", "replace")
        sample = RejectedSample(now, index, error["reason"][:_SAMPLE_SIZE], len(source), beginning)
        with self._lock:
            self._remember(reason, 1, sample)

    def add_unread(self, rejects: Mapping[str, tuple[int, Reject]]) -> None:
        """Count what could not be read of a watched file, by reason, each with the first of it.

        The file of rejects beside it has all of them.
        """
        now = datetime.now(UTC)
        for reason, (count, first) in rejects.items():
            place = f"{first.file} {first.position}".strip()
            detail = f"{place}: {first.detail}"[:_SAMPLE_SIZE]
            sample = RejectedSample(now, None, detail, len(first.content), first.content[:_SAMPLE_SIZE])
            with self._lock:
                self._remember(reason, count, sample)

    def _remember(self, reason: str, count: int, sample: RejectedSample) -> None:
        self.counts[reason] += count
        minute = int(sample.time.timestamp() // 60)
        if minute not in self._minutes:
            self._minutes[minute] = Counter()
            if len(self._minutes) > _MOST_MINUTES:
                del self._minutes[next(iter(self._minutes))]
        self._minutes[minute][reason] += count
        if reason in self._samples or len(self._samples) < _MOST_REASONS:
            self._samples.setdefault(reason, deque(maxlen=_SAMPLES)).appendleft(sample)

    def by_reason(self, since: datetime | None = None) -> list[RejectedDocuments]:
        """Return what was rejected since the service began, or since the minute of a moment, by reason.

        The reason with the most documents comes first; samples may be older than `since`.
        """
        with self._lock:
            counts = self.counts
            if since is not None:
                first = int(since.timestamp() // 60)
                counts = sum((c for minute, c in self._minutes.items() if minute >= first), Counter[str]())
            samples = {reason: tuple(samples) for reason, samples in self._samples.items()}
            return [RejectedDocuments(reason, n, samples.get(reason, ())) for reason, n in counts.most_common()]
