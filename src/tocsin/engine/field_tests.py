"""All tests of one field, made ready to be answered together for a column's distinct values.

What is compared with whole texts is looked up: text -> tests, the inverted view. A pattern is looked for by its
longest text (`literals.py`), and only the values that hold it are matched in full. Tests that are neither, or
whose text turns out to stand in many values, are left to be run one by one where they are needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.engine.column import CodedColumn, Codes, ranges
from tocsin.engine.graph import Test
from tocsin.engine.kernels import truth_of_values
from tocsin.engine.literals import Literals
from tocsin.eql import syntax as s
from tocsin.eql.strings import has_wildcard, lower

_FRAGMENTS = re.compile(r"[*?]+")
_REGEX_PARTS = re.compile(r"(\[(?:\\.|[^\]\\])*\])|\\(.)|(.)", re.DOTALL)
_SPECIAL = frozenset('{}~&<>@#"')  # operators of Lucene that are not looked into
_TOO_OFTEN = 0.02  # of the values, beyond which a text is not worth looking for
_PATIENCE = 1_000  # values seen before that is judged


@dataclass(frozen=True)
class _Shape:
    """What decides a test of texts: whole texts, exact or in lower case, and patterns' longest texts."""

    exact: tuple[str, ...] = ()
    folded: tuple[str, ...] = ()
    fragments: tuple[str, ...] = ()


@dataclass
class Lookup:
    """Texts, and the tests that each meets, one behind the other: those of text i at starts[i]:starts[i + 1]."""

    texts: pa.Array
    starts: Codes
    tests: Codes

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, int]]) -> Lookup:
        """Make one of (text, test) pairs."""
        by_text: dict[str, set[int]] = {}
        for text, test in pairs:
            by_text.setdefault(text, set()).add(test)
        starts = np.cumsum([0, *map(len, by_text.values())])
        tests = [test for tests_of_text in by_text.values() for test in sorted(tests_of_text)]
        return cls(pa.array(list(by_text), pa.string()), starts.astype(np.int64), np.array(tests, np.int64))

    def find(self, values: pa.Array) -> tuple[Codes, Codes]:
        """Return which value meets which test, as two columns."""
        at = pc.index_in(values, self.texts).fill_null(-1).to_numpy(zero_copy_only=False)
        met = np.flatnonzero(at >= 0)
        return expand(met, self.starts, at[met], self.tests)


def expand(owners: Codes, starts: Codes, entries: Codes, items: Codes) -> tuple[Codes, Codes]:
    """Spread lists: each owner with each item of its entry."""
    begins, counts = starts[entries], starts[entries + 1] - starts[entries]
    return np.repeat(owners, counts), items[ranges(begins, counts)]


