"""The words of these pages for what other rooms name by constants."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.desk.translations import N_
from tocsin.investigation.coverage.source_health import SourceState
from tocsin.sources.unseen import ADVICE, Reason

# What a state of a source is called, and what it means.
STATE_WORDS: Mapping[str, tuple[str, str]] = {
    SourceState.SILENT: (N_("silent"), N_("Nothing has arrived for longer than twice its longest pause lately.")),
    SourceState.QUIET: (N_("quiet"), N_("Nothing has arrived for five minutes, which is not unusual for it.")),
    SourceState.RECEIVING: (N_("receiving"), N_("Something has arrived within the last five minutes.")),
    SourceState.UNKNOWN: (N_("unknown"), N_("An older version stored its events, without when they arrived.")),
    SourceState.IMPORTED: (N_("imported"), N_("Old events, which arrived all at once: nothing more is expected.")),
    SourceState.EMPTY: (N_("empty"), N_("It has a mapping and no event yet.")),
}
PROBLEM_WORDS: Mapping[str, str] = {
    "events": N_("Events cannot be stored"),
    "records": N_("Records cannot be read"),
    "rules": N_("Rules do not run"),
    "service": N_("The service"),
    "clock": N_("The system clock"),
    "upkeep": N_("Tables are not maintained"),
    "folders": N_("Watched folders are not read"),
    "messages": N_("Messages are not delivered"),
}
STATUS_WORDS: Mapping[str, str] = {
    "ready": N_("ready"),
    "degraded": N_("goes on without something"),
    "not ready": N_("not ready"),
}
# Reasons for which events are stored and seen by no rule, each with what to do about it.
UNSEEN_WORDS: Mapping[Reason, tuple[str, str]] = {
    Reason.NO_TIME: (N_("no time that can be read"), ADVICE[Reason.NO_TIME]),
    Reason.ARRIVED: (N_("no time but that of their arrival"), ADVICE[Reason.ARRIVED]),
    Reason.NO_FIELD: (N_("no field that any rule reads"), ADVICE[Reason.NO_FIELD]),
    Reason.NO_INDEX: (N_("an index that no rule names"), ADVICE[Reason.NO_INDEX]),
    Reason.NO_ACTION: (N_("no column that says what happened"), ADVICE[Reason.NO_ACTION]),
    Reason.NO_VALUES: (N_("none of the values of their kind"), ADVICE[Reason.NO_VALUES]),
    Reason.UNKNOWN: (N_("no field that a rule could read"), ADVICE[Reason.UNKNOWN]),
    Reason.RESERVED: (N_("members with names of metadata, which were left out"), ADVICE[Reason.RESERVED]),
}
CAUSE_WORDS: Mapping[str, str] = {
    "disabled": N_("it was disabled"),
    "service down": N_("the service was stopped"),
    "overload": N_("too much was due"),
    "failed": N_("it failed"),
    "clock set forward": N_("the clock was set forward"),
}
