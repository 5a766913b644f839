"""A rule's investigation guide: Markdown with `!{investigate{…}}` and `!{osquery{…}}`, for one alert.

The guide's text names its plugins either in full or as `$investigate_0`, `$osquery_1`, which stand for the
entries of the rule's `[transform]`. `{{field}}` is filled from the alert's event.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any
from urllib.parse import quote

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tocsin.detection.alerts.alert import as_text
from tocsin.investigation.guides.alert_queries import FIELD, alert_query
from tocsin.investigation.guides.guide_blocks import (
    Block,
    BrokenBlock,
    InvestigateBlock,
    OsqueryBlock,
    parse_guide,
)
from tocsin.investigation.guides.osquery import filled_query
from tocsin.printable import printable, printable_line
from tocsin.rules.guides import with_plugins
from tocsin.rules.model import Rule

# Stand in the rendered text for a block and for the box of a step, until the text is safe.
_BLOCK, _STEP = re.compile("\x02([0-9]+)\x03"), re.compile("\x04([0-9]+)\x05")
_MARKS = {ord(mark): None for mark in "\x02\x03\x04\x05"}
# No others: a mark in an attribute would become a block there.
_ATTRIBUTES: dict[str, set[str]] = {"*": set(), "a": {"href"}, "ol": {"start"}}
_TAGS = nh3.ALLOWED_TAGS - {"img"}
# Sections of a guide whose items are to be done for an alert, and those whose items come later or are no steps.
_INVESTIGATES = re.compile(r"investigat|steps|步骤|调查", re.IGNORECASE)
_LATER = re.compile(
    r"false positive|response|remediation|related|setup|performance|reference|误报|响应|相关", re.IGNORECASE
)
# The section of a guide that says what is done once an alert is confirmed.
_RESPONDS = re.compile(r"respon[sd]|remediat|响应|处置|补救", re.IGNORECASE)
_MOST_STEPS = 200
_PARAMETERS = "kibana.alert.rule.parameters"
_LONGEST = 4_000  # characters of a value that is filled in
_LINE_END = re.compile(r"\r\n?")


@dataclass(frozen=True)
class LiveQuery:
    """A query that a guide offers: `kind` is investigate or osquery, `text` what it asks."""

    kind: str
    label: str
    text: str


@dataclass(frozen=True)
class GuideStep:
    """A step of the triage: an item of the guide's list of steps, numbered from 1."""

    number: int
    text: str


@dataclass(frozen=True)
class Guide:
    """A guide for one alert: its blocks, its steps, and its Markdown as tokens."""

    blocks: tuple[Block, ...]
    steps: tuple[GuideStep, ...]
    tokens: Sequence[Token]

    def html(
        self, block_html: Callable[[Block], str], step_html: Callable[[GuideStep], str] = lambda _: ""
    ) -> str:
        """Return the guide as HTML that is safe as long as that of blocks and boxes of steps is."""
        markdown = _markdown()
        text = nh3.clean(
            markdown.renderer.render(self.tokens, markdown.options, {}),
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            link_rel="noopener noreferrer",
        )
        text = _STEP.sub(lambda match: step_html(self.steps[int(match[1]) - 1]), text)
        return _BLOCK.sub(lambda match: block_html(self.blocks[int(match[1])]), text)


def guide_text(rule: Rule, locale: str = "") -> str:
    """Return the guide's Markdown with its plugins written out, in `locale` where the rule has it."""
    return with_plugins(rule.notes.get(locale, rule.note) if locale else rule.note, rule.transform)


def note_of(alert: Mapping[str, Any]) -> str:
    """Return the guide's Markdown as an alert's document keeps it, nested or flat."""
    parameters = alert.get(_PARAMETERS)
    note = parameters.get("note") if isinstance(parameters, dict) else alert.get(f"{_PARAMETERS}.note")
    return str(note or "")


def read_guide(text: str, event: Mapping[str, Any]) -> Guide:
    """Return a guide for an event, whose fields are flat. No event fills nothing in."""
    parts = [
        part if not isinstance(part, str) else printable(_LINE_END.sub("\n", part))
        for part in parse_guide(text.translate(_MARKS))
    ]
    blocks = tuple(part for part in parts if not isinstance(part, str))
    values = _FilledValues(event)
    source = "".join(
        values.hold_places(printable(_LINE_END.sub("\n", part)))
        if isinstance(part, str)
        else f"\x02{part.number}\x03"
        for part in parts
    )
    tokens = _markdown().parse(source)
    values.fill(tokens)
    return Guide(blocks, tuple(_mark_steps(tokens, blocks)), tokens)


class _FilledValues:
    """Values of an event that are put into a guide after its Markdown is read: none of them is read as Markdown.

    Until then a word that nobody can know before holds a value's place.
    """

    def __init__(self, event: Mapping[str, Any]) -> None:
        self._event, self._word = event, f"v{secrets.token_hex(6)}n"
        self._values: list[str] = []
        self._places = re.compile(f"{self._word}([0-9]+)e")

    def hold_places(self, text: str) -> str:
        """Return Markdown with a word for each `{{field}}`. No event fills nothing."""
        return FIELD.sub(self._place, text) if self._event else text

    def _place(self, match: re.Match[str]) -> str:
        self._values.append(_value(self._event, match[1]) or f"(no {match[1]})")
        return f"{self._word}{len(self._values) - 1}e"

    def fill(self, tokens: Iterable[Token]) -> None:
        """Put the values into the texts and the addresses of tokens."""
        for token in tokens:
            token.content = self._places.sub(lambda match: self._values[int(match[1])], token.content)
            if (address := token.attrs.get("href")) is not None:
                token.attrs["href"] = self._places.sub(self._in_address, str(address))
            self.fill(token.children or ())

    def _in_address(self, match: re.Match[str]) -> str:
        return quote(self._values[int(match[1])], safe=":/?#[]@!$&'()*+,;=%")


