"""The guide and the setup of a rule as HTML, filled from no alert: what a button would ask is said."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from tocsin.desk.pages import part
from tocsin.desk.visitor import Visitor
from tocsin.investigation.guides.guide import live_query, read_guide
from tocsin.investigation.guides.guide_blocks import Block, BrokenBlock, OsqueryBlock
from tocsin.investigation.guides.osquery import checked_query
from tocsin.investigation.guides.translated_guides import guide_in


def shown_markdown(text: Any, visitor: Visitor) -> Markup | None:
    """Return Markdown of a rule as HTML, with its queries; None where there is none."""
    guide = read_guide(guide_in(visitor.language, text) if isinstance(text, str) else "", {})
    if not guide.tokens:
        return None

    def shown(block: Block) -> str:
        if isinstance(block, BrokenBlock):
            return part("alert/guide_broken.html", visitor, block=block)
        if isinstance(block, OsqueryBlock):
            return part(
                "alert/guide_osquery.html", visitor, id="", block=block, checked=checked_query(block.query)
            )
        return part("rules/guide_query.html", visitor, block=block, query=live_query(block, {}))

    return Markup(guide.html(shown))  # cleaned by nh3; blocks are templates, which escape
