"""New indices: they begin with the mapping of their templates, or with none."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from tocsin.sources.batch import flatten
from tocsin.store.events import EventStore
from tocsin.store.mappings.dynamic_templates import new_fields
from tocsin.store.mappings.index_mapping import NO_MAPPING, IndexMapping
from tocsin.store.mappings.merging import check_seen, merged
from tocsin.store.mappings.templates import Templates, mapping_of_new
from tocsin.store.mappings.types import MappingError
from tocsin.store.patterns import name_error

log = logging.getLogger(__name__)
_LOOK = 1.0  # seconds after which the store is asked again which indices there are


class Indices:
    """The indices of a store, `most` at most. `templates` reads those that there are now."""

    def __init__(self, store: EventStore, templates: Callable[[], Templates] = dict, most: int = 1_000) -> None:
        self._store, self._read, self._lock, self._most = store, templates, threading.Lock(), most
        self._begun_by: dict[str, set[str]] = {}  # by owner, since the start
        self._there, self._looked = (
            frozenset[str](),
            float("-inf"),
        )  # names, and when they were asked for
        self._templates: Templates | None = None
        self._begun: set[str] = set()
        self._without: set[str] = set()  # names without an index or a mapping in templates

    def changed(self) -> None:
        """Read the templates again: they have changed."""
        with self._lock:
            self._templates = None
            self._without.clear()

    def admits(self, name: str, owner: str) -> bool:
        """Tell whether an index is there, or may be begun by a key or a user.

        Since the start one begins no more than half of the indices that others have left.
        """
        if name in self._begun:
            return True
        with self._lock:
            if time.monotonic() >= self._looked + _LOOK:
                self._there, self._looked = frozenset(self._store.names()), time.monotonic()
            begun = self._begun_by.setdefault(owner, set())
            if name in self._there or name in begun:
                return True
            taken = self._there.union(*self._begun_by.values())
            if len(begun) >= self._most - len(taken):
                return False
            begun.add(name)
            return True

    def mapping(self, name: str) -> IndexMapping:
        """Return the mapping of an index; a new one begins with the mapping of its templates."""
        if name not in self._begun and name not in self._without:
            with self._lock:
                self._begin(name)
        return self._store.mapping(name)

    def mapping_with(self, name: str, document: Mapping[str, Any]) -> IndexMapping:
        """Return the mapping of an index, with the fields that its dynamic templates add for a document."""
        mapping = self.mapping(name)
        if not document or "dynamic_templates" not in mapping.body:
            return mapping
        flat = flatten(document)
        if new_fields(flat, mapping) is None:
            return mapping
        with self._lock:
            mapping = self._store.mapping(name)
            new = new_fields(flat, mapping)
            if new is None:
                return mapping
            try:
                grown = merged(mapping, new)
                check_seen(grown, mapping, self._store.index_fields([name]).get(name, {}))
            except MappingError as error:
                log.warning("%s: its dynamic templates do not fit: %s", name, error.message)
                return mapping
            self._store.begin(name, grown)
        return self._store.mapping(name)

    def _begin(self, name: str) -> None:
        if name_error(name):
            return
        names = self._store.names()
        if name in names:
            self._begun.add(name)
            return
        if len(names) >= self._most:
            return
        mapping = self.planned(name)
        if mapping == NO_MAPPING:
            self._without.add(name)
            return
        self._store.begin(name, mapping)
        self._begun.add(name)

    def planned(self, name: str) -> IndexMapping:
        """Return the mapping of the templates for an index that does not exist yet."""
        if self._templates is None:
            self._templates = self._read()
        try:
            return mapping_of_new(name, self._templates)
        except MappingError as error:  # of a template that was saved before templates were checked
            log.warning("the templates for %s do not fit together, and are not used: %s", name, error.message)
            return NO_MAPPING
