"""A year of 500 rules of every kind: stops, crashes, pauses of days, late events, clocks set forth and back.

What is raised is held to a pass that is written down plainly, rule by rule, and knows nothing of the watch.
"""

from __future__ import annotations

import os
import random
import time
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.scheduler import plain
from tests.scheduler.plain import DAY, MINUTE, Happened, Plan
from tests.scheduler.test_virtual_time import accounted, crash, cursor_of
from tests.scheduler.virtual import SECOND, START, Office, rule
from tocsin.detection.compiled_rule import INGESTED
from tocsin.moments import iso
from tocsin.scheduler.settings import SchedulerSettings

MS = 1_000_000
LARGE, SMALL = (500, 20, 30), (39, 40, 40)  # rules, bursts of events, times at which the service looks about
SETTINGS = SchedulerSettings(catch_up=400 * DAY, longest_wait=DAY, loading_wait=DAY)
PAIR = '[process where process.name == "a"] [process where process.name == "b"]'
NAMES = "abc"


def kinds(name):
    """Return the kinds of rules: the rule's own fields, how a plain reading finds, which events it looks at."""
    of_name = f'process where process.name == "{name}"'
    every = {"language": "kuery", "query": "process.name: *"}
    piped = {"type": "esql", "language": "esql", "index": []}
    return {
        "event": ({"query": of_name}, plain.of_events, name),
        "most": ({"query": of_name, "max_signals": 1}, plain.of_events, name),
        "kql": ({"type": "query", "language": "kuery", "query": f"process.name: {name}"}, plain.of_events, name),
        "sequence": (
            {"query": f"sequence by host.name with maxspan=6m {PAIR}"}, plain.of_sequences("a b", 6), "ab",
        ),
        "until": (
            {"query": f'sequence with maxspan=8m {PAIR} until [process where process.name == "c"]'},
            plain.of_sequences("a b", 8, "c", by_host=False), "abc",
        ),
        "missing": (
            {"query": f"sequence by host.name with maxspan=2m {PAIR.replace('] [', '] ![')}"},
            plain.of_sequences("a !b", 2), "ab",
        ),
        "missing-first": (
            {
                "query": "sequence by host.name with maxspan=7m "
                '![process where process.name == "b"] [process where process.name == "a"]'
            },
            plain.of_sequences("!b a", 7), "ab",
        ),
        "missing-around": (
            {
                "query": 'sequence with maxspan=3m ![process where process.name == "c"] '
                '[process where process.name == "a"] ![process where process.name == "b"]'
            },
            plain.of_sequences("!c a !b", 3, by_host=False), "abc",
        ),
        "sample": ({"query": f"sample by host.name {PAIR}"}, plain.of_samples, "ab"),
        "threshold": (
            {**every, "type": "threshold", "threshold": {"field": ["host.name"], "value": 3}},
            plain.over_threshold(3), NAMES,
        ),
        "cardinality": (
            {
                **every, "type": "threshold",
                "threshold": {"field": [], "value": 2, "cardinality": [{"field": "process.name", "value": 2}]},
            },
            plain.over_threshold(2, 2, by_host=False), NAMES,
        ),
        "terms": (
            {
                **every, "type": "new_terms", "new_terms_fields": ["process.name", "host.name"],
                "history_window_start": "now-1h",
            },
            plain.of_new_terms, NAMES,
        ),
        "indicators": (
            {
                **every, "type": "threat_match", "threat_index": ["ti-*"], "threat_query": "*:*",
                "threat_mapping": [
                    {"entries": [{"field": "host.name", "type": "mapping", "value": "threat.indicator.name"}]}
                ],
            },
            plain.of_indicators, NAMES,
        ),
        "piped": (
            {**piped, "query": f'from logs-* | where process.name == "{name}" | eval v = to_upper(host.name)'},
            plain.of_events, name,
        ),
        "grouped": (
            {**piped, "query": "from logs-* | stats c = count(*) by host.name | where c >= 2"},
            plain.of_grouped_rows(2), NAMES,
        ),
    }  # fmt: skip


def rules_of(rng, count):
    """Return so many rules, each with its plan."""
    found = {}
    for number in range(count):
        kind = list(kinds("a"))[number % len(kinds("a"))]
        fields, find, names = kinds(rng.choice(NAMES))[kind]
        interval = rng.choice([5, 5, 5, 10, 60])
        look_back = interval + rng.choice([0, 1, 4, 4, 15])
        by_arrival = rng.random() < 0.5
        document = rule(
            f"{kind}-{number}", **{**fields, "from": f"now-{look_back}m", "interval": f"{interval}m"},
            **({"timestamp_override": INGESTED} if by_arrival else {}),
        )  # fmt: skip
        # A rule that begins or ends with a missing event looks back further: as long as the event may take.
        reach = {"missing": 2, "missing-first": 7, "missing-around": 3}.get(kind, 0)
        plan = Plan(
            kind, interval * MINUTE, (look_back + reach) * MINUTE, by_arrival, find,
            frozenset(names), fields.get("max_signals", 100), 60 * MINUTE,
        )  # fmt: skip
        found[document["rule_id"]] = (document, plan)
    return found


