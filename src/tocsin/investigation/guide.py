"""A rule's investigation guide: Markdown with `!{investigate{…}}` and `!{osquery{…}}`, for one alert.

The guide's text names its plugins either in full or as `$investigate_0`, `$osquery_1`, which stand for the
entries of the rule's `[transform]`. `{{field}}` is filled from the alert's event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any

import nh3
import orjson
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tocsin.detection.alerts.alert import as_text
from tocsin.rules.guides import with_plugins
from tocsin.rules.model import Rule

_PLUGIN = re.compile(r"!\{(investigate|osquery)(\{.*?\})\}(?=\s|$)", re.DOTALL)
_FIELD = re.compile(r"\{\{\s*([\w.@]+)\s*\}\}")


@dataclass(frozen=True)
class LiveQuery:
    """A query that a guide offers: `kind` is investigate or osquery, `text` what it asks."""

    kind: str
    label: str
    text: str


def guide_text(rule: Rule, locale: str = "") -> str:
    """Return the guide's Markdown with its plugins written out, in `locale` where the rule has it."""
    return with_plugins(rule.notes.get(locale, rule.note) if locale else rule.note, rule.transform)


def fill(text: str, event: Mapping[str, Any]) -> str:
    """Fill `{{field}}` from an event; where it lacks the field the text says so. No event fills nothing."""
    if not event:
        return text
    return _FIELD.sub(lambda match: as_text(event.get(match[1])) or f"(no {match[1]})", text)


def live_queries(rule: Rule, event: Mapping[str, Any]) -> list[LiveQuery]:
    """Return the queries that the guide offers, filled from an event."""
    return [_live_query(match, event) for match in _PLUGIN.finditer(guide_text(rule))]


def _live_query(match: re.Match[str], event: Mapping[str, Any]) -> LiveQuery:
    try:
        body = orjson.loads(match[2])
    except orjson.JSONDecodeError:
        return LiveQuery(match[1], "", match[0])
    if match[1] == "osquery":
        return LiveQuery("osquery", str(body.get("label", "")), fill(str(body.get("query", "")).strip(), event))
    return LiveQuery("investigate", str(body.get("label", "")), _filters(body, event))


def _filters(body: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """Write the providers as a query: lists of filters joined by or, filters by and."""
    groups = []
    for group in body.get("providers", []):
        tests = []
        for item in group:
            value = fill(str(item.get("value", "")), event)
            test = f'{item.get("field")}: "{value}"'
            tests.append(f"not {test}" if item.get("excluded") else test)
        groups.append(" and ".join(tests))
    query = " or ".join(f"({group})" for group in groups) if len(groups) > 1 else "".join(groups)
    since = body.get("relativeFrom")
    return f"{query}  [{since} to {body.get('relativeTo', 'now')}]" if since else query


_TAGS = nh3.ALLOWED_TAGS - {"img"}


@cache
def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table")
    markdown.add_render_rule("image", _picture_as_link)
    return markdown


def _picture_as_link(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """Write a picture as a link: whoever reads a guide fetches nothing that they did not ask for."""
    token = tokens[index]
    address = str(token.attrs.get("src", ""))
    return f'<a href="{escape(address)}">{escape(token.content or address)}</a>'


def guide_html(rule: Rule, event: Mapping[str, Any], locale: str = "") -> str:
    """Return the guide as safe HTML: scripts and event handlers cannot get through."""
    blocks: list[str] = []

    def keep(match: re.Match[str]) -> str:
        query = _live_query(match, event)
        blocks.append(
            f'<details class="query"><summary>{escape(query.label or query.kind)}</summary>'
            f"<code>{escape(query.text)}</code></details>"
        )
        return f"\x02{len(blocks) - 1}\x03"

    text = fill(_PLUGIN.sub(keep, guide_text(rule, locale)), event)
    html = nh3.clean(_markdown().render(text), tags=_TAGS, link_rel="noopener noreferrer")
    return re.sub(r"\x02(\d+)\x03", lambda match: blocks[int(match[1])], html)
