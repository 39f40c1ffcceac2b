"""a count of what changes signing keys: processes that keep keys in memory see by it when they must not any more"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

# Not `label` and `spent`: one decides nothing, the other changes with every escrow.
KEY_COLUMNS = (
    "wallet_id, node_id, secret_sealed, scopes, spend_limit, answers_for, created_at, expires_at, revoked_at"
)
# (name of the trigger, what it watches)
WATCHED = (
    ("signing_keys_count_insert", "INSERT ON signing_keys"),
    ("signing_keys_count_delete", "DELETE ON signing_keys"),
    ("signing_keys_count_update", f"UPDATE OF {KEY_COLUMNS} ON signing_keys"),
    ("users_count_update", "UPDATE OF is_active ON users"),
    ("nodes_count_update", "UPDATE OF status ON nodes"),
)
COUNT = "UPDATE key_epoch SET number = number + 1"


def upgrade():
    epoch = op.create_table(
        "key_epoch",
        sa.Column("id", sa.SmallInteger(), nullable=False, autoincrement=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_key_epoch_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_epoch")),
    )
    op.bulk_insert(epoch, [{"id": 1, "number": 0}])
    if op.get_bind().dialect.name == "sqlite":
        for name, event in WATCHED:
            op.execute(f"CREATE TRIGGER {name} AFTER {event} BEGIN {COUNT}; END")
        return
    op.execute(
        f"CREATE FUNCTION count_key_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {COUNT}; RETURN NULL; END $$"
    )
    for name, event in WATCHED:
        op.execute(
            f"CREATE CONSTRAINT TRIGGER {name} AFTER {event} DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION count_key_change()"
        )


def downgrade():
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for name, event in WATCHED:
        op.execute(f"DROP TRIGGER {name}" if is_sqlite else f"DROP TRIGGER {name} ON {event.split()[-1]}")
    if not is_sqlite:
        op.execute("DROP FUNCTION count_key_change()")
    op.drop_table("key_epoch")
