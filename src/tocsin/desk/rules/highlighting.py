"""Queries with their words coloured by kind: only how a text looks, not whether it can be read."""

from __future__ import annotations

import re

from markupsafe import Markup

from tocsin.desk.shown import visible_lines

_LONGEST = 30_000  # characters that are coloured
_KEYWORDS = (
    "and|or|not|in|like|regex|where|sequence|sample|by|with|maxspan|runs|until|join|any|of|true|false|null|"
    "from|eval|stats|keep|drop|rename|sort|limit|dissect|grok|enrich|mv_expand|metadata|is|as|desc|asc|rlike"
)
# In this order: what a text begins with decides.
_WORDS = re.compile(
    r'(?P<text>"""[\s\S]{0,2000}?"""|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')'
    r"|(?P<comment>//[^\n]*|/\*[\s\S]{0,2000}?\*/)"
    r"|(?P<number>(?<![\w.])\d+(?:\.\d+)?(?:ms|[smhd])?(?![\w.]))"
    rf"|(?P<keyword>(?<![\w.])(?:{_KEYWORDS})(?![\w.:]))"
    r"|(?P<function>(?<![\w.])[A-Za-z_]\w*~?(?=\())"
    r"|(?P<field>(?<![\w.])[?]?[A-Za-z_@][\w@]*(?:\.[\w@*-]+)+)",
    re.IGNORECASE,
)


def highlighted(query: str) -> Markup:
    """Return a query in EQL, KQL, Lucene's syntax or ES|QL as HTML; one that is very long is not coloured."""
    text = visible_lines(query)
    if len(text) > _LONGEST:
        return Markup("{}").format(text)
    parts: list[Markup] = []
    end = 0
    for match in _WORDS.finditer(text):
        parts.append(Markup("{}").format(text[end : match.start()]))
        parts.append(Markup('<span class="q-{}">{}</span>').format(match.lastgroup, match[0]))
        end = match.end()
    parts.append(Markup("{}").format(text[end:]))
    return Markup("").join(parts)
