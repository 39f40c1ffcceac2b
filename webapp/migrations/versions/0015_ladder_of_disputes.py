"""disputes as a ladder: rungs with clocks, assigned people, statements"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
RUNGS = "rung IN ('talk', 'mediation', 'arbitration', 'appeal', 'panel', 'ended')"
SHARE = "share_basis_points >= 0 AND share_basis_points <= 10000"
# What was open gets as much time to answer as a new one has without settings of its own.
ANSWER_HOURS = 72


def upgrade():
    with op.batch_alter_table("disputes") as table:
        table.add_column(sa.Column("rung", sa.String(16), nullable=False, server_default="talk"))
        for name in ("rung_since", "rung_ends_at", "answered_at", "ended_at"):
            table.add_column(sa.Column(name, MOMENT))
        table.add_column(sa.Column("outage_id", sa.Integer(), nullable=False, server_default="0"))
        for name in ("is_accepted_by_payer", "is_accepted_by_provider", "is_bond_lost"):
            table.add_column(sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("reassigned", sa.SmallInteger(), nullable=False, server_default="0"))
        table.add_column(sa.Column("appealed_by_wallet_id", sa.Integer()))
        table.add_column(sa.Column("appeal_reason", sa.Text()))
        table.add_column(sa.Column("bond", sa.BigInteger(), nullable=False, server_default="0"))
        table.add_column(sa.Column("basis", sa.String(16)))
        table.add_column(sa.Column("share_basis_points", sa.SmallInteger()))
    _fill()
    with op.batch_alter_table("disputes") as table:
        table.drop_constraint(op.f("ck_disputes_status_known"), type_="check")
        table.drop_index(op.f("ix_disputes_status_created_at"))
        table.drop_index(op.f("ix_disputes_escrow_id"))
        for name in ("status", "resolution", "resolved_at"):
            table.drop_column(name)
        for name in ("rung_since", "rung_ends_at"):
            table.alter_column(name, existing_type=MOMENT, nullable=False)
        # What the service states by itself needs no default in the database.
        for name, kind in _FILLED.items():
            table.alter_column(name, existing_type=kind, server_default=None)
        table.create_check_constraint(op.f("ck_disputes_rung_known"), RUNGS)
        table.create_check_constraint(
            op.f("ck_disputes_end_is_told"), "(rung = 'ended') = (ended_at IS NOT NULL)"
        )
        table.create_check_constraint(op.f("ck_disputes_share_within_whole"), SHARE)
        table.create_check_constraint(op.f("ck_disputes_bond_not_negative"), "bond >= 0")
        table.create_unique_constraint(op.f("uq_disputes_escrow_id"), ["escrow_id"])
        table.create_foreign_key(
            op.f("fk_disputes_appealed_by_wallet_id"), "wallets", ["appealed_by_wallet_id"], ["id"]
        )
        table.create_index(op.f("ix_disputes_rung_rung_ends_at"), ["rung", "rung_ends_at"])
        table.create_index(op.f("ix_disputes_ended_at"), ["ended_at"])
    _create_seats()
    _create_statements()


_FILLED = {
    "rung": sa.String(16),
    "outage_id": sa.Integer(),
    "is_accepted_by_payer": sa.Boolean(),
    "is_accepted_by_provider": sa.Boolean(),
    "is_bond_lost": sa.Boolean(),
    "reassigned": sa.SmallInteger(),
    "bond": sa.BigInteger(),
}


def _fill():
    """Open ones begin to talk now; the others have ended by a ruling."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    now = "CURRENT_TIMESTAMP"
    later = (
        f"DATETIME('now', '+{ANSWER_HOURS} hours')"
        if is_sqlite
        else f"now() + INTERVAL '{ANSWER_HOURS} hours'"
    )
    op.execute(f"UPDATE disputes SET rung_since = {now}, rung_ends_at = {later} WHERE status = 'open'")
    op.execute(
        "UPDATE disputes SET rung = 'ended', rung_since = created_at, rung_ends_at = resolved_at,"
        " ended_at = resolved_at, basis = CASE WHEN resolution = 'resolved' THEN 'agreement' ELSE 'ruling' END,"
        " share_basis_points = CASE resolution WHEN 'released' THEN 10000 WHEN 'refunded' THEN 0 END"
        " WHERE status = 'resolved'"
    )


