"""indexes of the few where few are looked for: every escrow pays for each of the others twice"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

IS_LIVE = "status = 'pending' OR status = 'active' OR status = 'delivered' OR status = 'disputed'"
HAS_VERIFIER = "verifier_key_id IS NOT NULL"

# (table, columns)
GONE = (
    ("escrows", ("payer_wallet_id", "id")),
    ("escrows", ("provider_wallet_id", "id")),
    ("escrows", ("payer_wallet_id", "status", "expires_at", "id")),
    ("escrows", ("provider_wallet_id", "status", "expires_at", "id")),
    ("escrows", ("verifier_key_id", "id")),
    ("escrows", ("status", "expires_at")),
    ("escrows", ("status", "accept_by")),
    ("escrows", ("status", "fund_by")),
    ("journal_entries", ("kind", "created_at")),
    ("postings", ("journal_entry_id",)),
    ("request_nonces", ("expires_at",)),
)
# (table, columns, what it is limited to)
NEW = (
    ("escrows", ("payer_wallet_id", "status", "expires_at", "id"), IS_LIVE),
    ("escrows", ("provider_wallet_id", "status", "expires_at", "id"), IS_LIVE),
    ("escrows", ("status", "expires_at", "id"), IS_LIVE),
    ("escrows", ("status", "accept_by", "id"), "status = 'delivered'"),
    ("escrows", ("payer_wallet_id", "status", "accept_by", "id"), "status = 'delivered'"),
    ("escrows", ("status", "fund_by", "id"), "status = 'pending'"),
    ("escrows", ("payer_wallet_id", "status", "fund_by", "id"), "status = 'pending'"),
    ("escrows", ("provider_wallet_id", "status", "fund_by", "id"), "status = 'pending'"),
    ("escrows", ("payer_wallet_id", "created_at"), "funding = 'deposit'"),
    ("escrows", ("verifier_key_id", "status", "id"), HAS_VERIFIER),
    ("escrows", ("verifier_key_id", "status", "amount", "id"), HAS_VERIFIER),
    ("escrows", ("verifier_key_id", "status", "expires_at", "id"), HAS_VERIFIER),
    ("escrows", ("payer_wallet_id", "id"), "refund_address IS NOT NULL"),
    (
        "journal_entries",
        ("created_at",),
        "kind = 'escrow_release' OR kind = 'escrow_refund' OR kind = 'escrow_resolve'",
    ),
)
POSTINGS = ("postings", ("journal_entry_id",))


def upgrade():
    for index in GONE:
        op.drop_index(_name(*index), index[0])
    for table, columns, limit in NEW:
        where = sa.text(limit)
        op.create_index(
            _name(table, columns), table, list(columns), sqlite_where=where, postgresql_where=where
        )
    op.create_index(
        _name(*POSTINGS),
        "postings",
        ["journal_entry_id"],
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 32, "autosummarize": "on"},
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE wallets SET (fillfactor = 50)")


def downgrade():
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE wallets RESET (fillfactor)")
    op.drop_index(_name(*POSTINGS), "postings")
    for table, columns, _limit in NEW:
        op.drop_index(_name(table, columns), table)
    for table, columns in GONE:
        op.create_index(_name(table, columns), table, list(columns))


def _name(table, columns):
    return op.f("_".join(("ix", table, *columns)))
