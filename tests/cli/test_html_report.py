"""The report of a hunt in a real browser: its own policy, nothing from outside, filter and ways through it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

from tests.chromium import chromium_page, needs_chromium
from tests.cli.test_commands import tocsin

OUTSIDE = "https://pictures.example.com"
GUIDE = f"""## Triage
![a remote picture]({OUTSIDE}/a.png "title") and [![linked]({OUTSIDE}/b.png)]({OUTSIDE}/page)

<img src="{OUTSIDE}/c.png" onerror="window.owned = 1"> <script>window.owned = 1</script>

![]({OUTSIDE}/d.png) ![data](data:image/png;base64,AAAA) ![script](javascript:window.owned=1)
| a | b |
|:--|--:|
| `{{{{process.name}}}}` | 2 |
"""
HOSTILE = "<img src=x onerror='window.owned=1'>\u202egpj.exe\x1b[31m"


def rule(name: str, severity: str, process: str) -> str:
    return json.dumps(
        {
            "id": name, "rule_id": name, "name": name, "description": f"About {name}", "type": "eql",
            "language": "eql",
            "query": f'process where process.name == "{process}"', "severity": severity, "risk_score": 50,
            "note": GUIDE, "from": "now-9m", "interval": "5m", "index": ["*"],
            "threat": [{"framework": "MITRE ATT&CK", "tactic": {"id": "TA0002", "name": "Execution",
                        "reference": "https://attack.mitre.org/tactics/TA0002/"}, "technique": []}],
        }
    )  # fmt: skip


def event(number: int, process: str, host: str) -> str:
    return json.dumps(
        {
            "@timestamp": f"2026-11-20T10:{number:02}:00Z",
            "event": {"category": ["process"]},
            "host": {"name": host},
            "user": {"name": HOSTILE},
            "process": {"name": process, "command_line": f"{process} {HOSTILE} {number}"},
        }
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    (folder / "rules.ndjson").write_text(rule("Bad", "critical", "bad.exe") + "\n" + rule("Odd", "low", "odd.exe"))
    events = [event(n, "bad.exe" if n % 3 else "odd.exe", f"host-{n % 14}") for n in range(30)]
    (folder / "e.ndjson").write_text("\n".join(events))
    done = tocsin("hunt", "e.ndjson", "-r", "rules.ndjson", "-o", "report.html", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "report.html"


def test_the_policy_names_the_hashes_of_what_is_inline_and_nothing_else(report: Path) -> None:
    page = report.read_text("utf-8")
    policy = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[0].replace("&#39;", "'")
    assert "unsafe" not in policy
    assert "http" not in policy
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    body = page.partition("<body>")[2].partition("<script>")[0]
    tags = "".join(re.findall(r"<[a-z][^>]*>", body))
    assert not re.search(r"\s(?:style|on[a-z]+)=", tags)
    assert not re.search(r"<(?:img|link|iframe|object|embed|base|form)\b", tags)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", page)


def test_pictures_of_a_guide_are_links(report: Path) -> None:
    page = report.read_text("utf-8")
    assert f'<a href="{OUTSIDE}/a.png" rel="noopener noreferrer">a remote picture</a>' in page
    assert f'<a href="{OUTSIDE}/d.png" rel="noopener noreferrer">{OUTSIDE}/d.png</a>' in page
    assert not re.search(r"""(?:src|href)=["']?(?:data|javascript):""", page)


SHOWN = "document.querySelectorAll('details.alert:not([hidden])').length"
INPUT = "dispatchEvent(new Event('input', {bubbles: true}))"


@needs_chromium
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [480, 1280])
def test_a_browser_loads_nothing_breaks_no_policy_and_can_filter(
    report: Path, width: int, theme: str, tmp_path: Path
) -> None:
    with chromium_page(tmp_path / "profile") as page:
        page.open(report, width=width, theme=theme)
        assert page.value(SHOWN) == 30
        # style is applied without style attributes: bars, heat and the places on the timeline
        widths = page.value(
            "[...document.querySelectorAll('.bar svg')].map(one => one.getBoundingClientRect().width)"
        )
        assert widths[0] > widths[3] > 0 == widths[1]
        lefts = page.value("[...document.querySelectorAll('.track a')].map(one => getComputedStyle(one).left)")
        assert len(set(lefts)) == 30
        assert page.value("getComputedStyle(document.querySelector('.heat a')).backgroundColor").startswith("rgba")
        dark = page.value("getComputedStyle(document.body).backgroundColor") == "rgb(18, 21, 27)"
        assert dark == (theme == "dark")
        assert page.value("document.documentElement.scrollWidth") <= width
        # filters
        page.value(f"const find = document.getElementById('find'); find.value = 'odd'; find.{INPUT}")
        assert page.value(SHOWN) == 10
        page.value(f"find.value = ''; find.{INPUT}")
        page.value(f"document.getElementsByName('severity')[0].checked = false; find.{INPUT}")
        assert page.value(SHOWN) == 10
        page.value(f"document.getElementsByName('severity')[0].checked = true; find.{INPUT}")
        page.value(f"document.getElementById('host').value = '0'; find.{INPUT}")
        assert 0 < page.value(SHOWN) < 10
        page.value(f"document.getElementById('host').value = ''; find.{INPUT}")
        # ways through the page
        page.value("document.getElementById('open').click()")
        assert page.value("document.querySelectorAll('details.alert[open]').length") == 30
        page.value("document.getElementById('close').click()")
        page.value("document.querySelector('.track a').click()")
        page.value("new Promise(done => requestAnimationFrame(done))")
        assert page.value("document.querySelector(location.hash).matches('details.alert')")
        page.value("document.querySelector('.heat a').click()")
        assert page.value("location.hash") == "#TA0002"
        # nothing was loaded, stopped or run that is not the page's own
        assert page.value("window.violations") == []
        assert page.value("typeof window.owned") == "undefined"
        assert page.logged == []
        assert page.requested == [report.as_uri()]
