"""Figures of a script block's text: how long it is, how many symbols it has, how evenly they are spread.

As Elastic's PowerShell integration works them out: over the text in Unicode's composed form, without the signature
at its end. A part of a script that is nothing but signature has none.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

_SIGNATURE = re.compile(r"# SIG # Begin signature block.+", re.DOTALL)
_OF_SIGNATURE = re.compile(r"[^\n]+\n# ?[A-Za-z0-9+/=]{64}\r?(?:\n|\Z)")


class Figures(NamedTuple):
    """Symbols are units of UTF-16; `entropy` is in bits a symbol, `normalized` its part of the greatest."""

    length: int
    symbols: int
    entropy: float
    normalized: float
    deviation: float  # of the information in each symbol, in bits


@lru_cache(maxsize=16)
def _figures(text: str) -> Figures | None:
    text = _SIGNATURE.sub("", text)
    if not text or _OF_SIGNATURE.match(text):
        return None
    text = unicodedata.normalize("NFC", text)
    raw = text.encode("utf-16-le", "surrogatepass")
    counts = Counter(text) if len(raw) == 2 * len(text) else Counter(zip(raw[::2], raw[1::2], strict=True))
    length = len(raw) // 2
    shares = [count / length for count in counts.values()]
    entropy = -sum(share * math.log2(share) for share in shares)
    variance = sum(share * (math.log2(share) + entropy) ** 2 for share in shares)
    normalized = entropy / math.log2(length) if length > 1 else 0.0
    return Figures(length, len(counts), max(entropy, 0.0), min(max(normalized, 0.0), 1.0), math.sqrt(variance))


def figure(name: str) -> Callable[[str], float | None]:
    """Return a converter of a script's text to one of its figures."""

    def read(text: str) -> float | None:
        figures = _figures(text.strip())
        return None if figures is None else getattr(figures, name)

    return read
