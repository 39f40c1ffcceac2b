"""a count of what changes signing keys: processes that keep keys in memory see by it which they must not any more"""

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
# (name of the trigger, what it watches, the wallets whose keys it is about)
OWN, FORMER = "SELECT {number}, NEW.wallet_id", "SELECT {number}, OLD.wallet_id"
OF_USER = "SELECT {number}, id FROM wallets WHERE user_id = NEW.id"
WATCHED = (
    ("signing_keys_count_insert", "INSERT ON signing_keys", OWN),
    ("signing_keys_count_delete", "DELETE ON signing_keys", FORMER),
    ("signing_keys_count_update", f"UPDATE OF {KEY_COLUMNS} ON signing_keys", f"{OWN} UNION {FORMER}"),
    ("users_count_update", "UPDATE OF is_active ON users", OF_USER),
    ("nodes_count_update", "UPDATE OF status ON nodes", OWN),
)
COUNT = "UPDATE key_epoch SET number = number + 1"
TELL = "INSERT INTO key_changes (number, wallet_id)"


def upgrade():
    epoch = op.create_table(
        "key_epoch",
        sa.Column("id", sa.SmallInteger(), nullable=False, autoincrement=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_key_epoch_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_epoch")),
    )
    op.bulk_insert(epoch, [{"id": 1, "number": 0}])
    op.create_table(
        "key_changes",
        sa.Column("number", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("wallet_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("number", "wallet_id", name=op.f("pk_key_changes")),
    )
    for name, event, wallets in WATCHED:
        if op.get_bind().dialect.name == "sqlite":
            told = wallets.format(number="(SELECT number FROM key_epoch)")
            op.execute(f"CREATE TRIGGER {name} AFTER {event} BEGIN {COUNT}; {TELL} {told}; END")
            continue
        told = wallets.format(number="counted")
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE counted bigint; "
            f"BEGIN {COUNT} RETURNING number INTO counted; {TELL} {told}; RETURN NULL; END $$"
        )
        op.execute(
            f"CREATE CONSTRAINT TRIGGER {name} AFTER {event} DEFERRABLE INITIALLY DEFERRED "
            f"FOR EACH ROW EXECUTE FUNCTION {name}()"
        )


def downgrade():
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for name, event, _ in WATCHED:
        op.execute(f"DROP TRIGGER {name}" if is_sqlite else f"DROP TRIGGER {name} ON {event.split()[-1]}")
        if not is_sqlite:
            op.execute(f"DROP FUNCTION {name}()")
    op.drop_table("key_changes")
    op.drop_table("key_epoch")
