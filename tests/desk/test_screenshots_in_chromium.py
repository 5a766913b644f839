"""Pictures of every page, in both themes and two widths: `make screenshots` keeps them in docs/screenshots."""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path

import pytest

from tests.desk.every_page import EVERY_PAGE, logged_in, open_page, reference_alert

DOCUMENTS = Path(__file__).parents[2] / "docs"
KEPT = DOCUMENTS / "screenshots"
THEMES, WIDTHS = ("light", "dark"), (1280, 1920)
HEIGHTS = {1280: 900, 1920: 1080}
_PICTURE = re.compile(r"!\[[^\]]*\]\(([^)]+)\)")

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_picture_of_every_page_can_be_taken(desk, chromium, tmp_path, theme, width):
    folder = Path(os.environ.get("TOCSIN_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    size = {"width": width, "height": HEIGHTS[width]}
    with logged_in(desk, chromium, color_scheme=theme, viewport=size) as context:
        page = context.new_page()
        for name, address in EVERY_PAGE.items():
            open_page(page, address(reference_alert(desk)))
            path = folder / f"{name}-{theme}-{width}.png"
            page.screenshot(path=path, animations="disabled")
            assert struct.unpack(">II", path.read_bytes()[16:24]) == (width, HEIGHTS[width])


def test_every_page_has_its_pictures_in_the_documents():
    wanted = {f"{name}-{theme}-{width}.png" for name in EVERY_PAGE for theme in THEMES for width in WIDTHS}
    kept = {path.name for path in KEPT.glob("*.png") if not path.name.startswith("triage-")}
    assert kept == wanted, "run `make screenshots`"


@pytest.mark.parametrize("document", sorted(DOCUMENTS.glob("*.md")), ids=lambda path: path.name)
def test_every_picture_that_a_document_names_is_there(document):
    named = set(_PICTURE.findall(document.read_text()))
    assert {path for path in named if not (DOCUMENTS / path).is_file()} == set(), "run `make screenshots`"


def test_every_picture_of_the_triage_is_in_the_documents():
    named = {name for path in DOCUMENTS.glob("*.md") for name in _PICTURE.findall(path.read_text())}
    assert {f"screenshots/{path.name}" for path in KEPT.glob("triage-*.png")} <= named
