"""Respell python-eql's older EQL in today's, without changing what a query asks.

There `=` and `==` ignored case and read wildcards in strings, functions ignored case, and an unknown field was
null. Elasticsearch has an operator for each of these; its own copy of the cases was respelled the same way.
"""

import re

_STRING = r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
_OPERAND = rf"(?:{_STRING}|[\w.]+\([^()]*\)|[\w.]+)"
_TOKEN = re.compile(rf'"""[^"]*"""|\?{_STRING}|{_STRING}|//[^\n]*')
_FOLDING = (
    "startsWith",
    "endsWith",
    "stringContains",
    "indexOf",
    "between",
    "wildcard",
    "match",
    "matchLite",
)


def respell(query: str, *, sensitive: bool = False) -> str:
    """Return `query` in today's EQL; `sensitive` for a case that python-eql ran with case sensitivity."""
    query = _TOKEN.sub(_string, query)
    query = re.sub(r"(?<![=!<>:])=(?!=)(?=[^\]]*$|)", "==", query) if "maxspan" not in query else query
    if sensitive:
        return query
    query = re.sub(rf"({_STRING})\s*==\s*([A-Za-z_]\w*)\b(?!\()", r"\2 == \1", query)
    query = re.sub(rf"({_OPERAND})\s*==\s*({_STRING})", r"\1 : \2", query)
    query = re.sub(rf"({_OPERAND})\s*!=\s*({_STRING})", r"not \1 : \2", query)
    query = re.sub(rf"\bin\s*\((?=[^)]*{_STRING})", "in~ (", query)
    for name in _FOLDING:
        query = re.sub(rf"\b{name}\(", f"{name}~(", query)
    return query


def _string(match: re.Match[str]) -> str:
    text = match.group()
    if text.startswith("?"):
        return f'"""{text[2:-1]}"""'
    if text.startswith("'"):
        return '"' + text[1:-1].replace('"', '\\"') + '"'
    return text
