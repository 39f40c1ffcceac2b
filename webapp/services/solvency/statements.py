"""Published statements: reading them, and the signature that cold storage adds by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.exceptions import NotFoundError, ValidationError
from webapp.domain.pagination import Page, checked_limit, decode_cursor
from webapp.domain.roles import Actor
from webapp.domain.said import said
from webapp.domain.solvency import verify
from webapp.models import SolvencyStatement
from webapp.services import operator_actions
from webapp.services.daemon.messages import is_signed
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.unit_of_work import unit_of_work

_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the history, in base units."""

    id: int
    block_height: int
    liabilities: int
    reserves: int
    published_at: datetime


def latest(session: Session) -> SolvencyStatement | None:
    """The newest statement."""
    return session.scalars(select(SolvencyStatement).order_by(SolvencyStatement.id.desc()).limit(1)).first()


def get(session: Session, statement_id: int) -> SolvencyStatement:
    """One statement. Raises NotFoundError."""
    found = session.get(SolvencyStatement, statement_id) if statement_id <= _LARGEST_ID else None
    if found is None:
        raise NotFoundError(said("there is no statement {statement_id}", statement_id=statement_id))
    return found


def list_entries(session: Session, *, limit: int | None = None, cursor: str | None = None) -> Page[Entry]:
    """What was published, the newest first, without the documents. ValidationError names `limit` or `cursor`."""
    size, after = checked_limit(limit), decode_cursor(cursor, int)
    one = SolvencyStatement
    statement = select(one.id, one.block_height, one.liabilities, one.reserves, one.published_at)
    if after is not None:
        statement = statement.where(one.id < min(after, _LARGEST_ID))
    rows = session.execute(statement.order_by(one.id.desc()).limit(size + 1))
    return Page.of([Entry(*row) for row in rows], size, lambda entry: entry.id)


def add_cold_signature(
    session: Session, daemon: DaemonWallet, actor: Actor, statement_id: int, signature: str
) -> SolvencyStatement:
    """Add the signature that cold storage's address made under the statement's text. Twice the same counts once.

    Raises NotFoundError, ValidationError naming `signature`, or a WalletIntegrationError.
    """
    document = get(session, statement_id).document
    session.commit()
    cold = document["statement"]["cold_storage"]
    if not cold:
        raise ValidationError.of("signature", said("the statement has nothing in cold storage"))
    address: str = cold[0]["address"]
    signed = _with_signature(document, address, signature)
    if not is_signed(daemon, address, signature, document["message"]) or not verify(signed).is_good:
        raise ValidationError.of(
            "signature",
            said("is not that of {address} under: {document}", address=address, document=document["message"]),
        )
    with unit_of_work(session):
        found = session.get_one(SolvencyStatement, statement_id, populate_existing=True, with_for_update=True)
        if found.document != signed:
            found.document = signed
            subject = f"statement:{statement_id}"
            operator_actions.record(session, actor, "sign_cold_storage", subject, address=address)
    return found


def _with_signature(document: dict[str, Any], address: str, signature: str) -> dict[str, Any]:
    return {**document, "cold_signatures": {**document["cold_signatures"], address: signature}}
