"""What the overview shows, as its address says it: what happened since when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from tocsin.api.answers import bad_request
from tocsin.date_math import parse_date_math
from tocsin.desk.alerts.view import AlertsView
from tocsin.desk.translations import N_
from tocsin.management.last_look import LastLook
from tocsin.moments import iso

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)  # records count nanoseconds, which do not reach back to any year
FIRST_LOOK = timedelta(hours=24)  # what is shown to who has not looked yet
RANGES = (("now-1h", N_("1 hour")), ("now-24h", N_("24 hours")), ("now-7d", N_("7 days")))
# How old an open alert is: from and to, in date math.
AGES = (
    ("now-1h", "", N_("less than an hour")),
    ("now-4h", "now-1h", N_("1 to 4 hours")),
    ("now-24h", "now-4h", N_("4 to 24 hours")),
    ("now-7d", "now-24h", N_("1 to 7 days")),
    ("", "now-7d", N_("more than 7 days")),
)


@dataclass(frozen=True)
class OverviewView:
    """From which moment to which. `asked` is what the address says; empty for what the visitor has not seen."""

    since: datetime
    until: datetime
    asked: str = ""

    @staticmethod
    def of(asked: str, look: LastLook | None, now: datetime) -> OverviewView:
        """Return what an address asks for: a moment or date math; else what somebody has not seen yet.

        Raises ApiError.
        """
        if not asked:
            return OverviewView(max(_EARLIEST, look.seen) if look else now - FIRST_LOOK, now)
        try:
            since = parse_date_math(asked, now).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise bad_request(f"[since] cannot be read as a time: {error}") from None
        return OverviewView(max(_EARLIEST, min(since, now)), now, asked)

    def alerts(self, **chosen: str) -> str:
        """Return the address of the alerts raised in that time, of those with some values of facets."""
        view = AlertsView(since=iso(self.since), until=iso(self.until), chosen=_facets(chosen))
        return view.address()

    def closed(self) -> str:
        """Return the address of the alerts closed in that time, whenever they were raised."""
        kql = f'kibana.alert.workflow_status_updated_at >= "{iso(self.since)}"'
        return AlertsView(kql=kql, since="", chosen=_facets({"status": "closed"})).address()

    def search(self) -> dict[str, object]:
        """Return the search for the alerts raised in that time, by severity, rule and host."""
        return {
            "size": 0,
            "track_total_hits": True,
            "query": {"bool": {"filter": [
                {"range": {"@timestamp": {"gte": iso(self.since), "lt": iso(self.until)}}}, _NO_BUILDING_BLOCKS,
            ]}},
            "aggs": {
                "severities": {"terms": {"field": "kibana.alert.severity"}},
                "open": {"filter": {"term": {"kibana.alert.workflow_status": "open"}}},
                "rules": {
                    "terms": {"field": "kibana.alert.rule.uuid", "size": 1_000},
                    "aggs": {
                        "names": {"terms": {"field": "kibana.alert.rule.name", "size": 1}},
                        "severities": {"terms": {"field": "kibana.alert.severity"}},
                        "risk": {"max": {"field": "kibana.alert.risk_score"}},
                    },
                },
                "hosts": {
                    "terms": {"field": "host.name", "size": 12},
                    "aggs": {
                        "severities": {"terms": {"field": "kibana.alert.severity"}},
                        "rules": {"cardinality": {"field": "kibana.alert.rule.uuid"}},
                    },
                },
            },
        }  # fmt: skip


def open_search() -> dict[str, object]:
    """Return the search for all open alerts, by how old they are."""
    return {
        "size": 0,
        "query": {"bool": {"filter": [{"term": {"kibana.alert.workflow_status": "open"}}, _NO_BUILDING_BLOCKS]}},
        "aggs": {
            str(place): {
                "filter": {"range": {"@timestamp": _bounds(since, until)}},
                "aggs": {"severities": {"terms": {"field": "kibana.alert.severity"}}},
            }
            for place, (since, until, _) in enumerate(AGES)
        },
    }


def open_address(since: str, until: str, severities: Sequence[str] = ()) -> str:
    """Return the address of the open alerts of an age."""
    chosen = {"status": ("open",), **({"severity": tuple(severities)} if severities else {})}
    return AlertsView(since=since, until=until, chosen=chosen).address()


def overview_address(since: str) -> str:
    """Return the address of the overview of a time."""
    return f"/overview?{urlencode({'since': since})}" if since else "/overview"


_NO_BUILDING_BLOCKS = {"bool": {"must_not": {"exists": {"field": "kibana.alert.building_block_type"}}}}


def _bounds(since: str, until: str) -> dict[str, str]:
    return {name: value for name, value in (("gte", since), ("lt", until)) if value}


def _facets(chosen: dict[str, str]) -> dict[str, tuple[str, ...]]:
    return {name: (value,) for name, value in chosen.items() if value}
