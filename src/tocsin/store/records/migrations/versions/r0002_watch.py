"""Rules, their alerts, runs and gaps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "rules",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("rule_id", sa.String(255), nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("created_by", sa.String(160), nullable=False),
        sa.Column("updated", _MOMENT, nullable=False),
        sa.Column("updated_by", sa.String(160), nullable=False),
        sa.Column("muted_until", _MOMENT),
        sa.Column("watched_from", sa.BigInteger),
        sa.Column("done_to", sa.BigInteger),
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("rule_uuid", sa.String(36), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("building_block", sa.Boolean, nullable=False),
        sa.Column("group_key", sa.String(64)),
        sa.Column("counted_to", sa.BigInteger),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("alerts_rule", "alerts", ["rule_uuid", "created"])
    op.create_index("alerts_created", "alerts", ["created"])
    op.create_index("alerts_changed", "alerts", ["changed"])
    op.create_index("alerts_group", "alerts", ["rule_uuid", "group_key"])
    op.create_table(
        "alert_changes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("alert_id", sa.String(64), nullable=False),
        sa.Column("time", _MOMENT, nullable=False),
        sa.Column("actor", sa.String(160), nullable=False),
        sa.Column("field", sa.String(64), nullable=False),
        sa.Column("old", sa.JSON, nullable=False),
        sa.Column("new", sa.JSON, nullable=False),
    )
    op.create_index("alert_changes_alert", "alert_changes", ["alert_id"])
    op.create_table(
        "executions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("rule_uuid", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("first_tick", sa.BigInteger, nullable=False),
        sa.Column("last_tick", sa.BigInteger, nullable=False),
        sa.Column("ticks", sa.BigInteger, nullable=False),
        sa.Column("started", _MOMENT, nullable=False),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("late", "window_start", "window_end", "events", "matches", "written")
        ),
        sa.Column("duplicates", sa.BigInteger, nullable=False),
        sa.Column("suppressed", sa.BigInteger, nullable=False),
        sa.Column("durations", sa.JSON, nullable=False),
        sa.Column("messages", sa.JSON, nullable=False),
    )
    op.create_index("executions_rule", "executions", ["rule_uuid", "id"])
    op.create_table(
        "gaps",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("rule_uuid", sa.String(36), nullable=False),
        sa.Column("first_tick", sa.BigInteger, nullable=False),
        sa.Column("last_tick", sa.BigInteger, nullable=False),
        sa.Column("cause", sa.String(32), nullable=False),
        sa.Column("found", _MOMENT, nullable=False),
        sa.Column("filled", _MOMENT),
        sa.Column("filled_by", sa.String(160)),
    )
    op.create_index("gaps_rule", "gaps", ["rule_uuid"])
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("rule_uuid", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("end", sa.BigInteger, nullable=False),
        sa.Column("asked", _MOMENT, nullable=False),
        sa.Column("asked_by", sa.String(160), nullable=False),
        sa.Column("done", _MOMENT),
        sa.Column("result", sa.JSON),
    )
    op.create_table(
        "exception_lists",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("list_id", sa.String(255), nullable=False, unique=True),
        sa.Column("document", sa.JSON, nullable=False),
        *_who(),
    )
    op.create_table(
        "exception_items",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("item_id", sa.String(255), nullable=False, unique=True),
        sa.Column("list_id", sa.String(255), nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("expires", _MOMENT),
        *_who(),
    )
    op.create_index("exception_items_list", "exception_items", ["list_id"])
    op.create_table(
        "value_lists",
        sa.Column("id", sa.String(255), primary_key=True),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
        *_who(),
    )
    op.create_table(
        "value_list_items",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("list_id", sa.String(255), nullable=False),
        sa.Column("value", sa.String(1024), nullable=False),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("created_by", sa.String(160), nullable=False),
    )
    op.create_index("value_list_items_list", "value_list_items", ["list_id", "value"], unique=True)

    op.create_table(
        "connectors",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("config", sa.JSON, nullable=False),
        sa.Column("secrets", sa.JSON, nullable=False),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("created_by", sa.String(160), nullable=False),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("rule_uuid", sa.String(36), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("connector_id", sa.String(64), nullable=False),
        sa.Column("params", sa.JSON, nullable=False),
        sa.Column("alerts", sa.JSON, nullable=False),
        sa.Column("summary", sa.Boolean, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("tries", sa.BigInteger, nullable=False),
        sa.Column("made", _MOMENT, nullable=False),
        sa.Column("next_try", _MOMENT, nullable=False),
        sa.Column("done", _MOMENT),
        sa.Column("error", sa.Text),
    )
    op.create_index("deliveries_due", "deliveries", ["state", "next_try"])
    op.create_index("deliveries_rule", "deliveries", ["rule_uuid", "id"])


def _who() -> list[sa.Column[object]]:
    return [
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("created_by", sa.String(160), nullable=False),
        sa.Column("updated", _MOMENT, nullable=False),
        sa.Column("updated_by", sa.String(160), nullable=False),
    ]


def downgrade() -> None:
    """Remove the tables."""
    for name in (
        "deliveries",
        "connectors",
        "value_list_items",
        "value_lists",
        "exception_items",
        "exception_lists",
    ):
        op.drop_table(name)
    for name in ("runs", "gaps", "executions", "alert_changes", "alerts", "rules"):
        op.drop_table(name)
