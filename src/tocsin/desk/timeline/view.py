"""What a timeline shows, as its address says it: a link shows a colleague the same."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.datastructures import QueryParams

from tocsin.api.answers import bad_request
from tocsin.api.elasticsearch.searching import checked_patterns
from tocsin.date_math import parse_date_math
from tocsin.desk.alerts.columns import LONGEST_NAME
from tocsin.desk.translations import N_
from tocsin.investigation.happened import SENTENCE_FIELDS
from tocsin.investigation.timeline import EVENTS_AND_ALERTS, LANGUAGES, TimelineQuery, TimelineTask
from tocsin.moments import datetime_nanoseconds

PAGE_SIZE = 50
# As Kibana's timeline begins (security_solution: `timeline/body/column_headers/default_headers`).
DEFAULT_COLUMNS = (
    "@timestamp", "message", "event.category", "event.action", "host.name", "source.ip", "destination.ip",
    "user.name",
)  # fmt: skip
DEFAULT_SINCE = "now-24h"
RANGES = (
    ("now-1h", N_("1 hour")), ("now-24h", N_("24 hours")), ("now-7d", N_("7 days")), ("now-30d", N_("30 days")),
    ("", N_("all")),
)  # fmt: skip
SORTS = {"newest": N_("newest"), "oldest": N_("oldest")}
_MOST_COLUMNS, _LONGEST = 50, 16_000  # columns; characters of an address
# Read beside the columns, for the sentence of what happened and for links.
_ALSO = ("@timestamp", "kibana.alert.uuid", "kibana.alert.rule.name", "kibana.alert.severity", *SENTENCE_FIELDS)
# A moment as pages show it, in the visitor's zone.
_SHOWN = re.compile(r"\s*(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?))?\s*")


@dataclass(frozen=True)
class TimelineView:
    """Which events, in which order, which page and columns; the event that is open, the timeline that is saved.

    `after` and `before` are the sort keys of the event that stands before the page or behind it.
    """

    text: str = ""
    language: str = "kql"
    index: str = ""
    since: str = DEFAULT_SINCE
    until: str = ""
    columns: tuple[str, ...] = DEFAULT_COLUMNS
    sort: str = "newest"
    after: str = ""
    before: str = ""
    page: int = 1
    open: str = ""
    at: str = ""
    id: str = ""
    given: frozenset[str] = field(default_factory=frozenset, compare=False)  # names of the address's parameters

    @staticmethod
    def of(parameters: QueryParams | Mapping[str, str], zone: tzinfo = UTC) -> TimelineView:
        """Return what an address asks for; moments without a zone are those of the visitor's. Raises ApiError."""
        if sum(len(name) + len(text) for name, text in parameters.items()) > _LONGEST:
            raise bad_request(f"the address of a timeline has at most {_LONGEST:,} characters")
        names = f"{parameters.get('columns', '')},{parameters.get('column', '')}".split(",")  # `column`: one more
        columns = tuple(dict.fromkeys(name.strip() for name in names if name.strip()))
        if any(len(name) > LONGEST_NAME for name in columns):
            raise bad_request(f"the name of a column has at most {LONGEST_NAME} characters")
        if len(columns) > _MOST_COLUMNS:
            raise bad_request(f"a timeline has at most {_MOST_COLUMNS} columns, not {len(columns)}")
        page = parameters.get("page", "1")
        language, sort = parameters.get("language", "kql"), parameters.get("sort", "newest")
        return TimelineView(
            text=parameters.get("q", "").replace("\r\n", "\n"),
            language=language if language in LANGUAGES else "kql",
            index=",".join(filter(None, map(str.strip, parameters.get("index", "").split(",")))),
            since=_with_zone(parameters.get("from", DEFAULT_SINCE), zone),
            until=_with_zone(parameters.get("to", ""), zone),
            columns=columns or DEFAULT_COLUMNS,
            sort=sort if sort in SORTS else "newest",
            after=parameters.get("after", ""),
            before=parameters.get("before", ""),
            page=max(1, int(page[:9])) if page.isdecimal() and page.isascii() else 1,
            open=parameters.get("open", ""),
            at=parameters.get("at", ""),
            id=parameters.get("id", ""),
            given=frozenset(parameters),
        )

    @property
    def patterns(self) -> Sequence[str]:
        """The patterns of its indices. Raises ApiError."""
        return checked_patterns(self.index.split(",")) if self.index else EVENTS_AND_ALERTS

    @property
    def newest_first(self) -> bool:
        """Tell whether the newest event stands at the top."""
        return self.sort == "newest"

    def times(self) -> tuple[tuple[str, str], ...]:
        """Return the parameters of its beginning and its end."""
        return ("from", self.since), ("to", self.until)

    def parameters(self) -> dict[str, str]:
        """Return what its address says, without what is so by itself: what a saved timeline keeps, too."""
        return {
            "q": self.text,
            "language": self.language if self.language != "kql" else "",
            "index": self.index,
            **({"from": self.since} if self.since != DEFAULT_SINCE else {}),
            "to": self.until,
            "columns": ",".join(self.columns) if self.columns != DEFAULT_COLUMNS else "",
            "sort": self.sort if self.sort != "newest" else "",
        }

    def address(self, path: str = "/timeline", **changes: Any) -> str:
        """Return the address of the timeline with changes; a change of what is shown begins at the first page."""
        more = {name: str(changes.pop(name)) for name in list(changes) if name not in _NAMES}
        stays = changes.keys() <= {"open", "at", "id", "columns"}
        first_page = {} if stays else {"after": "", "before": "", "page": 1, "open": "", "at": ""}
        view = replace(self, **{**first_page, **changes})
        place = {
            "after": view.after, "before": view.before, "page": str(view.page) if view.page > 1 else "",
            "open": view.open, "at": view.at, "id": view.id,
        }  # fmt: skip
        said = {n: text for n, text in {**view.parameters(), **place, **more}.items() if text or n == "from"}
        return f"{path}?{urlencode(said)}" if said else path

    def bounds(self, now: datetime) -> tuple[datetime | None, datetime | None]:
        """Return the moments between which its events lie, None where it has no such end. Raises ApiError."""
        try:
            since = parse_date_math(self.since, now) if self.since else None
            return since, parse_date_math(self.until, now) if self.until else None
        except (ValueError, OverflowError) as error:
            raise bad_request(f"the time cannot be read: {error}") from None

    def query(self, now: datetime) -> TimelineQuery:
        """Return what it asks of the store. Raises ApiError."""
        since, until = (None if at is None else datetime_nanoseconds(at) for at in self.bounds(now))
        return TimelineQuery(self.text, self.language, tuple(self.patterns), since, until)

    def task(self, now: datetime) -> TimelineTask:
        """Return the search for its page. Raises ApiError."""
        keys, backwards = (self.before, True) if self.before else (self.after, False)
        return TimelineTask(
            self.query(now),
            tuple(dict.fromkeys((*self.columns, *_ALSO))),
            PAGE_SIZE,
            newest_first=self.newest_first,
            after=read_keys(keys) if keys else None,
            backwards=backwards,
            page=self.page,
        )

    def without_column(self, name: str) -> str:
        """Return the address without a column."""
        return self.address(columns=tuple(column for column in self.columns if column != name))

    def moved_column(self, name: str, by: int) -> str:
        """Return the address with a column further to the left or to the right."""
        columns = [column for column in self.columns if column != name]
        columns.insert(max(0, self.columns.index(name) + by), name)
        return self.address(columns=tuple(columns))


