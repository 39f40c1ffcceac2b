"""How Alembic reaches the app's database. Runs inside the app context that Flask-Migrate opens."""

from contextlib import contextmanager

from alembic import context
from flask import current_app
from sqlalchemy import JSON

from webapp.models.types import AmountType, UtcDateTime

config = context.config
migrate = current_app.extensions["migrate"]


def run_migrations() -> None:
    """Run online, in one transaction where the database allows it. SQLite takes its write lock at once.

    SQLite changes a table by making another one in its place: other tables must not mind while it is away.
    """
    database = migrate.db
    engine = database.engine.execution_options(sqlite_begin="IMMEDIATE")
    with engine.connect() as connection, _foreign_keys_off(connection):
        context.configure(
            connection=connection,
            target_metadata=database.metadata,
            render_item=_render_item,
            **migrate.configure_args,
        )
        with context.begin_transaction():
            context.run_migrations()


@contextmanager
def _foreign_keys_off(connection):
    if connection.dialect.name != "sqlite":
        yield
        return
    # Past SQLAlchemy, which would begin a transaction: inside one the pragma does nothing.
    driver = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
        broken = driver.execute("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise RuntimeError(f"the migration left rows without what they refer to: {broken[:5]}")
    finally:
        driver.execute("PRAGMA foreign_keys=ON")


def _render_item(kind, item, context):
    """Migrations name the plain column types: they must not change when our own types do."""
    if kind == "type" and isinstance(item, AmountType):
        return "sa.BigInteger()"
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, JSON):
        context.imports.add("from sqlalchemy.dialects import postgresql")
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    return False


run_migrations()
