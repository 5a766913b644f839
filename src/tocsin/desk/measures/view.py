"""What the page of measures shows, as its address says it: which time, by what, of which group, whose closings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from tocsin.api.answers import bad_request
from tocsin.date_math import parse_date_math
from tocsin.desk.translations import N_
from tocsin.moments import EPOCH, datetime_nanoseconds, iso
from tocsin.response.measures.figures import Closings, Measure
from tocsin.response.measures.groups import CountedAs, MeasureGrouping

PATH, ALERTS_PATH, EXPORT_PATH = "/measures", "/measures/alerts", "/measures/export"
RANGES = (
    ("now-24h", N_("24 hours")), ("now-7d", N_("7 days")), ("now-30d", N_("30 days")), ("now-90d", N_("90 days")),
    ("now-365d", N_("1 year")),
)  # fmt: skip
GROUPINGS = (
    (MeasureGrouping.RULE, N_("Rule")),
    (MeasureGrouping.SEVERITY, N_("Severity")),
    (MeasureGrouping.HOST_GROUP, N_("Host group")),
)
CLOSINGS = ((Closings.PEOPLE, N_("people")), (Closings.AUTOMATIC, N_("programs")), (Closings.ALL, N_("all")))
_SINCE = "now-30d"
_LAST = datetime(2261, 1, 1, tzinfo=UTC)  # what 64 bits of nanoseconds hold
_LONGEST = 2_000  # characters of a moment or a group
_MOST_PAGE = 10_000


@dataclass(frozen=True)
class MeasuresView:
    """What is shown. `group` is one of those that `by` makes, None for all together, empty for those of none."""

    since: str = _SINCE
    until: str = ""
    by: MeasureGrouping = MeasureGrouping.RULE
    group: str | None = None
    closings: Closings = Closings.PEOPLE

    @staticmethod
    def of(parameters: QueryParams) -> MeasuresView:
        """Return what an address asks for. Raises ApiError for one that is too long."""
        if sum(len(name) + len(value) for name, value in parameters.multi_items()) > 4 * _LONGEST:
            raise bad_request(f"the address of measures has at most {4 * _LONGEST:,} characters")
        by, closings = parameters.get("by", ""), parameters.get("closings", "")
        return MeasuresView(
            since=parameters.get("from") or _SINCE,
            until=parameters.get("to", ""),
            by=MeasureGrouping(by) if by in [*MeasureGrouping] else MeasureGrouping.RULE,
            group=parameters.get("group"),
            closings=Closings(closings) if closings in [*Closings] else Closings.PEOPLE,
        )

    def bounds(self, now: datetime) -> tuple[int, int]:
        """Return the moments between which it is measured, in ns since 1970. Raises ApiError."""
        try:
            since = parse_date_math(self.since, now).astimezone(UTC)
            until = parse_date_math(self.until, now).astimezone(UTC) if self.until else now
        except (ValueError, OverflowError) as error:
            raise bad_request(f"the time cannot be read: {error}") from None
        since, until = (min(max(moment, EPOCH), _LAST) for moment in (since, until))
        if since >= until:
            raise bad_request("the time ends before it begins")
        return datetime_nanoseconds(since), datetime_nanoseconds(until)

    def parameters(self, **changes: Any) -> list[tuple[str, str]]:
        """Return the parameters of an address with changes."""
        view = replace(self, **changes)
        parameters = [
            ("from", view.since), ("to", view.until),
            ("by", "" if view.by is MeasureGrouping.RULE else view.by.value),
            ("closings", "" if view.closings is Closings.PEOPLE else view.closings.value),
        ]  # fmt: skip
        kept = [(name, value) for name, value in parameters if value and (name, value) != ("from", _SINCE)]
        return kept if view.group is None else [*kept, ("group", view.group)]

    def address(self, **changes: Any) -> str:
        """Return the address of the page with changes."""
        return _address(PATH, self.parameters(**changes))

    def alerts(self, kind: Measure | CountedAs, page: int = 1, **changes: Any) -> str:
        """Return the address of the alerts that a number counts."""
        more = [("of", kind.value), *([("page", str(page))] if page > 1 else [])]
        return _address(ALERTS_PATH, [*self.parameters(**changes), *more])

    def alerts_of_rule(self, kind: CountedAs, rule: str) -> str:
        """Return the address of the alerts of a rule that a number counts."""
        return self.alerts(kind, by=MeasureGrouping.RULE, group=rule)

    def within(self, since: int, until: int) -> dict[str, str]:
        """Return the changes of the address that a part of the time has."""
        return {"since": iso(since, 9), "until": iso(until, 9)}

    def export(self, table: str) -> str:
        """Return the address of a table as CSV."""
        return _address(EXPORT_PATH, [*self.parameters(), ("table", table)])


def read_kind(text: str) -> Measure | CountedAs:
    """Return which alerts an address asks for. Raises ApiError."""
    for kinds in (Measure, CountedAs):
        if text in [*kinds]:
            return kinds(text)
    raise bad_request(f"[of] is one of {', '.join([*Measure, *CountedAs])}")


def read_page(text: str) -> int:
    """Return the number of a page, the first where it is none."""
    return max(1, min(int(text[:9]), _MOST_PAGE)) if text.isdecimal() else 1


def _address(path: str, parameters: list[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(parameters)}" if parameters else path
