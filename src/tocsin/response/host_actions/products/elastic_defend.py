"""Elastic Defend, through Kibana's interface for response actions (`/api/endpoint/action/*`, version 2023-10-31).

Actions answer with `data.id`, under which `/api/endpoint/action/{id}` tells how far they are. Kibana takes no key
of ours: an action that may have been taken is looked for in its list, by the id in the comment. Hashes are blocked
by items of the list `endpoint_blocklists`, whose `item_id` is ours, so that one is not added twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from tocsin.actions.masking import masked_address
from tocsin.actions.webhook import Answer
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

_COMMANDS: Mapping[str, tuple[str, str]] = {  # the path, and the command as lists of actions call it
    "isolate": ("isolate", "isolate"), "release": ("unisolate", "unisolate"),
    "kill_process": ("kill_process", "kill-process"), "suspend_process": ("suspend_process", "suspend-process"),
    "scan": ("scan", "scan"), "collect_file": ("get_file", "get-file"),
}  # fmt: skip
_BLOCKS = ("block_indicator", "unblock_indicator")
_HASHES = ("sha256", "sha1", "md5")
_LIST, _ITEMS = "endpoint_blocklists", "/api/exception_lists/items"
_PAGE_SIZE, _MOST_PAGES = 100, 10
_ROOT = "C:\\"  # what a scan without a path scans: Kibana asks for one


class ElasticDefendConnector:
    """Has Elastic Defend's agents act, through a Kibana."""

    def __init__(self, settings: Mapping[str, str], client: ReceiverClient) -> None:
        space = settings.get("space", "")
        self._base = settings["url"].rstrip("/") + (f"/s/{path_part(space)}" if space else "")
        self._headers = {
            "Authorization": f"ApiKey {settings['api_key']}", "kbn-xsrf": "tocsin",
            "elastic-api-version": "2023-10-31",
        }  # fmt: skip
        self._client = client

    def check(self) -> str:
        """Ask for one agent."""
        total = member(self._get("/api/endpoint/metadata", page="0", pageSize="1"), "total")
        return f"Kibana knows {total} hosts with Elastic Defend"

    def find_hosts(self, name: str) -> Sequence[ReceiverHost]:
        """Return the agents on hosts of a name."""
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        kuery = f'united.endpoint.host.hostname : "{quoted}" or united.endpoint.host.name : "{quoted}"'
        hosts = []
        for page in range(_MOST_PAGES):
            document = self._get("/api/endpoint/metadata", page=str(page), pageSize=str(_PAGE_SIZE), kuery=kuery)
            rows = members(document, "data")
            for row in rows:
                metadata = member(row, "metadata")
                agent = member(metadata, "agent", "id")
                if agent:
                    addresses = ", ".join(map(str, members(metadata, "host", "ip")[:3]))
                    seen = f"{member(row, 'host_status')}, last checked in {member(row, 'last_checkin')}"
                    host = str(member(metadata, "host", "hostname") or name)
                    hosts.append(ReceiverHost(str(agent), host, f"{seen}; {addresses}"))
            if (page + 1) * _PAGE_SIZE >= int(member(document, "total") or 0) or not rows:
                break
        return hosts

    def plan(self, request: ActionRequest) -> Sequence[PlannedRequest]:
        """Return the one request."""
        method, path, query, body = self._request(request)
        return [PlannedRequest(method, masked_address(self._base).rstrip("*").rstrip("/") + path + query, body)]

    def start(self, request: ActionRequest) -> tuple[Receipt, ActionProgress]:
        """Send an action; its id is its receipt."""
        method, path, query, body = self._request(request)
        answer = self._send(method, path + query, body)
        if request.kind == "block_indicator" and answer.status == 409:  # our item is there: sent a second time
            return Receipt(_item_id(request)), ActionProgress(ProgressState.SUCCEEDED, "the item is on the list")
        if request.kind == "unblock_indicator" and answer.status == 404:
            return Receipt(_undone_item(request)), ActionProgress(ProgressState.SUCCEEDED, "the item is gone")
        document = self._client.answer_of(answer)
        if request.kind in _BLOCKS:
            item = str(member(document, "item_id") or _item_id(request))
            return Receipt(item), ActionProgress(ProgressState.SUCCEEDED, f"item of {_LIST}")
        data = member(document, "data") or {}
        reference = member(data, "id") or member(document, "action")
        if not reference:
            raise RefusedError("Kibana's answer names no action")
        return Receipt(str(reference)), _progress(data)

    def progress(self, request: ActionRequest, receipt: Receipt) -> ActionProgress:
        """Ask for the action."""
        return _progress(member(self._get(f"/api/endpoint/action/{path_part(receipt.reference)}"), "data") or {})

    def is_repeatable(self, request: ActionRequest) -> bool:
        """Return whether it is an item of a list, whose id is ours."""
        return request.kind in _BLOCKS

    def look_up(self, request: ActionRequest) -> Receipt | None:
        """Look for an action whose comment names it, in the list of a day of the agent."""
        if request.kind not in _COMMANDS:
            return None
        for page in range(1, _MOST_PAGES + 1):
            document = self._get(
                "/api/endpoint/action", page=str(page), pageSize=str(_PAGE_SIZE), startDate="now-24h",
                agentIds=request.host_id or "", commands=_COMMANDS[request.kind][1],
            )  # fmt: skip
            rows = members(document, "data")
            for row in rows:
                if request.id in str(member(row, "comment") or ""):
                    return Receipt(str(member(row, "id")))
            if page * _PAGE_SIZE >= int(member(document, "total") or 0) or not rows:
                break
        return None

    def _request(self, request: ActionRequest) -> tuple[str, str, str, Any]:
        if request.kind == "block_indicator":
            return "POST", _ITEMS, "", _block_item(request)
        if request.kind == "unblock_indicator":
            query = f"?item_id={path_part(_undone_item(request))}&namespace_type=agnostic"
            return "DELETE", _ITEMS, query, None
        if request.kind not in _COMMANDS:
            raise RefusedError(f"Elastic Defend cannot do {request.kind}")
        body: dict[str, Any] = {"endpoint_ids": [request.host_id], "comment": request.marked_comment}
        parameters = request.parameters
        if request.kind in ("kill_process", "suspend_process"):
            entity_id = parameters.get("entity_id")
            body["parameters"] = {"entity_id": entity_id} if entity_id else {"pid": int(parameters["pid"])}
        elif request.kind in ("scan", "collect_file"):
            body["parameters"] = {"path": parameters.get("path") or _ROOT}
        return "POST", f"/api/endpoint/action/{_COMMANDS[request.kind][0]}", "", body

    def _get(self, path: str, **query: str) -> Any:
        return self._client.answer_of(self._client.send("GET", self._base + path, self._headers, query=query))

    def _send(self, method: str, path: str, body: Any) -> Answer:
        return self._client.send(method, self._base + path, self._headers, json=body)


