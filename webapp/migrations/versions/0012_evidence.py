"""evidence on disputed escrows, append-only, and the keys that case files are signed with"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
FILE_IS_WHOLE = (
    "(sha256 IS NULL) = (file_name IS NULL) AND (sha256 IS NULL) = (media_type IS NULL)"
    " AND (sha256 IS NULL) = (size IS NULL) AND (sha256 IS NULL) = (stored_as IS NULL)"
)


def upgrade():
    op.create_table(
        "evidence",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("escrow_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("by_wallet_id", sa.Integer(), nullable=False),
        sa.Column("side", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("file_name", sa.String(128)),
        sa.Column("media_type", sa.String(64)),
        sa.Column("size", sa.Integer()),
        sa.Column("sha256", sa.String(64)),
        sa.Column("stored_as", sa.String(64)),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.CheckConstraint("side IN ('payer', 'provider')", name=op.f("ck_evidence_side_known")),
        sa.CheckConstraint("number > 0", name=op.f("ck_evidence_number_positive")),
        sa.CheckConstraint(FILE_IS_WHOLE, name=op.f("ck_evidence_file_is_whole")),
        sa.CheckConstraint("text <> '' OR sha256 IS NOT NULL", name=op.f("ck_evidence_says_something")),
        sa.ForeignKeyConstraint(["escrow_id"], ["escrows.id"], name=op.f("fk_evidence_escrow_id")),
        sa.ForeignKeyConstraint(["by_wallet_id"], ["wallets.id"], name=op.f("fk_evidence_by_wallet_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
        sa.UniqueConstraint("escrow_id", "number", name=op.f("uq_evidence_escrow_id_number")),
        sa.UniqueConstraint("stored_as", name=op.f("uq_evidence_stored_as")),
    )
    op.create_table(
        "case_file_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_key", sa.String(64), nullable=False),
        sa.Column("sealed_private_key", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_file_keys")),
        sa.UniqueConstraint("public_key", name=op.f("uq_case_file_keys_public_key")),
    )
    _refuse_changes()


def _refuse_changes():
    """Evidence is only ever added; PostgreSQL has had the function for it since the journal."""
    if op.get_bind().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER evidence_refuse_{event.lower()} BEFORE {event} ON evidence "
                "BEGIN SELECT RAISE(ABORT, 'evidence is append-only'); END"
            )
        return
    for name, events, each in (("change", "UPDATE OR DELETE", "ROW"), ("truncate", "TRUNCATE", "STATEMENT")):
        op.execute(
            f"CREATE TRIGGER evidence_refuse_{name} BEFORE {events} ON evidence "
            f"FOR EACH {each} EXECUTE FUNCTION refuse_change()"
        )


def downgrade():
    op.drop_table("case_file_keys")
    op.drop_table("evidence")
