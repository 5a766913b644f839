"""The mappings of the lake's indices, a file each: they say what columns mean, wherever these are read."""

from __future__ import annotations

import threading
import zlib
from pathlib import Path
from typing import Any

import orjson

from tocsin.store.durable import read_file, write_durably
from tocsin.store.lake.tables.folders import safe_name
from tocsin.store.mappings.index_mapping import NO_MAPPING, IndexMapping
from tocsin.store.mappings.reading import read_mapping
from tocsin.store.mappings.types import MappingError
from tocsin.store.resources import raise_if_lacking

LIST = "mappings.json"  # beside the folder, so that one that is gone is noticed


class IndexMappings:
    """Mappings by index, in a folder. `damaged` names files that cannot be read or are gone, each with the reason.

    `list_fault` says what is wrong with the list of the files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._mappings: dict[str, IndexMapping] = {}
        self.damaged: dict[Path, str] = {}
        self.list_fault: str | None = None
        self._list = folder.with_name(LIST)
        self._listed = self._read_list()
        self.strays: list[Path] = []  # what lies among mappings, and is none
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.suffix != ".json" or (path.name not in self._listed and not path.is_file()):
                self.strays.append(path)
                continue
            try:
                kept = orjson.loads(read_file(path))
                index, body, settings = kept["index"], kept["mappings"], kept["settings"]
                if path.name not in (f"{safe_name(index)}.json", f"{index}.json"):  # somebody's copy
                    self.strays.append(path)
                    continue
                if kept.get("sum", kept_sum := _sum(index, body, settings)) != kept_sum:
                    raise ValueError("its checksum is wrong")
                self._mappings[str(index)] = read_mapping(body, settings)
            except (OSError, ValueError, LookupError, TypeError, AttributeError, MappingError) as error:
                raise_if_lacking(f"mappings/{path.name}", error)
                self.damaged[path] = f"{type(error).__name__}: {error}"
            self._listed.add(path.name)  # an earlier version listed none
        for name in sorted(self._listed):
            if not (folder / name).exists():
                self.damaged[folder / name] = "this file is gone"

    def _read_list(self) -> set[str]:
        try:
            return set(map(str, orjson.loads(read_file(self._list))))
        except FileNotFoundError:
            return set()
        except (OSError, ValueError, TypeError) as error:
            raise_if_lacking(LIST, error)
            self.list_fault = f"it cannot be read, and mappings are taken as they are: {error}"
            return set()

    def forget(self, path: Path) -> None:
        """Expect a file no longer, after its damage was reported."""
        self._listed.discard(path.name)
        self.write_list()

    def write_list(self) -> None:
        """List the files that there are."""
        write_durably(self._list, orjson.dumps(sorted(self._listed)))

    def find(self, index: str) -> IndexMapping:
        """Return the mapping of an index, an empty one of an index that has none."""
        return self._mappings.get(index, NO_MAPPING)

    def names(self) -> list[str]:
        """Return the names of indices that have been made with a mapping, whether or not events lie in them."""
        return sorted(self._mappings)

    def keep(self, index: str, mapping: IndexMapping) -> None:
        """Keep the mapping of an index for good."""
        with self._lock:
            if self._mappings.get(index) == mapping:
                return
            self._folder.mkdir(exist_ok=True, mode=0o700)
            path = self._folder / f"{safe_name(index)}.json"
            document: dict[str, Any] = {"index": index, "mappings": mapping.body, "settings": mapping.settings}
            document["sum"] = _sum(index, mapping.body, mapping.settings)
            write_durably(path, orjson.dumps(document))
            self._listed.add(path.name)
            self.write_list()
            self._mappings[index] = mapping


def _sum(index: object, body: object, settings: object) -> int:
    """Return the checksum of a mapping, whichever way its file is spaced."""
    return zlib.crc32(orjson.dumps([index, body, settings], option=orjson.OPT_SORT_KEYS))
