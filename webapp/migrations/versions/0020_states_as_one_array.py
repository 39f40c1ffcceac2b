"""the states of escrows as one array: PostgreSQL reads a check anew for every statement, and a list of words slowly"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

KNOWN = {
    "status": ("pending", "active", "delivered", "disputed", "released", "refunded", "resolved"),
    "funding": ("balance", "deposit"),
}


def upgrade():
    if op.get_bind().dialect.name == "postgresql":
        _check("= ANY ('{{{}}}'::text[])", ",")


def downgrade():
    if op.get_bind().dialect.name == "postgresql":
        _check("IN ('{}')", "', '")


def _check(form, between):
    changes = []
    for column, words in KNOWN.items():
        name = f"ck_escrows_{column}_known"
        changes.append(f"DROP CONSTRAINT {name}")
        changes.append(f"ADD CONSTRAINT {name} CHECK ({column} {form.format(between.join(words))})")
    op.execute(f"ALTER TABLE escrows {', '.join(changes)}")
