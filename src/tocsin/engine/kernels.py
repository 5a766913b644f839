"""Truth of a test on each distinct value of one column, by Arrow's kernels where there is one.

A kernel is found by the shape of the test in `_KERNELS`; a test without one runs `tocsin.eql.scalar` over the
distinct values. Either way the language's meaning is the scalar one; tests hold the kernels to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.addresses import span_of
from tocsin.ecs import is_long
from tocsin.engine.column import CodedColumn, Mask
from tocsin.eql import syntax as s
from tocsin.eql.scalar import evaluator
from tocsin.eql.strings import has_wildcard, lower, lucene_to_regex, wildcard_to_regex
from tocsin.eql.versions import Version
from tocsin.linear_regex import whole_match

Kernel = Callable[[s.Expression, CodedColumn], Mask | None]

# One alternation of this many patterns compiles well within RE2's memory.
_PATTERNS_A_REGEX = 40


def truth_of_values(test: s.Expression, name: str, column: CodedColumn) -> Mask:
    """Return, for each distinct value of the column of field `name`, whether the test holds for it."""
    kernel = _KERNELS.get(type(test))
    result = kernel(test, column) if kernel is not None else None
    return _one_by_one(test, name, column) if result is None else result


def truth_of_null(test: s.Expression, names: tuple[str, ...]) -> bool:
    """Tell whether a test holds where none of its fields has a value."""
    slots = {name: i for i, name in enumerate(names)}
    return evaluator(test, slots)((None,) * len(names)) is True


def _one_by_one(test: s.Expression, name: str, column: CodedColumn) -> Mask:
    run = evaluator(test, {name: 0})
    return np.fromiter((run((value,)) is True for value in column.objects), np.bool_, len(column.objects))


def _mask(array: pa.Array | pa.ChunkedArray) -> Mask:
    result: Mask = array.fill_null(False).to_numpy(zero_copy_only=False)
    return result


# ---- comparisons with a constant


_COMPARE: Mapping[str, Callable[..., pa.Array]] = {
    "==": pc.equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}


def _comparison(test: s.Expression, column: CodedColumn) -> Mask | None:
    if not isinstance(test, s.Comparison) or not isinstance(test.left, s.FieldRef):
        return None
    if not isinstance(test.right, s.Literal) or not _same_family(column.values.type, test.right.value):
        return None
    if isinstance(test.right.value, Version) and test.operator != "==":
        return None
    return _mask(_COMPARE[test.operator](column.values, pa.scalar(test.right.value)))


def _same_family(kind: pa.DataType, value: s.Scalar) -> bool:
    if isinstance(value, bool):
        return bool(pa.types.is_boolean(kind))
    if isinstance(value, str):
        return bool(pa.types.is_string(kind))
    # A whole number against a decimal column (or the reverse) is exact only in Python.
    if isinstance(value, int):
        return bool(pa.types.is_int64(kind)) and is_long(value)
    return isinstance(value, float) and bool(pa.types.is_float64(kind))


def _membership(test: s.Expression, column: CodedColumn) -> Mask | None:
    if not isinstance(test, s.Membership) or not isinstance(test.value, s.FieldRef):
        return None
    if not pa.types.is_string(column.values.type):
        return None
    items = [i.value for i in test.items if isinstance(i, s.Literal) and isinstance(i.value, str)]
    if len(items) < len(test.items):
        return None
    if test.insensitive:
        return _mask(pc.is_in(column.lowered, pa.array([lower(i) for i in items], pa.string())))
    return _mask(pc.is_in(column.values, pa.array(items, pa.string())))


# ---- patterns


def _pattern_match(test: s.Expression, column: CodedColumn) -> Mask | None:
    if not isinstance(test, s.PatternMatch) or not isinstance(test.value, s.FieldRef):
        return None
    if not pa.types.is_string(column.values.type):
        return None
    patterns = [str(p) for p in test.patterns]
    if test.kind == "regex":
        return _regex(column.values, [lucene_to_regex(p) for p in patterns], test.insensitive)
    values = column.lowered if test.insensitive else column.values
    return _wildcards(values, [lower(p) for p in patterns] if test.insensitive else patterns)


def _wildcards(values: pa.Array, patterns: list[str]) -> Mask:
    exact = [p for p in patterns if not has_wildcard(p)]
    result = _mask(pc.is_in(values, pa.array(exact, pa.string()))) if exact else np.zeros(len(values), np.bool_)
    general: list[str] = []
    for pattern in dict.fromkeys(p for p in patterns if has_wildcard(p)):
        simple = _simple_wildcard(values, pattern)
        if simple is None:
            general.append(wildcard_to_regex(pattern))
        else:
            result |= simple
    if general:
        result |= _regex(values, general, insensitive=False)
    return result


def _simple_wildcard(values: pa.Array, pattern: str) -> Mask | None:
    """Match `*`, `text*`, `*text` and `*text*` without a regular expression."""
    text = pattern.strip("*")
    if has_wildcard(text):
        return None
    head, tail = pattern.startswith("*"), pattern.endswith("*")
    if not text:
        return np.ones(len(values), np.bool_)
    if head and tail:
        return _mask(pc.match_substring(values, text))
    return _mask(pc.ends_with(values, text) if head else pc.starts_with(values, text))


def _regex(values: pa.Array, patterns: list[str], insensitive: bool) -> Mask:
    result = np.zeros(len(values), np.bool_)
    flags = "(?si)" if insensitive else "(?s)"
    for start in range(0, len(patterns), _PATTERNS_A_REGEX):
        batch = patterns[start : start + _PATTERNS_A_REGEX]
        alternatives = "|".join(f"(?:{p})" for p in batch)
        try:
            result |= _mask(pc.match_substring_regex(values, rf"{flags}\A(?:{alternatives})\z"))
        except pa.ArrowInvalid:  # each can be run, all together are too large
            tests = [whole_match(p, insensitive=insensitive) for p in batch]
            result |= np.array([any(fits(value) for fits in tests) for value in values.to_pylist()], np.bool_)
    return result


# ---- functions of a field and a constant text


_TEXT_TESTS: Mapping[str, Callable[..., pa.Array]] = {
    "startsWith": pc.starts_with,
    "endsWith": pc.ends_with,
    "stringContains": pc.match_substring,
}


def _call(test: s.Expression, column: CodedColumn) -> Mask | None:
    if isinstance(test, s.Call) and test.name == "cidrMatch":
        return _cidr_match(test, column)
    if not isinstance(test, s.Call) or test.name not in _TEXT_TESTS or len(test.arguments) != 2:
        return None
    value, text = test.arguments
    if not isinstance(value, s.FieldRef) or not isinstance(text, s.Literal):
        return None
    if not pa.types.is_string(column.values.type) or not isinstance(text.value, str):
        return None
    kernel = _TEXT_TESTS[test.name]
    if test.insensitive:
        return _mask(kernel(column.lowered, lower(text.value)))
    return _mask(kernel(column.values, text.value))


def _cidr_match(test: s.Call, column: CodedColumn) -> Mask | None:
    """Compare addresses as numbers."""
    value, *blocks = test.arguments
    if not isinstance(value, s.FieldRef) or not pa.types.is_string(column.values.type):
        return None
    result = np.zeros(len(column.values), np.bool_)
    for block in blocks:
        if not isinstance(block, s.Literal):
            return None
        result |= column.addresses.within(*span_of(str(block.value)))
    return result


def _is_null(test: s.Expression, column: CodedColumn) -> Mask | None:
    if isinstance(test, s.IsNull) and isinstance(test.value, s.FieldRef):
        return np.zeros(len(column.values), np.bool_)
    return None


_KERNELS: dict[type, Kernel] = {
    s.Comparison: _comparison,
    s.Membership: _membership,
    s.PatternMatch: _pattern_match,
    s.Call: _call,
    s.IsNull: _is_null,
}
