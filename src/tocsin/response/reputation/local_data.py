"""What the service itself knows of observables: how often its own events have them, and which lists name them.

Both are searches of the store, for all observables of an alert at once; nothing leaves the service for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.addresses import one_spelling
from tocsin.investigation.observables import ADDRESS, URL, Observable
from tocsin.response.reputation.compared_fields import COMPARED, indicator_field
from tocsin.sources.batch import flatten
from tocsin.store.indicators.blocks import VALID_UNTIL

LISTS = ("logs-ti_*",)
_MOST_LISTED, _MOST_HOSTS = 500, 5
Key = tuple[str, str]  # kind and value
_Query = dict[str, Any]


@dataclass(frozen=True)
class EventPrevalence:
    """How often own events have a value, on how many hosts, some of their names, first and last."""

    events: int
    hosts: int
    names: Sequence[str]
    first: Any
    last: Any


@dataclass(frozen=True)
class Listing:
    """A list, or a feed, that names a value, with what it says."""

    feed: str
    confidence: str
    provider: str
    description: str
    valid_until: str


def key_of(observable: Observable) -> Key:
    """Return what an observable is known by."""
    return observable.kind, observable.value


def prevalence_search(observables: Sequence[Observable]) -> _Query:
    """Return the search for how often events of all time have observables."""
    parts = {
        "hosts": {"cardinality": {"field": "host.name"}},
        "names": {"terms": {"field": "host.name", "size": _MOST_HOSTS}},
        "first": {"min": {"field": "@timestamp"}},
        "last": {"max": {"field": "@timestamp"}},
    }
    tests = {str(number): query for number, of in enumerate(observables) if (query := _in_events(of)) is not None}
    return {
        "query": {"bool": {"should": list(tests.values()), "minimum_should_match": 1}} if tests else _NOTHING,
        "size": 0,
        "aggs": {number: {"filter": query, "aggs": parts} for number, query in tests.items()},
    }


def prevalences(observables: Sequence[Observable], aggregations: Mapping[str, Any]) -> dict[Key, EventPrevalence]:
    """Return how often events have observables, from the aggregations of a search."""
    known = {}
    for number, observable in enumerate(observables):
        own = aggregations.get(str(number))
        if own is None:
            continue
        known[key_of(observable)] = EventPrevalence(
            own["doc_count"], own["hosts"]["value"], [str(bucket["key"]) for bucket in own["names"]["buckets"]],
            own["first"].get("value_as_string"), own["last"].get("value_as_string"),
        )  # fmt: skip
    return known


def listing_search(observables: Iterable[Observable]) -> _Query:
    """Return the search for the indicators that have the value of an observable."""
    tests = [
        {"term": {name: value}}
        for observable in observables
        for value in _spellings(observable)
        if (name := indicator_field(observable.kind, value)) is not None
    ]
    query = {"bool": {"should": tests, "minimum_should_match": 1}} if tests else _NOTHING
    return {"query": query, "size": _MOST_LISTED, "sort": [{"@timestamp": "desc"}]}


def listings(observables: Iterable[Observable], hits: Iterable[Mapping[str, Any]]) -> dict[Key, list[Listing]]:
    """Return, for each observable, what names it, from the hits of a search."""
    by_value: dict[tuple[str, str], list[Listing]] = {}
    for hit in hits:
        document = flatten(hit["_source"])
        listing = Listing(
            *(
                _text(document.get(name))
                for name in (
                    "threat.feed.name", "threat.indicator.confidence", "threat.indicator.provider",
                    "threat.indicator.description", VALID_UNTIL,
                )
            )
        )  # fmt: skip
        for name in COMPARED.keys() & document.keys():
            if name == "threat.indicator.url.domain" and document.get("threat.indicator.type") == "url":
                continue  # the domain of a URL that is listed is not listed
            contents = document[name] if isinstance(document[name], list) else [document[name]]
            for content in contents:
                by_value.setdefault((name, one_spelling(str(content))), []).append(listing)
    known: dict[Key, list[Listing]] = {}
    for observable in observables:
        for value in _spellings(observable):
            name = indicator_field(observable.kind, value) or ""
            known.setdefault(key_of(observable), []).extend(by_value.get((name, value), ()))
    return known


_NOTHING: _Query = {"bool": {"must_not": [{"match_all": {}}]}}


def _in_events(observable: Observable) -> _Query | None:
    values = _spellings(observable)
    name = indicator_field(observable.kind, values[0])
    if name is None:
        return None
    tests = [{"terms": {field: values}} for field in COMPARED[name]]
    return {"bool": {"should": tests, "minimum_should_match": 1}}


def _spellings(observable: Observable) -> list[str]:
    """Return a value as it is, and as indicators and events mostly have it."""
    if observable.kind == ADDRESS:
        return [one_spelling(observable.value)]
    if observable.kind == URL:
        return [observable.value]
    return list(dict.fromkeys((observable.value.lower(), observable.value)))


def _text(value: Any) -> str:
    value = value[0] if isinstance(value, list) and value else value
    return value if isinstance(value, str) else ""
