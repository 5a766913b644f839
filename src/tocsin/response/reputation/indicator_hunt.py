"""Indicators over all stored events and all hosts: where each was seen.

An indicator-match rule of all events is run over the store, a span of time after another, by the one evaluator:
what it finds is what `tocsin hunt --indicators` finds in files with such a rule. A filter of the rule leaves
out events that have none of the values before they become rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

from tocsin.detection.columns import ID, INDEX
from tocsin.detection.compile import prepare
from tocsin.detection.compiled_rule import CompiledRule, with_rows
from tocsin.detection.hunt_indicators import indicator_reader
from tocsin.detection.rule_types.catalogue import RULE_TYPES
from tocsin.detection.rule_types.findings import Finding, IndicatorReader, Place, RuleWindow, many, values_of
from tocsin.detection.schedule import Window
from tocsin.errors import InvalidError, RuleError
from tocsin.moments import HOUR, iso
from tocsin.response.reputation.compared_fields import COMPARED, mapping_for
from tocsin.rules.model import Rule
from tocsin.scheduler.buffer.row_reader import RowReader
from tocsin.sources.batch import Event
from tocsin.store.events import EventReader
from tocsin.store.patterns import INDICATORS

# Alerts, and indicators themselves, are no events that happened on a host.
EVENTS = ("*", "-logs-ti_*", "-.*")
MOST_INDICATORS = 10_000
_MOST_SIGHTINGS = 5_000  # of a host, an indicator and a field
_MOST_SPANS = 2_000
_EVENTS_PER_SPAN = 250_000
_ROWS_AT_ONCE = 20_000
_MOST_EXAMPLES = 3
_HOST = "host.name"
_BESIDE_URL = frozenset(("threat.indicator.url.domain", "threat.indicator.ip"))


@dataclass(frozen=True)
class HuntProgress:
    """How far a hunt is: spans of time that are done and that there are, and the sightings until now."""

    done: int
    spans: int
    upto: str = ""  # the end of the span that was done last
    sightings: int = 0


@dataclass
class Sighting:
    """Events of one host that have an indicator's value in one field.

    `first` and `last` are in ISO 8601; `events` are a few of them, as index and id.
    """

    host: str
    event_field: str
    value: str
    indicator: str  # its field
    count: int = 0
    first: str = ""
    last: str = ""
    events: list[list[str]] = field(default_factory=list)


@dataclass
class HuntResult:
    """What a hunt came to. `left_out` counts events whose sightings are too many to be listed."""

    sightings: list[Sighting] = field(default_factory=list)
    events: int = 0
    left_out: int = 0
    start: str = ""
    end: str = ""
    skipped: dict[str, int] = field(default_factory=dict)  # indicators that are not compared, by reason

    @property
    def hosts(self) -> list[str]:
        """The hosts with sightings, by name."""
        return sorted({sighting.host for sighting in self.sightings})

    def document(self) -> dict[str, Any]:
        """Return it as JSON keeps it, with `hosts`."""
        return {**asdict(self), "hosts": self.hosts}


def compared(documents: Iterable[Event]) -> list[Event]:
    """Return indicators with the values alone that events are compared with: of a URL not its domain."""
    return [
        {name: value for name, value in document.items() if name not in _BESIDE_URL}
        if document.get("threat.indicator.type") == "url"
        else document
        for document in documents
    ]


def hunt_rule(documents: Sequence[Event], name: str = "Indicator hunt") -> Rule:
    """Return the indicator-match rule that a hunt for some indicators runs. Raises InvalidError.

    It is raised for more than MOST_INDICATORS, and where none has a field that is compared.
    """
    if len(documents) > MOST_INDICATORS:
        raise InvalidError(
            f"a hunt takes at most {MOST_INDICATORS:,} indicators, not {len(documents):,}: make a list of them, "
            "and an indicator-match rule"
        )
    mapping = mapping_for(documents)
    if not mapping:
        raise InvalidError("none of these indicators has a value that events are compared with")
    return Rule(
        rule_id="indicator-hunt", name=name, type="threat_match", severity="high", risk_score=73, language="kuery",
        query="*:*", index=EVENTS, threat_index=(INDICATORS,), threat_query="*:*", threat_language="kuery",
        threat_indicator_path="threat.indicator", threat_mapping=mapping, filters=(_having(documents, mapping),),
    )  # fmt: skip


def hunt_indicators(
    store: EventReader,
    documents: Sequence[Event],
    *,
    report: Callable[[HuntProgress], None] = lambda progress: None,
    go_on: Callable[[], None] = lambda: None,
) -> HuntResult:
    """Return where indicators, flat documents, were seen in all that a store holds.

    `report` is called after each span of time, `go_on` before it, which raises where the hunt has to end. Raises
    InvalidError (see `hunt_rule`).
    """
    documents = compared(documents)
    rule = hunt_rule(documents)
    schema = store.schema(EVENTS)
    ready, skipped = prepare([rule], schema, open_fields=True)
    if skipped:
        raise RuleError(skipped[0].message)
    compiled = with_rows(ready[0], schema, (_HOST,))
    reader, indicators = RowReader([compiled]), indicator_reader(documents)
    tally = _Tally(documents)
    spans = _spans(store)
    result = tally.result
    for number, (start, end) in enumerate(spans, 1):
        go_on()
        rows = reader.read(store, schema, start=start, end=end).get(compiled.uuid, [])
        for part in rows:
            for at in range(0, part.num_rows, _ROWS_AT_ONCE):
                go_on()
                piece = part.slice(at, _ROWS_AT_ONCE)
                tally.add(piece, _findings(compiled, piece, indicators, start, end))
        report(HuntProgress(number, len(spans), iso(end), len(result.sightings)))
    if reader.broken:
        raise RuleError(next(iter(reader.broken.values())))
    if spans:
        result.start, result.end = iso(spans[0][0]), iso(spans[-1][1])
    result.sightings.sort(key=lambda sighting: (sighting.host, sighting.value, sighting.event_field))
    return result


def _findings(
    compiled: CompiledRule, rows: pa.Table, indicators: IndicatorReader, start: int, end: int
) -> list[Finding]:
    window = RuleWindow(end, Window(start, end), lambda groups: {}, lambda start, end: None, lambda: indicators)
    return RULE_TYPES[compiled.rule.type].findings(compiled, rows, window)


class _Tally:
    """Counts findings by host, indicator and field."""

    def __init__(self, documents: Sequence[Event]) -> None:
        self.result = HuntResult()
        self._sightings: dict[tuple[str, str, str], Sighting] = {}
        if not_compared := sum(COMPARED.keys().isdisjoint(document) for document in documents):
            self.result.skipped["value of a kind that events are not compared with"] = not_compared

    def add(self, rows: pa.Table, findings: Iterable[Finding]) -> None:
        places = zip(rows.column(INDEX).to_pylist(), rows.column(ID).to_pylist(), strict=True)
        hosts = (many(values.get(_HOST)) for values in values_of(rows, (_HOST,)))
        host_of = {Place(*place): str(host[0]) if host else "" for place, host in zip(places, hosts, strict=True)}
        for finding in findings:
            self.result.events += 1
            place = finding.places[0]
            assert place is not None
            counted: set[tuple[str, str]] = set()
            for enrichment in finding.about["threat.enrichments"]:
                matched = enrichment["matched"]
                pair = (matched["field"], str(matched["atomic"]))
                if pair not in counted:  # several indicators may have one value
                    counted.add(pair)
                    self._count(host_of[place], pair, place, iso(finding.time))

    def _count(self, host: str, pair: tuple[str, str], place: Place, moment: str) -> None:
        field_name, value = pair
        sighting = self._sightings.get((host, *pair))
        if sighting is None:
            if len(self._sightings) >= _MOST_SIGHTINGS:
                self.result.left_out += 1
                return
            sighting = Sighting(host, field_name, value, _INDICATOR_FIELDS.get(field_name, ""))
            self._sightings[host, field_name, value] = sighting
            self.result.sightings.append(sighting)
        sighting.count += 1
        sighting.first = min(sighting.first or moment, moment)
        sighting.last = max(sighting.last, moment)
        if len(sighting.events) < _MOST_EXAMPLES:
            sighting.events.append(list(place))


_INDICATOR_FIELDS = {field: name for name, fields in COMPARED.items() for field in fields}


def _having(documents: Sequence[Event], mapping: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the filter, as Kibana has filters, of events that have a value of an indicator."""
    values: dict[str, dict[Any, None]] = {}
    for document in documents:
        for name in COMPARED.keys() & document.keys():
            values.setdefault(name, {}).update(dict.fromkeys(many(document[name])))
    pairs = [(entry["field"], entry["value"]) for group in mapping for entry in group["entries"]]
    tests = [{"terms": {field_name: list(values[name])}} for field_name, name in pairs]
    query = {"bool": {"should": tests, "minimum_should_match": 1}}
    return {"meta": {"type": "custom", "disabled": False, "negate": False}, "query": query}


