"""The tables of reputation: lists of indicators, services that judge observables, look-ups, indicator hunts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, ForeignKey, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.store.records.encryption import EncryptedJSON, Undecryptable
from tocsin.store.records.models import Base, Signed


class IndicatorList(Signed, Base):
    """A list of indicators. Its name is the `threat.feed.name` of each.

    `source` says where they come from, `confidence` is that of indicators that have none of their own, and
    `valid_days` says for how many days after they were loaded those are valid that do not say until when.
    `skipped` counts what was not taken at the last load, by reason. `changed` grows with every change of its
    blocks: nanoseconds since 1970.
    """

    __tablename__ = "indicator_lists"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    source: Mapped[str] = mapped_column(String(1024))
    confidence: Mapped[str | None] = mapped_column(String(16))
    valid_days: Mapped[int | None] = mapped_column(Integer)
    indicators: Mapped[int]
    skipped: Mapped[dict[str, Any]]
    changed: Mapped[int]


class IndicatorBlock(Base):
    """Some indicators of a list: their documents, one a line, compressed with zstd.

    `loaded` is when, and `first_expiry` when the first of them ceases to be valid, in nanoseconds since 1970.
    `fields` are those that they have, with the types of those that no schema knows.
    """

    __tablename__ = "indicator_blocks"
    __table_args__ = (Index("indicator_blocks_list", "list_id"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    list_id: Mapped[str] = mapped_column(ForeignKey("indicator_lists.id", ondelete="CASCADE"), type_=String(36))
    indicators: Mapped[int]
    loaded: Mapped[int]
    first_expiry: Mapped[int | None]
    fields: Mapped[dict[str, Any]]
    documents: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)


class ReputationService(Base):
    """What an administrator has set about a service that judges observables; `secrets` hold its key."""

    __tablename__ = "reputation_services"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    enabled: Mapped[bool] = mapped_column(Boolean)
    automatic: Mapped[bool] = mapped_column(Boolean)  # asked when an alert is looked at, without a click
    config: Mapped[dict[str, Any]]
    secrets: Mapped[dict[str, Any]] = mapped_column(EncryptedJSON)
    blocked_until: Mapped[datetime | None]  # until when the service said not to ask again
    updated: Mapped[datetime]
    updated_by: Mapped[str] = mapped_column(String(160))

    @property
    def is_undecryptable(self) -> bool:
        """Whether its key was encrypted with a key that is not there."""
        return isinstance(self.secrets, Undecryptable)


class ReputationLookUp(Base):
    """A question to a service about an observable: written before it is sent, completed with what came of it.

    `key` is a hash of service, kind and value. `state` is asking, answered, refused (for the quota), or failed.
    """

    __tablename__ = "reputation_look_ups"
    __table_args__ = (
        Index("reputation_look_ups_key", "key"),
        Index("reputation_look_ups_asked", "service", "asked"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    key: Mapped[str] = mapped_column(String(64))
    service: Mapped[str] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(16))
    value: Mapped[str] = mapped_column(String(2100))
    asked: Mapped[datetime]
    asked_by: Mapped[str] = mapped_column(String(160))
    state: Mapped[str] = mapped_column(String(16))
    verdict: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class IndicatorHunt(Base):
    """A search of all stored events for indicators.

    `state` is waiting, running, done, cancelled or failed. `indicators` are documents as lists have them.
    """

    __tablename__ = "indicator_hunts"
    __table_args__ = (Index("indicator_hunts_asked", "asked"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    case_id: Mapped[str | None] = mapped_column(String(64))
    asked: Mapped[datetime]
    asked_by: Mapped[str] = mapped_column(String(160))
    state: Mapped[str] = mapped_column(String(16))
    cancelled: Mapped[bool] = mapped_column(Boolean)  # asked to end
    progress: Mapped[dict[str, Any]]
    ended: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
    indicators: Mapped[list[Any]] = mapped_column(JSON, deferred=True)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)
