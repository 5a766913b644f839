"""A rule's guide, filled and rendered for one alert."""

import pytest

from tocsin.investigation.guides.guide import fill, guide_html, guide_text, live_queries
from tocsin.rules.load import bundled_rules
from tocsin.rules.model import Rule

(RULE,) = bundled_rules().rules
EVENT = {"user.id": "S-1-5-21-1", "host.name": "WS-1", "process.entity_id": "{a-b}"}


def rule(note: str) -> Rule:
    return Rule(rule_id="1", name="n", type="eql", severity="low", risk_score=1, note=note)


def test_placeholders_become_plugins() -> None:
    text = guide_text(RULE)
    assert text.count("!{investigate{") == 3
    assert text.count("!{osquery{") == 4
    assert "$investigate_" not in text
    assert guide_text(RULE, "zh-CN").count("!{osquery{") == 4


def test_fields_are_filled_from_the_alert() -> None:
    filled = fill("{{user.id}} on {{ host.name }}, {{process.name}}", EVENT)
    assert filled == "S-1-5-21-1 on WS-1, (no process.name)"
    assert fill("{{user.id}}", {}) == "{{user.id}}"


def test_live_queries_say_what_they_ask() -> None:
    asked = {q.label: q.text for q in live_queries(RULE, EVENT)}
    assert asked["Alerts for this user in the last 48 hours"] == (
        '(event.kind: "signal" and user.id: "S-1-5-21-1" and not user.id: "S-1-5-18") or '
        '(event.kind: "signal" and user.name: "(no user.name)" and user.domain: "(no user.domain)")'
        "  [now-48h/h to now]"
    )
    assert asked["Network events of this process"] == 'process.entity_id: "{a-b}" and event.category: "network"'
    assert asked["Osquery: DNS cache"] == "SELECT * FROM dns_cache"
    assert "LIKE '%LocalSystem'" in asked["Osquery: services that run as a user"]


def test_html_keeps_markdown_and_shows_each_query_once() -> None:
    html = guide_html(RULE, EVENT)
    assert html.count('<details class="query">') == 7
    assert "<h2>Triage and analysis</h2>" in html
    assert "<code>Get-FileHash</code>" in html


def test_html_lets_nothing_run() -> None:
    html = guide_html(
        rule("<script>x</script> [a](javascript:alert(1)) <img src=x onerror=y> {{host.name}}"),
        {"host.name": "<b onclick=z>"},
    )
    for banned in ("<script", "href=", "<img", "<b onclick"):
        assert banned not in html


def test_what_hides_in_a_guide_is_written_out() -> None:
    html = guide_html(rule("# One\r\nfine \u202eexe.gpj\x07\r\n\r\n- two"), {})
    assert "fine \\u202eexe.gpj\\x07" in html
    assert "<h1>One</h1>" in html
    assert "two" in html
    assert "\\r" not in html


def test_a_broken_plugin_is_shown_as_it_is() -> None:
    (query,) = live_queries(rule("!{osquery{broken}}"), {})
    assert query.text == "!{osquery{broken}}"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("[click](http://evil.example)", "ran [click](http://evil.example)."),
        ("# All clear", "ran # All clear."),
        ("**safe** `x` <b>y</b>", "ran **safe** `x` &lt;b&gt;y&lt;/b&gt;."),
        ("a_b_c *d*", "ran a_b_c *d*."),
        ("![x](http://evil.example/x.png)", "ran ![x](http://evil.example/x.png)."),
    ],
)
def test_values_of_an_event_are_not_read_as_markdown(value: str, shown: str) -> None:
    html = guide_html(
        rule("It ran {{process.command_line}}.\n\n- `{{process.command_line}}`"), {"process.command_line": value}
    )
    assert f"<p>It {shown}</p>" in html
    assert "href" not in html
    assert html.count("<code>") == 1
    assert "<h1>" not in html


@pytest.mark.parametrize(
    ("address", "value", "href"),
    [
        ("https://look.example/{{x}}", "ab12", "https://look.example/ab12"),
        ("https://look.example/?q={{x}}", 'a b"<c>', "https://look.example/?q=a%20b%22%3Cc%3E"),
        ("{{x}}", "javascript:alert(1)", None),
        ("{{x}}", "https://ok.example/y", "https://ok.example/y"),
    ],
)
def test_values_may_be_a_part_of_an_address(address: str, value: str, href: str | None) -> None:
    html = guide_html(rule(f"[look]({address})"), {"x": value})
    assert (f'href="{href}"' in html) if href else "href" not in html


def test_a_rule_without_a_guide() -> None:
    assert guide_html(rule(""), EVENT) == ""


HOSTILE_VALUES = {
    "marks of the guide's own": "\x0299\x03 \x0499\x05 \x02" + "9" * 5_000 + "\x03",
    "a script": "<script>x</script> [a](javascript:x)",
    "characters that hide": "a\u202eb\x1b[31m",
    "an end of an attribute": 'x" onclick=y) [z](javascript:x)',
}


@pytest.mark.parametrize("value", HOSTILE_VALUES.values(), ids=HOSTILE_VALUES)
def test_any_value_of_an_event_is_shown_and_runs_nothing(value: str) -> None:
    html = guide_html(rule("{{a}} `{{a}}` [look](https://intel.example/{{a}})\n\n* {{a}}"), {"a": value})
    for banned in ("<script", 'href="javascript', "\u202e", "\x1b"):
        assert banned not in html


@pytest.mark.parametrize(
    "note",
    [
        '!{investigate{"providers":5}}', '!{investigate{"providers":[5]}}', '!{investigate{"providers":[[5]]}}',
        "$investigate_" + "9" * 5_000, "\x027\x03 [a](x%027%03)",
    ],
)  # fmt: skip
def test_a_guide_of_any_text_is_shown(note: str) -> None:
    broken = rule(note).model_copy(update={"transform": {"investigate": [5]}})
    assert guide_html(broken, {"a": "b"})
