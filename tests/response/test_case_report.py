"""The report of a case: in HTML and in Markdown each value stands for itself."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.response.conftest import add_alerts
from tocsin.printable import printable_line
from tocsin.report.case_report import escaped
from tocsin.response.cases import checklist, comments, evidence
from tocsin.response.cases.cases import NewCase, create_case
from tocsin.response.cases.report import case_report
from tocsin.store.records.access import local_actor

ANN = local_actor("ann")
HOSTILE = "<script>alert(1)</script> [x](javascript:alert(1)) | ![p](http://e/x) `c` *b* # h\u202e"


def rendered(markdown):
    return MarkdownIt("gfm-like", {"linkify": False}).render(markdown)


@given(st.text(min_size=1, max_size=60))
def test_a_value_in_markdown_stands_for_itself(text):
    shown = re.sub("<[^>]+>", "", rendered(f"a {escaped(text)} b"))
    words = html.unescape(shown).split()
    assert words == f"a {printable_line(text)} b".split()


@pytest.fixture
def report(session):
    add_alerts(session, 2, **{"host": {"name": HOSTILE}})
    case = create_case(
        session, ANN, NewCase(HOSTILE, f"{HOSTILE}\n# not a heading", tags=[HOSTILE], alerts=["a0", "a1"])
    )
    comments.add_comment(session, ANN, case.id, f"line\n\n    {HOSTILE}\n> q")
    checklist.add_task(session, ANN, case.id, HOSTILE)
    evidence.add_evidence(session, ANN, case.id, "note", HOSTILE, {"a": 1})
    return case_report(session, case.id)


def test_the_markdown_holds_no_markup_of_values(report):
    page = rendered(report.markdown())
    assert "<script" not in page
    assert not re.search("<(a|img|code|em|strong) ?", page)
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    assert headings == [
        "What it is about", "What was done", "Observables", "Alerts (2)", "Evidence", "Comments", "Activity",
    ]  # fmt: skip
    assert page.count("<table>") == 3
    assert "\u202e" not in page


def test_the_page_holds_all_of_it_and_nothing_runs(report):
    page = report.html()
    assert "default-src 'none'" in html.unescape(page)
    assert "<script>alert" not in page
    assert 'href="javascript:' not in page
    for text in ("not a heading", "2 alerts", "Isolate the host.", "SHA-256", "Remote File Download"):
        assert text in page
