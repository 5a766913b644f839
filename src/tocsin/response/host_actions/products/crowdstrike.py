"""CrowdStrike Falcon, through its API: hosts (`devices`), containment and indicators (`iocs`).

`devices-actions/v2` contains a host and lifts that; the host's `status` tells how far it is (normal,
containment_pending, contained, lift_containment_pending). To contain a host again changes nothing: it is a state,
so that a request may be sent twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tocsin.moments import iso
from tocsin.response.host_actions.interface import (
    ActionProgress,
    ActionRequest,
    ConnectorSetting,
    PlannedRequest,
    ProgressState,
    Receipt,
    ReceiverHost,
    RefusedError,
    ResponseConnectorType,
)
from tocsin.response.host_actions.receiver import ReceiverClient, client_credentials, member, members
from tocsin.translatable import N_

_API = "https://api.crowdstrike.com"
_ACTIONS = {"isolate": ("contain", "contained"), "release": ("lift_containment", "normal")}
_BLOCKS = ("block_indicator", "unblock_indicator")
_INDICATOR_TYPES = {"sha256": "sha256", "md5": "md5", "domain": "domain"}
_PAGE_SIZE, _MOST_PAGES = 100, 20
_INDICATORS = "/iocs/entities/indicators/v1"


class CrowdStrikeConnector:
    """Has CrowdStrike Falcon act on hosts."""

    def __init__(self, settings: Mapping[str, str], client: ReceiverClient) -> None:
        self._base = (settings.get("url") or _API).rstrip("/")
        self._client = client
        self._token = client_credentials(
            client, f"{self._base}/oauth2/token", settings["client_id"], settings["client_secret"]
        )

    def check(self) -> str:
        """Ask for one host."""
        self._call("GET", "/devices/queries/devices/v1", query={"limit": "1"})
        return "CrowdStrike has let us in"

    def find_hosts(self, name: str) -> Sequence[ReceiverHost]:
        """Return the hosts of a name."""
        quoted = name.replace("\\", "\\\\").replace("'", "\\'")
        ids: list[str] = []
        for _ in range(_MOST_PAGES):
            query = {"filter": f"hostname:['{quoted}']", "limit": str(_PAGE_SIZE), "offset": str(len(ids))}
            document = self._call("GET", "/devices/queries/devices/v1", query=query)
            page = [str(id_) for id_ in members(document, "resources")]
            ids += page
            if not page or len(ids) >= int(member(document, "meta", "pagination", "total") or 0):
                break
        if not ids:
            return []
        rows = members(self._call("POST", "/devices/entities/devices/v2", {"ids": ids}), "resources")
        return [
            ReceiverHost(
                str(member(row, "device_id")), str(member(row, "hostname")),
                f"{member(row, 'platform_name')}, {member(row, 'status')}, last seen {member(row, 'last_seen')}",
            )
            for row in rows
        ]  # fmt: skip

    def plan(self, request: ActionRequest) -> Sequence[PlannedRequest]:
        """Return the one request."""
        method, path, query, body = self._request(request)
        return [PlannedRequest(method, self._base + path + query, body)]

    def start(self, request: ActionRequest) -> tuple[Receipt, ActionProgress]:
        """Send an action; the host or the indicator is its receipt."""
        method, path, query, body = self._request(request)
        document = self._call(method, path + query, body)
        if request.kind == "block_indicator":
            ids = [str(member(row, "id")) for row in members(document, "resources")]
            if not ids:
                raise RefusedError("CrowdStrike's answer names no indicator")
            return Receipt(ids[0]), ActionProgress(ProgressState.SUCCEEDED, "the indicator is set")
        if request.kind == "unblock_indicator":
            return Receipt("none"), ActionProgress(ProgressState.SUCCEEDED, "the indicator is gone")
        return Receipt(request.host_id or ""), ActionProgress(ProgressState.RUNNING, "CrowdStrike has taken it")

    def progress(self, request: ActionRequest, receipt: Receipt) -> ActionProgress:
        """Ask for the host's state."""
        rows = members(self._call("POST", "/devices/entities/devices/v2", {"ids": [request.host_id]}), "resources")
        status = str(member(rows[0], "status")) if rows else "not known"
        wanted = _ACTIONS[request.kind][1]
        state = ProgressState.SUCCEEDED if status == wanted else ProgressState.RUNNING
        return ActionProgress(state, f"the host is {status}")

    def is_repeatable(self, request: ActionRequest) -> bool:
        """Return whether it sets a state; an indicator that is there is refused the second time."""
        return request.kind != "block_indicator"

    def look_up(self, request: ActionRequest) -> Receipt | None:
        """Look for an indicator whose description names it."""
        if request.kind != "block_indicator":
            return Receipt(request.host_id or "")
        quoted = request.parameters["value"].replace("'", "\\'")
        document = self._call(
            "GET", "/iocs/combined/indicator/v1", query={"filter": f"value:'{quoted}'", "limit": "100"}
        )
        for row in members(document, "resources"):
            if request.id in str(member(row, "description") or ""):
                return Receipt(str(member(row, "id")))
        return None

    def _request(self, request: ActionRequest) -> tuple[str, str, str, Any]:
        if request.kind == "block_indicator":
            return "POST", _INDICATORS, "", _indicator(request)
        if request.kind == "unblock_indicator":
            if request.undone is None:
                raise RefusedError("undo the action that blocked it: which indicator is ours is not known")
            return "DELETE", _INDICATORS, f"?ids={request.undone.reference}", None
        if request.kind not in _ACTIONS:
            raise RefusedError(f"CrowdStrike cannot do {request.kind} through its API for hosts")
        query = f"?action_name={_ACTIONS[request.kind][0]}"
        return "POST", "/devices/entities/devices-actions/v2", query, {"ids": [request.host_id]}

    def _call(self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None) -> Any:
        answer = self._token.send_with(
            lambda headers: self._client.send(method, self._base + path, headers, json=body, query=query)
        )
        document = self._client.answer_of(answer)
        if errors := members(document, "errors"):  # a status of 200 may bring some along
            raise RefusedError(f"CrowdStrike says no: {self._client.shown(str(errors))}")
        return document


def _indicator(request: ActionRequest) -> dict[str, Any]:
    type_, value = request.parameters["type"], request.parameters["value"]
    if type_ == "ip":
        type_ = "ipv6" if ":" in value else "ipv4"
    elif type_ not in _INDICATOR_TYPES:
        raise RefusedError(f"CrowdStrike takes no indicator of the type {type_}")
    indicator = {
        "type": type_, "value": value, "action": "prevent" if type_ in ("sha256", "md5") else "detect",
        "severity": "high", "description": request.marked_comment, "platforms": ["windows"],
        "applied_globally": True, "source": "tocsin",
    }  # fmt: skip
    if request.expires is not None:  # it ends there too where the service does not undo it in time
        indicator["expiration"] = iso(request.expires)
    return {"comment": request.marked_comment, "indicators": [indicator]}


CROWDSTRIKE = ResponseConnectorType(
    name="crowdstrike",
    title="CrowdStrike Falcon",
    kinds=frozenset({*_ACTIONS, *_BLOCKS}),
    settings=(
        ConnectorSetting("client_id", N_("Client id")),
        ConnectorSetting("client_secret", N_("Client secret"), secret=True),
        ConnectorSetting("url", N_("Address of the API"), required=False, default=_API),
    ),
    open=CrowdStrikeConnector,
)
