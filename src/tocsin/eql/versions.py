"""The order of versions, as Elasticsearch's field type `version` has it: 1.9 before 1.10, 2.0-rc.1 before 2.0.

The rules are those of `VersionEncoder` of Elasticsearch: parts that are numbers are compared as such, what stands
behind `-` comes before the version without it, what stands behind `+` is compared as text, and a text that is no
version comes behind all that are.
"""

from __future__ import annotations

import re
from functools import lru_cache

_NUMBER, _EARLIER, _LAST = "\x01", "\x02", "\x03"  # marks, in the order that they give
_PARTS = 32  # of a version at most, and of what stands behind `-`
_DIGITS = 127
_MAIN = re.compile(r"(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))*", re.ASCII)
_IDENTIFIER = r"(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_BEFORE = re.compile(rf"-{_IDENTIFIER}(?:\.{_IDENTIFIER})*", re.ASCII)
_BUILD = re.compile(r"\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*", re.ASCII)


@lru_cache(1 << 16)
def version_key(text: str) -> str:
    """Return a text that stands in the order of versions where the texts are compared by code point."""
    rest, plus, build = text.partition("+")
    main, dash, before = rest.partition("-")
    before, build = dash + before, plus + build
    legal = (
        _MAIN.fullmatch(main)
        and (not before or _BEFORE.fullmatch(before))
        and (not build or _BUILD.fullmatch(build))
        and all(part.count(".") < _PARTS for part in (main, before, build))
        and all(len(part) <= _DIGITS for part in re.findall(r"\d+", main + before))
    )
    if not legal:
        return str(text) or _LAST
    key = ".".join(map(_of_number, main.split(".")))
    if before:
        parts = (_of_number(part) if part.isdigit() else part for part in before[1:].split("."))
        return f"{key}{_EARLIER}-{'.'.join(parts)}{build}"
    return f"{key}{_LAST}{build}"


def version_of(key: str) -> str:
    """Return the version that a key stands for."""
    return re.sub(f"{_NUMBER}.|[{_EARLIER}{_LAST}]", "", key, flags=re.DOTALL)


def _of_number(digits: str) -> str:
    return f"{_NUMBER}{chr(0x80 + len(digits))}{digits}"


class Version(str):
    """A constant that texts are compared with in the order of versions."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return version_key(self) < version_key(other)

    def __le__(self, other: str) -> bool:
        return version_key(self) <= version_key(other)

    def __gt__(self, other: str) -> bool:
        return version_key(self) > version_key(other)

    def __ge__(self, other: str) -> bool:
        return version_key(self) >= version_key(other)
