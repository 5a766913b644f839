"""Queries of osquery in guides: checked against osquery's tables, and mended where quotes were lost.

osquery's SQL is SQLite's. So SQLite itself reads a query, over empty tables with osquery's columns, and runs
nothing. Tables whose columns are not in `osquery_tables.tsv` are known by name: what a query reads of them is not
checked.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any

from tocsin.detection.alerts.alert import as_text
from tocsin.investigation.guides.alert_queries import FIELD

WINDOWS = "windows"
# As osquery calls them, and as people do; the file has the first letters.
_PLATFORM_NAMES = {WINDOWS: "Windows", "linux": "Linux", "darwin": "macOS"}
_MOST_QUERY = 10_000  # characters of a query that is checked
_MOST_SELECTS = 3  # of a query with `WITH`: SQLite writes each name out where it stands, and so again and again
# What a query may come to: SQLite's own limits are those of a database that its owner asks.
_LIMITS = {
    sqlite3.SQLITE_LIMIT_VDBE_OP: 25_000, sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 100,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50, sqlite3.SQLITE_LIMIT_COLUMN: 500,
}  # fmt: skip
_MOST_QUOTES = 40  # values of a query that are quoted again
# What osquery adds to SQLite's functions, with how many arguments (-1: any number).
_FUNCTIONS = {
    "concat": -1, "concat_ws": -1, "split": 3, "regex_split": 3, "regex_match": 3, "inet_aton": 1,
    "version_compare": -1, "in_cidr_block": 2, "community_id_v1": -1, "md5": 1, "sha1": 1, "sha256": 1,
    "to_base64": 1, "from_base64": 1, "conditional_to_base64": 1, "sqrt": 1, "log": 1, "log10": 1, "ceil": 1,
    "floor": 1, "power": 2, "pi": 0,
}  # fmt: skip
_PERMITTED = frozenset((
    sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE,
))  # fmt: skip
_STRING = re.compile(r"('(?:[^']|'')*'|\"[^\"]*\")")
_OPERATOR = r"(?:<>|!=|==?|\b(?:not\s+)?(?:like|glob)\b)"
# What is no SQL unless it is quoted: a pattern of LIKE, an address, a path of Windows.
_BARE = re.compile(
    rf"(?P<before>{_OPERATOR}\s*)"
    r"(?P<pattern>%[^\s'\"(),;]*|[^\s'\"(),;%=]{1,200}%[^\s'\"(),;]*|[A-Za-z]:\\[^\s'\"(),;]*)"
    r"|(?P<address>https?://[^\s'\"(),;]*)",
    re.IGNORECASE,
)
# A column that is compared with NULL by an operator for which nothing is equal to it.
_WITH_NULL = re.compile(r"(?P<column>[A-Za-z_][\w.]*)\s*(?P<operator>==|=|!=|<>)\s*null\b", re.IGNORECASE)
_WITH, _SELECT = re.compile(r"\bwith\b", re.IGNORECASE), re.compile(r"\b(?:select|values)\b", re.IGNORECASE)
_NO_COLUMN, _NO_TABLE = "no such column: ", "no such table: "
_IN_WORDS = {"not authorized": "it does something else than read osquery's tables"}


class Verdict(StrEnum):
    """What the check of a query came to."""

    RIGHT = "right"
    WRONG = "wrong"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class Checked:
    """A query as it can be sent: mended where it had lost quotes. `mended` are the values that got theirs back.

    `hints` say what else was mended, as a comparison with NULL, which never holds.
    """

    query: str
    verdict: Verdict
    reason: str = ""
    mended: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()


def checked_query(query: str, platform: str = WINDOWS) -> Checked:
    """Return a query, held against osquery's tables on a platform, and with what it had lost put back."""
    verdict, reason = _verdict(query, platform)
    if verdict is not Verdict.WRONG:
        return _with_hints(Checked(query, verdict, reason))
    mended, values = _with_quotes(query, platform)
    if values:
        after, why = _verdict(mended, platform)
        if after is not Verdict.WRONG:
            return _with_hints(Checked(mended, after, why, values))
        reason = why  # what is wrong beside the quotes
    return Checked(query, verdict, reason)


