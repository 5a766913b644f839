"""Whatever happens to the service, its alerts are those of one pass in which nothing happened.

Time is virtual. Events come in late and out of order, the service is stopped, dies in the middle of its work, or
is too slow, rules are changed, and the wall clock is set forth and back, also while the service is stopped. A
second office gets the same events at the same moments, and every tick of it is run on time.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.scheduler.virtual import MINUTE, ROOT, SECOND, START, Office, rule
from tocsin.detection.compiled_rule import INGESTED
from tocsin.scheduler.settings import SchedulerSettings
from tocsin.store.records.database import RecordsError
from tocsin.store.records.models import StoredRule
from tocsin.store.records.rules import change_rule

A, B, C = ('process where process.name == "a"', 'process where process.name == "b"', 'process.name == "c"')
_STEPS = '[process where process.name == "a"] [process where process.name == "b"]'
DAY = 86_400 * SECOND
SETTINGS = SchedulerSettings(catch_up=60 * DAY, late=60 * DAY, longest_wait=DAY, loading_wait=DAY)
RULES = [
    rule("event", A),
    rule("ingested", A, timestamp_override=INGESTED),
    rule("often", B, **{"from": "now-6m"}),
    rule("seldom", B, interval="1h", **{"from": "now-65m"}),
    rule("rounded", A, interval="10m", **{"from": "now-15m/m"}),
    rule("most", A, max_signals=2),
    rule("sequence", f"sequence by host.name with maxspan=8m {_STEPS}"),
    rule("sequence-ingested", f"sequence by host.name with maxspan=8m {_STEPS}", timestamp_override=INGESTED),
    rule("until", f'sequence with maxspan=8m {_STEPS} until [process where process.name == "c"]'),
    rule("missing", f"sequence with maxspan=2m {_STEPS.replace('] [', '] ![')}"),
    rule("missing-ingested", f"sequence by host.name with maxspan=7m {_STEPS.replace('] [', '] ![')}",
         timestamp_override=INGESTED),
    rule("missing-first", f"sequence by host.name with maxspan=6m !{_STEPS}"),
    rule("suppressed", A, alert_suppression={"group_by": ["host.name"]}),
    rule(
        "suppressed-long", A, timestamp_override=INGESTED,
        alert_suppression={"group_by": ["host.name"], "duration": {"value": 1, "unit": "h"}},
    ),
    rule("sample", f"sample by host.name {_STEPS}"),
    rule("head", f"{A} | head 1"),
    rule("kql", 'process.name: ("a" or "c")', type="query", language="kuery"),
    rule("threshold", "*:*", type="threshold", language="kuery", threshold={"field": ["host.name"], "value": 3}),
    rule(
        "cardinality", "*:*", type="threshold", language="kuery", timestamp_override=INGESTED,
        threshold={"field": [], "value": 2, "cardinality": [{"field": "process.name", "value": 2}]},
    ),
    rule(
        "terms", "*:*", type="new_terms", language="kuery", new_terms_fields=["process.name", "host.name"],
        history_window_start="now-1h",
    ),
    rule(
        "terms-ingested", "*:*", type="new_terms", language="kuery", new_terms_fields=["host.name"],
        history_window_start="now-2h", timestamp_override=INGESTED,
    ),
    rule(
        "piped", 'from logs-* | where process.name == "a" | eval v = to_upper(host.name) | keep v',
        type="esql", language="esql", index=[],
    ),
    rule(
        "grouped", "from logs-* | stats c = count(*), p = values(process.name) by host.name | where c >= 3",
        type="esql", language="esql", index=[], timestamp_override=INGESTED,
    ),
    rule(
        "grouped-late", "from logs-* | where @timestamp < now() - 2m | stats c = count(*) by process.name",
        type="esql", language="esql", index=[],
    ),
    rule(
        "indicators", "process.name: *", type="threat_match", language="kuery", threat_index=["ti-*"],
        threat_query="*:*", threat_mapping=[
            {"entries": [{"field": "host.name", "type": "mapping", "value": "threat.indicator.name"}]}
        ],
    ),
]  # fmt: skip


class Crash(Exception):
    """The end of the process, at any statement."""


@dataclass
class Step:
    what: str
    seconds: float = 0.0
    name: str = "a"
    host: str = "1"


def steps():
    seconds = st.one_of(st.sampled_from([1, 30, 60, 299, 300, 301, 600]), st.floats(0, 900))
    event = st.builds(
        Step, st.just("event"), st.one_of(st.just(0), st.floats(-600, 60), st.floats(-7200, 0)),
        st.sampled_from("abc"), st.sampled_from("12"),
    )  # fmt: skip
    passing = st.builds(Step, st.sampled_from(["pass", "pass", "turn"]), seconds)
    rare = st.one_of(
        st.builds(Step, st.just("indicator"), st.just(0), st.just("a"), st.sampled_from("12")),
        st.builds(Step, st.just("pass"), st.floats(0, 12 * 3600)),
        clock_steps(),
        st.builds(Step, st.just("stop")),
        st.builds(Step, st.just("crash"), st.integers(0, 6)),
        st.builds(Step, st.just("edit"), st.integers(0, 2 * len(RULES) - 1)),
    )
    return st.lists(st.one_of(event, event, passing, passing, rare), max_size=60)


def clock_steps():
    """Steps of the wall clock by hours both ways, while the service runs and across a restart."""
    seconds = st.one_of(st.sampled_from([-7200, 7200]), st.floats(-12 * 3600, 12 * 3600))
    return st.builds(Step, st.sampled_from(["step", "step while stopped"]), seconds)


def plays_with_a_clock_step():
    """Events and what else happens on both sides of a step."""
    return st.builds(lambda before, step, after: [*before, step, *after], steps(), clock_steps(), steps())


def play(office: Office, todo):
    for number, step in enumerate(todo):
        match step.what:
            case "event":
                time = office.now + int(step.seconds * 1e9)
                fields = {"process": {"name": step.name}, "host": {"name": step.host}}
                office.event(time=time, id_=f"e{number}", event={"category": "process"}, **fields)
            case "indicator":
                office.event(index="ti-x", id_=f"i{number}", threat={"indicator": {"name": step.host}})
            case "pass":
                office.pass_(int(step.seconds * 1e9))
            case "turn":
                office.pass_(int(step.seconds * 1e9))
                office.turn()
            case "step":
                office.pass_(0, step=int(step.seconds * 1e9))
            case "step while stopped":
                office.stop()
                office.pass_(0, step=int(step.seconds * 1e9))
            case "stop":
                office.stop()
            case "crash":
                crash(office, int(step.seconds))
            case "edit":
                edit(office, *divmod(int(step.seconds), 2))
    office.pass_(3 * 3600 * SECOND)
    office.turn()


def crash(office, after):
    """Turn, and die when the database is asked for the n-th time: before or after what it was asked is done."""
    whole = office.records.transaction
    left = after

    def transaction():
        nonlocal left
        left -= 1
        if left < 0:
            raise RecordsError("died")
        return whole()

    office.records.transaction = transaction
    try:
        office.turn()
    except RecordsError:
        pass
    finally:
        office.records.transaction = whole
        office.stop()


def edit(office, number, how):
    """Change a rule so that it raises the same, but looks (or does not) at other indices than before."""
    with office.records.transaction() as session:
        stored = session.scalars(select(StoredRule).order_by(StoredRule.rule_id)).all()[number]
        document = {**stored.document, "severity": "high" if stored.document["severity"] == "low" else "low"}
        if how and document["index"]:
            document["index"] = ["logs-*", "none-*"] if document["index"] == ["logs-*"] else ["logs-*"]
        change_rule(session, ROOT, stored, document, datetime.fromtimestamp(office.now / 1e9, UTC))


def one_pass(folder, rules, events, upto):
    """Return the office in which the same events arrive at the same moments, and every tick is run on time."""
    office = Office(folder, rules, SETTINGS)
    every = 5 * MINUTE
    waiting = sorted(events, key=lambda event: event[1])
    office.turn()
    for moment in range(START + every, upto + 1, every):
        while waiting and waiting[0][1] < moment:
            office.store.put(*waiting.pop(0))
        if office.now <= moment:
            office.until(moment)
        office.turn()
    return office


def found(office):
    """Return the alerts by rule and id, with what they stand for."""
    told = {d["kibana.alert.uuid"]: d.get("kibana.alert.suppression.docs_count", 0) for d in office.documents()}
    return sorted((*one, told[one[1]]) for one in office.named_alerts())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(todo=steps())
def test_alerts_are_those_of_one_pass(tmp_path_factory, todo):
    compare(tmp_path_factory, RULES, todo)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(todo=plays_with_a_clock_step())
def test_alerts_are_those_of_one_pass_whichever_way_the_clock_is_set(tmp_path_factory, todo):
    compare(tmp_path_factory, RULES, todo)


def compare(tmp_path_factory, rules, todo):
    office = Office(tmp_path_factory.mktemp("one"), rules, SETTINGS)
    office.turn()
    play(office, todo)
    upto = cursor_of(office)
    perfect = one_pass(tmp_path_factory.mktemp("two"), rules, office.store.arrivals(), upto)
    assert found(office) == found(perfect)
    accounted(office)
    return office


def cursor_of(office):
    assert office.scheduler is not None
    return office.scheduler.cursor or 0


def accounted(office):
    """Every tick of every rule is in one execution, and in one alone."""
    interval = {"m": MINUTE, "h": 60 * MINUTE}
    documents = {document["rule_id"]: document for document in office.rules}
    of_rule = defaultdict(list)
    for run in office.executions():
        of_rule[run.rule_uuid].append(run)
    for uuid, name in office.names().items():
        document = documents[name]
        step = int(document["interval"][:-1]) * interval[document["interval"][-1]]
        at = START
        for run in of_rule[uuid]:
            assert run.first_tick == at + step, name
            assert run.ticks == (run.last_tick - run.first_tick) // step + 1
            at = run.last_tick
        assert at == cursor_of(office) // step * step, name
