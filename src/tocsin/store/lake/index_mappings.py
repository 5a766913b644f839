"""The mappings of the lake's indices, a file each: they say what columns mean, wherever these are read."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import orjson

from tocsin.store.durable import write_durably
from tocsin.store.lake.folders import safe_name
from tocsin.store.mappings import NO_MAPPING, IndexMapping, MappingError, read_mapping


class IndexMappings:
    """Mappings by index, in a folder. `damaged` names files that cannot be read, each with the reason."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._found: dict[str, IndexMapping] = {}
        self.damaged: dict[Path, str] = {}
        if not folder.exists():
            return
        for path in sorted(folder.glob("*.json")):
            try:
                kept = orjson.loads(path.read_bytes())
                index, body, settings = kept["index"], kept["mappings"], kept["settings"]
                self._found[str(index)] = read_mapping(body, settings)
            except (OSError, ValueError, KeyError, TypeError, MappingError) as error:
                self.damaged[path] = f"{type(error).__name__}: {error}"

    def find(self, index: str) -> IndexMapping:
        """Return the mapping of an index, an empty one of an index that has none."""
        return self._found.get(index, NO_MAPPING)

    def names(self) -> list[str]:
        """Return the names of indices that have been made with a mapping, whether or not events lie in them."""
        return sorted(self._found)

    def keep(self, index: str, mapping: IndexMapping) -> None:
        """Keep the mapping of an index for good."""
        with self._lock:
            if self._found.get(index) == mapping:
                return
            self._folder.mkdir(exist_ok=True, mode=0o700)
            path = self._folder / f"{safe_name(index)}.json"
            document: dict[str, Any] = {"index": index, "mappings": mapping.body, "settings": mapping.settings}
            write_durably(path, orjson.dumps(document))
            self._found[index] = mapping