_NAMES = frozenset(name for name in TimelineView.__dataclass_fields__ if name != "given")


def shown_time(text: str, zone: tzinfo) -> str:
    """Return a time for its field: a moment in the visitor's zone, as pages show moments; date math as it is."""
    try:
        moment = datetime.fromisoformat(text)
        local = moment.astimezone(zone) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        return text
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03}"


def event_key(event: Mapping[str, Any]) -> str:
    """Return what an address calls an event: its index and its id."""
    return f"{event['index']}:{event['id']}"


def read_event_key(text: str) -> tuple[str, str]:
    """Return the index and the id of an event that an address names. Raises ApiError."""
    index, _, id_ = text.partition(":")
    if not index or not id_ or "*" in index or "," in index or len(text) > 2_000:
        raise bad_request("the address names no event: it is an index, a colon, and an id")
    return index, id_


def written_keys(keys: Sequence[Any]) -> str:
    """Return the sort keys of an event as an address has them."""
    return orjson.dumps(keys).decode()


def read_keys(text: str) -> tuple[Any, ...]:
    """Return the sort keys that an address has: a moment in nanoseconds, an id and an index. Raises ApiError."""
    try:
        moment, id_, index = orjson.loads(text)
    except (ValueError, TypeError):
        moment = id_ = index = None
    if not isinstance(moment, int) or not isinstance(id_, str) or not isinstance(index, str):
        raise bad_request("the address names no page: go back to the first one")
    return moment, id_, index


def _with_zone(text: str, zone: tzinfo) -> str:
    """Return a time as every colleague's address has it: a moment that was typed as it is shown, in UTC."""
    typed = _SHOWN.fullmatch(text)
    if typed is None:
        return text.strip()
    try:
        local = datetime.fromisoformat(f"{typed[1]}T{typed[2] or '00:00'}").replace(tzinfo=zone)
        return local.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError):
        return text.strip()
