"""Types of mapped fields, by family, and the error of a mapping that cannot be."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.ecs import Field, FieldType
from tocsin.errors import TocsinError

_KEYWORDS = ("keyword", "constant_keyword", "wildcard", "counted_keyword", "flattened", "text", "match_only_text",
             "pattern_text", "annotated_text", "search_as_you_type")  # fmt: skip
_LONGS = ("byte", "short", "integer", "long", "unsigned_long")
_DOUBLES = ("half_float", "float", "double", "scaled_float")
OBJECTS = frozenset({"object", "nested", "passthrough"})
# Types whose values are kept in documents, and cannot be searched for.
_UNSEARCHED = (
    "binary", "geo_point", "geo_shape", "point", "shape", "integer_range", "float_range", "long_range",
    "double_range", "date_range", "ip_range", "dense_vector", "sparse_vector", "rank_feature", "rank_features",
    "rank_vectors", "completion", "percolator", "histogram", "exponential_histogram", "join", "murmur3",
    "token_count", "aggregate_metric_double", "semantic_text", "icu_collation_keyword",
)  # fmt: skip
FAMILIES: Mapping[str, FieldType] = {
    **dict.fromkeys(_KEYWORDS, FieldType.KEYWORD),
    **dict.fromkeys(_LONGS, FieldType.LONG),
    **dict.fromkeys(_DOUBLES, FieldType.DOUBLE),
    **dict.fromkeys(_UNSEARCHED, FieldType.OBJECT),
    "boolean": FieldType.BOOLEAN,
    "date": FieldType.DATE,
    "date_nanos": FieldType.DATE,
    "ip": FieldType.IP,
    "version": FieldType.VERSION,
}


class MappingError(TocsinError):
    """A mapping that cannot be, in the words by which Elasticsearch's clients know it."""

    def __init__(self, reason: str, kind: str = "mapper_parsing_exception") -> None:
        super().__init__(reason)
        self.kind = kind


def conflict(reason: str) -> MappingError:
    """Return the error of a mapping that does not fit one that there is."""
    return MappingError(reason, "illegal_argument_exception")


def name_of_type(known: Field) -> str:
    """Return a field's type as Elasticsearch calls it."""
    return known.mapped.type if known.mapped is not None else known.type.value
