"""The desk's styles: what several pages use has its look in one file."""

from __future__ import annotations

import re
from collections import defaultdict

from tests.documentation import ROOT

STYLES = ROOT / "src" / "tocsin" / "desk" / "frontend" / "styles"
ALONE = re.compile(r"(?:^|[}/])\s*(\.[\w-]+) \{", re.MULTILINE)


def test_a_class_has_its_own_look_in_one_file():
    """Pages may refine it within one of their parts; they do not give it another look for all pages."""
    files = defaultdict(set)
    for path in STYLES.glob("*.css"):
        outermost = re.sub(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", path.read_text("utf-8"))
        for name in ALONE.findall(outermost):
            files[name].add(path.name)
    assert len(files) > 100
    assert {name: sorted(where) for name, where in files.items() if len(where) > 1} == {}
