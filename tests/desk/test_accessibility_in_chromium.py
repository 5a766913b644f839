"""Every page holds WCAG 2.2 AA, as far as axe can tell, in both themes; and none is wider than its window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.desk.every_page import EVERY_PAGE, LOG_IN, logged_in, open_page, reference_alert
from tocsin.desk import pages

AXE = Path(pages.__file__).parent / "frontend/node_modules/axe-core/axe.min.js"
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
_CHECK = "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["light", "dark"])
def tab(request, desk, chromium):
    with logged_in(desk, chromium, color_scheme=request.param, viewport={"width": 1280, "height": 900}) as context:
        yield context.new_page()


def violations(page) -> list[str]:
    """Return what axe finds wrong: the rule, and the first elements that break it."""
    page.evaluate(AXE.read_text())  # by the browser's own tools, which the page's policy does not bind
    outcome: dict[str, Any] = page.evaluate(_CHECK, _TAGS)
    return [
        f"{violation['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for violation in outcome["violations"]
        for node in violation["nodes"][:3]
    ]


@pytest.mark.parametrize("name", EVERY_PAGE)
def test_a_page_has_no_violation(desk, tab, name):
    open_page(tab, EVERY_PAGE[name](reference_alert(desk)))
    assert violations(tab) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_to_log_in_has_no_violation(desk, chromium, theme):
    context = chromium.new_context(base_url=desk.url, color_scheme=theme)
    page = context.new_page()
    open_page(page, LOG_IN)
    assert violations(page) == []
    context.close()


@pytest.mark.parametrize("width", [420, 1280, 1920])
def test_no_page_is_wider_than_its_window(desk, chromium, width):
    with logged_in(desk, chromium, viewport={"width": width, "height": 900}) as context:
        page = context.new_page()
        wide = {}
        for name, address in EVERY_PAGE.items():
            open_page(page, address(reference_alert(desk)))
            if (reach := page.evaluate("document.documentElement.scrollWidth")) > width:
                wide[name] = reach
    assert wide == {}