def happenings(rng, bursts, turns):
    """Return what happens in a year, in order: (moment, what, about it)."""
    found: list[tuple[int, str, Any]] = []
    for _ in range(bursts):
        at = START + rng.randrange(365 * DAY)
        # Most come in a few minutes, and the service is up and looks about in the midst of half of them.
        for _ in range(rng.randint(1, 6)):
            at += rng.choice([1, 40, 200, 400]) * SECOND + rng.randrange(1000) * MS
            late = rng.choice([0, 0, 0, 2, 90, 400, 3600, 7200]) * SECOND
            found.append((at + late, "event", (at // MS * MS, rng.choice(NAMES), rng.choice("12"))))
            if rng.random() < 0.3:
                found.append((at + late + rng.randrange(600) * SECOND, "turn", None))
    found += [(START + rng.randrange(365 * DAY), "turn", None) for _ in range(turns)]
    found += [(START + rng.randrange(365 * DAY), "indicator", rng.choice("12")) for _ in range(bursts // 20)]
    for _ in range(turns // 20):
        found.append((START + rng.randrange(365 * DAY), "stop", None))
        found.append((START + rng.randrange(365 * DAY), "crash", rng.randrange(8)))
        found.append(
            (
                START + rng.randrange(365 * DAY),
                "step",
                rng.choice([-36_000, -7200, -3600, -5, 5, 3600, 36_000]) * SECOND,
            )
        )
    return sorted(found, key=lambda one: one[0])


def play(office, story):
    """Let a year pass. The moments are those of a clock that nobody sets."""
    begun, indicators, events = office.steady, [], {}
    for number, (moment, what, about) in enumerate(story):
        office.pass_(max(0, moment - START - (office.steady - begun)))
        match what:
            case "event":
                time_, name, host = about
                fields = {"process": {"name": name}, "host": {"name": host}}
                office.event(time=time_, id_=f"e{number}", event={"category": "process"}, **fields)
                events[f"e{number}"] = Happened(f"e{number}", time_, 0, name, host)
            case "indicator":
                office.event(index="ti-x", id_=f"i{number}", threat={"indicator": {"name": about}})
                indicators.append((f"i{number}", about))
            case "turn":
                office.turn()
            case "stop":
                office.stop()
            case "crash":
                crash(office, about)
            case "step":
                office.pass_(0, step=about)
    office.pass_(3 * 3600 * SECOND)
    office.turn()
    arrived = {document.id: at for document, at in office.store.arrivals()}
    return (
        [replace(event, arrived=arrived[id_]) for id_, event in events.items()],
        [(host, arrived[id_]) for id_, host in indicators],
    )


def raised(office):
    """Return what alerts tell, by rule, as a plain reading names it."""
    names = office.names()
    found: dict[str, list[tuple[Any, ...]]] = {name: [] for name in names.values()}
    for alert in office.alerts():
        document = orjson.loads(alert.document)
        if alert.building_block:
            continue
        events = [a["id"] for a in document["kibana.alert.ancestors"] if a["type"] == "event"]
        rule_ = names[alert.rule_uuid]
        told: tuple[Any, ...]
        result = document.get("kibana.alert.threshold_result")
        if result is not None:
            host = "".join(term["value"] for term in result["terms"])
            told = ("group", host, result["from"], alert.time, result["count"])
        elif rule_.startswith("grouped"):
            told = ("group", document["host"]["name"], None, alert.time, document["c"])
        elif "kibana.alert.new_terms" in document:
            told = ("term", events[0], *document["kibana.alert.new_terms"])
        elif "kibana.alert.group.id" in document:
            told = ("events", *events)
        else:
            told = ("event", events[0])
        found[rule_].append(told)
    return {name: sorted(told, key=str) for name, told in found.items()}


@pytest.fixture
def daylight_saving():
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


YEARS = int(os.environ.get("TOCSIN_YEARS", "1"))  # of 500 rules; more than one takes minutes
SEEDS = st.integers(0, 1 << 32)
QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.mark.slow
@pytest.mark.usefixtures("daylight_saving")
@settings(max_examples=YEARS, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=QUIET)
@given(seed=SEEDS)
def test_a_year_of_500_rules_raises_what_one_perfect_pass_does(tmp_path_factory, seed):
    check_year(tmp_path_factory.mktemp("year"), seed, *LARGE)


@pytest.mark.slow
@pytest.mark.usefixtures("daylight_saving")
@settings(max_examples=4 * YEARS, deadline=None, suppress_health_check=QUIET)
@given(seed=SEEDS)
def test_years_of_rules_of_every_kind_raise_what_one_perfect_pass_does(tmp_path_factory, seed):
    check_year(tmp_path_factory.mktemp("year"), seed, *SMALL)


def check_year(folder, seed, rules, bursts, turns):
    rng = random.Random(seed)
    plans = rules_of(rng, rules)
    office = Office(folder, [document for document, _ in plans.values()], SETTINGS)
    office.turn()
    events, indicators = play(office, happenings(rng, bursts, turns))
    upto = cursor_of(office)
    found = raised(office)
    count = 0
    for name, (_, plan) in plans.items():
        wanted = plain.perfect(plan, events, indicators, START, upto)
        if plan.kind in ("grouped", "threshold", "cardinality"):
            whole = plan.kind == "grouped"
            wanted = [(kind, host, None if whole else iso(first), *rest) for kind, host, first, *rest in wanted]
        assert found[name] == sorted(wanted, key=str), (seed, name)
        count += len(wanted)
    assert count > rules
    accounted(office)
