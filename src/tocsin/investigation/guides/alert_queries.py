"""The query that an investigate block of a guide is for one alert: in Elasticsearch's query language, and as KQL.

It is what Kibana's button asks (`markdown_editor/plugins/insight` of its security solution): `{{field}}` is filled
from the alert, and the span of time lies around the time of the alert, not around now. Three things differ. A
filter whose value the alert lacks is met by nothing, also where it excludes, and that is said. Where the alert has
several values, one of them is enough; Kibana takes the first. An alert that was raised long after its event looks
around the event, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tocsin.date_math import parse_date_math
from tocsin.detection.alerts.alert import as_text
from tocsin.ecs import TIMESTAMP
from tocsin.investigation.guides.guide_blocks import InvestigateBlock, Provider
from tocsin.moments import to_datetime, to_nanoseconds

FIELD = re.compile(r"\{\{\s*([^\s{}]+)\s*\}\}")
SIGNAL = {"match_phrase": {"event.kind": "signal"}}  # what every alert has
_ORIGINAL_TIME = "kibana.alert.original_time"
# Well-known ids of accounts that all services of a host share (Microsoft: "Well-known SIDs"). Sysmon's events have
# the first one as `user.id`, whoever did what they tell of: Elastic's pipelines take it from who wrote the record.
SERVICE_ACCOUNTS: Mapping[str, str] = {
    "S-1-5-18": "SYSTEM",
    "S-1-5-19": "LOCAL SERVICE",
    "S-1-5-20": "NETWORK SERVICE",
}
_BOUNDS = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}


@dataclass(frozen=True)
class TimeSpan:
    """A span of time, both ends in it, the millisecond of its end to the last; None is open.

    Elasticsearch's dates are in milliseconds. Here moments are finer, also that of the alert itself.
    """

    start: datetime | None
    end: datetime | None

    @property
    def after(self) -> datetime | None:
        """The first moment that is not in it any more."""
        if self.end is None:
            return None
        return self.end.replace(microsecond=self.end.microsecond // 1000 * 1000) + timedelta(milliseconds=1)

    def has(self, moment: datetime) -> bool:
        """Tell whether a moment is in it."""
        return (self.start is None or self.start <= moment) and (self.after is None or moment < self.after)


def within(spans: Iterable[TimeSpan]) -> list[dict[str, Any]]:
    """Return the tests of spans of time in the query language, none for one without bounds."""
    tests = []
    for span in spans:
        bounds = (("gte", span.start), ("lt", span.after))
        if limits := {name: at.isoformat() for name, at in bounds if at is not None}:
            tests.append({"range": {TIMESTAMP: limits}})
    return tests


@dataclass(frozen=True)
class AlertQuery:
    """What a block asks for an alert.

    `query` is None where nothing can meet it: each group needs a field that the alert lacks. `kql` is its text,
    `asked_kql` the text of those groups alone that something can meet: it finds what `query` finds. `spans` are
    the times it looks at (none: all time), `missing` are fields that the alert has no value of.
    `services` are fields that it is asked by whose value is the id of an account that services share, and that id.
    """

    kql: str
    query: dict[str, Any] | None
    spans: tuple[TimeSpan, ...]
    missing: tuple[str, ...]
    asked_kql: str = ""
    services: tuple[tuple[str, str], ...] = ()

    @property
    def signals_only(self) -> bool:
        """Tell whether only alerts can meet it."""
        return self.query is not None and SIGNAL in self.query["bool"].get("filter", ())


def alert_query(block: InvestigateBlock, alert: Mapping[str, Any]) -> AlertQuery:
    """Return the query of a block for an alert, whose fields are flat."""
    groups = [_Group.of(group, alert) for group in block.providers]
    missing = tuple(dict.fromkeys(name for group in groups for name in group.missing))
    spans = _spans(block, alert)
    kql, asked_kql = _any_of_texts(groups), _any_of_texts([group for group in groups if not group.missing])
    asked = [group.query for group in groups if not group.missing]
    services = _services(block, alert)
    if not asked:
        return AlertQuery(kql, None, spans, missing, services=services)
    query = asked[0] if len(asked) == 1 else _either(asked)
    return AlertQuery(kql, _within(query, spans), spans, missing, asked_kql, services)


def _services(block: InvestigateBlock, alert: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the fields by which a block asks for an account that services share, each with the account's id."""
    asked_by = (
        name for group in block.providers for test in group if not test.excluded for name in _fields_of(test)
    )
    return tuple(
        (name, str(value))
        for name in dict.fromkeys(asked_by)
        for value in _values(alert, name)
        if name.endswith(".id") and value in SERVICE_ACCOUNTS
    )


def _any_of_texts(groups: Sequence[_Group]) -> str:
    return " or ".join(f"({group.kql})" if len(groups) > 1 else group.kql for group in groups)


