"""What deposits, payouts, airdrops and frozen wallets tell their owners.

These rows change after they were added, so that they are found by the time of the change, with an overlap that is
longer than any transaction lasts. Each draft names its event: what is found again is told once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.domain.notices import Subject
from webapp.domain.payout_states import PayoutStatus
from webapp.models import Airdrop, AirdropRecipient, Deposit, OperatorAction, Payout, User, Wallet
from webapp.services.custody.freezes import UNFROZEN, subject_of
from webapp.services.notices.book import Draft, write
from webapp.services.notices.cursor import Cursor
from webapp.services.unit_of_work import unit_of_work

# No transaction lasts as long, and no two clocks differ by as much.
OVERLAP = timedelta(minutes=10)
# The place is moved on this seldom: moving it is a write, and what is found again costs little.
STEP = timedelta(minutes=2)

_PAYOUTS = {
    PayoutStatus.CONFIRMED: "money.payout_confirmed",
    PayoutStatus.FAILED: "money.payout_failed",
    PayoutStatus.HELD: "money.payout_held",
    PayoutStatus.AWAITING_APPROVAL: "money.payout_held",
}


class MoneyReader:
    """Looks at what has changed lately. `_told` keeps it from asking the database about what it has just written."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._cursor = Cursor(session, "money")
        self._told: set[tuple[int, str]] = set()

    def run(self) -> bool:
        """Tell what is new. False: nothing is left."""
        now, place = utcnow(), self._cursor.look()
        begun_at = datetime.fromtimestamp(place.position, UTC) if place.position else now
        since = begun_at - OVERLAP
        found = [*self._deposits(since), *self._payouts(since), *self._airdrops(since), *self._frozen()]
        self._session.commit()
        new = [draft for draft in found if (draft.user_id, draft.source) not in self._told]
        is_far = not place.position or now - begun_at > STEP
        if new or is_far:
            with unit_of_work(self._session):
                write(self._session, new)
                if is_far:
                    self._cursor.move(place, place.at(int(now.timestamp())))
        self._told = {(draft.user_id, draft.source) for draft in found}
        return False

    def _deposits(self, since: datetime) -> Iterator[Draft]:
        statement = (
            select(Deposit, Wallet.user_id)
            .join(Wallet, Wallet.id == Deposit.wallet_id)
            .join(User, User.id == Wallet.user_id)
            .where(Deposit.credited_at >= since, Deposit.status == "credited", User.is_active)
        )
        for deposit, user_id in self._session.execute(statement):
            # What an escrow took of it is told with the escrow.
            if into_balance := deposit.amount - deposit.held_amount:
                yield Draft(
                    user_id,
                    "money.deposit",
                    f"deposit:{deposit.id}:{deposit.credit_round}",
                    Subject.WALLET,
                    str(deposit.wallet_id),
                    {"amount": str(into_balance)},
                )

    def _payouts(self, since: datetime) -> Iterator[Draft]:
        columns = (Payout.id, Payout.status, Payout.status_since, Payout.gross, Payout.net, Wallet.user_id)
        statement = (
            select(*columns)
            .join(Wallet, Wallet.id == Payout.wallet_id)
            .join(User, User.id == Wallet.user_id)
            .where(Payout.status.in_(_PAYOUTS), Payout.status_since >= since, User.is_active)
        )
        for row in self._session.execute(statement):
            is_paid = row.status == PayoutStatus.CONFIRMED and row.net is not None
            yield Draft(
                row.user_id,
                _PAYOUTS[PayoutStatus(row.status)],
                f"payout:{row.id}:{row.status}:{int(row.status_since.timestamp())}",
                Subject.PAYOUT,
                str(row.id),
                {"amount": str(row.net if is_paid else row.gross)},
            )

    def _airdrops(self, since: datetime) -> Iterator[Draft]:
        amount = func.sum(AirdropRecipient.amount)
        statement = (
            select(Airdrop.id, Wallet.user_id, amount.label("amount"))
            .join(AirdropRecipient, AirdropRecipient.airdrop_id == Airdrop.id)
            .join(Wallet, Wallet.id == AirdropRecipient.wallet_id)
            .join(User, User.id == Wallet.user_id)
            .where(Airdrop.posted_at >= since, AirdropRecipient.status.in_(("credited", "paying", "paid")))
            .where(User.is_active)
            .group_by(Airdrop.id, Wallet.user_id)
        )
        for row in self._session.execute(statement):
            share: Amount = row.amount
            detail = {"amount": str(share)}
            yield Draft(
                row.user_id, "money.airdrop", f"airdrop:{row.id}", Subject.AIRDROP, str(row.id), detail
            )

    def _frozen(self) -> Iterator[Draft]:
        frozen = (
            select(Wallet.id, Wallet.user_id, Wallet.name).join(User).where(Wallet.is_frozen, User.is_active)
        )
        for row in self._session.execute(frozen).all():
            lifted = select(func.count()).select_from(OperatorAction)
            before = lifted.where(
                OperatorAction.subject == subject_of(row.id), OperatorAction.action == UNFROZEN
            )
            number = self._session.execute(before).scalar_one()
            yield Draft(
                row.user_id,
                "security.wallet_frozen",
                f"frozen:{row.id}:{number}",
                Subject.WALLET,
                str(row.id),
                {"name": row.name},
            )
