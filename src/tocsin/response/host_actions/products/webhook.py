"""A webhook of your own that carries actions out, signed as Standard Webhooks 1.0.0 says.

The request's id is signed with the time and the body (`webhook-id`, `webhook-timestamp`, `webhook-signature`), so
that libraries of that specification check it; `Idempotency-Key` is the same id. docs/response.md has the bodies.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from tocsin.actions.masking import masked_address
from tocsin.moments import iso
from tocsin.response.host_actions.catalogue import ACTION_KINDS
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
from tocsin.response.host_actions.receiver import ReceiverClient, member, path_part
from tocsin.translatable import N_

_VERSION = 1  # of the body
_SECRET_PREFIX = "whsec_"
_SHORTEST_KEY = 24  # bytes, as Standard Webhooks asks for
_ID = "{id}"


def webhook_key(secret: str) -> bytes:
    """Return the key of a secret: `whsec_` and base64, or any text of 24 bytes. Raises RefusedError."""
    if secret.startswith(_SECRET_PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
        except binascii.Error:
            raise RefusedError(f"the secret behind `{_SECRET_PREFIX}` is no base64") from None
    else:
        key = secret.encode()
    if len(key) < _SHORTEST_KEY:
        raise RefusedError(f"the secret has at least {_SHORTEST_KEY} bytes")
    return key


def webhook_headers(key: bytes, id_: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that sign a request."""
    signed = hmac.new(key, f"{id_}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }


def action_body(request: ActionRequest) -> dict[str, Any]:
    """Return what a webhook is sent of an action."""
    return {
        "version": _VERSION, "id": request.id, "action": request.kind,
        "host": {"name": request.host, "id": request.host_id} if request.host else None,
        "parameters": dict(request.parameters), "comment": request.comment,
        "requested_by": request.requested_by, "approved_by": request.approved_by,
        "requested_at": None if request.requested is None else iso(request.requested),
        "expires_at": None if request.expires is None else iso(request.expires),
        "undoes": request.undoes,
    }  # fmt: skip


class WebhookConnector:
    """Sends actions to an address. Where a `status_url` is given, it is asked how far an action is."""

    def __init__(
        self, settings: Mapping[str, str], client: ReceiverClient, clock: Callable[[], float] = time.time
    ) -> None:
        self._url, self._status_url = settings["url"], settings.get("status_url", "")
        self._key = webhook_key(settings["secret"])
        self._keeps_keys = settings.get("idempotent", "no") == "yes"
        self._client, self._clock = client, clock
        if self._status_url and _ID not in self._status_url:
            raise RefusedError(f"the address of states has {_ID} where an action's id belongs")

    def check(self) -> str:
        """Send `ping`, which a receiver answers with any status below 300."""
        self._send("POST", self._url, "ping", {"version": _VERSION, "id": "ping", "action": "ping"})
        return "the webhook has answered"

    def find_hosts(self, name: str) -> Sequence[ReceiverHost]:
        """Return the host as it is called: the receiver alone knows more."""
        return [ReceiverHost(name, name)]

    def plan(self, request: ActionRequest) -> Sequence[PlannedRequest]:
        """Return the one request."""
        return [PlannedRequest("POST", masked_address(self._url), action_body(request))]

    def start(self, request: ActionRequest) -> tuple[Receipt, ActionProgress]:
        """Send the action; its answer says how far it is."""
        document = self._send("POST", self._url, request.id, action_body(request))
        reference = member(document, "reference")
        return Receipt(str(reference) if reference else request.id), _progress(document)

    def progress(self, request: ActionRequest, receipt: Receipt) -> ActionProgress:
        """Ask how far an action is; without an address for that nothing is known until people say."""
        if not self._status_url:
            return ActionProgress(ProgressState.RUNNING, "the connector has no address to ask at")
        return _progress(self._send("GET", self._status_of(request), request.id, None))

    def is_repeatable(self, request: ActionRequest) -> bool:
        """Return whether the receiver is said to do what it has had under a key once."""
        return self._keeps_keys

    def look_up(self, request: ActionRequest) -> Receipt | None:
        """Ask for the action by its id; an answer 404 says that the receiver has not had it."""
        address = self._status_of(request)
        headers = webhook_headers(self._key, request.id, int(self._clock()), b"")
        answer = self._client.send("GET", address, headers)
        if answer.status == 404:
            return None
        reference = member(self._client.answer_of(answer), "reference")
        return Receipt(str(reference) if reference else request.id)

    def _status_of(self, request: ActionRequest) -> str:
        if not self._status_url:
            raise RefusedError("the connector has no address at which to ask for states")
        return self._status_url.replace(_ID, path_part(request.id))

    def _send(self, method: str, url: str, id_: str, document: Mapping[str, Any] | None) -> Any:
        body = b"" if document is None else orjson.dumps(document)
        headers = {"Idempotency-Key": id_, **webhook_headers(self._key, id_, int(self._clock()), body)}
        if document is not None:
            headers["Content-Type"] = "application/json"
        answer = self._client.send(method, url, headers, content=body if document is not None else None)
        return self._client.answer_of(answer)


def _progress(document: Any) -> ActionProgress:
    """Return what an answer says of an action; one that says nothing has done it."""
    state = member(document, "state")
    detail = str(member(document, "detail") or "")[:2_000]
    result = member(document, "result")
    if state is not None and state not in set(ProgressState):
        detail, state = f"the receiver calls its state {state!r:.80}, which says nothing; {detail}", "failed"
    return ActionProgress(ProgressState(state or "succeeded"), detail, result if isinstance(result, dict) else {})


WEBHOOK = ResponseConnectorType(
    name="webhook",
    title="Webhook",
    kinds=frozenset(ACTION_KINDS),
    settings=(
        ConnectorSetting("url", N_("Address"), hint=N_("to which actions are sent, https")),
        ConnectorSetting(
            "secret", N_("Signing secret"), secret=True, hint=N_("24 bytes at least, or whsec_ and base64")
        ),
        ConnectorSetting(
            "status_url", N_("Address of states"), required=False,
            hint=N_("asked for results; {id} stands for the action"),
        ),
        ConnectorSetting(
            "idempotent", N_("The receiver does an action once, however often it is sent"), required=False,
            choices=("no", "yes"), default="no",
        ),
    ),
    open=WebhookConnector,
)  # fmt: skip
