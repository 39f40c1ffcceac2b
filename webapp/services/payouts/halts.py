"""The brake on payouts: pulled by a gap or an operator, released by an operator. Everything else goes on.

While it is pulled no transaction is built, and what was signed before but never sent stays here. What the network has
already is followed and, if it gets lost there, sent again: holding it back would not bring it back.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.domain.reasons import checked_reason
from webapp.domain.roles import Actor
from webapp.models import Alert, ChainTransaction, PayoutHalt
from webapp.models.insert_once import insert_once
from webapp.services import operator_actions
from webapp.services.unit_of_work import unit_of_work

BY_OPERATOR = "operator"
SUBJECT = "payouts"


def standing(session: Session) -> list[PayoutHalt]:
    """The halts in force, oldest first; payouts go out only when there is none."""
    return list(
        session.scalars(select(PayoutHalt).where(PayoutHalt.cleared_at.is_(None)).order_by(PayoutHalt.id))
    )


def is_halted(session: Session) -> bool:
    """Whether the brake is pulled. Ends the transaction in which it looks: calls of the daemon may follow."""
    found = session.execute(select(PayoutHalt.id).where(PayoutHalt.cleared_at.is_(None)).limit(1)).first()
    session.commit()
    return found is not None


def keeps_back(session: Session, transaction: ChainTransaction) -> bool:
    """Whether the brake keeps a stored transaction from being sent for the first time.

    A cancellation may go out: it pays nobody but ourselves, and takes coins away from what must not be sent.
    """
    if transaction.broadcast_at is not None or transaction.kind == "cancel":
        return False
    return is_halted(session)


def halt(session: Session, cause: str, detail: str) -> bool:
    """Stop payouts for this cause, in the caller's unit of work. Alerts once per standing cause: False if it stands."""
    values = {"cause": cause, "detail": detail[:1000], "raised_at": utcnow()}
    if not insert_once(session, PayoutHalt, values):
        return False
    raise_alert(session, "payouts_halted", cause, detail)
    return True


def halt_by_operator(session: Session, actor: Actor, reason: str) -> bool:
    """Pull the brake. False when an operator has pulled it already. Raises ValidationError naming `reason`."""
    reason = checked_reason(reason)
    with unit_of_work(session):
        is_new = halt(session, BY_OPERATOR, reason)
        if is_new:
            operator_actions.record(session, actor, "halt_payouts", SUBJECT, reason=reason)
    return is_new


def resume(session: Session, actor: Actor, seen: Collection[int | str] | None = None) -> list[str]:
    """Lift the halts with these ids, or every one; the causes that stood.

    A page passes what it had shown, as text or number: a halt that came after that is not lifted unread. A gap in the
    books that still stands halts payouts again.
    """
    named = None if seen is None else {str(number) for number in seen}
    with unit_of_work(session):
        causes = [each.cause for each in standing(session) if named is None or str(each.id) in named]
        for cause in causes:
            clear(session, cause, actor.name)
        if causes:
            operator_actions.record(session, actor, "resume_payouts", SUBJECT, causes=causes)
    return causes


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
