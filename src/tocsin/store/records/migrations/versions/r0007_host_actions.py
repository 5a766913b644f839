"""Actions on hosts: connectors, actions with their steps, who may ask for them, and those of rules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "response_connectors",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("secrets", sa.JSON, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        *_signed(),
    )
    op.create_table(
        "host_actions",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("state", sa.String(24), nullable=False),
        sa.Column("connector_id", sa.String(36), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("host_id", sa.String(255), nullable=True),
        sa.Column("parameters", sa.JSON, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("case_id", sa.String(64), nullable=True),
        sa.Column("alert_id", sa.String(64), nullable=True),
        sa.Column("requested", _MOMENT, nullable=False),
        sa.Column("requested_by", sa.String(160), nullable=False),
        sa.Column("requester", sa.String(64), nullable=False),
        sa.Column("four_eyes", sa.Boolean, nullable=False),
        sa.Column("decided", _MOMENT, nullable=True),
        sa.Column("decided_by", sa.String(160), nullable=True),
        sa.Column("plan", sa.JSON, nullable=False),
        sa.Column("tries", sa.BigInteger, nullable=False),
        sa.Column("next_try", _MOMENT, nullable=True),
        sa.Column("sent", _MOMENT, nullable=True),
        sa.Column("receipt", sa.JSON, nullable=True),
        sa.Column("result", sa.JSON, nullable=True),
        sa.Column("detail", sa.Text, nullable=True),
        sa.Column("finished", _MOMENT, nullable=True),
        sa.Column("deadline", _MOMENT, nullable=True),
        sa.Column("expires", _MOMENT, nullable=True),
        sa.Column("undoes", sa.String(36), nullable=True),
        sa.Column("automatic_id", sa.String(36), nullable=True),
    )
    op.create_index("host_actions_state", "host_actions", ["state", "next_try"])
    op.create_index("host_actions_requested", "host_actions", ["requested"])
    op.create_index("host_actions_host", "host_actions", ["host", "requested"])
    op.create_index("host_actions_case", "host_actions", ["case_id"])
    op.create_index("host_actions_undoes", "host_actions", ["undoes"])
    op.create_index("host_actions_automatic", "host_actions", ["automatic_id", "alert_id"], unique=True)
    op.create_table(
        "host_action_steps",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("action_id", sa.String(36), nullable=False),
        sa.Column("time", _MOMENT, nullable=False),
        sa.Column("actor", sa.String(160), nullable=False),
        sa.Column("state", sa.String(24), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("host_action_steps_action", "host_action_steps", ["action_id"])
    op.create_table(
        "action_policies",
        sa.Column("kind", sa.String(32), primary_key=True),
        sa.Column("scope", sa.String(32), nullable=False),
        sa.Column("four_eyes", sa.Boolean, nullable=False),
        sa.Column("updated", _MOMENT, nullable=False),
        sa.Column("updated_by", sa.String(160), nullable=False),
    )
    op.create_table(
        "automatic_actions",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("rule_uuid", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("connector_id", sa.String(36), nullable=False),
        sa.Column("parameters", sa.JSON, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("ceiling", sa.BigInteger, nullable=False),
        sa.Column("expires_after", sa.BigInteger, nullable=True),
        sa.Column("switched_on", sa.Boolean, nullable=False),
        sa.Column("switched_by", sa.String(64), nullable=False),
        sa.Column("watched_from", sa.BigInteger, nullable=False),
        *_signed(),
    )
    op.create_index("automatic_actions_rule", "automatic_actions", ["rule_uuid"])


def downgrade() -> None:
    """Remove them."""
    for table in (
        "automatic_actions",
        "action_policies",
        "host_action_steps",
        "host_actions",
        "response_connectors",
    ):
        op.drop_table(table)


def _signed() -> list[sa.Column[object]]:
    return [
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("created_by", sa.String(160), nullable=False),
        sa.Column("updated", _MOMENT, nullable=False),
        sa.Column("updated_by", sa.String(160), nullable=False),
    ]