def _create_seats():
    op.create_table(
        "dispute_seats",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dispute_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("seat", sa.String(16), nullable=False),
        sa.Column("assigned_at", MOMENT, nullable=False),
        sa.Column("left_at", MOMENT),
        sa.Column("leaving", sa.String(16)),
        sa.Column("share_basis_points", sa.SmallInteger()),
        sa.Column("reason", sa.Text()),
        sa.Column("decided_at", MOMENT),
        sa.CheckConstraint(
            "seat IN ('mediator', 'arbiter', 'panel')", name=op.f("ck_dispute_seats_seat_known")
        ),
        sa.CheckConstraint(
            "leaving IN ('done', 'stepped_down', 'silent')", name=op.f("ck_dispute_seats_leaving_known")
        ),
        sa.CheckConstraint(
            "(left_at IS NULL) = (leaving IS NULL)", name=op.f("ck_dispute_seats_leaving_is_told")
        ),
        sa.CheckConstraint(
            "(share_basis_points IS NULL) = (decided_at IS NULL) AND (reason IS NULL) = (decided_at IS NULL)",
            name=op.f("ck_dispute_seats_decision_is_whole"),
        ),
        sa.CheckConstraint(SHARE, name=op.f("ck_dispute_seats_share_within_whole")),
        sa.ForeignKeyConstraint(["dispute_id"], ["disputes.id"], name=op.f("fk_dispute_seats_dispute_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_dispute_seats_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispute_seats")),
        sa.UniqueConstraint("dispute_id", "user_id", name=op.f("uq_dispute_seats_dispute_id_user_id")),
    )
    op.create_index(op.f("ix_dispute_seats_user_id_left_at"), "dispute_seats", ["user_id", "left_at"])
    op.create_index(op.f("ix_dispute_seats_user_id_assigned_at"), "dispute_seats", ["user_id", "assigned_at"])


def _create_statements():
    op.create_table(
        "dispute_statements",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dispute_id", sa.Integer(), nullable=False),
        sa.Column("wallet_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["dispute_id"], ["disputes.id"], name=op.f("fk_dispute_statements_dispute_id")
        ),
        sa.ForeignKeyConstraint(["wallet_id"], ["wallets.id"], name=op.f("fk_dispute_statements_wallet_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispute_statements")),
    )
    op.create_index(op.f("ix_dispute_statements_dispute_id_id"), "dispute_statements", ["dispute_id", "id"])
    if op.get_bind().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER dispute_statements_refuse_{event.lower()} BEFORE {event} ON dispute_statements "
                "BEGIN SELECT RAISE(ABORT, 'dispute_statements is append-only'); END"
            )
        return
    for name, events, each in (("change", "UPDATE OR DELETE", "ROW"), ("truncate", "TRUNCATE", "STATEMENT")):
        op.execute(
            f"CREATE TRIGGER dispute_statements_refuse_{name} BEFORE {events} ON dispute_statements "
            f"FOR EACH {each} EXECUTE FUNCTION refuse_change()"
        )


def downgrade():
    op.drop_table("dispute_statements")
    op.drop_table("dispute_seats")
    with op.batch_alter_table("disputes") as table:
        table.add_column(sa.Column("status", sa.String(16), nullable=False, server_default="open"))
        table.add_column(sa.Column("resolution", sa.Text()))
        table.add_column(sa.Column("resolved_at", MOMENT))
    op.execute(
        "UPDATE disputes SET status = 'resolved', resolved_at = ended_at, resolution = CASE share_basis_points"
        " WHEN 10000 THEN 'released' WHEN 0 THEN 'refunded' ELSE 'resolved' END WHERE rung = 'ended'"
    )
    with op.batch_alter_table("disputes") as table:
        table.drop_index(op.f("ix_disputes_ended_at"))
        table.drop_index(op.f("ix_disputes_rung_rung_ends_at"))
        table.drop_constraint(op.f("uq_disputes_escrow_id"), type_="unique")
        table.drop_constraint(op.f("fk_disputes_appealed_by_wallet_id"), type_="foreignkey")
        for name in ("rung_known", "end_is_told", "share_within_whole", "bond_not_negative"):
            table.drop_constraint(op.f(f"ck_disputes_{name}"), type_="check")
        for name in (
            *_FILLED,
            "rung_since",
            "rung_ends_at",
            "answered_at",
            "ended_at",
            "appealed_by_wallet_id",
            "appeal_reason",
            "basis",
            "share_basis_points",
        ):
            table.drop_column(name)
        table.alter_column("status", existing_type=sa.String(16), server_default=None)
        table.create_check_constraint(op.f("ck_disputes_status_known"), "status IN ('open', 'resolved')")
        table.create_index(op.f("ix_disputes_escrow_id"), ["escrow_id"])
        table.create_index(op.f("ix_disputes_status_created_at"), ["status", "created_at"])
