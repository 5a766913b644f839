"""Lists of indicators, services that judge observables and what was asked of them, hunts for indicators."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLES = (
    "indicator_hunts",
    "reputation_look_ups",
    "reputation_services",
    "indicator_blocks",
    "indicator_lists",
)


def upgrade() -> None:
    """Add the tables."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "indicator_lists",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False, unique=True),
        sa.Column("source", sa.String(1024), nullable=False),
        sa.Column("confidence", sa.String(16), nullable=True),
        sa.Column("valid_days", sa.Integer, nullable=True),
        sa.Column("indicators", sa.BigInteger, nullable=False),
        sa.Column("skipped", sa.JSON, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sa.Column("created", moment, nullable=False),
        sa.Column("created_by", sa.String(160), nullable=False),
        sa.Column("updated", moment, nullable=False),
        sa.Column("updated_by", sa.String(160), nullable=False),
    )
    op.create_table(
        "indicator_blocks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "list_id", sa.String(36), sa.ForeignKey("indicator_lists.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("indicators", sa.BigInteger, nullable=False),
        sa.Column("loaded", sa.BigInteger, nullable=False),
        sa.Column("first_expiry", sa.BigInteger, nullable=True),
        sa.Column("fields", sa.JSON, nullable=False),
        sa.Column("documents", sa.LargeBinary, nullable=False),
    )
    op.create_index("indicator_blocks_list", "indicator_blocks", ["list_id"])
    op.create_table(
        "reputation_services",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("automatic", sa.Boolean, nullable=False),
        sa.Column("config", sa.JSON, nullable=False),
        sa.Column("secrets", sa.JSON, nullable=False),
        sa.Column("blocked_until", moment, nullable=True),
        sa.Column("updated", moment, nullable=False),
        sa.Column("updated_by", sa.String(160), nullable=False),
    )
    op.create_table(
        "reputation_look_ups",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("service", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("value", sa.String(2100), nullable=False),
        sa.Column("asked", moment, nullable=False),
        sa.Column("asked_by", sa.String(160), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("verdict", sa.JSON, nullable=True),
    )
    op.create_index("reputation_look_ups_key", "reputation_look_ups", ["key"])
    op.create_index("reputation_look_ups_asked", "reputation_look_ups", ["service", "asked"])
    op.create_table(
        "indicator_hunts",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("case_id", sa.String(64), nullable=True),
        sa.Column("asked", moment, nullable=False),
        sa.Column("asked_by", sa.String(160), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("cancelled", sa.Boolean, nullable=False),
        sa.Column("progress", sa.JSON, nullable=False),
        sa.Column("ended", moment, nullable=True),
        sa.Column("error", sa.Text, nullable=True),
        sa.Column("indicators", sa.JSON, nullable=False),
        sa.Column("result", sa.JSON, nullable=True),
    )
    op.create_index("indicator_hunts_asked", "indicator_hunts", ["asked"])


def downgrade() -> None:
    """Remove them."""
    for name in _TABLES:
        op.drop_table(name)
