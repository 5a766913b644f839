"""A cache that is bounded by the size of what it holds; what nobody has asked for longest goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

_Value = TypeVar("_Value")


class SizedCache(Generic[_Value]):
    """Values by name, all together no larger than `most`. Every method may be called from any thread."""

    def __init__(self, most: int, size_of: Callable[[_Value], int]) -> None:
        self._most, self._size_of = most, size_of
        self._values: OrderedDict[str, tuple[_Value, int]] = OrderedDict()
        self._lock = threading.Lock()
        self._size = 0

    def get(self, name: str) -> _Value | None:
        """Return a value, None where there is none."""
        with self._lock:
            known = self._values.get(name)
            if known is None:
                return None
            self._values.move_to_end(name)
            return known[0]

    def put(self, name: str, value: _Value) -> None:
        """Hold a value from now on, unless it alone is larger than all may be."""
        size = self._size_of(value)
        with self._lock:
            self._remove(name)
            if size > self._most:
                return
            self._values[name] = value, size
            self._size += size
            while self._size > self._most:
                self._remove(next(iter(self._values)))

    def clear(self) -> None:
        """Remove every value."""
        with self._lock:
            self._values.clear()
            self._size = 0

    def _remove(self, name: str) -> None:
        _, size = self._values.pop(name, (None, 0))
        self._size -= size

    @property
    def size(self) -> int:
        """How large all values are together."""
        return self._size
