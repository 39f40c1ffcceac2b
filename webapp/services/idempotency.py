"""Requests that count once: the answer to an Idempotency-Key is stored in the transaction of its effect.

The same key with the same request brings the stored answer; an effect that failed stored nothing, so it may be tried
again under its key. Keys belong to a principal: two principals may use the same one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, select, text
from sqlalchemy.orm import Session

from webapp.domain.exceptions import IdempotencyConflictError, IdempotencyMismatchError, ValidationError
from webapp.domain.said import said
from webapp.models import IdempotencyKey
from webapp.models.insert_once import insert_once
from webapp.services.unit_of_work import unit_of_work

MAX_KEY_LENGTH = 128
FIELD = "Idempotency-Key"
_FORM = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str)

_COLUMNS = IdempotencyKey.__table__.columns
_STORED = select(
    _COLUMNS.request_hash, _COLUMNS.response_status, _COLUMNS.response_location, _COLUMNS.response_body
).where(_COLUMNS.principal == bindparam("principal"), _COLUMNS.key == bindparam("key"))


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What a change was answered: `body` as it was sent, `location` of what was made. A replay did nothing."""

    status: int
    body: str
    location: str | None = None
    is_replay: bool = False


def request_hash(*parts: Any) -> str:
    """SHA-256 of what makes two requests the same: plain values, in which the order of an object's members is moot."""
    return hashlib.sha256(_FORM.encode(parts).encode()).hexdigest()


def run(
    session: Session, principal: str, key: str | None, request_hash: str, effect: Callable[[], StoredAnswer]
) -> StoredAnswer:
    """Run `effect` in one unit of work with its answer, or answer as before. Without a key it simply runs.

    Raises IdempotencyMismatchError when the key belongs to another request, IdempotencyConflictError while the first
    one runs (SQLite waits for it instead), ValidationError naming `Idempotency-Key`; and whatever `effect` raises.
    """
    if key is None:
        with unit_of_work(session):
            return effect()
    require_key(key)
    with unit_of_work(session):
        _take_turn(session, principal, key)
        stored = _find(session, principal, key)
        if stored is not None:
            return _replay(stored, request_hash)
        answer = effect()
        values = {
            "principal": principal,
            "key": key,
            "request_hash": request_hash,
            "response_status": answer.status,
            "response_location": answer.location,
            "response_body": answer.body,
        }
        if insert_once(session, IdempotencyKey, values) is None:
            raise _still_running()  # under the same key, and quicker: the effect is undone here
    return answer


def find(session: Session, principal: str, key: str, request_hash: str) -> StoredAnswer | None:
    """The answer that is stored for the key, if there is one. Raises as `run` does, but waits for nobody."""
    require_key(key)
    stored = _find(session, principal, key)
    return None if stored is None else _replay(stored, request_hash)


def _find(session: Session, principal: str, key: str) -> Row[*tuple[Any, ...]] | None:
    return session.connection().execute(_STORED, {"principal": principal, "key": key}).first()


def require_key(key: str) -> None:
    """Raise ValidationError naming `Idempotency-Key` unless it can be one."""
    if not 1 <= len(key) <= MAX_KEY_LENGTH or not key.isascii() or not key.isprintable():
        raise ValidationError.of(
            FIELD,
            said("must be 1 to {max_key_length} printable ASCII characters", max_key_length=MAX_KEY_LENGTH),
        )


def _take_turn(session: Session, principal: str, key: str) -> None:
    """Make sure that nobody else runs under this key. A unit of work on SQLite has the only write lock already."""
    if session.connection().dialect.name == "sqlite":
        return
    number = int.from_bytes(hashlib.sha256(f"{principal}\0{key}".encode()).digest()[:8], "big", signed=True)
    lock = text("SELECT pg_try_advisory_xact_lock(:number)")
    if not session.execute(lock, {"number": number}).scalar_one():
        raise _still_running()


def _still_running() -> IdempotencyConflictError:
    return IdempotencyConflictError(said("the first request with this idempotency key is still running"))


def _replay(stored: Row[*tuple[Any, ...]], request_hash: str) -> StoredAnswer:
    if stored.request_hash != request_hash:
        raise IdempotencyMismatchError(said("this idempotency key was used for another request"))
    return StoredAnswer(
        stored.response_status, stored.response_body, stored.response_location, is_replay=True
    )
