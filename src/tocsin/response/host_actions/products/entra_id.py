"""Microsoft Entra ID, through Microsoft Graph 1.0: accounts are disabled and enabled, credentials reset.

`users/{id}` takes `accountEnabled` and `passwordProfile`; `revokeSignInSessions` ends what tokens were given for.
All of it sets a state, so that a request may be sent twice. Resetting credentials has the person choose another
password at the next log-in, and logs them out; a password of ours is not set.
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
from tocsin.response.host_actions.receiver import ReceiverClient, client_credentials, path_part
from tocsin.translatable import N_

_API, _LOG_IN = "https://graph.microsoft.com", "https://login.microsoftonline.com"
_CHANGES: Mapping[str, Mapping[str, Any]] = {
    "disable_account": {"accountEnabled": False},
    "enable_account": {"accountEnabled": True},
    "reset_credentials": {"passwordProfile": {"forceChangePasswordNextSignIn": True}},
}
_LOGS_OUT = ("disable_account", "reset_credentials")


class EntraIdConnector:
    """Changes accounts of a tenant."""

    def __init__(self, settings: Mapping[str, str], client: ReceiverClient) -> None:
        self._base = (settings.get("url") or _API).rstrip("/")
        log_in = (settings.get("login_url") or _LOG_IN).rstrip("/")
        self._client = client
        self._token = client_credentials(
            client, f"{log_in}/{path_part(settings['tenant_id'])}/oauth2/v2.0/token", settings["client_id"],
            settings["client_secret"], {"scope": f"{self._base}/.default"},
        )  # fmt: skip

    def check(self) -> str:
        """Ask for one user."""
        self._call("GET", "/v1.0/users?$top=1&$select=id", None)
        return "Microsoft Graph has let us in"

    def find_hosts(self, name: str) -> Sequence[ReceiverHost]:
        """Return nothing: accounts are on no host."""
        return []

    def plan(self, request: ActionRequest) -> Sequence[PlannedRequest]:
        """Return the requests, in their order."""
        return [PlannedRequest(method, self._base + path, body) for method, path, body in self._requests(request)]

    def start(self, request: ActionRequest) -> tuple[Receipt, ActionProgress]:
        """Change the account, and end what is logged in."""
        for method, path, body in self._requests(request):
            self._call(method, path, body)
        return Receipt(request.parameters["account"]), ActionProgress(
            ProgressState.SUCCEEDED, "the account is changed"
        )

    def progress(self, request: ActionRequest, receipt: Receipt) -> ActionProgress:
        """Return that it is done: the answers said so."""
        return ActionProgress(ProgressState.SUCCEEDED, "the account is changed")

    def is_repeatable(self, request: ActionRequest) -> bool:
        """Return True: each sets a state."""
        return True

    def look_up(self, request: ActionRequest) -> Receipt | None:
        """Return nothing: a request is sent again instead."""
        return None

    def _requests(self, request: ActionRequest) -> list[tuple[str, str, Any]]:
        change = _CHANGES.get(request.kind)
        if change is None:
            raise RefusedError(f"Entra ID cannot do {request.kind}")
        user = f"/v1.0/users/{path_part(request.parameters['account'])}"
        made: list[tuple[str, str, Any]] = [("PATCH", user, dict(change))]
        return [*made, ("POST", f"{user}/revokeSignInSessions", {})] if request.kind in _LOGS_OUT else made

    def _call(self, method: str, path: str, body: Any) -> Any:
        return self._client.answer_of(
            self._token.send_with(lambda headers: self._client.send(method, self._base + path, headers, json=body))
        )


ENTRA_ID = ResponseConnectorType(
    name="entra_id",
    title="Microsoft Entra ID",
    kinds=frozenset(_CHANGES),
    settings=(
        ConnectorSetting("tenant_id", N_("Tenant id")),
        ConnectorSetting("client_id", N_("Application (client) id")),
        ConnectorSetting("client_secret", N_("Client secret"), secret=True),
        ConnectorSetting("url", N_("Address of the API"), required=False, default=_API),
        ConnectorSetting("login_url", N_("Address that gives tokens"), required=False, default=_LOG_IN),
    ),
    open=EntraIdConnector,
)