@dataclass(eq=False)
class FieldTests:
    """The tests of field `name`, by their numbers in the program; `without` are texts not worth looking for.

    They are made ready when the field is first read: most hunts read few of the fields that rules name.
    """

    name: str
    tests: dict[int, Test]
    without: frozenset[str] = frozenset()
    seen: int = 0

    @cached_property
    def _shapes(self) -> dict[int, _Shape]:
        shapes = (
            (n, _shape(test.expression, self.without)) for n, test in self.tests.items() if not test.when_null
        )
        return {number: shape for number, shape in shapes if shape is not None}

    @cached_property
    def together(self) -> frozenset[int]:
        """The tests that `find` answers."""
        return frozenset(self._shapes)

    @cached_property
    def together_in_order(self) -> Codes:
        """The tests that `find` answers, ascending."""
        return np.array(sorted(self._shapes), np.int64)

    @cached_property
    def exact(self) -> Lookup:
        """Whole texts as they are written, with their tests."""
        return Lookup.of((text, number) for number, shape in self._shapes.items() for text in shape.exact)

    @cached_property
    def folded(self) -> Lookup:
        """Whole texts in lower case, with their tests."""
        return Lookup.of((text, number) for number, shape in self._shapes.items() for text in shape.folded)

    @cached_property
    def of_literal(self) -> list[list[int]]:
        """The tests of each text that is looked for within values, by its number."""
        return list(self._fragments.values())

    @cached_property
    def literals(self) -> Literals:
        """The texts that are looked for within values."""
        return Literals(list(self._fragments))

    @cached_property
    def hits(self) -> Codes:
        """In how many values each of `literals` stood."""
        return np.zeros(len(self._fragments), np.int64)

    @cached_property
    def _fragments(self) -> dict[str, list[int]]:
        by_text: dict[str, list[int]] = {}
        for number, shape in self._shapes.items():
            for text in dict.fromkeys(shape.fragments):
                by_text.setdefault(text, []).append(number)
        return by_text

    def find(self, column: CodedColumn) -> tuple[Codes, Codes] | None:
        """Return which distinct value meets which of the tests in `together`, as two columns (value, test).

        None where the column holds no texts, or the texts cannot be looked for together here.
        """
        if not pa.types.is_string(column.values.type):
            return None
        literal_hits = self.literals.find(column.lowered) if self.literals.texts else ((), ())
        if literal_hits is None:
            return None
        pairs = [self.exact.find(column.values)] if len(self.exact.texts) else []
        if len(self.folded.texts):
            pairs.append(self.folded.find(column.lowered))
        values, texts = literal_hits
        if len(values):
            self.hits += np.bincount(np.asarray(texts), minlength=len(self.hits))
            pairs.append(self._confirmed(column, np.asarray(values), np.asarray(texts)))
        self.seen += len(column.values)
        if not pairs:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        return np.concatenate([v for v, _ in pairs]), np.concatenate([t for _, t in pairs])

    def _confirmed(self, column: CodedColumn, values: Codes, texts: Codes) -> tuple[Codes, Codes]:
        """Return which values meet which tests in full, of those that hold a test's text."""
        candidates: dict[int, list[Codes]] = {}
        order = np.argsort(texts, kind="stable")
        texts, values = texts[order], values[order]
        bounds = np.flatnonzero(np.diff(texts, prepend=-1, append=-1))
        for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            for number in self.of_literal[int(texts[start])]:
                candidates.setdefault(number, []).append(values[start:end])
        found_values, found_tests = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for number, parts in candidates.items():
            mine = np.unique(np.concatenate(parts)) if len(parts) > 1 else parts[0]
            part = CodedColumn(column.values.take(pa.array(mine)), np.arange(len(mine)))
            met = mine[truth_of_values(self.tests[number].expression, self.name, part)]
            found_values.append(met)
            found_tests.append(np.full(len(met), number, np.int64))
        return np.concatenate(found_values), np.concatenate(found_tests)

    def adapted(self) -> FieldTests | None:
        """Return these tests without the texts that stand in too many values, or None when there are none."""
        if self.seen < _PATIENCE:
            return None
        often = self.hits > self.seen * _TOO_OFTEN
        self.seen, self.hits = 0, np.zeros_like(self.hits)
        if not often.any():
            return None
        texts = frozenset(text for text, too_often in zip(self.literals.texts, often, strict=True) if too_often)
        return FieldTests(self.name, self.tests, self.without | texts)


def _shape(expression: s.Expression, without: frozenset[str]) -> _Shape | None:
    """Return what decides a test of a field's texts, or None when that is no text, or only one in `without`."""
    match expression:
        case s.Comparison("==", s.FieldRef(), s.Literal(str(text))):
            return _Shape(exact=(text,))
        case s.Membership(s.FieldRef(), items, insensitive):
            texts = _texts(items)
            if texts is None:
                return None
            return _Shape(folded=tuple(map(lower, texts))) if insensitive else _Shape(exact=texts)
        case s.PatternMatch("wildcard", insensitive, s.FieldRef(), patterns):
            texts = tuple(map(str, patterns))
            whole = tuple(text for text in texts if not has_wildcard(text))
            fragments = tuple(_longest(_FRAGMENTS.split(lower(t)), without) for t in texts if has_wildcard(t))
            if not all(fragments):
                return None
            return _Shape((), tuple(map(lower, whole)), fragments) if insensitive else _Shape(whole, (), fragments)
        case s.PatternMatch("regex", _, s.FieldRef(), patterns):
            parts = [_longest(_in_every_match(lower(str(pattern))), without) for pattern in patterns]
            return _Shape(fragments=tuple(parts)) if all(parts) else None
        case s.Call("startsWith" | "endsWith" | "stringContains", (s.FieldRef(), s.Literal(str(text)))):
            longest = _longest([lower(text)], without)
            return _Shape(fragments=(longest,)) if longest else None
        case _:
            return None


def _longest(fragments: Sequence[str], without: frozenset[str]) -> str:
    return max((text for text in fragments if text not in without), key=len, default="")


def _in_every_match(pattern: str) -> list[str]:
    """Return texts that whatever matches a regular expression of Lucene holds; none where it has alternatives.

    What stands in a group is left out, for the group may be optional.
    """
    texts, depth = [""], 0
    for a_class, escaped, other in _REGEX_PARTS.findall(pattern):
        if other in _SPECIAL or (other == "|" and not depth):
            return []
        depth += (other == "(") - (other == ")")
        if other in ("*", "?"):
            texts[-1] = texts[-1][:-1]
        if depth or a_class or escaped.isalnum() or other in (".", "*", "?", "+", ")"):
            texts.append("")
        else:
            texts[-1] += escaped or other
    return texts


def _texts(items: Sequence[s.Expression]) -> tuple[str, ...] | None:
    texts = tuple(item.value for item in items if isinstance(item, s.Literal) and isinstance(item.value, str))
    return texts if len(texts) == len(items) else None
