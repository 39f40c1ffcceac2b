"""Engines and sessions for code that runs without Flask: scripts, tests, and programs that embed the services."""

from __future__ import annotations

from typing import Any

import sqlalchemy.orm
from sqlalchemy import Engine, create_engine

from webapp.config import Settings, load_config
from webapp.extensions import SESSION_OPTIONS, prepare_engine


def engine_options(settings: Settings) -> dict[str, Any]:
    """Pool settings. On PostgreSQL no statement or lock waits for ever.

    Errors of the database never show what was to be stored: it may be a secret.
    """
    if settings.database_url.startswith("sqlite"):
        return {"hide_parameters": True}
    return {
        "hide_parameters": True,
        "pool_size": settings.database.pool_size,
        "max_overflow": 0,
        "connect_args": {
            "options": "-c lock_timeout=10s -c statement_timeout=60s -c idle_in_transaction_session_timeout=60s"
        },
    }


_engines: dict[str, Engine] = {}


class Session(sqlalchemy.orm.Session):
    """A session on the configured database: `Session()` in a script, `Session(settings)` for another instance."""

    def __init__(self, settings: Settings | None = None) -> None:
        settings = settings or load_config()
        engine = _engine(settings)
        super().__init__(bind=engine, **SESSION_OPTIONS)


def _engine(settings: Settings) -> Engine:
    """One prepared engine per URL in this process."""
    url = settings.database_url
    if url not in _engines:
        _engines[url] = prepare_engine(create_engine(url, **engine_options(settings)))
    return _engines[url]
