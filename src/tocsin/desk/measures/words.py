"""The words of measures: their names, how they are defined, and what else is counted."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.desk.translations import N_
from tocsin.response.measures.figures import Measure
from tocsin.response.measures.groups import CountedAs

# The short and the whole name, and the definition.
MEASURE_WORDS: Mapping[Measure, tuple[str, str, str]] = {
    Measure.MTTD: (
        N_("MTTD"),
        N_("Time to detect"),
        N_(
            "From the time of the event, of a sequence the last one, to the moment at which the alert was raised. "
            "It counts alerts raised in this time; those of runs by hand over earlier events are left out. Events "
            "that arrive late make it longer."
        ),
    ),
    Measure.MTTA: (
        N_("MTTA"),
        N_("Time to acknowledge"),
        N_(
            "From the moment at which the alert was raised to that at which a person first acknowledged it or "
            "assigned it to somebody. It counts alerts taken up in this time. What programs do, and what was "
            "taken back, does not count; an alert that was closed at once has not been acknowledged."
        ),
    ),
    Measure.MTTR: (
        N_("MTTR"),
        N_("Time to respond"),
        N_(
            "From the moment at which the alert was raised to that at which it was closed; of one that was opened "
            "again to its last closing. It counts alerts closed in this time that are closed still. Closings by "
            "programs, or for the reason of an automated closure, count apart; those taken back do not count."
        ),
    ),
}
KIND_WORDS: Mapping[CountedAs, str] = {
    CountedAs.RAISED: N_("raised"),
    CountedAs.WAITING: N_("of them waiting for somebody"),
    CountedAs.CLOSED: N_("closed by people"),
    CountedAs.UNACKNOWLEDGED: N_("of them never acknowledged"),
    CountedAs.AUTOMATIC: N_("closed automatically"),
    CountedAs.FALSE_POSITIVE: N_("closed as false positives"),
}
