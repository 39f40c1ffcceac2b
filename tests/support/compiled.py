"""What is translated once in a process instead of once in every test: SQL statements and page templates.

Each test has an engine and an application of its own, and each of those would translate the same texts again, which
costs more than what the tests do with them. What is shared is what SQLAlchemy and Jinja share between requests.
"""

from __future__ import annotations

from types import CodeType
from typing import Any

from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy import Engine
from sqlalchemy.engine import Dialect

_dialects: dict[str, Dialect] = {}
_statements: dict[Any, Any] = {}


def share_statements(engine: Engine) -> Engine:
    """Let this engine use what the engines before it have compiled for the same kind of database, and add to it."""
    kind = engine.dialect.name
    if kind not in _dialects:
        engine.connect().close()  # a dialect knows its server only from its first connection on
        _dialects[kind] = engine.dialect
    engine.dialect = _dialects[kind]  # statements are kept by dialect
    engine.update_execution_options(compiled_cache=_statements)
    return engine


def share_templates(app: Flask) -> Flask:
    """Let this application use what the applications before it have compiled of the same source, and add to it."""
    app.jinja_env.bytecode_cache = _Templates()
    return app


class _Templates(BytecodeCache):
    """Jinja's own cache of compiled templates, kept in memory. A changed source is compiled again."""

    _kept: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Find what was compiled, or leave the bucket empty."""
        bucket.code = self._kept.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled."""
        if bucket.code is not None:
            self._kept[bucket.key, bucket.checksum] = bucket.code
