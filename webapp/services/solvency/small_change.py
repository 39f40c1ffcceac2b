"""What miners got beyond every payee's share: change too small for an output of its own, booked as a loss at first.

Somebody must bear it, or what is owed exceeds what is there for ever. As with all upkeep that is the fund.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, func, select, type_coerce
from sqlalchemy.orm import Session

from webapp.domain import accounts
from webapp.domain.money import Amount
from webapp.ledger import pooled
from webapp.ledger.journal import Move, post
from webapp.models import Posting
from webapp.services.unit_of_work import unit_of_work


def charge_to_fund(session: Session) -> None:
    """Move what is not borne yet from the fund to the losses, as far as the fund has it. Twice it counts once."""
    borne = _flow(session, accounts.FUND, accounts.LOSSES)
    unborne = _taken(session) - borne
    session.commit()
    if unborne <= 0:
        return
    with unit_of_work(session):
        pooled.lock(session, accounts.FUND)
        borne = _flow(session, accounts.FUND, accounts.LOSSES)
        amount = min(_taken(session) - borne, pooled.balance(session, accounts.FUND))
        if amount > 0:
            move = Move(accounts.FUND, accounts.LOSSES, Amount(amount))
            post(session, f"losses:dust_borne:{borne + amount}", "dust_borne", [move])


def _taken(session: Session) -> int:
    return _flow(session, accounts.LOSSES, accounts.NETWORK_FEES) - _flow(
        session, accounts.NETWORK_FEES, accounts.LOSSES
    )


def _flow(session: Session, source: str, destination: str) -> int:
    amount = func.coalesce(func.sum(type_coerce(Posting.amount, BigInteger)), 0)
    is_one = (Posting.source == source, Posting.destination == destination)
    return int(session.execute(select(amount).where(*is_one)).scalar_one())