def _block_item(request: ActionRequest) -> dict[str, Any]:
    type_ = request.parameters.get("type")
    if type_ not in _HASHES:
        raise RefusedError("Elastic Defend blocks hashes of files; block other indicators elsewhere")
    entry = {
        "field": f"file.hash.{type_}", "operator": "included", "type": "match_any",
        "value": [request.parameters["value"].lower()],
    }  # fmt: skip
    return {
        "list_id": _LIST, "item_id": _item_id(request), "namespace_type": "agnostic", "type": "simple",
        "name": f"tocsin {request.parameters['value'][:16]}", "description": request.marked_comment,
        "os_types": ["windows"], "tags": ["policy:all"], "entries": [entry], "comments": [],
    }  # fmt: skip


def _item_id(request: ActionRequest) -> str:
    return f"tocsin-{request.id}"


def _undone_item(request: ActionRequest) -> str:
    if request.undone is not None:
        return request.undone.reference
    if request.undoes is not None:
        return f"tocsin-{request.undoes}"
    raise RefusedError("undo the action that blocked it: another item of the list is not ours to remove")


def _progress(data: Mapping[str, Any]) -> ActionProgress:
    errors = "; ".join(map(str, members(data, "errors")))
    result = {"outputs": data["outputs"]} if isinstance(data.get("outputs"), dict) else {}
    if len(orjson.dumps(result)) > 100_000:
        result = {}
    if data.get("isExpired"):
        return ActionProgress(ProgressState.FAILED, errors or "the agent did not take it in time", result)
    if not data.get("isCompleted"):
        return ActionProgress(ProgressState.RUNNING, "the agent has not answered yet")
    state = ProgressState.SUCCEEDED if data.get("wasSuccessful") else ProgressState.FAILED
    return ActionProgress(state, errors, result)


ELASTIC_DEFEND = ResponseConnectorType(
    name="elastic_defend",
    title="Elastic Defend",
    kinds=frozenset({*_COMMANDS, *_BLOCKS}),
    settings=(
        ConnectorSetting("url", N_("Address of Kibana")),
        ConnectorSetting(
            "api_key",
            N_("API key"),
            secret=True,
            hint=N_("encoded; it may do response actions"),
        ),
        ConnectorSetting("space", N_("Space"), required=False, hint=N_("empty for the default one")),
    ),
    open=ElasticDefendConnector,
)
