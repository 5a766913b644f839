"""A cache for many threads that is bounded by the size of what it holds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from cachetools import LRUCache

_Value = TypeVar("_Value")


class SizedCache(Generic[_Value]):
    """Values by name, all together no larger than `most`; those that were used last are kept."""

    def __init__(self, most: int, size_of: Callable[[_Value], int]) -> None:
        self._values = LRUCache[str, _Value](most, size_of)
        self._lock = threading.Lock()

    def get(self, name: str) -> _Value | None:
        """Return a value, None where there is none."""
        with self._lock:
            return self._values.get(name)

    def put(self, name: str, value: _Value) -> None:
        """Hold a value from now on, unless it alone is larger than all may be."""
        with self._lock:
            self._values.pop(name, None)
            with suppress(ValueError):  # it is too large
                self._values[name] = value

    @property
    def size(self) -> int:
        """How large all values are together."""
        return int(self._values.currsize)
