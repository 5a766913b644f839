"""Cases: their alerts, tasks, comments, evidence, observables, links, and the activity log that nobody changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_REFUSAL = "entries of the activity log of cases are neither changed nor removed"
_SQLITE = tuple(
    f"CREATE TRIGGER case_activity_{name} BEFORE {name.upper()} ON case_activity "
    f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
    for name in ("update", "delete")
)
_POSTGRESQL = (
    "CREATE FUNCTION case_activity_refuse() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$",
    "CREATE TRIGGER case_activity_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON case_activity "
    "FOR EACH STATEMENT EXECUTE FUNCTION case_activity_refuse()",
)


def _case() -> sa.Column[str]:
    return sa.Column("case_id", sa.String(36), sa.ForeignKey("cases.id", ondelete="CASCADE"), nullable=False)


def _case_key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(36), sa.ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True)


def upgrade() -> None:
    """Make the tables, and have the database refuse changes of the activity log."""
    op.create_table(
        "cases",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        sa.Column("title", sa.String(160), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("owner", sa.String(160)),
        sa.Column("category", sa.String(50)),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("assignees", sa.JSON, nullable=False),
        sa.Column("sync_alerts", sa.Boolean, nullable=False),
        sa.Column("follow_up", _MOMENT),
        sa.Column("follow_up_note", sa.String(500)),
        sa.Column("closed", _MOMENT),
        sa.Column("closed_by", sa.String(160)),
        sa.Column("close_reason", sa.String(255)),
        sa.Column("merged_into", sa.String(36)),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("activity_length", sa.BigInteger, nullable=False),
        sa.Column("activity_hash", sa.String(64), nullable=False),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("created_by", sa.String(160), nullable=False),
        sa.Column("updated", _MOMENT, nullable=False),
        sa.Column("updated_by", sa.String(160), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("cases_status", "cases", ["status", "updated"])
    op.create_index("cases_follow_up", "cases", ["follow_up"])
    op.create_table(
        "case_alerts",
        _case_key("case_id"),
        sa.Column("alert_id", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        sa.Column("rule_uuid", sa.String(36), nullable=False),
        sa.Column("rule_name", sa.Text, nullable=False),
        sa.Column("added", _MOMENT, nullable=False),
        sa.Column("added_by", sa.String(160), nullable=False),
    )
    op.create_index("case_alerts_alert", "case_alerts", ["alert_id"])
    op.create_table(
        "case_tasks",
        sa.Column("id", sa.String(36), primary_key=True),
        _case(),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("depth", sa.BigInteger, nullable=False),
        sa.Column("rule_name", sa.Text),
        sa.Column("assignee", sa.String(160)),
        sa.Column("due", _MOMENT),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("created_by", sa.String(160), nullable=False),
        sa.Column("done", _MOMENT),
        sa.Column("done_by", sa.String(160)),
    )
    op.create_index("case_tasks_case", "case_tasks", ["case_id", "position"])
    op.create_table(
        "case_comments",
        sa.Column("id", sa.String(36), primary_key=True),
        _case(),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("mentions", sa.JSON, nullable=False),
        sa.Column("author_id", sa.String(64), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("created_by", sa.String(160), nullable=False),
        sa.Column("updated", _MOMENT, nullable=False),
        sa.Column("updated_by", sa.String(160), nullable=False),
    )
    op.create_index("case_comments_case", "case_comments", ["case_id", "created"])
    op.create_table(
        "case_evidence",
        sa.Column("id", sa.String(36), primary_key=True),
        _case(),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("title", sa.String(255), nullable=False),
        sa.Column("media_type", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("added", _MOMENT, nullable=False),
        sa.Column("added_by", sa.String(160), nullable=False),
    )
    op.create_index("case_evidence_case", "case_evidence", ["case_id", "added"])
    op.create_table(
        "case_observables",
        sa.Column("id", sa.String(36), primary_key=True),
        _case(),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("description", sa.String(500)),
        sa.Column("added", _MOMENT, nullable=False),
        sa.Column("added_by", sa.String(160), nullable=False),
    )
    op.create_index("case_observables_case", "case_observables", ["case_id"])
    op.create_index("case_observables_key", "case_observables", ["key"])
    op.create_table(
        "case_links",
        _case_key("case_id"),
        _case_key("other_id"),
        sa.Column("added", _MOMENT, nullable=False),
        sa.Column("added_by", sa.String(160), nullable=False),
    )
    op.create_index("case_links_other", "case_links", ["other_id"])
    op.create_table(
        "case_activity",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("case_id", sa.String(36), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("time", _MOMENT, nullable=False),
        sa.Column("actor", sa.String(160), nullable=False),
        sa.Column("actor_id", sa.String(64), nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_index("case_activity_case", "case_activity", ["case_id", "sequence"], unique=True)
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    """Remove them."""
    for name in ("activity", "links", "observables", "evidence", "comments", "tasks", "alerts"):
        op.drop_table(f"case_{name}")
    op.drop_table("cases")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION case_activity_refuse()")
