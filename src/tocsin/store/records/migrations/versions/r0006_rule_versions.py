"""The documents that rules had before: a version for each change."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table. Rules that are there keep their present document; earlier ones are not known."""
    op.create_table(
        "rule_versions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("rule_uuid", sa.String(36), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("made", sa.DateTime(timezone=True), nullable=True),
        sa.Column("made_by", sa.String(160), nullable=True),
        sa.Column("replaced", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replaced_by", sa.String(160), nullable=False),
    )
    op.create_index("rule_versions_rule", "rule_versions", ["rule_uuid", "revision"], unique=True)


def downgrade() -> None:
    """Remove it."""
    op.drop_table("rule_versions")
