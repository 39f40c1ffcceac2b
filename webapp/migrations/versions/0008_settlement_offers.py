"""offers to divide an escrow"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
STATUSES = "'open', 'replaced', 'countered', 'accepted', 'declined', 'withdrawn', 'expired', 'lapsed'"


def upgrade():
    op.create_table(
        "settlement_offers",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("escrow_id", sa.Uuid(), nullable=False),
        sa.Column("side", sa.String(8), nullable=False),
        sa.Column("share", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.String(500), nullable=False),
        sa.Column("answers_id", BIG_KEY),
        sa.Column("made_by", sa.String(64), nullable=False),
        sa.Column("made_while", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT),
        sa.Column("ended_at", MOMENT),
        sa.Column("ended_by", sa.String(64)),
        sa.CheckConstraint("side IN ('payer', 'provider')", name=op.f("ck_settlement_offers_side_known")),
        sa.CheckConstraint("share >= 0", name=op.f("ck_settlement_offers_share_not_negative")),
        sa.CheckConstraint(f"status IN ({STATUSES})", name=op.f("ck_settlement_offers_status_known")),
        sa.CheckConstraint(
            "(status = 'open') = (ended_at IS NULL)", name=op.f("ck_settlement_offers_end_is_told")
        ),
        sa.ForeignKeyConstraint(["escrow_id"], ["escrows.id"], name=op.f("fk_settlement_offers_escrow_id")),
        sa.ForeignKeyConstraint(
            ["answers_id"], ["settlement_offers.id"], name=op.f("fk_settlement_offers_answers_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_offers")),
    )
    op.create_index(op.f("ix_settlement_offers_escrow_id_id"), "settlement_offers", ["escrow_id", "id"])
    is_open = sa.text("status = 'open'")
    op.create_index(
        "uq_settlement_offers_one_open",
        "settlement_offers",
        ["escrow_id", "side"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )


def downgrade():
    op.drop_table("settlement_offers")
