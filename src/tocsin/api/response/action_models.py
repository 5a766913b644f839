"""Actions on hosts in requests and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from tocsin.api.models import RequestModel, ResponseModel
from tocsin.response.host_actions.catalogue import ACTION_KINDS
from tocsin.response.host_actions.states import ActionState

_ID = "4a3f1c9e-0c52-4f3e-9f53-54c1a8b1f0aa"
_KINDS, _STATES = ", ".join(ACTION_KINDS), ", ".join(ActionState)


class RequestedAction(RequestModel):
    """An action that is asked for."""

    action: str = Field(description=f"Its kind: {_KINDS}.", examples=["isolate"])
    connector_id: str = Field(description="The connector that carries it out.", examples=[_ID])
    host: str | None = Field(default=None, description="The host's name, if it is on one.", examples=["ws-7"])
    host_id: str | None = Field(
        default=None, description="The host's id at the receiver, where several have the name.", examples=["m-1"]
    )
    parameters: dict[str, str] | None = Field(
        default=None, description="What else the kind needs.", examples=[{"pid": "4242"}]
    )
    comment: str | None = Field(default=None, description="Why.", examples=["beacon to a known server"])
    case_id: str | None = Field(default=None, description="The case that it belongs to.")
    alert_id: str | None = Field(default=None, description="The alert that it is about.")
    expires_after: int | None = Field(
        default=None, description="Seconds after which it is undone by itself.", examples=[14_400]
    )
    dry_run: bool = Field(default=True, description="Show what would be sent, and send nothing.")


class ActionDecision(RequestModel):
    """What somebody says of an action."""

    reason: str | None = Field(default=None, description="Why.", examples=["the host runs the plant"])
    state: str | None = Field(
        default=None, description="For `_settle`: succeeded or failed, as the receiver's console has it."
    )


class PlannedRequestDocument(ResponseModel):
    """A request that an action sends, without secrets."""

    method: str = Field(description="Its method.", examples=["POST"])
    address: str = Field(description="Its address; what may be secret of it is masked.")
    body: Any = Field(description="Its body, null without one.")


class ActionStepDocument(ResponseModel):
    """A step of an action."""

    time: datetime = Field(description="When.")
    actor: str = Field(description="By whom.", examples=["maria"])
    state: str = Field(description="The state that it came into, or was in.", examples=["sending"])
    detail: str = Field(description="Why.")


class ActionDocument(ResponseModel):
    """An action, who asked for it and approved it, and what came of it."""

    id: str | None = Field(description="Its id; null of a dry run.", examples=[_ID])
    action: str = Field(description=f"Its kind: {_KINDS}.", examples=["isolate"])
    state: str = Field(description=f"Its state: {_STATES}; `dry run` of one.", examples=["succeeded"])
    connector_id: str = Field(description="The connector.", examples=[_ID])
    host: str = Field(description="The host's name, empty for what is done on none.", examples=["ws-7"])
    host_id: str | None = Field(description="The host's id at the receiver.")
    parameters: dict[str, Any] = Field(description="What else it was given.")
    comment: str = Field(description="Why.")
    case_id: str | None = Field(description="The case that it belongs to.")
    alert_id: str | None = Field(description="The alert that it is about.")
    requested: datetime | None = Field(description="When it was asked for.")
    requested_by: str = Field(description="By whom.", examples=["maria"])
    four_eyes: bool = Field(description="Whether a second person has to approve it.")
    decided: datetime | None = Field(description="When it was approved or rejected.")
    decided_by: str | None = Field(description="By whom.")
    plan: list[PlannedRequestDocument] = Field(description="The requests that are sent.")
    tries: int = Field(description="How often it was sent.", examples=[1])
    sent: datetime | None = Field(description="When it was sent last.")
    finished: datetime | None = Field(description="When it was over.")
    expires: datetime | None = Field(description="When it is undone by itself.")
    detail: str | None = Field(description="What the receiver, or whoever looked there, says.")
    result: dict[str, Any] | None = Field(description="What the receiver tells beside.")
    undoes: str | None = Field(description="The action that this one undoes.")
    automatic: bool = Field(description="Whether an alert of a rule asked for it by itself.")
    steps: list[ActionStepDocument] = Field(description="Its steps; none in a list.")


class ActionPage(ResponseModel):
    """The newest actions."""

    actions: list[ActionDocument] = Field(description="The actions, the newest first.")


class ResponseConnectorDocument(ResponseModel):
    """A connector that carries actions out, without its settings."""

    id: str = Field(description="Its id.", examples=[_ID])
    name: str = Field(description="Its name.", examples=["Quarantine VLAN"])
    type: str = Field(description="Its type.", examples=["webhook"])
    enabled: bool = Field(description="Whether it is switched on.")
    actions: list[str] = Field(description="The kinds of actions that it can carry out.", examples=[["isolate"]])


class ResponseConnectorPage(ResponseModel):
    """The connectors that carry actions out."""

    connectors: list[ResponseConnectorDocument] = Field(description="The connectors, by name.")
