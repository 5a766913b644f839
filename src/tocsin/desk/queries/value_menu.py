"""What can be done with a value, wherever it stands in the desk: filters, the time line, look-ups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tocsin.desk.alerts.view import AlertsView
from tocsin.desk.navigation import NAVIGATION
from tocsin.desk.translations import N_
from tocsin.investigation.observables import Observable, observables_in
from tocsin.kql.write import condition, with_condition

_ALERTS, _TIMELINE = "/alerts", "/timeline"  # pages that have a query of their own
_OF_ALERTS = ("kibana.alert.", "tocsin.")  # fields that only alerts have
_OF_A_PAGE = ("q", "page", "after", "before", "flyout")  # parameters that mean nothing with another query
# Bytes of an address. A browser names it up to three times in a request's head, which has at most 64 kB.
_LONGEST_ADDRESS = 18_000
_MOST_OBSERVABLES = 6
_Parameters = list[tuple[str, str]]


@dataclass(frozen=True)
class ValueAction:
    """Something that can be done with a value, and the page that does it."""

    label: str
    address: str


@dataclass(frozen=True)
class ValueMenu:
    """What can be done with a value. `is_long` tells that it is too long to stand in an address.

    `is_here` tells that the page has it whole, and can copy it.
    """

    field: str
    value: Any
    actions: Sequence[ValueAction]
    observables: Sequence[Observable]
    is_long: bool
    is_here: bool = True


def too_long(field: str, *, is_here: bool = True) -> ValueMenu:
    """Return the menu of a value that is too long to be asked about: it can be copied where the page has it."""
    return ValueMenu(field, "", (), (), is_long=True, is_here=is_here)


def value_menu(field: str, value: Any, page: str, since: str = "", until: str = "") -> ValueMenu:
    """Return the menu of a value of a field.

    `page` is the path and query of the page that it stands on; a time line shows the time between `since` and
    `until`, that of the page where they are empty.
    """
    added = condition(field, value)
    path, parameters = _parts(page)
    actions = []
    if path in (_ALERTS, _TIMELINE) and dict(parameters).get("language", "kql") == "kql":
        actions += [
            ValueAction(N_("Filter for this value"), _filtered(path, parameters, added, negated=False)),
            ValueAction(N_("Filter this value out"), _filtered(path, parameters, added, negated=True)),
        ]
    if path != _ALERTS:
        actions.append(ValueAction(N_("Open in alerts"), _address(_ALERTS, [("q", added), ("from", "now-30d")])))
    if path != _TIMELINE and not field.startswith(_OF_ALERTS) and _is_there(_TIMELINE):
        times = [("from", since), ("to", until)] if since or until else _times(path, parameters)
        actions.append(ValueAction(N_("Open in timeline"), _address(_TIMELINE, [("q", added), *times])))
    short = [action for action in actions if len(action.address) <= _LONGEST_ADDRESS]
    looked_up = [observable for observable in observables_in(field, value) if observable.look_ups]
    return ValueMenu(field, value, short, looked_up[:_MOST_OBSERVABLES], is_long=len(short) < len(actions))


def _parts(page: str) -> tuple[str, _Parameters]:
    try:
        address = urlsplit(page)
        return address.path, parse_qsl(address.query, keep_blank_values=True, max_num_fields=1_000)
    except ValueError:
        return "", []


def _filtered(path: str, parameters: _Parameters, added: str, *, negated: bool) -> str:
    query = with_condition(dict(parameters).get("q", ""), added, negated=negated)
    if path == _ALERTS and not parameters:  # what the page shows by itself is not said in its address
        return AlertsView().address(kql=query)
    return _address(path, [("q", query), *(pair for pair in parameters if pair[0] not in _OF_A_PAGE)])


def _times(path: str, parameters: _Parameters) -> _Parameters:
    times = [pair for pair in parameters if pair[0] in ("from", "to")]
    return times if parameters or path != _ALERTS else [("from", AlertsView().since)]


def _address(path: str, parameters: _Parameters) -> str:
    # Without a beginning a list shows all times; a time line whose address says none shows those of today.
    said = [pair for pair in parameters if pair[1] or pair[0] == "from"]
    return f"{path}?{urlencode(said or parameters)}"


def _is_there(path: str) -> bool:
    return any(entry.address == path for entry in NAVIGATION)
