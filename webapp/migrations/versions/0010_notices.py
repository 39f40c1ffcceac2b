"""notices, the channels they come by, and how far events have been told"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")
MOMENT = sa.DateTime(timezone=True)
UNREAD = sa.text("read_at IS NULL AND is_in_inbox")
TO_BE_MAILED = sa.text("mailed_at IS NULL AND is_by_mail")


def upgrade():
    op.create_table(
        "notices",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("subject_type", sa.String(16), nullable=False),
        sa.Column("subject_id", sa.String(64), nullable=False),
        sa.Column("source", sa.String(128), nullable=False),
        sa.Column("detail", DOCUMENT, nullable=False),
        sa.Column("is_in_inbox", sa.Boolean(), nullable=False),
        sa.Column("is_by_mail", sa.Boolean(), nullable=False),
        sa.Column("is_urgent", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("read_at", MOMENT),
        sa.Column("mailed_at", MOMENT),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_notices_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("user_id", "source", name=op.f("uq_notices_user_id_source")),
    )
    op.create_index(op.f("ix_notices_user_id_id"), "notices", ["user_id", "id"])
    op.create_index(op.f("ix_notices_subject_id_user_id"), "notices", ["subject_id", "user_id"])
    op.create_index(op.f("ix_notices_read_at"), "notices", ["read_at"])
    op.create_index(
        "ix_notices_unread", "notices", ["user_id", "id"], sqlite_where=UNREAD, postgresql_where=UNREAD
    )
    op.create_index(
        "ix_notices_to_be_mailed",
        "notices",
        ["user_id", "created_at"],
        sqlite_where=TO_BE_MAILED,
        postgresql_where=TO_BE_MAILED,
    )
    op.create_table(
        "notice_choices",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("choice", sa.String(32), nullable=False),
        sa.Column("is_in_inbox", sa.Boolean(), nullable=False),
        sa.Column("is_by_mail", sa.Boolean(), nullable=False),
        sa.Column("is_urgent", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_notice_choices_user_id")),
        sa.PrimaryKeyConstraint("user_id", "choice", name=op.f("pk_notice_choices")),
    )
    cursors = op.create_table(
        "notice_cursors",
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("gaps", DOCUMENT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_notice_cursors")),
    )
    op.create_index(op.f("ix_deposits_credited_at"), "deposits", ["credited_at"])
    # Nobody is told of what happened before anybody could be.
    for source, table in (("trail", "escrow_transactions"), ("alerts", "alerts")):
        position = op.get_bind().execute(sa.text(f"SELECT MAX(id) FROM {table}")).scalar()
        if position:
            row = {"source": source, "position": position, "gaps": [], "version": 0}
            op.bulk_insert(cursors, [row])


def downgrade():
    op.drop_index(op.f("ix_deposits_credited_at"), table_name="deposits")
    op.drop_table("notice_cursors")
    op.drop_table("notice_choices")
    op.drop_table("notices")
