"""The tables of actions on hosts: connectors that carry them out, actions with their steps, and who may what."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.store.records.encryption import EncryptedJSON, Undecryptable
from tocsin.store.records.models import Base, Signed


class StoredResponseConnector(Signed, Base):
    """A connector through which actions are carried out. `settings` may be shown, `secrets` never are."""

    __tablename__ = "response_connectors"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    type: Mapped[str] = mapped_column(String(64))
    settings: Mapped[dict[str, Any]] = mapped_column(EncryptedJSON)
    secrets: Mapped[dict[str, Any]] = mapped_column(EncryptedJSON)
    enabled: Mapped[bool] = mapped_column(Boolean)

    @property
    def is_undecryptable(self) -> bool:
        """Whether its settings were encrypted with a key that is not there."""
        return isinstance(self.settings, Undecryptable) or isinstance(self.secrets, Undecryptable)


class HostAction(Base):
    """An action on a host, an account or an indicator: what is asked for, who asked and approved, what came of it.

    `id` is also the key by which a receiver tells a request that it has had. `host_id` is what the receiver calls
    the host. `plan` is what was shown to whoever confirmed it: the requests that are sent. `receipt` is what the
    receiver knows the action by. Without a result by `deadline` it has timed out. An action with an end
    (`expires`) is undone then; `undoes` names the action that this one undoes.
    """

    __tablename__ = "host_actions"
    __table_args__ = (
        Index("host_actions_state", "state", "next_try"),
        Index("host_actions_requested", "requested"),
        Index("host_actions_host", "host", "requested"),
        Index("host_actions_case", "case_id"),
        Index("host_actions_undoes", "undoes"),
        Index("host_actions_automatic", "automatic_id", "alert_id", unique=True),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(24))
    connector_id: Mapped[str] = mapped_column(String(36))
    host: Mapped[str] = mapped_column(String(255))
    host_id: Mapped[str | None] = mapped_column(String(255))
    parameters: Mapped[dict[str, Any]]
    comment: Mapped[str] = mapped_column(Text)
    case_id: Mapped[str | None] = mapped_column(String(64))
    alert_id: Mapped[str | None] = mapped_column(String(64))
    requested: Mapped[datetime]
    requested_by: Mapped[str] = mapped_column(String(160))
    requester: Mapped[str] = mapped_column(String(64))  # what the one who asks is known by
    four_eyes: Mapped[bool] = mapped_column(Boolean)
    decided: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(String(160))
    plan: Mapped[list[Any]]
    tries: Mapped[int]
    next_try: Mapped[datetime | None]
    sent: Mapped[datetime | None]
    receipt: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    detail: Mapped[str | None] = mapped_column(Text)
    finished: Mapped[datetime | None]
    deadline: Mapped[datetime | None]
    expires: Mapped[datetime | None]
    undoes: Mapped[str | None] = mapped_column(String(36))
    automatic_id: Mapped[str | None] = mapped_column(String(36))


class HostActionStep(Base):
    """A step of an action: the state that it came into, when, by whom, and why. Steps are never changed."""

    __tablename__ = "host_action_steps"
    __table_args__ = (Index("host_action_steps_action", "action_id"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    action_id: Mapped[str] = mapped_column(String(36))
    time: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(160))
    state: Mapped[str] = mapped_column(String(24))
    detail: Mapped[str] = mapped_column(Text)


class ActionPolicy(Base):
    """Who may ask for a kind of action, and whether a second person approves it; kinds without one have defaults.

    `scope` is one of `tocsin.store.records.access.Scope`.
    """

    __tablename__ = "action_policies"

    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    scope: Mapped[str] = mapped_column(String(32))
    four_eyes: Mapped[bool] = mapped_column(Boolean)
    updated: Mapped[datetime]
    updated_by: Mapped[str] = mapped_column(String(160))


class AutomaticAction(Signed, Base):
    """An action that a rule's alerts ask for by themselves, while it is switched on; `ceiling` an hour at most.

    `watched_from` is the store's time from which alerts count. `expires_after` are the seconds until it is undone.
    `switched_by` is what whoever switched it on is known by.
    """

    __tablename__ = "automatic_actions"
    __table_args__ = (Index("automatic_actions_rule", "rule_uuid"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    rule_uuid: Mapped[str] = mapped_column(String(36))
    kind: Mapped[str] = mapped_column(String(32))
    connector_id: Mapped[str] = mapped_column(String(36))
    parameters: Mapped[dict[str, Any]]
    comment: Mapped[str] = mapped_column(Text)
    ceiling: Mapped[int]
    expires_after: Mapped[int | None]
    switched_on: Mapped[bool] = mapped_column(Boolean)
    switched_by: Mapped[str] = mapped_column(String(64))
    watched_from: Mapped[int]
