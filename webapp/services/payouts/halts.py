"""The brake on payouts: pulled by a gap or an operator, released by an operator. Everything else goes on."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.models import Alert, PayoutHalt
from webapp.models.insert_once import insert_once


def standing(session: Session) -> list[PayoutHalt]:
    """The halts in force, oldest first; payouts go out only when there is none."""
    return list(
        session.scalars(select(PayoutHalt).where(PayoutHalt.cleared_at.is_(None)).order_by(PayoutHalt.id))
    )


def halt(session: Session, cause: str, detail: str) -> None:
    """Stop payouts for this cause, in the caller's unit of work. Alerts once per standing cause."""
    values = {"cause": cause, "detail": detail[:1000], "raised_at": utcnow()}
    if insert_once(session, PayoutHalt, values):
        raise_alert(session, "payouts_halted", cause, detail)


def clear(session: Session, cause: str, cleared_by: str) -> None:
    """Lift the halt of this cause, in the caller's unit of work."""
    session.execute(
        update(PayoutHalt)
        .where(PayoutHalt.cause == cause, PayoutHalt.cleared_at.is_(None))
        .values(cleared_at=utcnow(), cleared_by=cleared_by)
    )


def raise_alert(session: Session, kind: str, subject: str, detail: str) -> None:
    """Tell the operators something, in the caller's unit of work; once while nobody has acknowledged it."""
    insert_once(session, Alert, {"kind": kind, "subject": subject[:128], "detail": detail[:1000]})
