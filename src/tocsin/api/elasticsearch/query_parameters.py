"""Query parameters that Elasticsearch's routes read from the address, as OpenAPI describes them."""

from __future__ import annotations

from typing import Any

_TEXT: dict[str, Any] = {"type": "string"}
_FLAG: dict[str, Any] = {"type": "boolean", "default": False}
_SPAN: dict[str, Any] = {"type": "string", "examples": ["5s", "2m"]}
_PARAMETERS: dict[str, tuple[dict[str, Any], str]] = {
    "q": (_TEXT | {"examples": ["process.name:certutil.exe"]}, "A query in Lucene's syntax."),
    "df": (_TEXT, "The field that `q` means where it names none; without it, all."),
    "default_operator": (
        {"type": "string", "enum": ["AND", "OR"], "default": "OR"},
        "What connects the words of `q` where nothing stands between them.",
    ),
    "size": ({"type": "integer", "default": 10, "minimum": 0}, "How many documents at most."),
    "from": ({"type": "integer", "default": 0, "minimum": 0}, "How many documents are left out at the beginning."),
    "sort": (_TEXT | {"examples": ["@timestamp:desc"]}, "Fields, each with its order, separated by commas."),
    "_source": (_TEXT, "`true`, `false`, or the fields of documents that are shown, separated by commas."),
    "_source_includes": (_TEXT, "The fields of documents that are shown, separated by commas."),
    "_source_excludes": (_TEXT, "The fields of documents that are not shown, separated by commas."),
    "track_total_hits": (_TEXT, "`false` where the number of all documents is not needed."),
    "rest_total_hits_as_int": (_FLAG, "Show the number of all documents as a number, not as an object."),
    "timeout": (_SPAN, "How long the search may take."),
    "ignore_unavailable": (_FLAG, "Leave out indices that are not there, rather than answer with 404."),
    "fields": (_TEXT | {"default": "*"}, "Fields: names and patterns, separated by commas."),
    "keep_alive": (_SPAN, "How long an answer that is kept can be asked for."),
    "keep_on_completion": (_FLAG, "Keep the answer also where the search has ended in time."),
    "wait_for_completion_timeout": (_SPAN, "How long to wait before the search goes on behind its id."),
    "op_type": (
        {"type": "string", "enum": ["index", "create"], "default": "index"},
        "`create` refuses a document whose id is there already.",
    ),
    "h": (_TEXT | {"examples": ["index,docs.count"]}, "The columns, separated by commas."),
    "v": (_TEXT, "Begin with the names of the columns."),
    "format": ({"type": "string", "enum": ["json", "text"], "default": "text"}, "The form of the answer."),
    "filter_path": (_TEXT | {"examples": ["hits.hits._source"]}, "What is shown: paths, separated by commas."),
    "pretty": (_FLAG, "Indent the answer."),
}  # fmt: skip
_OF_ANSWERS = ("filter_path", "pretty")
SEARCH_PARAMETERS = (
    "q", "df", "default_operator", "size", "from", "sort", "_source", "_source_includes", "_source_excludes",
    "track_total_hits", "rest_total_hits_as_int", "timeout", "ignore_unavailable",
)  # fmt: skip
COUNT_PARAMETERS = ("q", "df", "default_operator", "ignore_unavailable")
EQL_PARAMETERS = ("keep_alive", "keep_on_completion", "wait_for_completion_timeout", "ignore_unavailable")


def described_parameters(*names: str) -> dict[str, Any]:
    """Return what the description of a route says of parameters, by name, and of those that shape every answer."""
    return {
        "parameters": [
            {"name": name, "in": "query", "required": False, "schema": schema, "description": text}
            for name, (schema, text) in ((name, _PARAMETERS[name]) for name in (*names, *_OF_ANSWERS))
        ]
    }
