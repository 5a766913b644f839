"""What a list of alerts shows, as its address says it: a link shows a colleague the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from tocsin.api.answers import bad_request
from tocsin.date_math import parse_date_math
from tocsin.investigation.happened import SENTENCE_FIELDS

PAGE_SIZE = 50
_TIME = "@timestamp"
_MOST_PAGES = 10_000 // PAGE_SIZE
_MOST_PARAMETERS, _LONGEST = 200, 16_000  # of an address; its characters


@dataclass(frozen=True)
class Facet:
    """A field whose values alerts are filtered by."""

    name: str
    field: str
    label: str


FACETS = (
    Facet("status", "kibana.alert.workflow_status", "Status"),
    Facet("severity", "kibana.alert.severity", "Severity"),
    Facet("rule", "kibana.alert.rule.name", "Rule"),
    Facet("host", "host.name", "Host"),
    Facet("user", "user.name", "User"),
    Facet("tactic", "kibana.alert.rule.threat.tactic.name", "Tactic"),
    Facet("tag", "kibana.alert.workflow_tags", "Tag"),
    Facet("assignee", "kibana.alert.workflow_assignee_ids", "Assignee"),
)
RANGES = (("now-1h", "1 hour"), ("now-24h", "24 hours"), ("now-7d", "7 days"), ("now-30d", "30 days"), ("", "all"))
SORTS: Mapping[str, tuple[str, str]] = {
    "newest": (_TIME, "desc"),
    "oldest": (_TIME, "asc"),
    "risk": ("kibana.alert.risk_score", "desc"),
}


@dataclass(frozen=True)
class AlertsView:
    """A list of alerts: which, in which order, which page."""

    kql: str = ""
    since: str = "now-7d"
    until: str = ""
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: {"status": ("open",)})
    sort: str = "newest"
    page: int = 1

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
        page = parameters.get("page", "1")
        return AlertsView(
            kql=parameters.get("q", ""),
            since=parameters.get("from", ""),
            until=parameters.get("to", ""),
            chosen={
                facet.name: tuple(dict.fromkeys(parameters.getlist(facet.name)))
                for facet in FACETS
                if facet.name in parameters
            },
            sort=parameters.get("sort", "newest") if parameters.get("sort") in SORTS else "newest",
            page=max(1, min(int(page[:9]), _MOST_PAGES)) if page.isdecimal() else 1,
        )

    def address(self, **changes: Any) -> str:
        """Return the address of this list with changes; a change of what is shown begins at the first page."""
        view = replace(self, **{"page": 1, **changes})
        parameters = [("q", view.kql), ("from", view.since), ("to", view.until)]
        parameters += [(name, value) for name, values in view.chosen.items() for value in values]
        parameters += [("sort", view.sort if view.sort != "newest" else ""), ("page", str(view.page))]
        kept = [(name, value) for name, value in parameters if value and (name, value) != ("page", "1")]
        return f"/alerts?{urlencode(kept or [('from', '')])}"

    def toggled(self, facet: str, value: str) -> str:
        """Return the address of the list with a facet's value chosen, or chosen no more."""
        values = self.chosen.get(facet, ())
        after = tuple(held for held in values if held != value) if value in values else (*values, value)
        return self.address(chosen={**self.chosen, facet: after})

    def bounds(self, now: datetime) -> tuple[datetime | None, datetime]:
        """Return the moments between which alerts were raised, None for no first. Raises ApiError."""
        try:
            since = parse_date_math(self.since, now) if self.since else None
            return since, parse_date_math(self.until, now) if self.until else now
        except (ValueError, OverflowError) as error:
            raise bad_request(f"the time cannot be read: {error}") from None

    def search(self) -> dict[str, Any]:
        """Return the search for the rows of the page."""
        name, order = SORTS[self.sort]
        return {
            "query": {"bool": {"filter": [*self._common(), *self._filters("")]}},
            "size": PAGE_SIZE,
            "from": (self.page - 1) * PAGE_SIZE,
            "sort": [{name: order}, {"kibana.alert.uuid": "asc"}],
            "_source": False,
            "fields": ROW_FIELDS,
        }

    def counts(self, interval: str) -> dict[str, Any]:
        """Return the search for the facets' counts and the histogram, in spans such as `30m`.

        The counts of a facet leave out its own choice, so that a second value can be chosen.
        """
        aggregations: dict[str, Any] = {
            facet.name: {
                "filter": {"bool": {"filter": self._filters(facet.name)}},
                "aggs": {"values": {"terms": {"field": facet.field, "size": 12}}},
            }
            for facet in FACETS
        }
        aggregations["histogram"] = {
            "filter": {"bool": {"filter": self._filters("")}},
            "aggs": {
                "spans": {
                    "date_histogram": {"field": _TIME, "fixed_interval": interval},
                    "aggs": {"severity": {"terms": {"field": "kibana.alert.severity"}}},
                }
            },
        }
        return {"query": {"bool": {"filter": self._common()}}, "size": 0, "aggs": aggregations}

    def _common(self) -> list[dict[str, Any]]:
        bounds = {name: value for name, value in (("gte", self.since), ("lt", self.until)) if value}
        tests: list[dict[str, Any]] = [{"range": {_TIME: bounds}}] if bounds else []
        if self.kql.strip():
            tests.append({"kql": {"query": self.kql}})
        return [*tests, {"bool": {"must_not": {"exists": {"field": "kibana.alert.building_block_type"}}}}]

    def _filters(self, without: str) -> list[dict[str, Any]]:
        return [
            {"terms": {facet.field: list(values)}}
            for facet in FACETS
            if facet.name != without and (values := self.chosen.get(facet.name))
        ]


ROW_FIELDS = [
    "@timestamp", "kibana.alert.uuid", "kibana.alert.severity", "kibana.alert.risk_score",
    "kibana.alert.rule.name", "kibana.alert.workflow_status", "kibana.alert.workflow_tags",
    "kibana.alert.workflow_assignee_ids",
    "kibana.alert.reason", "host.name", "user.name", "user.domain", *SENTENCE_FIELDS,
]  # fmt: skip
