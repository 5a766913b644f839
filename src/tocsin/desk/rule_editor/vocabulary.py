"""What can be written in a query: the fields of indices, the keywords and functions of each language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tocsin.ecs import default_schema
from tocsin.eql.functions import FUNCTIONS as EQL_FUNCTIONS
from tocsin.esql.functions.catalogue import FUNCTIONS as ESQL_FUNCTIONS
from tocsin.store.events import EventReader

_MOST_FIELDS = 10_000
Words = Mapping[str, Sequence[str]]
WORDS: Mapping[str, Words] = {
    "eql": {
        "keywords": [
            "any", "where", "and", "or", "not", "in", "in~", "like", "like~", "regex", "regex~", "true", "false",
            "null", "sequence", "sample", "by", "with", "maxspan", "until", "runs", "process", "file", "network",
            "registry", "dns", "library", "authentication", "iam", "driver", "head", "tail",
        ],
        "functions": sorted(function.name for function in EQL_FUNCTIONS.values()),
    },
    "kuery": {"keywords": ["and", "or", "not", "true", "false"], "functions": []},
    "lucene": {"keywords": ["and", "or", "not", "to"], "functions": []},
    "esql": {
        "keywords": [
            "from", "metadata", "where", "eval", "keep", "drop", "rename", "stats", "inline", "mv_expand", "grok",
            "dissect", "uri_parts", "sort", "limit", "by", "and", "or", "not", "in", "like", "rlike", "is", "null",
            "true", "false", "as", "asc", "desc", "nulls", "first", "last",
        ],
        "functions": sorted({*ESQL_FUNCTIONS, "count", "count_distinct", "min", "max", "sum", "avg", "values"}),
    },
}  # fmt: skip


def fields_of_indices(store: EventReader, patterns: Sequence[str]) -> list[tuple[str, str, bool]]:
    """Return fields by name, each with its type and whether events of the indices have it, those first."""
    seen = store.fields(patterns)
    schema = store.schema(patterns)
    names = [*sorted(seen), *(name for name in sorted(default_schema().fields) if name not in seen)]
    fields = []
    for name in names[:_MOST_FIELDS]:
        known = schema.find(name)
        kind = known.type.value if known else next((kind.value for kind in seen.get(name, ())), "")
        fields.append((name, str(kind), name in seen))
    return fields
