"""How deep a JSON document may be nested, and how large its numbers: what is more, no part of tocsin follows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

# Jackson, which Elasticsearch reads JSON with, takes 1,000 (`StreamReadConstraints`), and a mapping 20. Here a
# document has to fit into an answer too, and orjson writes at most 254.
MOST_LEVELS = 200
_LEAST, _MOST = -(2**63), 2**64 - 1  # whole numbers that orjson writes
TOO_DEEP = f"nested more than {MOST_LEVELS} levels deep"


def is_too_deep(document: Any, text: bytes | None = None) -> bool:
    """Tell whether a document is nested deeper than may be. Its JSON, where it is known, answers most at once."""
    if text is not None and text.count(b"{") + text.count(b"[") <= MOST_LEVELS:
        return False
    level = [document]
    for _ in range(MOST_LEVELS):
        level = [value for outer in level for value in _inner(outer) if isinstance(value, dict | list)]
        if not level:
            return False
    return True


def too_large_number(document: Any) -> int | None:
    """Return a whole number that JSON is not written with, None where there is none.

    The document is nested no deeper than may be. orjson writes numbers of 64 bits.
    """
    if isinstance(document, int):
        return None if _LEAST <= document <= _MOST else document
    return next((number for value in _inner(document) if (number := too_large_number(value)) is not None), None)


def _inner(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