def _either(asked: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a query that one of several meets. What all of them ask for is asked for once, beside them."""
    filters = [query["bool"].get("filter", []) for query in asked]
    common = [test for test in filters[0] if all(test in tests for tests in filters)]
    rest = [
        {"bool": {**query["bool"], "filter": [test for test in tests if test not in common]}}
        for query, tests in zip(asked, filters, strict=True)
    ]
    either = {"bool": {"should": rest, "minimum_should_match": 1}}
    return {"bool": {"filter": [*common, either]}} if common else either


def _within(query: dict[str, Any], spans: tuple[TimeSpan, ...]) -> dict[str, Any]:
    """Return a query within spans of time, with what each document must have outermost: the store reads less."""
    inner = query["bool"]
    filters = [*inner.get("filter", ())] if "should" not in inner else [query]
    filters += [_any_of(within(spans))] if spans else []
    excluded = {"must_not": inner["must_not"]} if inner.get("must_not") else {}
    return {"bool": {"filter": filters, **excluded}}


def _any_of(queries: list[dict[str, Any]]) -> dict[str, Any]:
    return queries[0] if len(queries) == 1 else {"bool": {"should": queries, "minimum_should_match": 1}}


@dataclass(frozen=True)
class _Group:
    query: dict[str, Any]
    kql: str
    missing: tuple[str, ...]

    @staticmethod
    def of(providers: Iterable[Provider], alert: Mapping[str, Any]) -> _Group:
        tests: dict[str, list[dict[str, Any]]] = {"filter": [], "must_not": []}
        texts, missing = [], []
        for provider in providers:
            lacking = [name for name in _fields_of(provider) if not _values(alert, name)]
            missing += lacking
            texts.append(f"not {_kql(provider, alert)}" if provider.excluded else _kql(provider, alert))
            if not lacking:
                tests["must_not" if provider.excluded else "filter"].append(_test(provider, alert))
        return _Group(
            {"bool": {kind: filters for kind, filters in tests.items() if filters}},
            " and ".join(texts),
            tuple(missing),
        )


def _fields_of(provider: Provider) -> list[str]:
    """Return the fields of the alert that a filter is filled from."""
    given = provider.value if isinstance(provider.value, list) else [provider.value]
    if isinstance(provider.value, dict):
        given = list(provider.value.values())
    return [name for value in given if isinstance(value, str) for name in FIELD.findall(value)]


def _values(alert: Mapping[str, Any], name: str) -> list[Any]:
    value = alert.get(name)
    return [each for each in (value if isinstance(value, list) else [value]) if each not in (None, "")]


def _filled(value: Any, alert: Mapping[str, Any]) -> list[Any]:
    """Return what a value is for an alert: several values where it is a field that has several."""
    if not isinstance(value, str):
        return [value]
    whole = FIELD.fullmatch(value.strip())
    if whole and alert:
        return _values(alert, whole[1])
    return [FIELD.sub(lambda match: as_text(alert.get(match[1])) or match[0], value) if alert else value]


def _of_type(value: Any, kind: str) -> Any:
    """Return a value of a block as the type that it names."""
    if kind == "boolean" and str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    if kind == "number" and isinstance(value, str):
        try:
            return float(value) if "." in value else int(value)
        except ValueError:
            return value
    return value


def _phrases(provider: Provider, alert: Mapping[str, Any]) -> list[Any]:
    given = provider.value if isinstance(provider.value, list) else [provider.value]
    return [_of_type(filled, provider.value_type) for value in given for filled in _filled(value, alert)]


def _bounds(provider: Provider, alert: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _of_type(next(iter(_filled(value, alert)), value), provider.value_type)
        for name, value in provider.value.items()
        if value not in (None, "")
    }


def _test(provider: Provider, alert: Mapping[str, Any]) -> dict[str, Any]:
    if provider.query_type == "exists":
        return {"exists": {"field": provider.field}}
    if provider.query_type == "range":
        return {"range": {provider.field: _bounds(provider, alert)}}
    return _any_of([{"match_phrase": {provider.field: value}} for value in _phrases(provider, alert)])


def _kql(provider: Provider, alert: Mapping[str, Any]) -> str:
    name = provider.field
    if provider.query_type == "exists":
        return f"{name}: *"
    if provider.query_type == "range":
        tests = [f"{name} {_BOUNDS[bound]} {_quoted(value)}" for bound, value in _bounds(provider, alert).items()]
        return f"({' and '.join(tests)})" if len(tests) > 1 else "".join(tests)
    values = [_quoted(value) for value in _phrases(provider, alert)] or [_quoted(provider.value)]
    return f"{name}: ({' or '.join(values)})" if len(values) > 1 else f"{name}: {values[0]}"


def _quoted(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _spans(block: InvestigateBlock, alert: Mapping[str, Any]) -> tuple[TimeSpan, ...]:
    """Return the times that a block looks at: around the alert, and around its event if that is elsewhere."""
    if not block.relative_from and not block.relative_to:
        return ()
    raised = _moment(alert.get(TIMESTAMP)) or datetime.now(UTC)
    happened = _moment(alert.get(_ORIGINAL_TIME))
    first = _span(block, raised)
    return (first,) if happened is None or first.has(happened) else (_span(block, happened), first)


def _span(block: InvestigateBlock, around: datetime) -> TimeSpan:
    start, end = block.relative_from, block.relative_to or "now"
    try:
        return TimeSpan(
            parse_date_math(start, around) if start else None,
            parse_date_math(end, around, round_up=True),
        )
    except (ValueError, OverflowError):  # before the year 1, or after 9999: all time
        return TimeSpan(None, None)


def _moment(value: Any) -> datetime | None:
    try:
        return to_datetime(to_nanoseconds(value[0] if isinstance(value, list) else value))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
