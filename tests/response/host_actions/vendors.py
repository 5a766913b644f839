"""Servers that speak the documented interfaces of vendors: what each asks for, and what it answers.

Microsoft Defender: learn.microsoft.com/defender-endpoint/api (isolate-machine, get-machineaction-object,
post-ti-indicator, delete-ti-indicator-by-id). Kibana: the OpenAPI schemas under `common/api/endpoint/actions` of
elastic/kibana. CrowdStrike: developer.crowdstrike.com and the models of falconpy. SentinelOne: management API 2.1
as its console documents it. Microsoft Graph 1.0: user update, revokeSignInSessions.
"""

from __future__ import annotations

import itertools
import re
from typing import Any

from tests.response.host_actions.receivers import Received, Receiver, Reply

# What a host's or an agent's state becomes when it was looked at.
LOOKED_AT = {
    "containment_pending": "contained", "lift_containment_pending": "normal", "disconnecting": "disconnected",
    "connecting": "connected", "started": "finished",
}  # fmt: skip
AGENT_ACTIONS = {
    "/agents/actions/disconnect": ("networkStatus", "disconnecting"),
    "/agents/actions/connect": ("networkStatus", "connecting"),
    "/agents/actions/initiate-scan": ("scanStatus", "started"),
}


class Vendor:
    """A server of a vendor. `tokens` are those that are good; `faults` are answered before anything else."""

    def __init__(self) -> None:
        self.receiver = Receiver(self.respond)
        self.url = self.receiver.url
        self.tokens: set[str] = set()
        self.faults: list[Reply] = []
        self.numbers = itertools.count(1)

    def respond(self, request: Received) -> Reply:
        token = self.token(request)
        if token is not None:
            return token
        if not self.is_let_in(request):
            return Reply(401, {"error": {"code": "Unauthorized"}})
        if self.faults:
            return self.faults.pop(0)
        return self.answer(request)

    def token(self, request: Received) -> Reply | None:
        """Give a token for the right client, as RFC 6749 says; None for another request."""
        if not request.path.endswith("/token"):
            return None
        form = request.form
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        if (form["client_id"], form["client_secret"]) != (["the id"], ["the secret"]):
            return Reply(401, {"error": "invalid_client", "error_description": "no such client, the secret"})
        token = f"token-{next(self.numbers)}"
        self.tokens.add(token)
        return Reply(200, {"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    def is_let_in(self, request: Received) -> bool:
        return request.headers.get("authorization", "").removeprefix("Bearer ") in self.tokens

    def answer(self, request: Received) -> Reply:
        raise NotImplementedError

    def bodies(self, path: str) -> list[Any]:
        return [request.json for request in self.receiver.requests if request.path == path and request.body]


class Defender(Vendor):
    """Machines in pages of one, machine actions that are in progress once, and indicators by their values."""

    def __init__(self) -> None:
        super().__init__()
        self.machines = [
            {"id": f"m{number}", "computerDnsName": name, "osPlatform": "Windows11", "healthStatus": "Active",
             "lastSeen": "2026-11-27T10:00:00Z"}
            for number, name in enumerate(("ws-10.corp.example", "ws-1.corp.example", "twin.corp.example", "twin"))
        ]  # fmt: skip
        self.actions: dict[str, dict[str, Any]] = {}
        self.indicators: dict[str, dict[str, Any]] = {}

    def answer(self, request: Received) -> Reply:
        match request.method, request.path.split("/")[2:]:
            case "GET", ["machines"]:
                return self.page(request)
            case "POST", ["machines", id_, action]:
                return self.act(id_, action, request.json)
            case "GET", ["machineactions"]:
                return Reply(200, {"value": list(self.actions.values())})
            case "GET", ["machineactions", id_]:
                machine_action = self.actions[id_]
                shown = dict(machine_action)
                following = {"Pending": "InProgress", "InProgress": "Succeeded"}
                machine_action["status"] = following.get(shown["status"], shown["status"])
                return Reply(200, shown)
            case "POST", ["indicators"]:
                indicator = {"id": "995", **request.json}
                self.indicators["995"] = indicator
                return Reply(200, indicator)
            case "DELETE", ["indicators", id_]:
                return Reply(204 if self.indicators.pop(id_, None) else 404)
        return Reply(404)

    def page(self, request: Received) -> Reply:
        condition = request.query.get("$filter", [""])[0]
        name = (re.findall(r"'((?:[^']|'')*)'", condition) or [""])[0].replace("''", "'")
        fits = [
            machine for machine in self.machines
            if machine["computerDnsName"] == name
            or (condition.startswith("startswith") and machine["computerDnsName"].startswith(name))
        ]  # fmt: skip
        start = int(request.query.get("$skip", ["0"])[0])
        document: dict[str, Any] = {"value": fits[start : start + 1]}
        if start + 1 < len(fits):
            document["@odata.nextLink"] = f"{self.url}/api/machines?$filter={condition}&$skip={start + 1}"
        return Reply(200, document)

    def act(self, machine: str, action: str, body: dict[str, Any]) -> Reply:
        assert body["Comment"]
        pending = [
            one for one in self.actions.values() if one["machineId"] == machine and one["status"] == "Pending"
        ]
        if pending:
            return Reply(
                400, {"error": {"code": "ActiveRequestAlreadyExists", "message": "Action is in progress"}}
            )
        kinds = {"isolate": "Isolate", "unisolate": "Unisolate", "runAntiVirusScan": "RunAntiVirusScan",
                 "StopAndQuarantineFile": "StopAndQuarantineFile", "runliveresponse": "LiveResponse"}  # fmt: skip
        made = {
            "id": f"a-{next(self.numbers)}", "type": kinds[action], "requestor": "tocsin", "status": "Pending",
            "requestorComment": body["Comment"], "machineId": machine, "errorHResult": 0,
        }  # fmt: skip
        self.actions[made["id"]] = made
        return Reply(201, made)


class Kibana(Vendor):
    """Agents, actions that are pending once, and the blocklist."""

    def __init__(self) -> None:
        super().__init__()
        self.actions: dict[str, dict[str, Any]] = {}
        self.items: dict[str, dict[str, Any]] = {}
        self.agents = [("agent-1", "WS-1")] + [(f"agent-x{number}", "many") for number in range(150)]

    def is_let_in(self, request: Received) -> bool:
        assert request.headers["kbn-xsrf"]
        assert request.headers["elastic-api-version"] == "2023-10-31"
        return request.headers.get("authorization") == "ApiKey the secret"

    def answer(self, request: Received) -> Reply:
        match request.method, request.path.split("/")[2:]:
            case "GET", ["endpoint", "metadata"]:
                return self.metadata(request)
            case "GET", ["endpoint", "action"]:
                return Reply(200, {"page": 1, "pageSize": 100, "total": len(self.actions),
                                   "data": list(self.actions.values())})  # fmt: skip
            case "GET", ["endpoint", "action", id_]:
                action = self.actions[id_]
                shown = dict(action)
                action |= {"isCompleted": True, "wasSuccessful": action["command"] != "kill_process"}
                action["errors"] = ["pid not found"] if action["command"] == "kill_process" else []
                return Reply(200, {"data": shown})
            case "POST", ["endpoint", "action", command]:
                body = request.json
                id_ = f"k-{next(self.numbers)}"
                self.actions[id_] = {
                    "id": id_, "agents": body["endpoint_ids"], "command": command, "agentType": "endpoint",
                    "isExpired": False, "isCompleted": False, "wasSuccessful": False, "errors": [],
                    "comment": body["comment"], "parameters": body.get("parameters"), "outputs": {},
                }  # fmt: skip
                return Reply(200, {"data": self.actions[id_]})
            case "POST", ["exception_lists", "items"]:
                item = request.json
                if item["item_id"] in self.items:
                    return Reply(409, {"message": "exception list item already exists", "status_code": 409})
                self.items[item["item_id"]] = item
                return Reply(200, item)
            case "DELETE", ["exception_lists", "items"]:
                removed = self.items.pop(request.query["item_id"][0], None)
                return Reply(200 if removed else 404, removed)
        return Reply(404, {"statusCode": 404, "message": "Not Found"})

    def metadata(self, request: Received) -> Reply:
        kuery = request.query.get("kuery", [""])[0]
        name = (re.findall(r'"([^"]*)"', kuery) or [""])[0]
        fits = [agent for agent in self.agents if agent[1].lower() == name.lower()]
        start = int(request.query["page"][0]) * int(request.query["pageSize"][0])
        rows = fits[start : start + int(request.query["pageSize"][0])]
        data = [
            {"metadata": {"agent": {"id": id_}, "host": {"hostname": host, "ip": ["10.1.2.3"]}},
             "host_status": "healthy", "last_checkin": "2026-11-27T10:00:00Z"}
            for id_, host in rows
        ]  # fmt: skip
        return Reply(200, {"data": data, "total": len(fits), "page": 0, "pageSize": 100})


class CrowdStrike(Vendor):
    """Hosts whose states change with each look, and indicators."""

    def __init__(self) -> None:
        super().__init__()
        self.hosts = {"aid-1": {"device_id": "aid-1", "hostname": "ws-1", "status": "normal",
                                "platform_name": "Windows", "last_seen": "2026-11-27T10:00:00Z"}}  # fmt: skip
        self.hosts |= {
            f"aid-m{n}": {"device_id": f"aid-m{n}", "hostname": "many", "status": "normal"} for n in range(150)
        }
        self.indicators: dict[str, dict[str, Any]] = {}

    def answer(self, request: Received) -> Reply:
        match request.method, request.path:
            case "GET", "/devices/queries/devices/v1":
                name = (re.findall(r"'([^']*)'", request.query.get("filter", [""])[0]) or [""])[0]
                fits = [id_ for id_, host in self.hosts.items() if host["hostname"] == name]
                start, size = int(request.query.get("offset", ["0"])[0]), int(request.query["limit"][0])
                pagination = {"offset": start, "limit": size, "total": len(fits)}
                return Reply(
                    200,
                    {"meta": {"pagination": pagination}, "resources": fits[start : start + size], "errors": []},
                )
            case "POST", "/devices/entities/devices/v2":
                rows = [dict(self.hosts[id_]) for id_ in request.json["ids"]]
                for id_ in request.json["ids"]:
                    status = self.hosts[id_]["status"]
                    self.hosts[id_]["status"] = LOOKED_AT.get(status, status)
                return Reply(200, {"resources": rows, "errors": []})
            case "POST", "/devices/entities/devices-actions/v2":
                pending = {"contain": "containment_pending", "lift_containment": "lift_containment_pending"}
                for id_ in request.json["ids"]:
                    self.hosts[id_]["status"] = pending[request.query["action_name"][0]]
                return Reply(202, {"resources": [{"id": id_} for id_ in request.json["ids"]], "errors": []})
            case "POST", "/iocs/entities/indicators/v1":
                [indicator] = request.json["indicators"]
                if any(known["value"] == indicator["value"] for known in self.indicators.values()):
                    return Reply(400, {"errors": [{"code": 400, "message": "Duplicate type and value"}]})
                self.indicators["ioc-1"] = indicator
                return Reply(201, {"resources": [{"id": "ioc-1", **indicator}], "errors": []})
            case "GET", "/iocs/combined/indicator/v1":
                rows = [{"id": id_, **indicator} for id_, indicator in self.indicators.items()]
                return Reply(200, {"resources": rows, "errors": []})
            case "DELETE", "/iocs/entities/indicators/v1":
                self.indicators.pop(request.query["ids"][0])
                return Reply(200, {"resources": request.query["ids"], "errors": []})
        return Reply(404, {"errors": [{"code": 404, "message": "no such path"}]})


class SentinelOne(Vendor):
    """Agents in pages of one, whose states change with each look; restrictions."""

    def __init__(self) -> None:
        super().__init__()
        self.agents = {
            f"s{number}": {"id": f"s{number}", "computerName": name, "networkStatus": "connected",
                           "scanStatus": "none", "osName": "Windows 11"}
            for number, name in enumerate(("ws-1", "twin", "twin"))
        }  # fmt: skip
        self.restrictions: dict[str, dict[str, Any]] = {}

    def is_let_in(self, request: Received) -> bool:
        return request.headers.get("authorization") == "ApiToken the secret"

    def answer(self, request: Received) -> Reply:
        match request.method, request.path.removeprefix("/web/api/v2.1"):
            case "GET", "/agents":
                return self.page(request)
            case "POST", path if path in AGENT_ACTIONS:
                change = AGENT_ACTIONS[path]
                affected = [self.agents[id_] for id_ in request.json["filter"]["ids"] if id_ in self.agents]
                for agent in affected:
                    agent[change[0]] = change[1]
                return Reply(200, {"data": {"affected": len(affected)}})
            case "POST", "/agents/s0/actions/fetch-files":
                assert request.json["data"]["password"] == "the other secret"
                return Reply(200, {"data": {"success": True}})
            case "GET", "/threats":
                return Reply(
                    200, {"data": [{"id": "t1"}] if request.query["contentHashes"] == ["ab" * 20] else []}
                )
            case "POST", "/threats/mitigate/quarantine":
                return Reply(200, {"data": {"affected": 1}})
            case "POST", "/restrictions":
                entry = {"id": f"r{next(self.numbers)}", **request.json["data"]}
                self.restrictions[entry["id"]] = entry
                return Reply(200, {"data": [entry]})
            case "DELETE", "/restrictions":
                removed = [self.restrictions.pop(id_, None) for id_ in request.json["data"]["ids"]]
                return Reply(200, {"data": {"affected": len(removed)}})
        return Reply(404, {"errors": [{"code": 4040010, "title": "Not found"}]})

    def page(self, request: Received) -> Reply:
        name, ids = request.query.get("computerName"), request.query.get("ids")
        fits = [
            agent for agent in self.agents.values()
            if (name is None or agent["computerName"] == name[0]) and (ids is None or agent["id"] in ids)
        ]  # fmt: skip
        start = int(request.query.get("cursor", ["0"])[0])
        rows = [dict(agent) for agent in fits[start : start + 1]]
        for agent in fits if ids else ():
            for key in ("networkStatus", "scanStatus"):
                agent[key] = LOOKED_AT.get(agent[key], agent[key])
        cursor = str(start + 1) if start + 1 < len(fits) else None
        return Reply(200, {"data": rows, "pagination": {"totalItems": len(fits), "nextCursor": cursor}})


class Graph(Vendor):
    """Users by their names; a session that is revoked is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.users: dict[str, dict[str, Any]] = {"eve@corp.example": {"accountEnabled": True}}

    def answer(self, request: Received) -> Reply:
        match request.method, request.path.split("/")[2:]:
            case "GET", ["users"]:
                return Reply(200, {"value": [{"id": "1"}]})
            case "PATCH", ["users", name]:
                user = self.users.get(name.replace("%40", "@"))
                if user is None:
                    return Reply(404, {"error": {"code": "Request_ResourceNotFound", "message": "no such user"}})
                user |= request.json
                return Reply(204)
            case "POST", ["users", name, "revokeSignInSessions"]:
                self.users[name.replace("%40", "@")]["revoked"] = True
                return Reply(200, {"value": True})
        return Reply(404)
