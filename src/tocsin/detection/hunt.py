"""A hunt: reads every input once, for all rules together, and returns alerts in order of time and a report."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import numpy.typing as npt

from tocsin.counted import counted
from tocsin.detection.alerts.alert import Alert, alert_of, event_time
from tocsin.detection.categories import unknown_categories
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.hunt_rows import MOST_BYTES, NO_INDICATORS, NewTermsHistory, RowSearch, needs_rows
from tocsin.detection.rule_types.findings import Finding, IndicatorReader, Place, event_place
from tocsin.detection.schedule import Window, span
from tocsin.detection.sequences import Match, SequenceSearch
from tocsin.ecs import CATEGORY, TIMESTAMP
from tocsin.engine.candidates import whole_numbers
from tocsin.engine.evaluate import Evaluator, Plan, plan
from tocsin.engine.graph import Program, compile_queries
from tocsin.engine.pipes import Hit, apply_pipes
from tocsin.engine.profile import Profile, profiled
from tocsin.errors import RuleError
from tocsin.rules.load import Skipped
from tocsin.sources.ahead import read_ahead
from tocsin.sources.batch import Event, EventBatch, Rejects, Wanted
from tocsin.sources.inputs import Input
from tocsin.sources.read import read_inputs
from tocsin.sources.unseen import Judge, Reason

MAX_ALERTS = 10_000  # a rule
GIVEN_UP = "given up"  # the reason of a rule that could not be run to its end
NO_EVENT_HAS = "field that no event has"  # the reason of a rule that could not match for that


@dataclass
class HuntProfile:
    """Seconds by stage, and those of the engine. Reading overlaps with the rest; only `waiting` did not."""

    stages: dict[str, float] = field(default_factory=dict)
    engine: Profile = field(default_factory=Profile)
    plan: Plan | None = None

    def lap(self, stage: str, since: float) -> float:
        """Add the time since a moment to a stage, and return the moment now."""
        now = time.perf_counter()
        self.stages[stage] = self.stages.get(stage, 0.0) + now - since
        return now


@dataclass
class Report:
    """The alerts of a hunt, and what it read, left out and cost."""

    alerts: list[Alert] = field(default_factory=list)
    matches: Counter[str] = field(default_factory=Counter)  # rule id -> matches, also those that are no alerts
    events: Counter[str] = field(default_factory=Counter)  # dataset -> events read
    files: int = 0
    outside: int = 0  # events outside the window, among those that rules could read
    windowed: bool = False  # whether there was a window
    untimed: int = 0  # events without a time that fit a step of a sequence or the like, counted for each step
    suppressed: int = 0  # findings that are no alerts of their own
    repeated: int = 0  # findings whose events have the same content as those of an alert
    histories: list[NewTermsHistory] = field(default_factory=list)
    history_events: int = 0  # events that were read only as history
    history_undated: int = 0  # of these, events without a time
    messages: list[str] = field(default_factory=list)  # other messages about how rules ran
    rules: list[CompiledRule] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    missing: frozenset[str] = frozenset()  # fields of rules that neither a schema nor an event has
    rejects: Rejects = field(default_factory=Rejects)
    seconds: float = 0.0
    profile: HuntProfile | None = None

    @property
    def total_events(self) -> int:
        """Events read."""
        return self.events.total()

    @property
    def looked_at(self) -> str:
        """How many events were read, and how many that rules could read were outside the window."""
        passed = self.outside + self.undated
        were = "was" if passed == 1 else "were"
        return counted(self.total_events, "event") + (
            f", {passed:,} of which {were} not looked at" if passed else ""
        )

    @property
    def undated(self) -> int:
        """How many events were left out because there was a window and they have no time."""
        return self.rejects.unseen.total(Reason.NO_TIME) - self.history_undated if self.windowed else 0

    def leave_out(self, rule: CompiledRule) -> None:
        """Record that a rule could not match, because it needs fields that no event had."""
        self.matches.pop(rule.rule.rule_id, None)
        self.rules = [other for other in self.rules if other is not rule]
        message = "\n".join(text for name, text in rule.unknown.items() if text and name in self.missing)
        self.skipped.append(Skipped(rule.rule.name, NO_EVENT_HAS, message))

    def leave_out_for(self, rule: CompiledRule, reason: str, message: str) -> None:
        """Record that a rule could not be run to its end."""
        self.matches.pop(rule.rule.rule_id, None)
        self.rules = [other for other in self.rules if other is not rule]
        self.skipped.append(Skipped(rule.rule.name, reason, message, invalid=True))

    def unseen_lines(self) -> list[str]:
        """Return a sentence for each reason why rules did not see events, and about dates of doubtful order."""
        lines = self.rejects.unseen.lines()
        if self.outside:
            events = counted(self.outside, "event was", "events were")
            lines.append(f"{events} outside --from and --to: not looked at")
        if self.undated:
            events = counted(self.undated, "event was", "events were")
            lines.append(f"{events} not looked at, as without a time nothing lies within --from and --to")
        for rule in self.rules:
            if rule.of_known_category and rule.rule.rule_id not in self.matches:
                lines += [f"{rule.rule.name}: {message}" for message in unknown_categories(rule.statement)]
        if self.untimed:
            events = counted(self.untimed, "event")
            lines.append(f"{events} without a time would fit a step of a sequence, a threshold or new terms")
        return lines

    def rule_lines(self) -> list[str]:
        """Return sentences about how rules ran."""
        lines = self.history_lines()
        if self.suppressed:
            lines.append(f"{counted(self.suppressed, 'finding')} suppressed: other alerts stand for them")
        if self.repeated:
            lines.append(f"{counted(self.repeated, 'finding')} left out, of the same events as another alert")
        return [*lines, *self.messages]

    def history_lines(self) -> list[str]:
        """Return sentences about the history of new-terms rules."""
        if not self.histories:
            return []
        wanted = sorted({history.wanted for history in self.histories})
        reach = span(wanted[0]) if len(wanted) == 1 else f"{span(wanted[0])} to {span(wanted[-1])}"
        rules = counted(len(self.histories), "new-terms rule looks", "new-terms rules look")
        whose = "its" if len(self.histories) == 1 else "their"
        known = "earlier events of the input"
        if self.history_events:
            known += f" and {counted(self.history_events, 'event')} of --history"
        reached = span(max(history.reached for history in self.histories))
        lines = [f"{rules} back {reach}: {whose} history was {known}, {reached} of it at most"]
        if any(history.reached < history.wanted for history in self.histories):
            lines.append("what is not in it counts as never seen; --history names files of earlier events")
        return lines

    def capped(self) -> dict[str, int]:
        """Return, by rule id, the matches of rules with more matches than alerts."""
        kept = Counter(alert.rule.rule_id for alert in self.alerts)
        return {rule: count for rule, count in self.matches.items() if count > kept[rule] > 0}


Progress = Callable[[Input | EventBatch], None]  # an input was opened, a batch was done


@dataclass(frozen=True)
class Hunt:
    """The rules of a hunt, compiled together, and its limits."""

    rules: Sequence[CompiledRule]
    window: Window = Window()
    any_index: bool = False
    max_alerts: int = MAX_ALERTS
    indicators: IndicatorReader = NO_INDICATORS
    history_window: int | None = None  # nanoseconds, instead of the history of new-terms rules
    row_bytes: int = MOST_BYTES  # for the rows of rules that look at many events together
    plan: Plan | None = None  # of these rules, if there is one already
    profile: bool = False

    def ready_plan(self) -> Plan:
        """Return the plan; without one, compile the rules."""
        if self.plan is not None:
            return self.plan
        return plan(compile_queries(rule.keyed_query(any_index=self.any_index) for rule in self.rules))

    def wanted(self, program: Program, more_fields: frozenset[str] = frozenset()) -> Wanted:
        """Return what the rules need of events, with some more fields."""
        fields = program.fields.union(more_fields, *(rule.joining_fields for rule in self.rules))
        categories: frozenset[str] | None = frozenset()
        for rule in self.rules:
            categories = None if categories is None or rule.categories is None else categories | rule.categories
        indices = frozenset(rule.keyed_query(any_index=self.any_index).indices for rule in self.rules)
        return Wanted(fields | {TIMESTAMP, CATEGORY}, categories, Judge(fields, indices))

    def run(
        self,
        inputs: Iterable[Input],
        rejects: Rejects,
        progress: Progress | None = None,
        history: Sequence[Input] = (),
    ) -> Report:
        """Read every input and return the report. Bad input is rejected, never raised.

        Events of `history` make no alerts: for new-terms rules their values are known.
        """
        started = time.perf_counter()
        plan = self.ready_plan()
        profile = HuntProfile(plan=plan)
        kind = profiled(profile.engine) if self.profile else None
        evaluator = Evaluator(plan, kind)
        report = Report(rules=list(self.rules), rejects=rejects, profile=profile if self.profile else None)
        report.windowed = bool(self.window)
        of_rows = frozenset(rule.rule.rule_id for rule in self.rules if needs_rows(rule))
        together = [rule for rule in self.rules if rule.rule.rule_id in of_rows]
        alone = [rule for rule in self.rules if rule.rule.rule_id not in of_rows]
        event_matches: dict[str, list[EventMatch]] = {
            rule.rule.rule_id: [] for rule in alone if rule.joined is None
        }
        sequences = SequenceSearch([rule for rule in alone if rule.joined is not None])
        row_search = RowSearch(
            together, self.window, self.max_alerts, self.indicators, self.history_window, self.row_bytes
        )

        def opened(source: Input) -> None:
            report.files += 1
            if progress:
                progress(source)

        wanted = self.wanted(plan.program, row_search.fields)
        if any(rule.rule.type == "new_terms" for rule in together):
            for batch in read_ahead(read_inputs(history, wanted, rejects, progress)):
                report.history_events += batch.events
                row_search.add(batch, evaluator.matches(batch.table), None, history=True)
                if progress:
                    progress(batch)
            report.history_undated = rejects.unseen.total(Reason.NO_TIME)
        elif history:
            report.messages.append("--history was not read: no rule that runs is of new terms")
        unseen = {name for rule in self.rules for name in rule.unknown}
        lap = profile.lap("preparing", started)
        for batch in read_ahead(read_inputs(inputs, wanted, rejects, opened)):
            lap = profile.lap("waiting for input", lap)
            report.events.update(batch.counts)
            unseen -= {name for name in unseen if batch.table.column(name) is not None}
            fits = evaluator.matches(batch.table)
            lap = profile.lap("evaluating", lap)
            inside = self._inside(batch, report) if self.window else None
            row_search.add(batch, fits, inside, history=False)
            if inside is not None:
                fits = {target: rows[inside[rows]] for target, rows in fits.items()}
            sequences.add(batch, fits)
            lap = profile.lap("gathering sequences", lap)
            for (rule_id, _step), rows in fits.items():
                if rule_id in event_matches:
                    report.matches[rule_id] += len(rows)
                    self._keep(event_matches[rule_id], batch, rows)
            if progress:
                progress(batch)
            lap = profile.lap("keeping matches", lap)
        lap = profile.lap("waiting for input", lap)
        report.missing = frozenset(unseen)
        for rule in self.rules:
            if rule.could_match(unseen):
                report.alerts += (
                    self._alerts_of_rows(rule, row_search, report)
                    if rule.rule.rule_id in of_rows
                    else self._alerts(rule, event_matches.get(rule.rule.rule_id, []), sequences, report)
                )
            else:
                report.leave_out(rule)
        report.untimed = sequences.untimed + row_search.untimed
        report.histories = row_search.histories
        sequences.close()
        row_search.close()
        report.alerts.sort(key=lambda alert: alert.time)
        report.matches = +report.matches  # without the rules that have no match
        profile.lap("matching sequences, making alerts", lap)
        report.seconds = time.perf_counter() - started
        return report

    def _alerts_of_rows(self, rule: CompiledRule, row_search: RowSearch, report: Report) -> list[Alert]:
        name, rule_id = rule.rule.name, rule.rule.rule_id
        try:
            run = row_search.run(rule_id)
        except RuleError as error:
            report.leave_out_for(rule, "invalid query", f"{name}: {error.message}")
            return []
        except Exception as error:  # an error of one rule does not end the hunt
            report.leave_out_for(rule, GIVEN_UP, f"{name}: {type(error).__name__}: {error}")
            return []
        if run is None:
            report.leave_out_for(rule, GIVEN_UP, f"{name}: {row_search.given_up[rule_id]}")
            return []
        report.matches[rule_id] = len(run.alerts) + run.left_out
        report.suppressed += run.suppressed
        report.repeated += run.duplicates
        report.messages += (f"{name}: {message}" for message in run.messages)
        return run.alerts

    def _inside(self, batch: EventBatch, report: Report) -> npt.NDArray[np.bool_]:
        """Return which rows lie in the window; an event without a time lies in none."""
        every = np.arange(batch.table.rows, dtype=np.int64)
        times, timed = whole_numbers(batch.table.column(TIMESTAMP), every)
        inside = timed.copy()
        if self.window.start is not None:
            inside &= times >= self.window.start
        if self.window.end is not None:
            inside &= times < self.window.end
        report.outside += int(np.count_nonzero(timed & ~inside))
        return inside

    def _keep(self, matches: list[EventMatch], batch: EventBatch, rows: npt.NDArray[np.intp]) -> None:
        for row in rows[: self.max_alerts - len(matches)].tolist():
            raw = batch.raw(row)
            event = raw.event()
            matches.append(EventMatch(event_time(event) or 0, event, raw.origin))

    def _alerts(
        self, ready: CompiledRule, event_matches: list[EventMatch], sequences: SequenceSearch, report: Report
    ) -> list[Alert]:
        rule = ready.rule
        if ready.joined is not None:
            matches = sequences.matches(rule.rule_id)
            alerts = [_sequence_alert(ready, match) for match in islice(matches, self.max_alerts)]
            report.matches[rule.rule_id] = len(alerts) + sum(1 for _ in matches)
            return alerts
        events = sorted(event_matches, key=lambda match: match.time)
        if ready.statement.pipes:
            hits = [Hit(match, match.event) for match in events]
            events = [hit.event for hit in apply_pipes(ready.statement.pipes, hits)]
            report.matches[rule.rule_id] = len(events)
        return [_event_alert(ready, match) for match in events]


@dataclass(frozen=True)
class EventMatch:
    """An event that a rule matched, with its time for ordering."""

    time: int
    event: Event
    origin: str


def _event_alert(rule: CompiledRule, match: EventMatch) -> Alert:
    place = event_place(match.event)
    finding = Finding((place,), match.time, match.time)
    return alert_of(rule, finding, {place: match.event}, lambda _: match.origin)


def _sequence_alert(rule: CompiledRule, match: Match) -> Alert:
    places: list[Place | None] = []
    events, origins, last = dict[Place, Event](), dict[Place, str](), 0
    for raw in match.events:
        if raw is None:
            places.append(None)
            continue
        event = raw.event()
        place = event_place(event)
        places.append(place)
        events[place], origins[place] = event, raw.origin
        last = max(last, event_time(event) or 0)
    return alert_of(rule, Finding(tuple(places), last, last, match.keys), events, origins.__getitem__)


def severity_counts(alerts: Iterable[Alert]) -> Counter[str]:
    """Count alerts by severity."""
    return Counter(alert.rule.severity for alert in alerts)


def values(alerts: Iterable[Alert], field_name: str) -> Counter[str]:
    """Count the values of a field among alerts."""
    counts = Counter(alert.value(field_name) for alert in alerts)
    counts.pop("", None)
    return counts
