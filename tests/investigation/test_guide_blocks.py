"""Blocks of guides: told apart, read, and refused with a reason."""

from __future__ import annotations

import orjson
import pytest

from tests.shared import needs_shared, shared
from tocsin.investigation.guides.guide import guide_text, read_guide
from tocsin.investigation.guides.guide_blocks import BrokenBlock, InvestigateBlock, OsqueryBlock, parse_guide
from tocsin.investigation.guides.osquery import Verdict, checked_query
from tocsin.rules.load import load_rules

PUBLIC = "rules/elastic-windows"
PAGE = "seed/000_3e33b298dd3b2c3d.txt"


def investigate(**members) -> str:
    body = {"label": "L", "providers": [[{"field": "host.id", "queryType": "phrase", "value": "{{host.id}}"}]]}
    return f"!{{investigate{orjson.dumps(body | members).decode()}}}"


def test_blocks_stand_between_text_and_in_one_line() -> None:
    text = f'a {investigate()} {investigate(label="M")} b !{{osquery{{"label":"O","query":"select 1"}}}}.'
    kinds = [part if isinstance(part, str) else type(part) for part in parse_guide(text)]
    assert kinds == ["a ", InvestigateBlock, " ", InvestigateBlock, " b ", OsqueryBlock, "."]


def test_braces_in_texts_end_no_block() -> None:
    (block, rest) = parse_guide('!{osquery{"label":"}} {","query":"select \'}}\' "}} rest')
    assert isinstance(block, OsqueryBlock)
    assert (block.label, block.query, rest) == ("}} {", "select '}}'", " rest")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("!{osquery{broken}}", "not valid JSON"),
        ("!{osquery{}}", "has no `query`"),
        ("!{osquery}", "not valid JSON"),
        ('!{osquery{"query": "select 1"', "not valid JSON"),
        ('!{osquery{"query": 1}}', "`query` is no text"),
        ('!{osquery{"query": "select 1", "ecs_mapping": 1}}', "`ecs_mapping` is no object"),
        ("$investigate_0", "import the rule again"),
        ("$osquery_12", "import the rule again"),
        (investigate(providers=[]), "`providers`"),
        (investigate(providers=[[]]), "`providers`"),
        (investigate(providers=[{"field": "a"}]), "`providers`"),
        (investigate(providers=[[{"value": "a"}]]), "no `field`"),
        (investigate(providers=[[{"field": "a"}]]), "no `value`"),
        (investigate(providers=[[{"field": "a", "value": "b", "queryType": "regexp"}]]), "`queryType`"),
        (investigate(providers=[[{"field": "a", "value": "b", "valueType": "date"}]]), "`valueType`"),
        (investigate(providers=[[{"field": "a", "value": "b", "queryType": "phrases"}]]), "list of values"),
        (investigate(providers=[[{"field": "a", "value": "{}", "queryType": "range"}]]), "a range has"),
        (investigate(relativeFrom="yesterday"), "date math"),
        (investigate(relativeFrom="now-99999999999999d"), "out of range"),
        (f'!{{osquery{{"query": {"[" * 5000}{"]" * 5000}}}}}', "cannot be read"),
        (f'!{{osquery{{"query": {"9" * 5000}}}}}', "cannot be read"),
        (investigate(label=["x"]), "`label` is no text"),
    ],
)
def test_a_broken_block_says_why(text: str, reason: str) -> None:
    (block,) = (part for part in parse_guide(f"- {text}\n- more") if not isinstance(part, str))
    assert isinstance(block, BrokenBlock)
    assert reason in block.reason
    assert block.text == text


@pytest.mark.parametrize(
    ("text", "query", "mended"),
    [
        ("!{osquery{“label”:“DNS”,“query”:“SELECT * FROM dns_cache”}}", "SELECT * FROM dns_cache", "straight"),
        (
            "!{osquery{label:DNS,query:SELECT name, type FROM dns_cache}}",
            "SELECT name, type FROM dns_cache",
            "back",
        ),
        ('!{osquery{"label":"DNS","query":"SELECT *\nFROM dns_cache"}}', "SELECT *\nFROM dns_cache", ""),
    ],
)
def test_what_copying_a_page_did_to_its_json_is_mended_and_said(text: str, query: str, mended: str) -> None:
    (block,) = parse_guide(text)
    assert isinstance(block, OsqueryBlock)
    assert block.query == query
    assert mended in block.mended
    assert bool(mended) == bool(block.mended)


def test_blocks_without_end_hold_nobody_up() -> None:
    parts = parse_guide("!{osquery{label: , query\n" * 20_000)
    assert sum(isinstance(part, BrokenBlock) for part in parts) == 500
    assert isinstance(parts[-1], str)


@needs_shared(PAGE)
def test_the_reference_page_is_read_as_it_was_copied() -> None:
    """The page that the bundled rule comes from had lost the quotes within two of its queries."""
    blocks = [part for part in parse_guide(shared(PAGE).read_text("utf-8")) if not isinstance(part, str)]
    assert [type(block) for block in blocks] == [InvestigateBlock] * 3 + [OsqueryBlock] * 4
    checked = [checked_query(block.query) for block in blocks if isinstance(block, OsqueryBlock)]
    assert {one.verdict for one in checked} == {Verdict.RIGHT}
    assert [one.mended for one in checked] == [
        (),
        (),
        ("%LocalSystem", "%LocalService", "%NetworkService"),
        ("https://www.virustotal.com/gui/file/", "trusted"),
    ]


@needs_shared(PUBLIC)
def test_every_guide_of_the_public_rules_renders_with_all_of_its_blocks() -> None:
    found, refused, shown, steps = 0, [], 0, 0
    for rule in load_rules([str(shared(PUBLIC))]).rules:
        guide = read_guide(guide_text(rule), {"host.id": "h-1"})
        html = guide.html(
            lambda block: f"<i>block {block.number}.</i>", lambda step: f"<i>step {step.number}.</i>"
        )
        found += len(guide.blocks)
        refused += [block.reason for block in guide.blocks if isinstance(block, BrokenBlock)]
        shown += sum(html.count(f"block {block.number}.") for block in guide.blocks)
        steps += sum(html.count(f"step {step.number}.") for step in guide.steps)
        assert html.count("<i>step") == len(guide.steps), rule.name
    assert (found, shown, refused) == (935, 935, [])
    assert steps > 487 * 5