def _with_hints(checked: Checked) -> Checked:
    """Return a query whose comparisons with NULL can hold: `=` with NULL is neither true nor false in SQL."""
    hints: list[str] = []

    def tested(match: re.Match[str]) -> str:
        test = "IS NOT NULL" if match["operator"] in ("!=", "<>") else "IS NULL"
        hints.append(f"`{match[0].strip()}` never holds in SQL: `{match['column']} {test}` is sent")
        return f"{match['column']} {test}"

    query = _outside_texts(checked.query, lambda part: _WITH_NULL.sub(tested, part))
    return replace(checked, query=query, hints=tuple(dict.fromkeys(hints)))


def _outside_texts(query: str, change: Callable[[str], str]) -> str:
    """Return a query whose parts outside texts of SQL are changed."""
    return "".join(part if number % 2 else change(part) for number, part in enumerate(_STRING.split(query)))


def filled_query(query: str, alert: Mapping[str, Any]) -> str:
    """Return a query with `{{field}}` filled from an alert: a quote in a value ends no text of SQL."""
    return FIELD.sub(lambda match: as_text(alert.get(match[1])).replace("'", "''") or match[0], query)


@cache
def osquery_tables(platform: str = WINDOWS) -> Mapping[str, tuple[str, ...]]:
    """Return the columns of osquery's tables on a platform by table; none where only the name is known.

    Tables of all platforms are those of one that is not known.
    """
    text = (resources.files("tocsin.investigation.guides") / "osquery_tables.tsv").read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return {
        name: tuple(columns.split())
        for name, platforms, columns in rows
        if platform not in _PLATFORM_NAMES or platform[0] in platforms
    }


def _with_quotes(query: str, platform: str) -> tuple[str, tuple[str, ...]]:
    """Return a query with quotes round values that cannot stand without, and these values."""
    values: list[str] = []

    def quoted(match: re.Match[str]) -> str:
        value = match["pattern"] or match["address"]
        values.append(value)
        return f"{match['before'] or ''}'{value}'"

    query = _outside_texts(query, lambda part: _BARE.sub(quoted, part))
    for _ in range(_MOST_QUOTES):
        verdict, reason = _verdict(query, platform)
        if verdict is not Verdict.WRONG or not reason.startswith(_NO_COLUMN):
            break
        name = reason.removeprefix(_NO_COLUMN)
        word = re.compile(rf"({_OPERATOR}\s*){re.escape(name)}(?![\w.('])", re.IGNORECASE)
        query, changed = word.subn(lambda match, value=name: f"{match[1]}'{value}'", query, count=1)  # type: ignore[misc]
        if not changed:
            break
        values.append(name)
    return query, tuple(dict.fromkeys(values))


def _verdict(query: str, platform: str) -> tuple[Verdict, str]:
    if len(query) > _MOST_QUERY:
        return Verdict.NOT_CHECKED, f"it has more than {_MOST_QUERY:,} characters"
    if _WITH.search(query) and len(_SELECT.findall(query)) > _MOST_SELECTS:
        return Verdict.NOT_CHECKED, "it has too many queries inside it"
    with _tables(platform) as database:
        try:
            database.execute(f"EXPLAIN {query}")
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            return _judged(str(error), platform)
    return Verdict.RIGHT, ""


def _judged(message: str, platform: str) -> tuple[Verdict, str]:
    name = message.removeprefix(_NO_TABLE).removeprefix("main.").lower()
    if message.startswith(_NO_TABLE) and name in osquery_tables(platform):
        return Verdict.NOT_CHECKED, f"the columns of osquery's table {name} are not known here"
    if message.startswith(_NO_TABLE):
        return Verdict.WRONG, f"osquery has no table {name} on {_PLATFORM_NAMES.get(platform, 'any platform')}"
    return Verdict.WRONG, _IN_WORDS.get(message, message)


@contextmanager
def _tables(platform: str) -> Iterator[sqlite3.Connection]:
    """Yield a database in memory with osquery's tables, empty, in which nothing can be done but reading."""
    with closing(sqlite3.connect(":memory:")) as database:
        for name, columns in osquery_tables(platform).items():
            if columns:
                quoted = ", ".join(f'"{column}"' for column in columns)
                database.execute(f'CREATE TABLE "{name}" ({quoted})')
        for name, arguments in _FUNCTIONS.items():
            database.create_function(name, arguments, _nothing)
        for limit, most in _LIMITS.items():
            database.setlimit(limit, most)
        database.set_authorizer(_authorize)
        yield database


def _nothing(*_: Any) -> None:
    return None


def _authorize(action: int, *_: Any) -> int:
    return sqlite3.SQLITE_OK if action in _PERMITTED else sqlite3.SQLITE_DENY
