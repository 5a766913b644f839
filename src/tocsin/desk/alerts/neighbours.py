"""The alerts before and after one in a list, whatever has been raised or closed since the list was shown."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from starlette.datastructures import QueryParams
from starlette.requests import Request

from tocsin.api.answers import ApiError
from tocsin.desk.alerts.view import AlertsView
from tocsin.desk.searches import search
from tocsin.store.alerts.names import ALERTS_INDEX

LIST_PATH = "/alerts"
_LONGEST = 16_000  # characters of a list's address
_OTHER_ORDER = {"asc": "desc", "desc": "asc"}


def list_address(text: str) -> str:
    """Return the address of a list of alerts, empty for a text that is none."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    if parts.scheme or parts.netloc or parts.path != LIST_PATH or len(text) > _LONGEST:
        return ""
    return f"{LIST_PATH}?{parts.query}" if parts.query else LIST_PATH


def view_of(address: str) -> AlertsView:
    """Return the list that its address names. Raises ApiError."""
    return AlertsView.of(QueryParams(urlsplit(address).query))


def alert_address(id_: str, list_: str) -> str:
    """Return the address of an alert's page, with that of the list from which it is opened."""
    return f"/alerts/{quote(id_, safe='')}{'?' + urlencode({'list': list_}) if list_ else ''}"


def row_address(id_: str, list_: str) -> str:
    """Return the address of a list with an alert's row as the current one."""
    return f"{list_ or LIST_PATH}#alert-{quote(id_, safe='')}"


async def neighbour(request: Request, list_: str, id_: str, *, after: bool = True) -> str | None:
    """Return the id of the alert after one in a list, or before it; None where there is none. Raises ApiError."""
    body = view_of(list_).search()
    sort = [dict([_key(key)]) for key in body["sort"]]
    place = {"query": {"ids": {"values": [id_]}}, "size": 1, "sort": sort, "_source": False}
    hits = (await search(request, [ALERTS_INDEX], place))["hits"]["hits"]
    if not hits:
        return None
    if not after:
        sort = [
            {name: {**about, "order": _OTHER_ORDER[about["order"]]} for name, about in k.items()} for k in sort
        ]
    asked = {"query": body["query"], "size": 1, "sort": sort, "search_after": hits[0]["sort"], "_source": False}
    try:
        hits = (await search(request, [ALERTS_INDEX], asked))["hits"]["hits"]
    except ApiError as error:
        if error.status != 400:
            raise
        return None  # the list's query cannot be read, as the list says itself
    return str(hits[0]["_id"]) if hits else None


def _key(key: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the field of a key of a sort, and how it is sorted by."""
    ((name, about),) = key.items()
    return name, {**about, "order": about.get("order", "asc")} if isinstance(about, dict) else {"order": about}
