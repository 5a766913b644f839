"""The guide of an alert's rule, as it stands beside the alert."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from tocsin.desk.documents import FlatDocument
from tocsin.desk.pages import part
from tocsin.desk.visitor import Visitor
from tocsin.investigation.guides.alert_queries import AlertQuery, alert_query
from tocsin.investigation.guides.guide import Guide, GuideStep, note_of, read_guide
from tocsin.investigation.guides.guide_blocks import Block, BrokenBlock, InvestigateBlock, OsqueryBlock
from tocsin.investigation.guides.osquery import checked_query, filled_query
from tocsin.investigation.guides.translated_guides import guide_in
from tocsin.management.alerts import STEPS


def guide_of(alert: FlatDocument, language: str) -> Guide:
    """Return the guide of an alert's rule, filled from the alert; an empty one where the rule has none.

    It is in the language where the bundled guide has one.
    """
    return read_guide(guide_in(language, note_of(alert.values)), alert.values)


def investigate_blocks(guide: Guide) -> dict[int, InvestigateBlock]:
    """Return the queries over events that a guide offers, by their numbers."""
    return {block.number: block for block in guide.blocks if isinstance(block, InvestigateBlock)}


def osquery_blocks(guide: Guide) -> dict[int, OsqueryBlock]:
    """Return the queries of osquery that a guide offers, by their numbers."""
    return {block.number: block for block in guide.blocks if isinstance(block, OsqueryBlock)}


def alert_queries(guide: Guide, alert: FlatDocument) -> dict[int, AlertQuery]:
    """Return what a guide asks of the store for an alert, by the numbers of its blocks."""
    return {number: alert_query(block, alert.values) for number, block in investigate_blocks(guide).items()}


def shown_guide(alert: FlatDocument, visitor: Visitor, list: str = "") -> Markup | None:
    """Return the guide as HTML with its queries and the boxes of its steps, None where the rule has none.

    `list` is the address of the list that the alert was opened from: the addresses of its queries keep it.
    """
    guide = guide_of(alert, visitor.language)
    if not guide.tokens:
        return None
    done = {int(step["number"]): step for step in alert.values.get(STEPS) or ()}

    def block_html(block: Block) -> str:
        return shown_block(alert, block, visitor, list)

    def step_html(step: GuideStep) -> str:
        return shown_step(alert.id, step, done.get(step.number), visitor)

    # Cleaned by nh3; blocks and steps are templates, which escape.
    return Markup(guide.html(block_html, step_html))


def shown_block(alert: FlatDocument, block: Block, visitor: Visitor, list: str = "") -> Markup:
    """Return a block: a button with a place for its count, a query of osquery, or what is wrong with it."""
    if isinstance(block, InvestigateBlock):
        query = alert_query(block, alert.values)
        return part("alert/guide_query.html", visitor, id=alert.id, block=block, query=query, list=list)
    if isinstance(block, BrokenBlock):
        return part("alert/guide_broken.html", visitor, block=block)
    checked = checked_query(filled_query(block.query, alert.values))
    return part("alert/guide_osquery.html", visitor, id=alert.id, block=block, checked=checked)


def shown_step(id_: str, step: GuideStep, done: Mapping[str, Any] | None, visitor: Visitor) -> Markup:
    """Return the box of a step, with who did it and when."""
    return part("alert/guide_step.html", visitor, id=id_, step=step, done=done)