def _spans(store: EventReader) -> list[tuple[int, int]]:
    """Return spans of time that hold all events, each of at least an hour, with about as many events in each."""
    indices = [index for index in store.indices(EVENTS) if index.first is not None and index.last is not None]
    if not indices:
        return []
    start = min(index.first for index in indices if index.first is not None)
    end = max(index.last for index in indices if index.last is not None) + 1
    wanted = sum(index.events for index in indices) // _EVENTS_PER_SPAN + 1
    length = max(HOUR, (end - start) // min(wanted, _MOST_SPANS) + 1)
    return list(_cut(start, end, length))


def _cut(start: int, end: int, length: int) -> Iterator[tuple[int, int]]:
    while start < end:
        yield start, min(start + length, end)
        start += length


def rule_draft(name: str, list_name: str, documents: Sequence[Event]) -> dict[str, Any]:
    """Return the document of an indicator-match rule that looks for the indicators of a list from now on."""
    rule = hunt_rule(compared(documents), name)
    escaped = list_name.replace("\\", "\\\\").replace('"', '\\"')
    return {
        "name": name,
        "description": f"Events that have a value of the list of indicators {list_name}.",
        "type": rule.type, "language": rule.language, "query": rule.query, "index": list(rule.index),
        "severity": rule.severity, "risk_score": rule.risk_score, "threat_index": list(rule.threat_index),
        "threat_query": f'threat.feed.name: "{escaped}"', "threat_language": "kuery",
        "threat_mapping": [dict(group) for group in rule.threat_mapping],
        "threat_indicator_path": "threat.indicator", "from": "now-65m", "interval": "1h",
    }  # fmt: skip
