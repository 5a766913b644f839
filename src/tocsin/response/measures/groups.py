"""Measures of groups of alerts: by rule, severity or host group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from tocsin.response.measures.figures import Closings, DurationFigures, Durations, Measure, durations, figures_by
from tocsin.response.measures.host_groups import HostGroup, grouped_hosts
from tocsin.response.measures.measured_alerts import NEVER, CodedTexts, Marks, MeasuredAlerts
from tocsin.response.measures.rule_figures import closed_within, raised_within


class MeasureGrouping(StrEnum):
    """What alerts are measured by."""

    RULE = "rule"
    SEVERITY = "severity"
    HOST_GROUP = "host_group"


class CountedAs(StrEnum):
    """Alerts that are counted beside the measures."""

    RAISED = "raised"
    WAITING = "waiting"  # raised in the span, and nobody has taken them up or closed them
    CLOSED = "closed"  # in the span, by people
    UNACKNOWLEDGED = "unacknowledged"  # closed in the span by people of whom none took them up before
    AUTOMATIC = "automatic"  # closed in the span, by no person
    FALSE_POSITIVE = "false_positive"  # closed in the span by people, as such


@dataclass(frozen=True)
class GroupFigures:
    """A group, how many of its alerts were raised in the span, and its figures, None where nothing is measured."""

    value: str
    raised: int
    figures: Mapping[Measure, DurationFigures | None]


@dataclass(frozen=True)
class Measured:
    """Alerts, and how they are measured: in which span (ns), by what, of which group, whose closings."""

    alerts: MeasuredAlerts
    since: int
    until: int
    grouping: MeasureGrouping = MeasureGrouping.RULE
    host_groups: Sequence[HostGroup] = ()
    group: str | None = None
    closings: Closings = Closings.PEOPLE

    def groups(self) -> CodedTexts:
        """Return the group of each alert."""
        match self.grouping:
            case MeasureGrouping.RULE:
                return self.alerts.rules
            case MeasureGrouping.SEVERITY:
                return self.alerts.severities
            case MeasureGrouping.HOST_GROUP:
                return grouped_hosts(self.alerts.hosts, self.host_groups)

    def of_group(self) -> Marks:
        """Tell of each alert whether it is of the group that is shown; of all where none is chosen."""
        if self.group is None:
            return np.ones(len(self.alerts), np.bool_)
        groups = self.groups()
        return groups.codes < 0 if not self.group else groups.is_one_of(self.group)

    def durations(self, measure: Measure) -> Durations:
        """Return how long it took with what ended in the span, of the group that is shown."""
        within = self._all(measure)
        return within.where(self.of_group()[within.places])

    def marks(self, kind: CountedAs) -> Marks:
        """Tell of each alert whether it is one of those that are counted so, of the group that is shown."""
        alerts, span = self.alerts, (self.since, self.until)
        match kind:
            case CountedAs.RAISED:
                marks = raised_within(alerts, *span)
            case CountedAs.WAITING:
                marks = raised_within(alerts, *span) & (alerts.taken_up == NEVER)
                marks &= ~alerts.statuses.is_one_of("closed")
            case CountedAs.CLOSED:
                marks = closed_within(alerts, *span, Closings.PEOPLE)
            case CountedAs.UNACKNOWLEDGED:
                marks = closed_within(alerts, *span, Closings.PEOPLE) & (alerts.taken_up == NEVER)
            case CountedAs.AUTOMATIC:
                marks = closed_within(alerts, *span, Closings.AUTOMATIC)
            case CountedAs.FALSE_POSITIVE:
                marks = closed_within(alerts, *span, Closings.PEOPLE)
                marks &= alerts.reasons.is_one_of("false_positive")
        return marks & self.of_group()

    def by_group(self) -> list[GroupFigures]:
        """Return the figures of all groups, those that raised most alerts first."""
        groups = self.groups()
        values = [*groups.values, ""]  # the last without one, whose code is -1
        number, codes = len(values), np.where(groups.codes < 0, len(values) - 1, groups.codes)
        raised = np.bincount(codes[raised_within(self.alerts, self.since, self.until)], minlength=number)
        of_measures = {measure: self._all(measure) for measure in Measure}
        figures = {
            measure: figures_by(codes[within.places], within.seconds, number)
            for measure, within in of_measures.items()
        }
        of_groups = [
            GroupFigures(value, int(raised[n]), {measure: figures[measure][n] for measure in Measure})
            for n, value in enumerate(values)
        ]
        shown = [group for group in of_groups if group.raised or any(group.figures.values())]
        return sorted(shown, key=lambda group: (-group.raised, group.value))

    def _all(self, measure: Measure) -> Durations:
        return durations(self.alerts, measure, self.closings).within(self.since, self.until)
