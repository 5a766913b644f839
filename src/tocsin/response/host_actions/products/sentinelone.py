"""SentinelOne, through its management API 2.1: agents, their network and scans, restrictions and threats.

`agents/actions/disconnect` and `connect` set an agent's `networkStatus`, `initiate-scan` its `scanStatus`; they
answer with how many agents they are for. Setting a state again changes nothing, so that such a request may be sent
twice. Hashes (SHA-1) are blocked by `restrictions`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
from tocsin.response.host_actions.receiver import ReceiverClient, member, members, path_part
from tocsin.translatable import N_

_API = "/web/api/v2.1"
# The action, and the member of the agent that tells how far it is with the values of its end.
_ACTIONS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "isolate": ("disconnect", "networkStatus", ("disconnected",)),
    "release": ("connect", "networkStatus", ("connected",)),
    "scan": ("initiate-scan", "scanStatus", ("finished",)),
}
_OTHERS = ("collect_file", "quarantine_file", "block_indicator", "unblock_indicator")
_PAGE_SIZE, _MOST_PAGES = 100, 20


class SentinelOneConnector:
    """Has SentinelOne's agents act."""

    def __init__(self, settings: Mapping[str, str], client: ReceiverClient) -> None:
        self._base = settings["url"].rstrip("/") + _API
        self._headers = {"Authorization": f"ApiToken {settings['api_token']}"}
        site = settings.get("site_id", "")
        self._place = {"siteIds": [site]} if site else {"tenant": True}
        self._password = settings.get("file_password", "")
        self._client = client

    def check(self) -> str:
        """Ask for one agent."""
        total = member(self._call("GET", "/agents", query={"limit": "1"}), "pagination", "totalItems")
        return f"SentinelOne knows {total} agents"

    def find_hosts(self, name: str) -> Sequence[ReceiverHost]:
        """Return the agents on hosts of a name."""
        return [
            ReceiverHost(
                str(member(row, "id")), str(member(row, "computerName")),
                f"{member(row, 'osName')}, {member(row, 'networkStatus')}, "
                f"last active {member(row, 'lastActiveDate')}",
            )
            for row in self._rows("/agents", {"computerName": name})
            if str(member(row, "computerName")).lower() == name.lower()
        ]  # fmt: skip

    def plan(self, request: ActionRequest) -> Sequence[PlannedRequest]:
        """Return the one request; the password of a file that is collected is not shown."""
        method, path, body = self._request(request)
        if request.kind == "collect_file":
            body = {"data": {**body["data"], "password": "***"}}
        return [PlannedRequest(method, self._base + path, body)]

    def start(self, request: ActionRequest) -> tuple[Receipt, ActionProgress]:
        """Send an action; the agent, or what was made, is its receipt."""
        method, path, body = self._request(request)
        if request.kind == "quarantine_file":
            self._check_threat(request)
        document = self._call(method, path, body)
        if request.kind == "block_indicator":
            ids = [str(member(row, "id")) for row in members(document, "data")]
            return Receipt(ids[0] if ids else "none"), ActionProgress(
                ProgressState.SUCCEEDED, "the hash is blocked"
            )
        if request.kind in _OTHERS:
            done = ActionProgress(ProgressState.SUCCEEDED, "SentinelOne has taken it; its console has the result")
            return Receipt(request.host_id or request.id), done
        if not member(document, "data", "affected"):
            raise RefusedError("SentinelOne has no agent for it: it affected none")
        return Receipt(request.host_id or ""), ActionProgress(ProgressState.RUNNING, "SentinelOne has taken it")

    def progress(self, request: ActionRequest, receipt: Receipt) -> ActionProgress:
        """Ask for the agent's state."""
        rows = members(self._call("GET", "/agents", query={"ids": request.host_id or ""}), "data")
        _, name, wanted = _ACTIONS[request.kind]
        status = str(member(rows[0], name)) if rows else "not known"
        if status == "aborted":
            return ActionProgress(ProgressState.FAILED, "the scan was aborted")
        state = ProgressState.SUCCEEDED if status in wanted else ProgressState.RUNNING
        return ActionProgress(state, f"the agent's {name} is {status}")

    def is_repeatable(self, request: ActionRequest) -> bool:
        """Return whether it sets a state."""
        return request.kind in ("isolate", "release")

    def look_up(self, request: ActionRequest) -> Receipt | None:
        """Look for a hash that is blocked by this action; of other actions SentinelOne keeps no mark."""
        if request.kind != "block_indicator":
            raise RefusedError("SentinelOne keeps no mark of actions: look at its activity log")
        for row in self._rows("/restrictions", {"value": request.parameters["value"], "type": "black_hash"}):
            if request.id in str(member(row, "description") or ""):
                return Receipt(str(member(row, "id")))
        return None

    def _check_threat(self, request: ActionRequest) -> None:
        query = {
            "contentHashes": request.parameters["sha1"].lower(),
            "agentIds": request.host_id or "",
            "limit": "1",
        }
        if not members(self._call("GET", "/threats", query=query), "data"):
            raise RefusedError("SentinelOne quarantines threats alone, and knows none of this hash there")

    def _request(self, request: ActionRequest) -> tuple[str, str, Any]:
        parameters = request.parameters
        if request.kind in _ACTIONS:
            if parameters.get("path"):
                raise RefusedError("SentinelOne scans a whole disk: leave the path empty")
            path = f"/agents/actions/{_ACTIONS[request.kind][0]}"
            return "POST", path, {"filter": {"ids": [request.host_id]}, "data": {}}
        if request.kind == "collect_file":
            if not self._password:
                raise RefusedError("the connector has no password for files that are collected")
            files = {"files": [parameters["path"]], "password": self._password}
            return "POST", f"/agents/{path_part(request.host_id or '')}/actions/fetch-files", {"data": files}
        if request.kind == "quarantine_file":
            chosen = {"contentHashes": [parameters["sha1"].lower()], "agentIds": [request.host_id]}
            return "POST", "/threats/mitigate/quarantine", {"filter": chosen}
        if request.kind == "block_indicator":
            if parameters["type"] != "sha1":
                raise RefusedError("SentinelOne blocks hashes in SHA-1")
            data = {
                "type": "black_hash", "value": parameters["value"].lower(), "osType": "windows",
                "description": request.marked_comment,
            }  # fmt: skip
            return "POST", "/restrictions", {"data": data, "filter": self._place}
        if request.kind == "unblock_indicator":
            if request.undone is None:
                raise RefusedError("undo the action that blocked it: which entry is ours is not known otherwise")
            ids = [request.undone.reference]
            return "DELETE", "/restrictions", {"data": {"type": "black_hash", "ids": ids}}
        raise RefusedError(f"SentinelOne cannot do {request.kind}")

    def _rows(self, path: str, query: Mapping[str, str]) -> Sequence[Any]:
        rows: list[Any] = []
        asked = {**query, "limit": str(_PAGE_SIZE)}
        for _ in range(_MOST_PAGES):
            document = self._call("GET", path, query=asked)
            rows += members(document, "data")
            cursor = member(document, "pagination", "nextCursor")
            if not cursor:
                break
            asked["cursor"] = str(cursor)
        return rows

    def _call(self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None) -> Any:
        answer = self._client.send(method, self._base + path, self._headers, json=body, query=query)
        document = self._client.answer_of(answer)
        if errors := members(document, "errors"):
            raise RefusedError(f"SentinelOne says no: {self._client.shown(str(errors))}")
        return document


SENTINELONE = ResponseConnectorType(
    name="sentinelone",
    title="SentinelOne",
    kinds=frozenset({*_ACTIONS, *_OTHERS}),
    settings=(
        ConnectorSetting("url", N_("Address of the console")),
        ConnectorSetting("api_token", N_("API token"), secret=True),
        ConnectorSetting("site_id", N_("Site id"), required=False, hint=N_("empty for all sites")),
        ConnectorSetting("file_password", N_("Password of collected files"), secret=True, required=False),
    ),
    open=SentinelOneConnector,
)
