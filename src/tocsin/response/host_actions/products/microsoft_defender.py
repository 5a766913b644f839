"""Microsoft Defender for Endpoint, through its API: machines, machine actions and indicators.

https://learn.microsoft.com/defender-endpoint/api/ has them: `machines/{id}/isolate` and its like make a machine
action, whose `status` is Pending, InProgress, Succeeded, Failed, TimeOut or Cancelled. Indicators are submitted or
updated by their value, so that one is not added twice. Credentials are those of an app (Entra ID).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

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
from tocsin.response.host_actions.receiver import (
    ReceiverClient,
    client_credentials,
    member,
    members,
    path_part,
)
from tocsin.translatable import N_

_API = "https://api.securitycenter.microsoft.com"
_LOG_IN = "https://login.microsoftonline.com"
_SCOPE = "https://api.securitycenter.microsoft.com/.default"
_MOST_PAGES = 20
_ACTIONS: Mapping[str, tuple[str, str]] = {  # the path, and the type of the machine action
    "isolate": ("isolate", "Isolate"), "release": ("unisolate", "Unisolate"),
    "scan": ("runAntiVirusScan", "RunAntiVirusScan"),
    "quarantine_file": ("StopAndQuarantineFile", "StopAndQuarantineFile"),
    "collect_file": ("runliveresponse", "LiveResponse"),
}  # fmt: skip
_BLOCKS = ("block_indicator", "unblock_indicator")
_INDICATOR_TYPES = {
    "sha256": "FileSha256", "sha1": "FileSha1", "md5": "FileMd5", "ip": "IpAddress", "domain": "DomainName",
    "url": "Url",
}  # fmt: skip
_STATES = {
    "Succeeded": ProgressState.SUCCEEDED, "Failed": ProgressState.FAILED, "TimeOut": ProgressState.FAILED,
    "Cancelled": ProgressState.FAILED,
}  # fmt: skip


class MicrosoftDefenderConnector:
    """Has Microsoft Defender for Endpoint act on machines."""

    def __init__(self, settings: Mapping[str, str], client: ReceiverClient) -> None:
        self._base = (settings.get("url") or _API).rstrip("/")
        log_in = (settings.get("login_url") or _LOG_IN).rstrip("/")
        self._client = client
        self._token = client_credentials(
            client, f"{log_in}/{path_part(settings['tenant_id'])}/oauth2/v2.0/token", settings["client_id"],
            settings["client_secret"], {"scope": settings.get("scope") or _SCOPE},
        )  # fmt: skip

    def check(self) -> str:
        """Ask for one machine."""
        self._call("GET", "/api/machines", query={"$top": "1"})
        return "Microsoft Defender has let us in"

    def find_hosts(self, name: str) -> Sequence[ReceiverHost]:
        """Return the machines of a name: the whole DNS name, or its first part."""
        quoted = name.lower().replace("'", "''")
        condition = f"computerDnsName eq '{quoted}'"
        if "." not in name:
            condition = f"startswith(computerDnsName,'{quoted}')"
        return [
            ReceiverHost(
                str(row.get("id")), str(row.get("computerDnsName")),
                f"{row.get('osPlatform')}, {row.get('healthStatus')}, last seen {row.get('lastSeen')}",
            )
            for row in self._rows("/api/machines", {"$filter": condition})
            if str(row.get("computerDnsName", "")).lower().partition("." if "." not in name else "\n")[0]
            == name.lower()
        ]  # fmt: skip

    def plan(self, request: ActionRequest) -> Sequence[PlannedRequest]:
        """Return the one request."""
        method, path, body = self._request(request)
        return [PlannedRequest(method, self._base + path, body)]

    def start(self, request: ActionRequest) -> tuple[Receipt, ActionProgress]:
        """Send an action; the id of the machine action or of the indicator is its receipt."""
        if request.kind == "unblock_indicator":
            return self._unblock(request)
        method, path, body = self._request(request)
        document = self._call(method, path, body)
        reference = member(document, "id")
        if reference is None:
            raise RefusedError("Microsoft's answer names no action")
        if request.kind == "block_indicator":
            return Receipt(str(reference)), ActionProgress(ProgressState.SUCCEEDED, "the indicator is set")
        return Receipt(str(reference)), _progress(document)

    def progress(self, request: ActionRequest, receipt: Receipt) -> ActionProgress:
        """Ask for the machine action."""
        return _progress(self._call("GET", f"/api/machineactions/{path_part(receipt.reference)}"))

    def is_repeatable(self, request: ActionRequest) -> bool:
        """Return whether it is an indicator, which is set by its value."""
        return request.kind in _BLOCKS

    def look_up(self, request: ActionRequest) -> Receipt | None:
        """Look for a machine action whose comment names it."""
        if request.kind not in _ACTIONS or request.host_id is None:
            return None
        quoted = request.host_id.replace("'", "''")
        condition = f"machineId eq '{quoted}' and type eq '{_ACTIONS[request.kind][1]}'"
        for row in self._rows(
            "/api/machineactions", {"$filter": condition, "$orderby": "creationDateTimeUtc desc"}
        ):
            if request.id in str(row.get("requestorComment") or ""):
                return Receipt(str(row.get("id")))
        return None

    def _unblock(self, request: ActionRequest) -> tuple[Receipt, ActionProgress]:
        reference = request.undone.reference if request.undone else self._indicator_of(request)
        gone = ActionProgress(ProgressState.SUCCEEDED, "the indicator is gone")
        if reference is None:
            return Receipt("none"), gone
        answer = self._send("DELETE", f"/api/indicators/{path_part(reference)}")
        if answer.status != 404:
            self._client.answer_of(answer)
        return Receipt(reference), gone

    def _indicator_of(self, request: ActionRequest) -> str | None:
        quoted = request.parameters["value"].replace("'", "''")
        for row in self._rows("/api/indicators", {"$filter": f"indicatorValue eq '{quoted}'"}):
            return str(row.get("id"))
        return None

    def _request(self, request: ActionRequest) -> tuple[str, str, Any]:
        if request.kind == "block_indicator":
            return "POST", "/api/indicators", _indicator(request)
        if request.kind == "unblock_indicator":
            return "DELETE", "/api/indicators/{id of the indicator}", None
        if request.kind not in _ACTIONS:
            raise RefusedError(f"Microsoft Defender cannot do {request.kind}")
        body: dict[str, Any] = {"Comment": request.marked_comment}
        if request.kind == "isolate":
            body["IsolationType"] = "Full"
        elif request.kind == "scan":
            if request.parameters.get("path"):
                raise RefusedError("Microsoft Defender scans a whole machine: leave the path empty")
            body["ScanType"] = "Full"
        elif request.kind == "quarantine_file":
            body["Sha1"] = request.parameters["sha1"].lower()
        elif request.kind == "collect_file":
            get_file = {"type": "GetFile", "params": [{"key": "Path", "value": request.parameters["path"]}]}
            body["Commands"] = [get_file]
        return "POST", f"/api/machines/{path_part(request.host_id or '')}/{_ACTIONS[request.kind][0]}", body

    def _rows(self, path: str, query: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        """Yield the rows of all pages; `@odata.nextLink` leads on, to this receiver alone."""
        document = self._call("GET", path, query=query)
        for _ in range(_MOST_PAGES):
            yield from (row for row in members(document, "value") if isinstance(row, dict))
            following = member(document, "@odata.nextLink")
            if not isinstance(following, str):
                return
            if urlsplit(following)[:2] != urlsplit(self._base)[:2]:
                raise RefusedError("the next page is said to lie elsewhere: it is not asked for")
            document = self._call("GET", following.removeprefix(self._base))

    def _call(self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None) -> Any:
        return self._client.answer_of(self._send(method, path, body, query))

    def _send(self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None) -> Any:
        return self._token.send_with(
            lambda headers: self._client.send(method, self._base + path, headers, json=body, query=query)
        )


def _indicator(request: ActionRequest) -> dict[str, Any]:
    indicator = {
        "indicatorValue": request.parameters["value"],
        "indicatorType": _INDICATOR_TYPES[request.parameters["type"]], "action": "Block", "severity": "High",
        "title": f"tocsin {request.id}", "description": request.marked_comment, "generateAlert": True,
    }  # fmt: skip
    # It ends there too where the service does not undo it in time.
    return indicator if request.expires is None else indicator | {"expirationTime": iso(request.expires)}


def _progress(document: Any) -> ActionProgress:
    status = str(member(document, "status") or "Pending")
    detail = "; ".join(filter(None, (status, str(member(document, "errorHResult") or "").strip("0"))))
    return ActionProgress(_STATES.get(status, ProgressState.RUNNING), detail)


MICROSOFT_DEFENDER = ResponseConnectorType(
    name="microsoft_defender",
    title="Microsoft Defender for Endpoint",
    kinds=frozenset({*_ACTIONS, *_BLOCKS}),
    settings=(
        ConnectorSetting("tenant_id", N_("Tenant id")),
        ConnectorSetting("client_id", N_("Application (client) id")),
        ConnectorSetting("client_secret", N_("Client secret"), secret=True),
        ConnectorSetting("url", N_("Address of the API"), required=False, default=_API),
        ConnectorSetting("login_url", N_("Address that gives tokens"), required=False, default=_LOG_IN),
        ConnectorSetting("scope", N_("Scope of tokens"), required=False, default=_SCOPE),
    ),
    open=MicrosoftDefenderConnector,
)
