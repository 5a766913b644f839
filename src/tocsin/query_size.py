"""How large the text of a query may be, in every language: what reads it takes time for each word and sign."""

from __future__ import annotations

import re
from itertools import islice

from tocsin.errors import Place, QueryError

# Elasticsearch bounds the text of ES|QL alone, to as many characters, and the clauses of other queries by the
# memory it has, to about 27,000 with 30 GB (`indices.query.bool.max_clause_count`).
MOST_CHARACTERS = 1_000_000
MOST_WORDS = 32_768  # words and signs: a list of 16,384 values
MOST_UNKNOWN = 100  # fields that no schema knows
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[\w.*?-]+|[^\s\w]', re.DOTALL)
_HINT = "keep many values in a list that exceptions name, or in an index of indicators, or split the rule"


def check_size(text: str) -> None:
    """Raise QueryError where a query's text is too large."""
    if len(text) > MOST_CHARACTERS:
        raise QueryError(
            f"the query has {len(text):,} characters, and one has at most {MOST_CHARACTERS:,}", hint=_HINT
        )
    if len(text) <= MOST_WORDS:
        return
    beyond = next(islice(_WORD.finditer(text), MOST_WORDS, None), None)
    if beyond is not None:
        at = beyond.start()
        place = Place(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
        # Without the text: shown with its place, a line of it would be as long as the query.
        raise QueryError(f"the query has more than {MOST_WORDS:,} words and signs", hint=_HINT, place=place)
