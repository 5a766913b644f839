"""Documents that could not be stored: counted, and written to one file a day."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import orjson

from tocsin.moments import iso

log = logging.getLogger(__name__)
_LARGEST = 256 << 20  # bytes of a day's file; above that, documents are only counted
_SHOWN = 64 << 10  # bytes of a document that are kept


class Rejected:
    """Writes rejected documents into a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()

    def add(self, index: str | None, source: bytes, error: Mapping[str, str]) -> None:
        """Write one document with the reason; a version conflict is only counted, because its event is stored."""
        self.counts[error["type"]] += 1
        if error["type"] == "version_conflict_engine_exception":
            return
        now = datetime.now(UTC)
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
