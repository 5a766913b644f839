"""All functions of ES|QL over the values of one row, by name, and those that are refused, with the reason."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tocsin.esql.functions.conversions import CONVERSIONS
from tocsin.esql.functions.dates import DATES
from tocsin.esql.functions.function import Function
from tocsin.esql.functions.network import NETWORK
from tocsin.esql.functions.numbers import NUMBERS
from tocsin.esql.functions.several_values import SEVERAL_VALUES
from tocsin.esql.functions.texts import TEXTS

FUNCTIONS: Mapping[str, Function] = {
    **TEXTS,
    **NUMBERS,
    **DATES,
    **CONVERSIONS,
    **NETWORK,
    **SEVERAL_VALUES,
    "coalesce": Function(
        "a", 0, lambda *values: next((v for v in values if v is not None), None), 1, variadic=True, nulls=True
    ),
}
# Other names of functions.
ALIASES: Mapping[str, str] = {
    "to_str": "to_string", "to_int": "to_integer", "to_dbl": "to_double", "to_bool": "to_boolean",
    "to_dt": "to_datetime", "to_date_nanos": "to_datetime", "to_ul": "to_unsigned_long",
    "to_ulong": "to_unsigned_long", "to_ver": "to_version",
}  # fmt: skip
_METRICS = "there are no indices of metrics here"
_SHAPES = "there are no points and shapes here"
_MODEL = "it asks a model, and there is none here"
# Functions of Elasticsearch that are refused, as patterns of their names, with the reason.
_REFUSED = {
    r"\w+_over_time|i?rate|i?delta|deriv|increase|histogram_\w+|to_(aggregate_metric_double|tdigest|exponential_histogram)"
    r"|without": _METRICS,
    r"st_\w+|to_(geo|cartesian)\w+": _SHAPES,
    r"categorize": "it needs Elastic's machine learning",
    r"embedding|text_embedding|embed_text": _MODEL,
    r"knn|v_\w+|to_dense_vector": "there are no vectors here",
    r"score|decay": "results have no scores here",
    r"chunk|top_snippets|extract_snippets": "it cuts texts for language models",
    r"eql": "a rule in EQL asks that",
}


def refusal(name: str) -> str | None:
    """Return why a function of Elasticsearch is not to be had here; None for any other name."""
    return next((reason for pattern, reason in _REFUSED.items() if re.fullmatch(pattern, name)), None)
