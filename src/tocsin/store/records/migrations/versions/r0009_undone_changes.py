"""Which changes of alerts take an earlier one back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. Of changes that are there it is not known: each stands for itself."""
    op.add_column("alert_changes", sa.Column("undoes", sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Remove it."""
    op.drop_column("alert_changes", "undoes")
