"""What a list of alerts shows, as its address says it: a link shows a colleague the same."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from tocsin.api.answers import bad_request
from tocsin.date_math import parse_date_math
from tocsin.desk.alerts.columns import DEFAULT_COLUMNS, AlertColumn, column_of, read_columns
from tocsin.desk.translations import N_

PAGE_SIZE = 50
FACET_VALUES, MOST_FACET_VALUES = 12, 500
_TIME = "@timestamp"
_MOST_PAGES = 10_000 // PAGE_SIZE
_MOST_PAGE = 10**7  # a page's number that is said; what it shows is found by its first alert
_LISTED = "listed"  # what is counted of the list's own alerts
_EXCLUDED = "not."  # before the name of a facet: values that are left out
_MOST_PARAMETERS, _LONGEST = 200, 16_000  # of an address; its characters


@dataclass(frozen=True)
class Facet:
    """A field whose values alerts are filtered by."""

    name: str
    field: str
    label: str


FACETS = (
    Facet("status", "kibana.alert.workflow_status", N_("Status")),
    Facet("severity", "kibana.alert.severity", N_("Severity")),
    Facet("rule", "kibana.alert.rule.name", N_("Rule")),
    Facet("host", "host.name", N_("Host")),
    Facet("user", "user.name", N_("User")),
    Facet("tactic", "kibana.alert.rule.threat.tactic.name", N_("Tactic")),
    Facet("tag", "kibana.alert.workflow_tags", N_("Tag")),
    Facet("assignee", "kibana.alert.workflow_assignee_ids", N_("Assignee")),
)
RANGES = (
    ("now-1h", N_("1 hour")), ("now-24h", N_("24 hours")), ("now-7d", N_("7 days")), ("now-30d", N_("30 days")),
    ("", N_("all")),
)  # fmt: skip
# Orders that have a name of their own; others are a column and `asc` or `desc`, as in `host:asc`.
SORTS: Mapping[str, str] = {"newest": "time:desc", "oldest": "time:asc", "risk": "severity:desc"}
_GROUPS = ("rule", "host", "user")
_DIRECTIONS = {"asc": "desc", "desc": "asc"}


@dataclass(frozen=True)
class AlertsView:
    """A list of alerts: which, in which order, which page.

    `chosen` and `excluded` have the values of facets. `after` and `before` are the sort values of the alert that
    the page begins behind or ends before, as JSON; without them `page` counts from the first alert.
    """

    kql: str = ""
    since: str = "now-7d"
    until: str = ""
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: {"status": ("open",)})
    excluded: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    columns: tuple[str, ...] = DEFAULT_COLUMNS
    sort: str = "newest"
    group: str = ""
    page: int = 1
    after: str = ""
    before: str = ""
    saved: str = ""  # the id of the saved view that the list began as

    @staticmethod
    def of(parameters: QueryParams) -> AlertsView:
        """Return what an address asks for; without any parameter, open alerts of the last days.

        Raises ApiError for one that is too long: each link of the page has all of it.
        """
        if not parameters:
            return AlertsView()
        texts = [text for pair in parameters.multi_items() for text in pair]
        if len(texts) > 2 * _MOST_PARAMETERS or sum(map(len, texts)) > _LONGEST:
            reason = (
                f"a list of alerts has at most {_MOST_PARAMETERS} filters, of {_LONGEST:,} characters together"
            )
            raise bad_request(reason)
        page, group = parameters.get("page", "1"), parameters.get("group", "")
        columns = read_columns(parameters.get("columns", "").split(","))
        if "column" in parameters:  # one that a form adds
            columns = read_columns([*columns, parameters["column"]])
        return AlertsView(
            kql=parameters.get("q", ""),
            since=parameters.get("from", ""),
            until=parameters.get("to", ""),
            chosen=_facets(parameters, ""),
            excluded=_facets(parameters, _EXCLUDED),
            columns=columns,
            sort=_read_sort(parameters.get("sort", "")),
            group=group if group in _GROUPS else "",
            page=max(1, min(int(page[:9]), _MOST_PAGE)) if page.isdecimal() else 1,
            after=parameters.get("after", ""),
            before=parameters.get("before", ""),
            saved=parameters.get("view", "")[:64],
        )

    def address(self, **changes: Any) -> str:
        """Return the address of this list with changes; a change of what is shown begins at the first page."""
        view = replace(self, **{"page": 1, "after": "", "before": "", **changes})
        parameters = [("q", view.kql), ("from", view.since), ("to", view.until), *view.form_parameters()]
        parameters += [("page", str(view.page)), ("after", view.after), ("before", view.before)]
        kept = [(name, value) for name, value in parameters if value and (name, value) != ("page", "1")]
        return f"/alerts?{urlencode(kept or [('from', '')])}"

    @property
    def here(self) -> str:
        """The address of this page of the list."""
        return self.address(page=self.page, after=self.after, before=self.before)

    def form_parameters(self) -> list[tuple[str, str]]:
        """Return what a form that asks for another query or time carries along."""
        parameters = [(name, value) for name, values in self.chosen.items() for value in values]
        parameters += [(_EXCLUDED + name, value) for name, values in self.excluded.items() for value in values]
        parameters += [
            ("columns", ",".join(self.columns) if self.columns != DEFAULT_COLUMNS else ""),
            ("sort", self.sort if self.sort != "newest" else ""), ("group", self.group),
            ("view", self.saved),
        ]  # fmt: skip
        return [(name, value) for name, value in parameters if value]

    def toggled(self, facet: str, value: str) -> str:
        """Return the address of the list with a facet's value chosen, or chosen no more."""
        values = self.chosen.get(facet, ())
        after = tuple(held for held in values if held != value) if value in values else (*values, value)
        return self.address(chosen={**self.chosen, facet: after}, excluded=_less(self.excluded, facet, value))

    def left_out(self, facet: str, value: str) -> str:
        """Return the address of the list with a facet's value left out, or left out no more."""
        values = self.excluded.get(facet, ())
        after = tuple(held for held in values if held != value) if value in values else (*values, value)
        return self.address(excluded={**self.excluded, facet: after}, chosen=_less(self.chosen, facet, value))

    def shown_columns(self) -> list[AlertColumn]:
        """Return the columns of the list."""
        return [column_of(name) for name in self.columns]

    def sorted_by(self, column: AlertColumn) -> str:
        """Return `asc` or `desc` for the column that the list is sorted by, nothing for others."""
        name, _, order = SORTS.get(self.sort, self.sort).rpartition(":")
        return order if name == column.name else ""

    def sorted_address(self, column: AlertColumn) -> str:
        """Return the address of the list sorted by a column; the other way round where it is already."""
        order = self.sorted_by(column)
        order = _DIRECTIONS[order] if order else "desc" if column.descending else "asc"
        return self.address(sort=_read_sort(f"{column.name}:{order}"))

    def bounds(self, now: datetime) -> tuple[datetime | None, datetime]:
        """Return the moments between which alerts were raised, None for no first. Raises ApiError."""
        try:
            since = parse_date_math(self.since, now) if self.since else None
            return since, parse_date_math(self.until, now) if self.until else now
        except (ValueError, OverflowError) as error:
            raise bad_request(f"the time cannot be read: {error}") from None

    def search(self) -> dict[str, Any]:
        """Return the search for the list's alerts in their order, from the first."""
        name, _, order = SORTS.get(self.sort, self.sort).rpartition(":")
        keys: list[dict[str, str]] = [{column_of(name).sort: order}]
        if column_of(name).sort != _TIME:
            keys.append({_TIME: "desc"})
        fields = {name: None for column in self.shown_columns() for name in column.fields}
        return {
            "query": self.query(), "size": PAGE_SIZE, "sort": [*keys, {"_id": "asc"}],
            "_source": False, "fields": [*dict.fromkeys((*ROW_FIELDS, *fields))],
        }  # fmt: skip

    def page_search(self) -> dict[str, Any]:
        """Return the search for the rows of the page, from the last to the first where it ends `before` an alert.

        Raises ApiError for a place that cannot be read.
        """
        body = self.search()
        if self.before:
            body["sort"] = [{name: _DIRECTIONS[order] for name, order in key.items()} for key in body["sort"]]
        if self.after or self.before:
            return {**body, "search_after": _read_place(self.after or self.before)}
        return {**body, "from": min(self.page - 1, _MOST_PAGES - 1) * PAGE_SIZE}

    def query(self) -> dict[str, Any]:
        """Return the query that the list's alerts meet."""
        return {"bool": {"filter": [*self._common(), *self._filters("")]}}

    def counts(self, interval: str) -> dict[str, Any]:
        """Return the search for the facets' counts and the histogram, in spans such as `30m`.

        The counts of a facet leave out its own choice, so that a second value can be chosen.
        """
        inside: dict[str, Any] = {
            "spans": {
                "date_histogram": {"field": _TIME, "fixed_interval": interval},
                "aggs": {"severity": {"terms": {"field": "kibana.alert.severity"}}},
            }
        }
        aggregations: dict[str, Any] = {}
        for facet in FACETS:
            # One more than is shown tells that there are more.
            counted = {"terms": {"field": facet.field, "size": FACET_VALUES + 1}}
            if self.chosen.get(facet.name) or self.excluded.get(facet.name):
                others = {"bool": {"filter": self._filters(facet.name)}}
                aggregations[facet.name] = {"filter": others, "aggs": {"values": counted}}
            else:
                inside[facet.name] = counted
        aggregations[_LISTED] = {"filter": {"bool": {"filter": self._filters("")}}, "aggs": inside}
        return {"query": {"bool": {"filter": self._common()}}, "size": 0, "aggs": aggregations}

    def listing(self, interval: str) -> dict[str, Any]:
        """Return one search for the rows of the page and for all that `counts` asks for.

        Raises ApiError for a place that cannot be read.
        """
        return {
            **self.page_search(), **self.counts(interval), "size": PAGE_SIZE,
            "post_filter": {"bool": {"filter": self._filters("")}},
        }  # fmt: skip

    def facet_counts(self, aggregations: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
        """Return the values of each facet and their counts, of what `counts` has found."""
        listed = aggregations[_LISTED]
        return {
            facet.name: (listed.get(facet.name) or aggregations[facet.name]["values"])["buckets"]
            for facet in FACETS
        }

    def spans(self, aggregations: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the spans of the histogram, of what `counts` has found."""
        buckets: list[dict[str, Any]] = aggregations[_LISTED]["spans"]["buckets"]
        return buckets

    def facet_values(self, facet: Facet, text: str) -> dict[str, Any]:
        """Return the search for many values of a facet, those that hold a text."""
        tests = [*self._common(), *self._filters(facet.name)]
        if text:
            pattern = re.sub(r"([\\*?])", r"\\\1", text)
            about = {"value": f"*{pattern}*", "case_insensitive": True}
            tests.append({"wildcard": {facet.field: about}})
        return {
            "query": {"bool": {"filter": tests}}, "size": 0,
            "aggs": {"values": {"terms": {"field": facet.field, "size": MOST_FACET_VALUES}}},
        }  # fmt: skip

    def _common(self) -> list[dict[str, Any]]:
        bounds = {name: value for name, value in (("gte", self.since), ("lt", self.until)) if value}
        tests: list[dict[str, Any]] = [{"range": {_TIME: bounds}}] if bounds else []
        if self.kql.strip():
            tests.append({"kql": {"query": self.kql}})
        return [*tests, {"bool": {"must_not": {"exists": {"field": "kibana.alert.building_block_type"}}}}]

    def _filters(self, without: str) -> list[dict[str, Any]]:
        tests: list[dict[str, Any]] = [
            {"terms": {facet.field: list(values)}}
            for facet in FACETS
            if facet.name != without and (values := self.chosen.get(facet.name))
        ]
        excluded = [
            {"terms": {facet.field: list(values)}}
            for facet in FACETS
            if facet.name != without and (values := self.excluded.get(facet.name))
        ]
        return [*tests, {"bool": {"must_not": excluded}}] if excluded else tests


def _facets(parameters: QueryParams, prefix: str) -> dict[str, tuple[str, ...]]:
    return {
        facet.name: tuple(dict.fromkeys(parameters.getlist(prefix + facet.name)))
        for facet in FACETS
        if prefix + facet.name in parameters
    }


def _less(values: Mapping[str, tuple[str, ...]], facet: str, value: str) -> dict[str, tuple[str, ...]]:
    return {name: tuple(held for held in held_values if (name, held) != (facet, value))
            for name, held_values in values.items()}  # fmt: skip


def _read_sort(text: str) -> str:
    """Return an order as addresses have it: by its own name where it has one, the usual one for what is none."""
    if text in SORTS:
        return text
    name, _, order = text.rpartition(":")
    if order not in _DIRECTIONS or not column_of(name).sort:
        return "newest"
    return next((known for known, means in SORTS.items() if means == text), text)


def written_place(values: Sequence[Any]) -> str:
    """Return the sort values of an alert as `after` and `before` have them."""
    return json.dumps(values, separators=(",", ":"))


def _read_place(text: str) -> list[Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, list) or any(isinstance(value, list | dict) for value in values):
        raise bad_request("the place within the list cannot be read: go back to its first page")
    return values


ROW_FIELDS = [
    "@timestamp", "kibana.alert.uuid", "kibana.alert.severity", "kibana.alert.risk_score",
    "kibana.alert.rule.name", "kibana.alert.workflow_status", "kibana.alert.workflow_tags",
    "kibana.alert.workflow_assignee_ids", "kibana.alert.reason", "host.name", "user.name", "user.domain",
    "process.command_line",
]  # fmt: skip
