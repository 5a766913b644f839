"""Hosts that run osquery, what they are asked and what they answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "enrollment_secrets",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("created_by", sa.String(160), nullable=False),
        sa.Column("expires", _MOMENT, nullable=True),
        sa.Column("revoked", _MOMENT, nullable=True),
    )
    op.create_table(
        "osquery_hosts",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("identity", sa.String(320), nullable=False, unique=True),
        sa.Column("node_key_hash", sa.String(64), nullable=True, unique=True),
        sa.Column("host_identifier", sa.String(256), nullable=False),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("short_name", sa.String(256), nullable=False),
        sa.Column("hardware_uuid", sa.String(64), nullable=False),
        sa.Column("platform", sa.String(32), nullable=False),
        sa.Column("os_name", sa.String(256), nullable=False),
        sa.Column("os_version", sa.String(256), nullable=False),
        sa.Column("osquery_version", sa.String(64), nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("secret_id", sa.String(36), nullable=True),
        sa.Column("enrollments", sa.Integer, nullable=False),
        sa.Column("first_enrolled", _MOMENT, nullable=False),
        sa.Column("enrolled", _MOMENT, nullable=False),
        sa.Column("last_seen", _MOMENT, nullable=True),
        sa.Column("changed", _MOMENT, nullable=False),
        sa.Column("revoked", _MOMENT, nullable=True),
        sa.Column("revoked_by", sa.String(160), nullable=True),
    )
    op.create_index("osquery_hosts_short_name", "osquery_hosts", ["short_name"])
    op.create_index("osquery_hosts_changed", "osquery_hosts", ["changed"])
    op.create_table(
        "live_queries",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("action_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("query", sa.Text, nullable=False),
        sa.Column("remarks", sa.JSON, nullable=False),
        sa.Column("alert_id", sa.String(64), nullable=True),
        sa.Column("case_id", sa.String(64), nullable=True),
        sa.Column("about", sa.JSON, nullable=False),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("created_by", sa.String(160), nullable=False),
        sa.Column("expires", _MOMENT, nullable=False),
        sa.Column("cancelled", _MOMENT, nullable=True),
        sa.Column("cancelled_by", sa.String(160), nullable=True),
        sa.Column("ended", _MOMENT, nullable=True),
    )
    op.create_index("live_queries_created", "live_queries", ["created"])
    op.create_index("live_queries_action", "live_queries", ["action_id"])
    op.create_index("live_queries_ended", "live_queries", ["ended"])
    op.create_table(
        "live_query_hosts",
        sa.Column(
            "query_id", sa.String(36), sa.ForeignKey("live_queries.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("host_id", sa.String(36), primary_key=True),
        sa.Column("host_name", sa.String(256), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("sent", _MOMENT, nullable=True),
        sa.Column("answered", _MOMENT, nullable=True),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("kept_rows", sa.Integer, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_index("live_query_hosts_state", "live_query_hosts", ["state"])
    op.create_index("live_query_hosts_host", "live_query_hosts", ["host_id"])
    op.create_table(
        "live_query_rows",
        sa.Column(
            "query_id", sa.String(36), sa.ForeignKey("live_queries.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("host_id", sa.String(36), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "carves",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("session_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("host_id", sa.String(36), nullable=False),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("carve_guid", sa.String(64), nullable=False),
        sa.Column("block_count", sa.Integer, nullable=False),
        sa.Column("block_size", sa.Integer, nullable=False),
        sa.Column("carve_size", sa.BigInteger, nullable=False),
        sa.Column("started", _MOMENT, nullable=False),
        sa.Column("finished", _MOMENT, nullable=True),
        sa.Column("sha256", sa.String(64), nullable=True),
    )
    op.create_index("carves_host", "carves", ["host_id"])


def downgrade() -> None:
    """Remove them."""
    for table in (
        "carves", "live_query_rows", "live_query_hosts", "live_queries", "osquery_hosts", "enrollment_secrets",
    ):  # fmt: skip
        op.drop_table(table)
