"""The record of what operators did, to what, and with which result: append-only, in the order it happened.

A subject names one thing: `payout:<id>`, `wallet:<id>`, `payouts` for all of them, `coin:<txid>:<vout>`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.domain.roles import Actor
from webapp.models import OperatorAction


def record(session: Session, actor: Actor, action: str, subject: str, **detail: Any) -> None:
    """Write down what the actor does, in the unit of work that does it: neither is there without the other.

    `detail` is what a reader needs to follow it (reasons, amounts, ids, the state before); amounts become text.
    """
    session.execute(
        insert(OperatorAction).values(
            at=utcnow(),
            actor=actor.name,
            action=action,
            subject=subject,
            detail={name: _plain(value) for name, value in detail.items()},
        )
    )


def of_subject(session: Session, subject: str) -> list[OperatorAction]:
    """Everything that was done to one thing, oldest first."""
    statement = select(OperatorAction).where(OperatorAction.subject == subject)
    return list(session.scalars(statement.order_by(OperatorAction.id)))


def latest(session: Session, limit: int) -> list[OperatorAction]:
    """What operators did last, the newest first."""
    return list(session.scalars(select(OperatorAction).order_by(OperatorAction.id.desc()).limit(limit)))


def _plain(value: Any) -> Any:
    """What JSON has no word for becomes text: amounts with their decimals, ids, times."""
    return value if value is None or isinstance(value, str | int | bool | list | dict) else str(value)
