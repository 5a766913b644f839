"""Conditions on the words of analysed texts; other fields are compared."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tocsin.eql import syntax as s
from tocsin.eql.functions import to_string
from tocsin.field_patterns import ANALYSED, Content, field_pattern
from tocsin.query_dsl.build import FALSE, all_of, any_of, prefix, regexp, term, wildcard
from tocsin.query_dsl.context import Context, is_text, ref
from tocsin.query_dsl.patterns import check_regexp, escape, parts_of, regex_of


@dataclass(frozen=True)
class Analyzer:
    """How a text is cut into words: what a word looks like, and, for Lucene, a character that parts words."""

    word: re.Pattern[str]
    between: str


_STANDARD = Analyzer(re.compile(r"\w+(?:['’.]\w+)*"), "[^a-zA-Z0-9_]")
# The analyzer of Elastic's Windows integration and of Winlogbeat: `[\W&&[^-]]+`, of ASCII, parts words.
_SCRIPTS = Analyzer(re.compile(r"[\w-]+", re.ASCII), "[^a-zA-Z0-9_-]")
_ANALYZERS = {Content.TEXT: _STANDARD, Content.SCRIPT: _SCRIPTS}


def _analyzer(name: str) -> Analyzer:
    many = field_pattern(name)
    return _ANALYZERS.get(many.content if many else ANALYSED.get(name, Content.TEXT), _STANDARD)


def words(
    name: str, text: Any, context: Context, *, every: bool = False, phrase: bool = False, begun: bool = False
) -> s.Expression:
    """Return that a text has some words, all of them, or all one behind the other; other fields are compared.

    Of the last word only the beginning counts where it is `begun`.
    """
    if not is_text(name, context):
        return prefix(name, text) if begun else term(name, text, context)
    analyzer = _analyzer(name)
    tokens = analyzer.word.findall(to_string(text))
    if not tokens:
        return FALSE
    escaped = [escape(word) for word in tokens]
    if begun:
        escaped[-1] += analyzer.between.replace("^", "", 1) + "*"
    if phrase:
        return _with_words(name, f"{analyzer.between}+".join(escaped), analyzer)
    return (all_of if every else any_of)(_with_words(name, word, analyzer) for word in escaped)


def like(name: str, pattern: str, context: Context, *, insensitive: bool = False) -> s.Expression:
    r"""Return that a field's value, or a word of an analysed field, matches a pattern with `*` and `?`."""
    if not is_text(name, context) or set(pattern) == {"*"}:
        return wildcard(name, pattern, insensitive=insensitive)
    analyzer = _analyzer(name)
    inside = analyzer.between.replace("^", "", 1)
    return _with_words(name, regex_of(parts_of(pattern), inside), analyzer)


def _with_words(name: str, pattern: str, analyzer: Analyzer) -> s.Expression:
    gap = analyzer.between
    around = f"(.*{gap})?{pattern}({gap}.*)?"
    check_regexp(name, around)  # a long text is a long regular expression
    return s.PatternMatch("regex", True, ref(name), (around,))


def like_regexp(name: str, pattern: str, context: Context, *, insensitive: bool = False) -> s.Expression:
    """Return that a field's value, or a word of an analysed one, matches a regular expression."""
    if not is_text(name, context):
        return regexp(name, pattern, insensitive=insensitive)
    check_regexp(name, pattern)  # by itself: `a)|(b` is none
    return _with_words(name, f"({pattern})", _analyzer(name))
