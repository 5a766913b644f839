"""The tables of hosts that run osquery: who they are, what they are asked, what they answered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.store.records.models import Base


class EnrollmentSecret(Base):
    """What a host shows to enrol: its hash, and until when it is taken."""

    __tablename__ = "enrollment_secrets"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(160))
    expires: Mapped[datetime | None]
    revoked: Mapped[datetime | None]


class OsqueryHost(Base):
    """A host that has enrolled. `identity` is what it is known by when it enrols again.

    `node_key_hash` is that of the key that it was given last, None for a host that is revoked.
    """

    __tablename__ = "osquery_hosts"
    __table_args__ = (Index("osquery_hosts_short_name", "short_name"), Index("osquery_hosts_changed", "changed"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    identity: Mapped[str] = mapped_column(String(320), unique=True)
    node_key_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    host_identifier: Mapped[str] = mapped_column(String(256))
    name: Mapped[str] = mapped_column(String(256))
    short_name: Mapped[str] = mapped_column(String(256))  # its name up to the first dot, in small letters
    hardware_uuid: Mapped[str] = mapped_column(String(64))  # in small letters
    platform: Mapped[str] = mapped_column(String(32))  # windows, linux, darwin; empty where it said none
    os_name: Mapped[str] = mapped_column(String(256))
    os_version: Mapped[str] = mapped_column(String(256))
    osquery_version: Mapped[str] = mapped_column(String(64))
    details: Mapped[dict[str, Any]]  # what it said of itself
    address: Mapped[str] = mapped_column(String(64))
    secret_id: Mapped[str | None] = mapped_column(String(36))
    enrollments: Mapped[int] = mapped_column(Integer)
    first_enrolled: Mapped[datetime]
    enrolled: Mapped[datetime]
    last_seen: Mapped[datetime | None]  # of some seconds ago, while a service runs
    changed: Mapped[datetime]  # by an enrolment, or by somebody
    revoked: Mapped[datetime | None]
    revoked_by: Mapped[str | None] = mapped_column(String(160))


class StoredLiveQuery(Base):
    """A query that is sent to hosts. Those of one `action_id` were asked together."""

    __tablename__ = "live_queries"
    __table_args__ = (
        Index("live_queries_created", "created"),
        Index("live_queries_action", "action_id"),
        Index("live_queries_ended", "ended"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    action_id: Mapped[str] = mapped_column(String(36))
    name: Mapped[str] = mapped_column(String(200))
    query: Mapped[str] = mapped_column(Text)
    remarks: Mapped[list[Any]]  # what the check mended, and has to say
    alert_id: Mapped[str | None] = mapped_column(String(64))
    case_id: Mapped[str | None] = mapped_column(String(64))
    about: Mapped[dict[str, Any]]  # as a client of Kibana gave it: saved query, pack, ECS mapping
    created: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(160))
    expires: Mapped[datetime]
    cancelled: Mapped[datetime | None]
    cancelled_by: Mapped[str | None] = mapped_column(String(160))
    ended: Mapped[datetime | None]


class LiveQueryHost(Base):
    """A host that a query is for, and what became of that."""

    __tablename__ = "live_query_hosts"
    __table_args__ = (Index("live_query_hosts_state", "state"), Index("live_query_hosts_host", "host_id"))

    query_id: Mapped[str] = mapped_column(ForeignKey("live_queries.id", ondelete="CASCADE"), primary_key=True)
    host_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    host_name: Mapped[str] = mapped_column(String(256))
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(Integer)
    sent: Mapped[datetime | None]
    answered: Mapped[datetime | None]
    rows: Mapped[int] = mapped_column(Integer)  # that the host answered
    kept_rows: Mapped[int] = mapped_column(Integer)
    size: Mapped[int]  # bytes of the rows that are kept
    reason: Mapped[str] = mapped_column(Text)  # why it failed, or why rows were cut


class LiveQueryRows(Base):
    """Rows of a host's answer, some hundred of them: NDJSON, packed by zlib."""

    __tablename__ = "live_query_rows"

    query_id: Mapped[str] = mapped_column(ForeignKey("live_queries.id", ondelete="CASCADE"), primary_key=True)
    host_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    rows: Mapped[int] = mapped_column(Integer)
    document: Mapped[bytes] = mapped_column(LargeBinary)


class Carve(Base):
    """An archive of files that a host sends in blocks. Its bytes lie in the data folder."""

    __tablename__ = "carves"
    __table_args__ = (Index("carves_host", "host_id"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    session_hash: Mapped[str] = mapped_column(String(64), unique=True)
    host_id: Mapped[str] = mapped_column(String(36))
    request_id: Mapped[str] = mapped_column(String(128))  # the live query that asked for it
    carve_guid: Mapped[str] = mapped_column(String(64))
    block_count: Mapped[int] = mapped_column(Integer)
    block_size: Mapped[int] = mapped_column(Integer)
    carve_size: Mapped[int]
    started: Mapped[datetime]
    finished: Mapped[datetime | None]
    sha256: Mapped[str | None] = mapped_column(String(64))
