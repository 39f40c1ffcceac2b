"""escrows that end by terms of their own, and the facts that these are judged by"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade():
    with op.batch_alter_table("escrows") as table:
        table.add_column(sa.Column("has_own_terms", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index(
        "ix_escrows_own_terms",
        "escrows",
        ["payer_wallet_id", "status", "expires_at"],
        sqlite_where=sa.text("has_own_terms"),
        postgresql_where=sa.text("has_own_terms"),
    )
    op.create_table(
        "escrow_terms",
        sa.Column("escrow_id", sa.Uuid(), nullable=False),
        sa.Column("document", JSON, nullable=False),
        sa.Column("next_look_at", MOMENT),
        sa.Column("next_height", sa.Integer()),
        sa.Column("awaits_payer", sa.Boolean(), nullable=False),
        sa.Column("ends_by", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["escrow_id"], ["escrows.id"], name=op.f("fk_escrow_terms_escrow_id")),
        sa.PrimaryKeyConstraint("escrow_id", name=op.f("pk_escrow_terms")),
    )
    op.create_index(op.f("ix_escrow_terms_next_look_at"), "escrow_terms", ["next_look_at"])
    op.create_index(op.f("ix_escrow_terms_next_height"), "escrow_terms", ["next_height"])
    op.create_table(
        "escrow_facts",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("escrow_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("detail", JSON, nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["escrow_id"], ["escrows.id"], name=op.f("fk_escrow_facts_escrow_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_escrow_facts")),
        sa.UniqueConstraint("escrow_id", "kind", "key", name=op.f("uq_escrow_facts_escrow_id_kind_key")),
    )
    _refuse_changes()


def _refuse_changes():
    if op.get_bind().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER escrow_facts_refuse_{event.lower()} BEFORE {event} ON escrow_facts "
                "BEGIN SELECT RAISE(ABORT, 'escrow_facts is append-only'); END"
            )
        return
    for name, what in (
        ("change", "UPDATE OR DELETE ON escrow_facts FOR EACH ROW"),
        ("truncate", "TRUNCATE ON escrow_facts FOR EACH STATEMENT"),
    ):
        op.execute(
            f"CREATE TRIGGER escrow_facts_refuse_{name} BEFORE {what} EXECUTE FUNCTION refuse_change()"
        )


def downgrade():
    op.drop_table("escrow_facts")
    op.drop_table("escrow_terms")
    op.drop_index("ix_escrows_own_terms", "escrows")
    with op.batch_alter_table("escrows") as table:
        table.drop_column("has_own_terms")
