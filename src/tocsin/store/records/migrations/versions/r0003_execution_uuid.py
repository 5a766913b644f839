"""Executions have the id by which alerts name them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; earlier executions have none."""
    op.add_column("executions", sa.Column("uuid", sa.String(36), nullable=True))


def downgrade() -> None:
    """Remove it."""
    op.drop_column("executions", "uuid")
