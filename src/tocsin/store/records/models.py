"""The tables of records. Times are in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tocsin.store.records.encryption import EncryptedJSON, Undecryptable


class Moment(TypeDecorator[datetime]):
    """A moment in UTC; SQLite keeps no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return a moment as the database takes it."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return a moment of the database with its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """What all tables share."""

    type_annotation_map = {  # noqa: RUF012
        datetime: Moment,
        int: BigInteger,
        dict[str, Any]: JSON,
        list[str]: JSON,
        list[Any]: JSON,
    }


class Signed:
    """What is made and changed by somebody, at some time."""

    created: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(160))
    updated: Mapped[datetime]
    updated_by: Mapped[str] = mapped_column(String(160))


class User(Base):
    """A person. `role` is one of `tocsin.store.records.access.ROLES`."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(128), unique=True)
    role: Mapped[str] = mapped_column(String(32))
    password_hash: Mapped[str] = mapped_column(String(256))
    one_time: Mapped[bool] = mapped_column(Boolean, default=False)  # the password has to be changed first of all
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    created: Mapped[datetime]
    last_login: Mapped[datetime | None]


class ApiKey(Base):
    """A key of a program: its public part, the hash of its secret part, and what it may do at the most."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    secret_hash: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]]
    owner: Mapped[str] = mapped_column(String(128))  # as they were called then; `owner_id` says who it is
    owner_id: Mapped[int | None] = mapped_column(
        Integer
    )  # a user; None for whoever had this machine's command line
    made_by_key: Mapped[str | None] = mapped_column(String(32))
    created: Mapped[datetime]
    expires: Mapped[datetime | None]
    revoked: Mapped[datetime | None]


class WebSession(Base):
    """Someone who signed in with a browser: the hash of the cookie's token, and the token against forgery."""

    __tablename__ = "sessions"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    csrf: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime]
    expires: Mapped[datetime]
    user: Mapped[User] = relationship(lazy="joined")


class AuditEntry(Base):
    """One change: when, by whom, from where, what was done to what."""

    __tablename__ = "audit"
    __table_args__ = (Index("audit_time", "time"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    time: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(160))
    actor_id: Mapped[str | None] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(64))
    target: Mapped[str] = mapped_column(String(256))
    detail: Mapped[dict[str, Any]]


class ClientObject(Base):
    """What a client has set up and asks for again: a template, a pipeline, a policy. It has no effect."""

    __tablename__ = "client_objects"

    kind: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(256), primary_key=True)
    body: Mapped[dict[str, Any]]


class SavedObject(Signed, Base):
    """What somebody has saved of the desk, as Kibana's saved objects: a view of a list, a timeline.

    `owner_id` is the user whom it belongs to, None for what all share. The document's form is that of its type.
    """

    __tablename__ = "saved_objects"
    __table_args__ = (Index("saved_objects_type", "type", "owner_id"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    type: Mapped[str] = mapped_column(String(64))
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), type_=Integer)
    name: Mapped[str] = mapped_column(String(255))
    document: Mapped[dict[str, Any]]


# ---- the watch. Columns of whole numbers that are times hold nanoseconds since 1970 (UTC), by the store's clock.


class StoredRule(Signed, Base):
    """A rule: its document as it was given, and how far it has been run.

    `done_to` is the last tick that was run, or that needs not be: what is due comes behind it. Since
    `watched_from` it has been enabled. `changed` grows with every change, so that whoever holds the rule sees that
    it has become another.
    """

    __tablename__ = "rules"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    rule_id: Mapped[str] = mapped_column(String(255), unique=True)
    name: Mapped[str] = mapped_column(Text)
    enabled: Mapped[bool] = mapped_column(Boolean)
    document: Mapped[dict[str, Any]]
    revision: Mapped[int]
    changed: Mapped[int]
    muted_until: Mapped[datetime | None]  # until when its actions are held back
    watched_from: Mapped[int | None]
    done_to: Mapped[int | None]


