"""`filter_path`: which parts of an answer a client wants."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from tocsin.linear_regex import star_match
from tocsin.search.errors import SearchError

Path = tuple[str, ...]

_MOST_PATTERNS, _MOST_PARTS = 200, 32


def filtered(document: Any, patterns: Sequence[str]) -> Any:
    """Return the parts of a document that patterns such as `hits.hits._source` and `-took` name.

    Raises SearchError for too many patterns, or one of too many parts.
    """
    if len(patterns) > _MOST_PATTERNS:
        raise SearchError(f"[filter_path] has {len(patterns):,} patterns, at most {_MOST_PATTERNS}")
    kept = [_parts(p.strip()) for p in patterns if p.strip() and not p.startswith("-")]
    dropped = [_parts(p.strip()[1:]) for p in patterns if p.startswith("-")]
    shown = _kept(document, kept) if kept else document
    return _without(shown, dropped) if dropped else shown if shown is not None else {}


def _parts(pattern: str) -> Path:
    parts = pattern.split(".")
    if len(parts) > _MOST_PARTS:
        raise SearchError(f"[filter_path] has a pattern of {len(parts):,} parts, at most {_MOST_PARTS}")
    return tuple(
        part for part, before in zip(parts, [None, *parts], strict=False) if (part, before) != ("**",) * 2
    )


def _kept(value: Any, paths: Collection[Path]) -> Any:
    if any(not path for path in paths):
        return value
    if isinstance(value, list):
        items = [inner for item in value if (inner := _kept(item, paths)) is not None]
        return items or None
    if not isinstance(value, dict):
        return None
    kept = {}
    for name, inner in value.items():
        below = {rest for path in paths for rest in _rests(path, name)}
        part = _kept(inner, below) if below else None
        if part is not None:
            kept[name] = part
    return kept or None


def _rests(path: Path, name: str) -> list[Path]:
    """Return what of a path is left below a member; `**` stands for any number of members."""
    if path[0] == "**":
        return [path, *_rests(path[1:], name)] if len(path) > 1 else [()]
    return [path[1:]] if star_match(path[0])(name) else []


def _without(value: Any, paths: Collection[Path]) -> Any:
    if isinstance(value, list):
        return [_without(item, paths) for item in value]
    if not isinstance(value, dict):
        return value
    left = {}
    for name, inner in value.items():
        below = {rest for path in paths for rest in _rests(path, name)}
        if not any(not rest for rest in below):
            left[name] = _without(inner, below) if below else inner
    return left
