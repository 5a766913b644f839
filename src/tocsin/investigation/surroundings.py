"""What is known of an alert's host and user, and how common what happened is: searches and what they found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.investigation.processes.host_events import Span
from tocsin.investigation.processes.processes import Row, first
from tocsin.moments import iso
from tocsin.translatable import N_

_Query = dict[str, Any]
PREVALENCE_SPAN = "now-30d"
_NOT_A_BLOCK: _Query = {"bool": {"must_not": [{"exists": {"field": "kibana.alert.building_block_type"}}]}}
_HASHES = ("process.hash.sha256", "process.hash.sha1", "process.hash.md5", "file.hash.sha256", "dll.hash.sha256")
# What is compared with the last 30 days: a name for it, and the first of these fields that the event has.
COMPARED: tuple[tuple[str, tuple[str, ...]], ...] = (
    (N_("Hash"), _HASHES),
    (N_("Path"), ("process.executable",)),
    (N_("Parent"), ("process.parent.executable",)),
    (N_("Command line"), ("process.command_line",)),
)
LOGON_FIELDS = (
    "@timestamp", "host.name", "user.name", "winlog.event_data.TargetUserName", "winlog.logon.type",
    "winlog.event_data.LogonType", "source.ip", "winlog.event_data.IpAddress", "source.domain",
    "winlog.event_data.WorkstationName",
)  # fmt: skip
ALERT_FIELDS = (
    "@timestamp", "kibana.alert.uuid", "kibana.alert.rule.name", "kibana.alert.severity",
    "kibana.alert.workflow_status", "host.name", "user.name",
)  # fmt: skip
_MOST = 25
_MOST_STEPS = 200
_IS_LOGON: _Query = {"term": {"event.code": "4624"}}


def steps_search(alert: Mapping[str, Any]) -> dict[str, Any]:
    """Return the search for the building blocks of a sequence, for its alert or a block; fields are flat."""
    group = first(alert, "kibana.alert.group.id") or first(alert, "kibana.alert.uuid")
    tests = [
        {"term": {"kibana.alert.group.id": group}}, {"exists": {"field": "kibana.alert.building_block_type"}},
    ]  # fmt: skip
    return {"query": {"bool": {"filter": tests}}, "size": _MOST_STEPS}


@dataclass(frozen=True)
class Party:
    """A host or a user: the query for its events, and that for its logons."""

    kind: str
    name: str
    events: _Query
    logons: _Query

    def beside_and_logons(self, span: Span | None) -> Sequence[_Query]:
        """Return searches within a span for what was with it, and for its last logons (event 4624).

        The first answer has the users that were on it, or the hosts that it was on, as its aggregation `others`;
        the last answer has the logons as its hits. It is one search where logons are among its events.
        """
        other = "user.name" if self.kind == "host" else "host.name"
        beside: _Query = {
            "query": _within(self.events, span), "size": 0,
            "aggs": {"others": {"terms": {"field": other, "size": 12}}},
        }  # fmt: skip
        if self.logons == self.events:
            return [beside | _rows(beside["query"], LOGON_FIELDS) | {"post_filter": _IS_LOGON}]
        return [beside, _rows(_within({"bool": {"filter": [_IS_LOGON, self.logons]}}, span), LOGON_FIELDS)]

    def alerts(self, without: str) -> _Query:
        """Return the search for its other alerts, the newest first."""
        query = {
            "bool": {
                "filter": [self.events, _NOT_A_BLOCK],
                "must_not": [{"term": {"kibana.alert.uuid": without}}],
            }
        }
        return _rows(query, ALERT_FIELDS)


def _within(query: _Query, span: Span | None) -> _Query:
    if span is None:
        return query
    moments = {"range": {"@timestamp": {"gte": iso(max(0, span[0])), "lte": iso(span[1])}}}
    return {"bool": {"filter": [query, moments]}}


def _rows(query: _Query, fields: tuple[str, ...]) -> _Query:
    order = [{"@timestamp": "desc"}]
    return {"query": query, "size": _MOST, "sort": order, "_source": False, "fields": list(fields)}


def host_of(event: Row) -> Party | None:
    """Return the host of an event, None if it names none."""
    name = first(event, "host.name")
    if not name:
        return None
    query: _Query = {"term": {"host.name": str(name)}}
    return Party("host", str(name), query, query)


def user_of(event: Row) -> Party | None:
    """Return the user of an event, None if it names none; of a domain, if it names that."""
    name, domain = first(event, "user.name"), first(event, "user.domain")
    if not name:
        return None
    named: _Query = {"term": {"user.name": str(name)}}
    target: _Query = {"term": {"winlog.event_data.TargetUserName": str(name)}}
    either: _Query = {"bool": {"should": [named, target], "minimum_should_match": 1}}
    if not domain:
        return Party("user", str(name), named, either)
    events: _Query = {"bool": {"filter": [named, {"term": {"user.domain": str(domain)}}]}}
    return Party("user", f"{domain}\\{name}", events, either)


def prevalence_search(event: Row) -> tuple[_Query, list[tuple[str, str, str]]]:
    """Return the search for how common an event's values were, and what it compares: name, field, value.

    It counts starts of processes of the last 30 days, and the hosts on which they were.
    """
    compared = [
        (name, field, str(value))
        for name, fields in COMPARED
        for field in fields
        if (value := first(event, field)) not in (None, "")
        and not any(first(event, earlier) not in (None, "") for earlier in fields[: fields.index(field)])
    ]
    parts = {
        "hosts": {"cardinality": {"field": "host.name"}},
        "first": {"min": {"field": "@timestamp"}},
        "last": {"max": {"field": "@timestamp"}},
    }
    asked = {
        str(number): {"filter": {"term": {field: value}}, "aggs": parts}
        for number, (_, field, value) in enumerate(compared)
    }
    whole = {"hosts": {"cardinality": {"field": "host.name"}}}
    starts = [{"range": {"@timestamp": {"gte": PREVALENCE_SPAN}}}, {"term": {"event.type": "start"}}]
    query = {"bool": {"filter": [*starts, {"term": {"event.category": "process"}}]}}
    return {
        "query": query,
        "size": 0,
        "aggs": {**asked, "all": {"filter": {"match_all": {}}, "aggs": whole}},
    }, compared


@dataclass(frozen=True)
class Prevalence:
    """How common a value was: in how many starts of processes, on how many hosts, first and last."""

    name: str
    value: str
    starts: int
    hosts: int
    first: Any
    last: Any


def prevalences(compared: list[tuple[str, str, str]], aggregations: Mapping[str, Any]) -> list[Prevalence]:
    """Return how common the compared values were, from a search's aggregations."""
    return [
        Prevalence(
            name,
            value,
            (own := aggregations[str(number)])["doc_count"],
            own["hosts"]["value"],
            own["first"].get("value_as_string") or own["first"]["value"],
            own["last"].get("value_as_string") or own["last"]["value"],
        )
        for number, (name, _, value) in enumerate(compared)
    ]