def fill(text: str, event: Mapping[str, Any]) -> str:
    """Fill `{{field}}` from an event; where it lacks the field the text says so. No event fills nothing."""
    if not event:
        return text
    return FIELD.sub(lambda match: _value(event, match[1]) or f"(no {match[1]})", text)


def _value(event: Mapping[str, Any], field: str) -> str:
    text = as_text(event.get(field)).translate(_MARKS)
    return printable_line(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")


def live_queries(rule: Rule, event: Mapping[str, Any]) -> list[LiveQuery]:
    """Return the queries that the guide offers, filled from an event."""
    return [live_query(part, event) for part in parse_guide(guide_text(rule)) if not isinstance(part, str)]


def live_query(block: Block, event: Mapping[str, Any]) -> LiveQuery:
    """Return what a block asks, in words for people."""
    match block:
        case OsqueryBlock():
            return LiveQuery("osquery", block.label, filled_query(block.query, event))
        case InvestigateBlock():
            query, since = alert_query(block, event), block.relative_from
            span = f"  [{since} to {block.relative_to or 'now'}]" if since else ""
            return LiveQuery("investigate", block.label, f"{fill(query.kql, event)}{span}")
        case BrokenBlock():
            return LiveQuery(block.kind, "", block.text)


def guide_html(rule: Rule, event: Mapping[str, Any], locale: str = "") -> str:
    """Return a rule's guide as safe HTML; see `guide_text_html`."""
    return guide_text_html(guide_text(rule, locale), event)


def guide_text_html(text: str, event: Mapping[str, Any]) -> str:
    """Return a guide's Markdown as safe HTML: scripts and event handlers cannot get through."""

    def shown(block: Block) -> str:
        query = live_query(block, event)
        return (
            f'<details class="query"><summary>{escape(query.label or query.kind)}</summary>'
            f"<code>{escape(printable(query.text))}</code></details>"
        )

    return read_guide(text, event).html(shown)


def readable_guide(rule: Rule, locale: str = "") -> str:
    """Return the guide's Markdown with each plugin as its label and what it asks."""

    def shown(block: Block) -> str:
        query = live_query(block, {})
        return f"**{query.label}**: `{' '.join(query.text.split())}`"

    return guide_markdown(guide_text(rule, locale), {}, shown)


def guide_markdown(text: str, event: Mapping[str, Any], shown: Callable[[Block], str]) -> str:
    """Return a guide's Markdown, filled from an event, with what `shown` makes of its blocks."""
    return "".join(fill(part, event) if isinstance(part, str) else shown(part) for part in parse_guide(text))


def _mark_steps(tokens: Sequence[Token], blocks: Sequence[Block]) -> list[GuideStep]:
    """Return the steps of a guide, and put the mark of its box before the text of each.

    They are the outermost items of the sections that are named for it, and where there is none, of all but those
    about false positives, the response and the like. Items that only hold a query are none.
    """
    items = list(_outermost_items(tokens))
    named = [item for heading, item in items if _INVESTIGATES.search(heading) and not _LATER.search(heading)]
    chosen = named or [item for heading, item in items if not _LATER.search(heading)]
    steps: list[GuideStep] = []
    for inline in chosen:
        text = _BLOCK.sub("", "".join(child.content or " " for child in inline.children or ())).strip()
        if text and len(steps) < _MOST_STEPS:
            steps.append(GuideStep(len(steps) + 1, " ".join(text.split())))
            inline.children = [Token("text", "", 0, content=f"\x04{len(steps)}\x05"), *(inline.children or ())]
    return steps


def response_steps(text: str) -> list[tuple[int, str]]:
    """Return the items of a guide's section on response and remediation, each with its depth in the list, from 0.

    Items that only hold a query are none.
    """
    source = "".join(part for part in parse_guide(text.translate(_MARKS)) if isinstance(part, str))
    tokens = _markdown().parse(printable(_LINE_END.sub("\n", source)))
    steps: list[tuple[int, str]] = []
    heading, depth, is_item, before = "", 0, False, ""
    for token in tokens:
        if token.type in ("bullet_list_open", "ordered_list_open"):
            depth += 1
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            depth -= 1
        elif token.type == "list_item_open":
            is_item = True
        elif token.type == "inline" and before == "heading_open":
            heading = token.content
        elif token.type == "inline" and is_item:
            is_item = False
            children = token.children or ()
            words = "".join(" " if "break" in child.type else child.content for child in children).split()
            if words and _RESPONDS.search(heading) and len(steps) < _MOST_STEPS:
                steps.append((depth - 1, " ".join(words)))
        before = token.type
    return steps


def _outermost_items(tokens: Sequence[Token]) -> list[tuple[str, Token]]:
    """Return the text of each item of a list that is in no other list, with the heading that it stands under."""
    items: list[tuple[str, Token]] = []
    heading, depth, wanted, before = "", 0, False, ""
    for token in tokens:
        if token.type in ("bullet_list_open", "ordered_list_open"):
            depth += 1
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            depth -= 1
        elif token.type == "list_item_open":
            wanted = depth == 1
        elif token.type == "inline" and before == "heading_open":
            heading = token.content
        elif token.type == "inline" and wanted:
            items.append((heading, token))
            wanted = False
        before = token.type
    return items


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
