"""Queries of osquery: held against its tables, and mended where quotes were lost."""

from __future__ import annotations

import pytest

from tests.shared import needs_shared, shared
from tocsin.investigation.guides.guide import guide_text
from tocsin.investigation.guides.guide_blocks import OsqueryBlock, parse_guide
from tocsin.investigation.guides.osquery import Verdict, checked_query, filled_query, osquery_tables
from tocsin.rules.load import load_rules


@pytest.mark.parametrize(
    ("query", "verdict", "reason"),
    [
        ("SELECT * FROM dns_cache", Verdict.RIGHT, ""),
        ("SELECT concat('a', sha1), md5('x') FROM hash WHERE path = 'C:\\x'", Verdict.RIGHT, ""),
        ('SELECT * FROM drivers WHERE NOT (provider == "Microsoft" AND signed == "1")', Verdict.RIGHT, ""),
        (
            "SELECT p.name, s.remote_address FROM processes p JOIN process_open_sockets s USING (pid)",
            Verdict.RIGHT,
            "",
        ),
        ("SELECT username FROM users JOIN user_groups USING (uid) JOIN groups USING (gid)", Verdict.RIGHT, ""),
        ("SELECT cmd_line FROM processes", Verdict.WRONG, "no such column: cmd_line"),
        ("SELECT hostname FROM system_info", Verdict.NOT_CHECKED, "system_info"),
        ("SELECT * FROM launchd", Verdict.WRONG, "no table launchd on Windows"),
        ("SELECT nme FROM services", Verdict.WRONG, "no such column: nme"),
        ("SELECT * FROM services WHERE", Verdict.WRONG, "incomplete input"),
        ("SELECT 1; SELECT 2", Verdict.WRONG, "one statement"),
        (f"SELECT * FROM hash WHERE md5 LIKE {'=' * 9_000}", Verdict.WRONG, "syntax error"),
        (f"SELECT {'(' * 200}1{')' * 200}", Verdict.WRONG, "overflow"),
        (
            "WITH a AS (SELECT 1), b AS (SELECT * FROM a, a), c AS (SELECT * FROM b, b) SELECT * FROM c",
            Verdict.NOT_CHECKED,
            "too many",
        ),
        ("SELECT 1" + " " * 10_000, Verdict.NOT_CHECKED, "10,000 characters"),
        ("DROP TABLE services", Verdict.WRONG, "something else than read"),
        ("ATTACH 'x' AS y", Verdict.WRONG, "something else than read"),
        ("SELECT '\0'", Verdict.WRONG, "null character"),
    ],
)
def test_queries_are_held_against_tables(query: str, verdict: Verdict, reason: str) -> None:
    checked = checked_query(query)
    assert (checked.verdict, checked.query, checked.mended) == (verdict, query, ())
    assert reason in checked.reason
    assert bool(reason) == bool(checked.reason)


@pytest.mark.parametrize(
    ("query", "mended"),
    [
        ("SELECT * FROM services WHERE name LIKE %svc", "SELECT * FROM services WHERE name LIKE '%svc'"),
        ("SELECT * FROM hash WHERE md5 LIKE a% OR 1 = 2", "SELECT * FROM hash WHERE md5 LIKE 'a%' OR 1 = 2"),
        ("SELECT * FROM services WHERE status = OFF", "SELECT * FROM services WHERE status = 'OFF'"),
        ("SELECT * FROM hash WHERE path = C:\\a.exe", "SELECT * FROM hash WHERE path = 'C:\\a.exe'"),
        ("SELECT concat(https://a/, sha1) FROM hash", "SELECT concat('https://a/', sha1) FROM hash"),
    ],
)  # fmt: skip
def test_lost_quotes_come_back_where_that_makes_a_query_right(query: str, mended: str) -> None:
    checked = checked_query(query)
    assert (checked.query, checked.verdict) == (mended, Verdict.RIGHT)
    assert checked.mended


def test_a_query_that_quotes_do_not_mend_stays_as_it_is() -> None:
    query = "SELECT nothing FROM hash WHERE path LIKE %x"
    assert checked_query(query).query == query
    assert checked_query(query).verdict is Verdict.WRONG


def test_a_value_of_an_alert_ends_no_text_of_sql() -> None:
    query = "SELECT * FROM hash WHERE path = '{{file.path}}' OR path = '{{dll.path}}'"
    filled = filled_query(query, {"file.path": "a' OR 1=1 --"})
    assert filled == "SELECT * FROM hash WHERE path = 'a'' OR 1=1 --' OR path = '{{dll.path}}'"
    assert checked_query(filled).verdict is Verdict.RIGHT


def test_tables_are_known_with_their_columns() -> None:
    assert osquery_tables()["dns_cache"] == ("name", "type", "flags")
    assert "processes" in osquery_tables()


@needs_shared("rules/elastic-windows")
def test_every_query_of_the_public_guides_is_checked_and_right() -> None:
    rules = load_rules([str(shared("rules/elastic-windows"))]).rules
    blocks = [
        block for rule in rules for block in parse_guide(guide_text(rule)) if isinstance(block, OsqueryBlock)
    ]
    verdicts = [checked_query(block.query).verdict for block in blocks]
    assert (len(verdicts), set(verdicts)) == (203, {Verdict.RIGHT})
