"""Connectors and messages through them, in requests and answers, with Kibana's names."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from tocsin.actions.delivery import SENDERS
from tocsin.api.models import RequestModel, ResponseModel

_ID = "f1b6a3de-0c52-4f3e-9f53-54c1a8b1f0aa"
_UUID = "0b3e8bd2-8f0f-4c9e-9d5a-6f1a1c2b3d4e"
_TYPES = ", ".join(SENDERS)
_CONFIG = {"url": "https://chat.example.org/hooks/alerts", "method": "post"}


class ConnectorMembers(RequestModel):
    """What a connector is made of."""

    name: str = Field(description="Its title.", examples=["The team's channel"])
    config: dict[str, Any] | None = Field(default=None, description="Its settings.", examples=[_CONFIG])
    secrets: dict[str, Any] | None = Field(
        default=None, description="Settings that are never shown.", examples=[{"user": "tocsin", "password": "…"}]
    )


class ConnectorBody(ConnectorMembers):
    """A connector."""

    connector_type_id: str = Field(description=f"Its type: {_TYPES}.", examples=[".webhook"])


class ConnectorChange(ConnectorMembers):
    """Other settings of a connector. Secrets that are not given it keeps, unless its address changes."""

    connector_type_id: str | None = Field(default=None, description="Not used: the type stays.")


class ConnectorTrial(RequestModel):
    """A message that is sent now."""

    params: dict[str, Any] | None = Field(
        default=None, description="The parameters of an action.", examples=[{"body": '{"text": "a test"}'}]
    )


class RuleSnooze(RequestModel):
    """How long the actions of a rule are held back."""

    until: str | None = Field(default=None, description="The moment.", examples=["2027-01-01T00:00:00Z"])


# ---- answers


class ConnectorDocument(ResponseModel):
    """A connector, without its secrets."""

    id: str = Field(description="Its id.", examples=[_ID])
    name: str = Field(description="Its title.", examples=["The team's channel"])
    connector_type_id: str = Field(description=f"Its type: {_TYPES}.", examples=[".webhook"])
    config: dict[str, Any] = Field(description="Its settings, secrets in them masked.", examples=[_CONFIG])
    is_preconfigured: bool = Field(description="False.")
    is_deprecated: bool = Field(description="False.")
    is_missing_secrets: bool = Field(description="Whether secrets are to be given before it delivers.")
    is_system_action: bool = Field(description="False.")


class ConnectorType(ResponseModel):
    """A type of connectors."""

    id: str = Field(description="The type.", examples=[".webhook"])
    name: str = Field(description="Its title.", examples=["Webhook"])
    enabled: bool = Field(default=True, description="True.")
    enabled_in_config: bool = Field(default=True, description="True.")
    enabled_in_license: bool = Field(default=True, description="True.")
    minimum_license_required: str = Field(default="basic", description="`basic`.")


class DeliveredMessage(ResponseModel):
    """A message has been sent."""

    connector_id: str = Field(description="The connector.", examples=[_ID])
    status: Literal["ok"] = Field(default="ok", description="`ok`.")


class UndeliveredMessage(ResponseModel):
    """A message could not be sent."""

    connector_id: str = Field(description="The connector.", examples=[_ID])
    status: Literal["error"] = Field(default="error", description="`error`.")
    message: str = Field(default="the message was not delivered", description="What has happened.")
    service_message: str = Field(description="Why.", examples=["the address answered with 404"])
    retry: bool = Field(description="Whether it may be delivered later.")


class DeliveryDocument(ResponseModel):
    """A message, and what has become of it."""

    id: int = Field(description="Its number.", examples=[1])
    rule_uuid: str = Field(description="The id of the rule whose action it is.", examples=[_UUID])
    connector_id: str = Field(description="The connector.", examples=[_ID])
    state: str = Field(description="waiting, delivered, failed or held back.", examples=["delivered"])
    tries: int = Field(description="How often it was sent.", examples=[1])
    made: datetime = Field(description="When it was made.")
    next_try: datetime = Field(description="When it is sent next, or was to be.")
    done: datetime | None = Field(description="When it was delivered or given up.")
    error: str | None = Field(description="Why it was not delivered.")
    alerts: list[str] = Field(description="The ids of the alerts that it is about.")
    summary: bool = Field(description="Whether it is about several alerts at once.")


class DeliveryPage(ResponseModel):
    """The newest messages."""

    deliveries: list[DeliveryDocument] = Field(description="The messages, the newest first.")