class RuleVersion(Base):
    """A document that a rule had before it was given another, with the revision that the rule had then.

    `made` is when it became the rule's document, by whom; None where that was before versions were kept.
    """

    __tablename__ = "rule_versions"
    __table_args__ = (Index("rule_versions_rule", "rule_uuid", "revision", unique=True),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    rule_uuid: Mapped[str] = mapped_column(String(36))
    revision: Mapped[int]
    document: Mapped[dict[str, Any]]
    made: Mapped[datetime | None]
    made_by: Mapped[str | None] = mapped_column(String(160))
    replaced: Mapped[datetime]
    replaced_by: Mapped[str] = mapped_column(String(160))


class StoredAlert(Base):
    """An alert: its document, and what of it is asked for often. `id` is made of the rule and what it matched.

    `time` is that of its (last) event, by the time that the rule's windows go by.

    `group_key` and `counted_to` belong to alerts that stand for several events: which group of values these have
    in common, and the time of the last event that is counted.
    """

    __tablename__ = "alerts"
    __table_args__ = (
        Index("alerts_rule", "rule_uuid", "created"),
        Index("alerts_created", "created"),
        Index("alerts_changed", "changed"),
        Index("alerts_group", "rule_uuid", "group_key"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    rule_uuid: Mapped[str] = mapped_column(String(36))
    created: Mapped[int]
    time: Mapped[int]
    status: Mapped[str] = mapped_column(String(16))
    severity: Mapped[str] = mapped_column(String(16))
    building_block: Mapped[bool] = mapped_column(Boolean)
    group_key: Mapped[str | None] = mapped_column(String(64))
    counted_to: Mapped[int | None]
    changed: Mapped[int]
    document: Mapped[str] = mapped_column(Text)


class AlertChange(Base):
    """One change of an alert: which field, from what to what, by whom; whether it takes an earlier one back."""

    __tablename__ = "alert_changes"
    __table_args__ = (Index("alert_changes_alert", "alert_id"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    alert_id: Mapped[str] = mapped_column(String(64))
    time: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(160))
    field: Mapped[str] = mapped_column(String(64))
    old: Mapped[list[Any]]  # of one value, which may be null
    new: Mapped[list[Any]]
    undoes: Mapped[bool] = mapped_column(Boolean, default=False)


class Execution(Base):
    """Runs of a rule for ticks in a row that had the same outcome; most often one, many when nothing was found.

    `window_start` and `window_end` are those of the last tick; figures are sums.
    """

    __tablename__ = "executions"
    __table_args__ = (Index("executions_rule", "rule_uuid", "id"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    rule_uuid: Mapped[str] = mapped_column(String(36))
    kind: Mapped[str] = mapped_column(String(16))  # scheduled, manual, backfill
    status: Mapped[str] = mapped_column(String(16))  # succeeded, warning, failed
    first_tick: Mapped[int]
    last_tick: Mapped[int]
    ticks: Mapped[int]
    started: Mapped[datetime]
    late: Mapped[int]  # nanoseconds behind the last tick at which the run began
    window_start: Mapped[int]
    window_end: Mapped[int]
    events: Mapped[int]
    matches: Mapped[int]
    written: Mapped[int]
    duplicates: Mapped[int]
    suppressed: Mapped[int]
    durations: Mapped[dict[str, Any]]  # stage -> seconds
    messages: Mapped[list[str]]
    uuid: Mapped[str | None] = mapped_column(String(36))  # by which its alerts name it


class Gap(Base):
    """Ticks, from one to another, for which a rule was not run when it was due, and why."""

    __tablename__ = "gaps"
    __table_args__ = (Index("gaps_rule", "rule_uuid"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    rule_uuid: Mapped[str] = mapped_column(String(36))
    first_tick: Mapped[int]
    last_tick: Mapped[int]
    cause: Mapped[str] = mapped_column(String(32))  # disabled, service down, overload, failed, clock set forward
    detected: Mapped[datetime] = mapped_column("found")
    filled: Mapped[datetime | None]
    filled_by: Mapped[str | None] = mapped_column(String(160))


class Run(Base):
    """A run that somebody asks for: of a rule, for the ticks in a span of time; `result` when it is done."""

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    rule_uuid: Mapped[str] = mapped_column(String(36))
    kind: Mapped[str] = mapped_column(String(16))
    start: Mapped[int]
    end: Mapped[int]
    asked: Mapped[datetime]
    asked_by: Mapped[str] = mapped_column(String(160))
    done: Mapped[datetime | None]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class ExceptionList(Signed, Base):
    """A list of exceptions, which rules name by `list_id`; the document is Kibana's."""

    __tablename__ = "exception_lists"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    list_id: Mapped[str] = mapped_column(String(255), unique=True)
    document: Mapped[dict[str, Any]]


class ExceptionItem(Signed, Base):
    """One exception of a list: what an event must be like to be excepted, until when; the document is Kibana's."""

    __tablename__ = "exception_items"
    __table_args__ = (Index("exception_items_list", "list_id"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    item_id: Mapped[str] = mapped_column(String(255), unique=True)
    list_id: Mapped[str] = mapped_column(String(255))
    document: Mapped[dict[str, Any]]
    expires: Mapped[datetime | None]


class ValueList(Signed, Base):
    """A list of values, which exceptions name by `id`; `type` is that of its values, as Elasticsearch calls it."""

    __tablename__ = "value_lists"

    id: Mapped[str] = mapped_column(String(255), primary_key=True)
    type: Mapped[str] = mapped_column(String(32))
    document: Mapped[dict[str, Any]]


class ListedValue(Base):
    """A value of a list."""

    __tablename__ = "value_list_items"
    __table_args__ = (Index("value_list_items_list", "list_id", "value", unique=True),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    list_id: Mapped[str] = mapped_column(String(255))
    value: Mapped[str] = mapped_column(String(1024))
    created: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(160))


class Connector(Base):
    """Where actions go: a webhook, or what Apprise reaches. `secrets` are never shown."""

    __tablename__ = "connectors"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    type: Mapped[str] = mapped_column(String(64))  # as Kibana names it, `.webhook` say
    config: Mapped[dict[str, Any]] = mapped_column(EncryptedJSON)  # an address or a header may hold a secret, too
    secrets: Mapped[dict[str, Any]] = mapped_column(EncryptedJSON)
    created: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(160))

    @property
    def is_undecryptable(self) -> bool:
        """Whether its settings were encrypted with a key that is not there."""
        return isinstance(self.config, Undecryptable) or isinstance(self.secrets, Undecryptable)


class Delivery(Base):
    """A message about alerts on its way to a connector: written with the alerts, tried until it is there.

    `state` is waiting, delivered, failed (it was given up) or held back (the rule was snoozed).
    """

    __tablename__ = "deliveries"
    __table_args__ = (Index("deliveries_due", "state", "next_try"), Index("deliveries_rule", "rule_uuid", "id"))

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    rule_uuid: Mapped[str] = mapped_column(String(36))
    action: Mapped[str] = mapped_column(String(64))  # which of the rule's actions
    connector_id: Mapped[str] = mapped_column(String(64))
    params: Mapped[dict[str, Any]]
    alerts: Mapped[list[str]]
    summary: Mapped[bool] = mapped_column(Boolean)
    state: Mapped[str] = mapped_column(String(16))
    tries: Mapped[int]
    made: Mapped[datetime]
    next_try: Mapped[datetime]
    done: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
