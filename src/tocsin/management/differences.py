"""How two documents differ: by their members, and for texts of several lines line by line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

_CONTEXT = 3  # lines round what differs that are shown
# Texts that are compared line by line, and lines that are compared word by word. What is longer, or more, is shown
# whole: a comparison takes the square of it.
_MOST_LINES, _LONGEST_LINE, _MOST_PAIRS = 800, 1_000, 200
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True)
class DiffWord:
    """A part of a line, and whether the other line lacks it."""

    text: str
    differs: bool = False


@dataclass(frozen=True)
class DiffLine:
    """A line: `kind` is same, removed, added, or gap (lines that both have, left out: `words` are none)."""

    kind: str
    words: Sequence[DiffWord] = ()


@dataclass(frozen=True)
class MemberDifference:
    """A member that two documents do not have in common: `kind` is added, removed or changed."""

    name: str
    kind: str
    lines: Sequence[DiffLine]


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[MemberDifference]:
    """Return the members in which two documents differ, by name."""
    changed = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    return [_difference(name, before.get(name), after.get(name)) for name in changed]


def _difference(name: str, before: Any, after: Any) -> MemberDifference:
    kind = "added" if before is None else "removed" if after is None else "changed"
    return MemberDifference(name, kind, list(line_differences(_lines(before), _lines(after))))


def _lines(value: Any) -> list[str]:
    """Return a value as lines: a text as it is, a list by its members, anything else as JSON."""
    if value is None:
        return []
    if isinstance(value, str):
        return value.splitlines() or [""]
    if isinstance(value, list) and all(isinstance(member, str) for member in value):
        return value
    return (
        orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS, default=str).decode().splitlines()
    )


def line_differences(before: Sequence[str], after: Sequence[str]) -> Iterator[DiffLine]:
    """Yield the lines in which two texts differ, with a few round them; of lines that became others, the words."""
    if len(before) > _MOST_LINES or len(after) > _MOST_LINES:
        yield from (DiffLine("removed", (DiffWord(line),)) for line in before)
        yield from (DiffLine("added", (DiffWord(line),)) for line in after)
        return
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    end = 0
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        if group[0][1] > end:
            yield DiffLine("gap")
        for tag, start, stop, other_start, other_stop in group:
            if tag == "equal":
                yield from (DiffLine("same", (DiffWord(line),)) for line in before[start:stop])
            else:
                yield from _changed(before[start:stop], after[other_start:other_stop])
        end = group[-1][2]
    if 0 < end < len(before):
        yield DiffLine("gap")


def _changed(removed: Sequence[str], added: Sequence[str]) -> Iterator[DiffLine]:
    pairs = [_words(old, new) for old, new in zip(removed[:_MOST_PAIRS], added[:_MOST_PAIRS], strict=False)]
    yield from (DiffLine("removed", old) for old, _ in pairs)
    yield from (DiffLine("removed", (DiffWord(line, differs=True),)) for line in removed[len(pairs) :])
    yield from (DiffLine("added", new) for _, new in pairs)
    yield from (DiffLine("added", (DiffWord(line, differs=True),)) for line in added[len(pairs) :])


def _words(before: str, after: str) -> tuple[list[DiffWord], list[DiffWord]]:
    """Return the parts of two lines, with those marked that the other one lacks."""
    if max(len(before), len(after)) > _LONGEST_LINE:
        return [DiffWord(before, differs=True)], [DiffWord(after, differs=True)]
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    parts: tuple[list[DiffWord], list[DiffWord]] = ([], [])
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, start, stop, other_start, other_stop in matcher.get_opcodes():
        for side, words in ((0, old[start:stop]), (1, new[other_start:other_stop])):
            if words:
                parts[side].append(DiffWord("".join(words), tag != "equal"))
    return parts
