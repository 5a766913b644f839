"""Keys belong to people by their ids, know the key that made them, and the audit log names ids."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_USERS = sa.table("users", sa.column("id", sa.Integer), sa.column("name", sa.String))
_KEYS = sa.table(
    "api_keys",
    sa.column("id", sa.String),
    sa.column("name", sa.String),
    sa.column("owner", sa.String),
    sa.column("owner_id", sa.Integer),
    sa.column("made_by_key", sa.String),
    sa.column("revoked", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    """Add the columns, and find out whose the keys are.

    A key that a key had made names that one alone. Where several have that name, nobody can tell whose it is, and
    it is revoked.
    """
    op.add_column("api_keys", sa.Column("owner_id", sa.Integer, nullable=True))
    op.add_column("api_keys", sa.Column("made_by_key", sa.String(32), nullable=True))
    op.add_column("audit", sa.Column("actor_id", sa.String(64), nullable=True))
    connection = op.get_bind()
    users = {name: id_ for id_, name in connection.execute(sa.select(_USERS.c.id, _USERS.c.name))}
    keys = list(connection.execute(sa.select(_KEYS.c.id, _KEYS.c.name, _KEYS.c.owner)))
    named: dict[str, list[str]] = {}
    for id_, name, _ in keys:
        named.setdefault(f"key:{name}", []).append(id_)
    owners = {id_: owner for id_, _, owner in keys}
    for id_, _, owner in keys:
        made_by: str | None = None
        at, seen = owner, {id_}
        lost = False
        while at.startswith("key:"):
            makers = named.get(at, [])
            if len(makers) != 1 or makers[0] in seen:
                lost = True
                break
            made_by = made_by or makers[0]
            seen.add(makers[0])
            at = owners[makers[0]]
        values: dict[str, object] = {"owner_id": users.get(at), "made_by_key": made_by}
        if lost:
            values["revoked"] = sa.func.now()
        connection.execute(_KEYS.update().where(_KEYS.c.id == id_).values(values))


def downgrade() -> None:
    """Remove the columns."""
    op.drop_column("audit", "actor_id")
    op.drop_column("api_keys", "made_by_key")
    op.drop_column("api_keys", "owner_id")
