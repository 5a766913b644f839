"""What a message about alerts says: templates in Mustache, with Kibana's names, filled in.

A value is escaped for the format of its template: within JSON as JSON, in Markdown and HTML so that it shows
as it is and is no mark-up, in plain text not at all. Kibana's connectors do so too (`mustache_renderer` of its
actions plugin: `json`, `slack`, `markdown`, `none`).
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import pystache

from tocsin.moments import iso
from tocsin.sources.batch import flatten, unflatten
from tocsin.store.records.models import Connector, Delivery, StoredRule

TEXT, MARKDOWN, HTML, JSON = "text", "markdown", "html", "json"
TEXT_FORMATS = (TEXT, MARKDOWN, HTML)  # what a connector's `config.format` may be
# What may be mark-up in Markdown, wherever it stands, or at the beginning of a line.
_MARKUP = re.compile(r"[\\`*_\[\]<>&~|]|^\s*(?:[#+=-]|\d+[.)])|^\s|\s$")


class MessageTemplateError(Exception):
    """A template that cannot be filled in."""


@dataclass(frozen=True)
class Message:
    """A title in plain text, a text in a format, and a body for services that take data."""

    title: str
    text: str
    body: bytes
    format: str = TEXT


def message_of(
    waiting: Delivery, connector: Connector, rule: StoredRule | None, documents: Sequence[Mapping[str, Any]]
) -> Message:
    """Return a message: its action's templates, filled in for a connector. Raises MessageTemplateError."""
    name = rule.name if rule is not None else "a rule that has been removed"
    values = _values(name, rule, documents, len(waiting.alerts))
    params, given = waiting.params, waiting.params.get("body")
    title = _filled(params.get("title") or params.get("subject") or "{{context.rule.name}}", values, TEXT)
    format_ = _text_format(connector)
    text = _filled(params.get("message") or "{{#alerts}}{{reason}}\n{{/alerts}}", values, format_)
    if isinstance(given, str):
        body = _filled(given, values, _body_format(connector)).encode()
    else:
        content = {"rule": values["context"]["rule"], "alerts": list(documents), "count": len(waiting.alerts)}
        body = orjson.dumps(content)
    return Message(title, text.rstrip("\n"), body, format_)


def trial(params: Mapping[str, Any], connector: Connector) -> Message:
    """Return a message about no alert, with which somebody tries a connector."""
    text = str(params.get("message") or "A message from tocsin, to see whether it arrives.")
    title = str(params.get("title") or params.get("subject") or "tocsin")
    given = params.get("body")
    body = given.encode() if isinstance(given, str) else orjson.dumps({"message": text})
    return Message(title, text, body, _text_format(connector))


def _text_format(connector: Connector) -> str:
    """Return the format of a connector's texts; plain text unless it names another."""
    format_ = str(connector.config.get("format"))
    return format_ if format_ in TEXT_FORMATS else TEXT


def _body_format(connector: Connector) -> str:
    """Return the format of a connector's bodies: JSON, unless its headers name another type of content."""
    headers = connector.config.get("headers")
    given = headers.items() if isinstance(headers, dict) else ()
    types = [str(value).lower() for name, value in given if str(name).lower() == "content-type"]
    return JSON if not types or any("json" in type_ for type_ in types) else TEXT


def _values(
    name: str, rule: StoredRule | None, documents: Sequence[Mapping[str, Any]], count: int
) -> dict[str, Any]:
    about = {**(rule.document if rule else {}), "name": name, "id": rule.id if rule else ""}
    alerts = [
        {**unflatten(flatten(document)), "reason": document.get("kibana.alert.reason", "")}
        for document in documents
    ]
    first = documents[0] if documents else {}
    return {
        "context": {"rule": about, "alerts": alerts, "results_link": ""},
        "rule": about,
        "alerts": alerts,
        "alert": {"id": first.get("kibana.alert.uuid", ""), "uuid": first.get("kibana.alert.uuid", "")},
        "state": {"signals_count": count},
        "date": iso(datetime.now(UTC), 0),
    }


def _filled(template: Any, values: Mapping[str, Any], format_: str) -> str:
    try:
        return str(_RENDERERS[format_].render(str(template), values))
    except Exception as error:
        raise MessageTemplateError(f"its template cannot be filled in: {error}") from None


class _Renderer(pystache.Renderer):  # type: ignore[misc]  # pystache has no types
    """Writes values as Mustache does in Kibana: lists with commas, objects as JSON, nothing for null."""

    def str_coerce(self, val: Any) -> str:
        if val is None:
            return ""
        if isinstance(val, list | tuple):
            return ",".join(part if isinstance(part, str) else self.str_coerce(part) for part in val)
        if isinstance(val, bool | dict):
            return orjson.dumps(val, default=str).decode()
        return str(val)


def _as_json(text: str) -> str:
    return orjson.dumps(text).decode()[1:-1]


def _as_markdown(text: str) -> str:
    """Show what may be mark-up as code: Slack's dialect has no other escape, and no backtick within code."""
    return "\n".join(
        "`" + line.replace("`", "'") + "`" if _MARKUP.search(line) else line for line in text.splitlines()
    )


_ESCAPES: Mapping[str, Callable[[str], str]] = {
    TEXT: str, MARKDOWN: _as_markdown, HTML: html.escape, JSON: _as_json,
}  # fmt: skip
_RENDERERS = {
    name: _Renderer(escape=escape, partials={}, missing_tags="ignore") for name, escape in _ESCAPES.items()
}
