"""What is translated once in a process instead of once in every test: SQL statements, templates, and addresses.

Each test has an engine and an application of its own, and each of those would translate the same texts again, which
costs more than what the tests do with them. What is shared is what SQLAlchemy, Jinja and Werkzeug share between
requests.
"""

from __future__ import annotations

from types import CodeType
from typing import Any

from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy import Engine
from sqlalchemy.engine import Dialect
from werkzeug.routing import Rule

_dialects: dict[str, Dialect] = {}
_statements: dict[Any, Any] = {}
_builders: dict[Any, Any] = {}
_compile_builder = Rule._compile_builder


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


def share_addresses() -> None:
    """Let every application build its addresses with the functions that were compiled for the same rules before."""

    def compiled(rule: Rule, append_unknown: bool = True) -> Any:
        key = (rule.rule, rule.subdomain, tuple(rule._trace), repr(rule.defaults), append_unknown)
        if key not in _builders:
            _builders[key] = _compile_builder(rule, append_unknown)
        return _builders[key]

    Rule._compile_builder = compiled  # type: ignore[method-assign, assignment]


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
