"""What becomes of shares after the airdrop was posted: sent where their nodes want them, followed, and finished.

A share whose node has a wallet is in its balance from the first moment on. To be sent to an address it is queued as a
payout of that wallet, some at a time; what cannot be sent stays in the balance, and its row says why.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select, update
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.addresses import is_address
from webapp.domain.clock import utcnow
from webapp.domain.failpoints import Step, step
from webapp.domain.money import Amount
from webapp.domain.said import said
from webapp.models import Airdrop, AirdropRecipient, Payout, Wallet
from webapp.models.compare_and_set import changes_one_row
from webapp.services.payouts.queue import NOT_SENT, PayoutQueue
from webapp.services.unit_of_work import unit_of_work

CHUNK = 50
# A worker that sent thousands at once would look silent; what is left goes with its next round.
SECONDS_PER_RUN = 3.0
OPEN = ("chosen", "paying")

STAYS = said("it stays in the balance")
BAD_ADDRESS = said("its address cannot be paid; {stays}", stays=STAYS)
SPENT = said("it was spent before it could be sent; {stays}", stays=STAYS)
TOO_LITTLE = said("it is too little to be sent; {stays}", stays=STAYS)
MAY_NOT_LEAVE = said("it may not leave the wallet at present; {stays}", stays=STAYS)


class Shares:
    """The shares of airdrops that were posted. Everything may be repeated at will: it happens once."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._settings = settings
        self._queue = PayoutQueue(session, settings)

    def run(self, airdrop_id: uuid.UUID) -> None:
        """Send what is to be sent, follow what was sent, and finish the airdrop when every share is in its place."""
        end = time.monotonic() + SECONDS_PER_RUN
        while self._has_unsent(airdrop_id) and time.monotonic() < end:
            with step(Step.AIRDROP_SHARES), unit_of_work(self._session):
                self._send_some(airdrop_id)
        if self._has_news(airdrop_id):
            with step(Step.AIRDROP_FINISH), unit_of_work(self._session):
                self._follow(airdrop_id)
                self._finish(airdrop_id)

    def _has_unsent(self, airdrop_id: uuid.UUID) -> bool:
        found = self._session.execute(_of(airdrop_id, "chosen").limit(1)).first()
        self._session.commit()
        return found is not None

    def _has_news(self, airdrop_id: uuid.UUID) -> bool:
        """Whether a payout has come to its end, or none is on its way."""
        is_final = Payout.status.in_(("confirmed", "failed"))
        row = self._session.execute(
            select(func.count(), func.count(Payout.id).filter(is_final))
            .select_from(AirdropRecipient)
            .outerjoin(Payout, Payout.id == AirdropRecipient.payout_id)
            .where(AirdropRecipient.airdrop_id == airdrop_id, AirdropRecipient.status.in_(OPEN))
        ).one()
        self._session.commit()
        return bool(row[0] == 0 or row[1])

    def _send_some(self, airdrop_id: uuid.UUID) -> None:
        """A part of those that are to be sent; another worker waits here, and then finds others or none."""
        recipients = self._session.scalars(
            _of(airdrop_id, "chosen")
            .order_by(AirdropRecipient.wallet_id, AirdropRecipient.node_id)
            .limit(CHUNK)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).all()
        left = self._lock_wallets(recipients)
        asked_by = self._session.execute(
            select(Airdrop.requested_by).where(Airdrop.id == airdrop_id)
        ).scalar_one()
        for recipient in recipients:
            self._send(recipient, left, asked_by)

    def _lock_wallets(self, recipients: Sequence[AirdropRecipient]) -> dict[int, Amount]:
        """What each wallet has, in id order as everybody locks them; nobody spends of it until the chunk is done."""
        ids = {recipient.wallet_id for recipient in recipients}
        rows = self._session.execute(
            select(Wallet.id, Wallet.available)
            .where(Wallet.id.in_(ids))
            .order_by(Wallet.id)
            .with_for_update(key_share=True)
        )
        return {row.id: row.available for row in rows}

    def _send(self, recipient: AirdropRecipient, left: dict[int, Amount], asked_by: str) -> None:
        wallet_id, address, amount = recipient.wallet_id, recipient.address, recipient.amount
        assert wallet_id is not None, said("a share without a wallet was sent when it was posted")
        if address is None or not is_address(address, self._settings.wallet.network):
            _keep(recipient, BAD_ADDRESS)
        elif amount < self._settings.wallet.min_payout:
            _keep(recipient, TOO_LITTLE)
        elif left[wallet_id] < amount:
            _keep(recipient, SPENT)
        elif payout := self._queue.queue_share(wallet_id, address, amount, asked_by):
            left[wallet_id] -= amount
            recipient.status, recipient.payout_id = "paying", payout.id
        else:
            _keep(recipient, MAY_NOT_LEAVE)

    def _follow(self, airdrop_id: uuid.UUID) -> None:
        """Each share goes the way of its payout. What was not sent is in the wallet it came from, or in the fund.

        Everybody reads an airdrop; why a payout failed is for its payee and the operators, who read it with the payout.
        """
        has_wallet = AirdropRecipient.wallet_id.is_not(None)
        self._change(airdrop_id, "confirmed", {"status": "paid"})
        self._change(airdrop_id, "failed", {"status": "credited", "reason": NOT_SENT}, has_wallet)
        self._change(airdrop_id, "failed", {"status": "failed", "reason": NOT_SENT}, ~has_wallet)

    def _change(
        self,
        airdrop_id: uuid.UUID,
        payout_status: str,
        values: dict[str, Any],
        *conditions: ColumnElement[bool],
    ) -> None:
        payout = select(Payout.id).where(
            Payout.id == AirdropRecipient.payout_id, Payout.status == payout_status
        )
        is_on_its_way = and_(AirdropRecipient.airdrop_id == airdrop_id, AirdropRecipient.status == "paying")
        statement = update(AirdropRecipient).where(is_on_its_way, payout.exists(), *conditions).values(values)
        self._session.execute(statement.execution_options(synchronize_session=False))

    def _finish(self, airdrop_id: uuid.UUID) -> None:
        is_open = select(AirdropRecipient.node_id).where(
            AirdropRecipient.airdrop_id == airdrop_id, AirdropRecipient.status.in_(OPEN)
        )
        is_over = and_(Airdrop.id == airdrop_id, Airdrop.status == "paying", ~is_open.exists())
        changes_one_row(
            self._session, update(Airdrop).where(is_over).values(status="done", finished_at=utcnow())
        )


def _of(airdrop_id: uuid.UUID, status: str) -> Select[AirdropRecipient]:
    return select(AirdropRecipient).where(
        AirdropRecipient.airdrop_id == airdrop_id, AirdropRecipient.status == status
    )


def _keep(recipient: AirdropRecipient, reason: str) -> None:
    recipient.status, recipient.reason = "credited", reason
