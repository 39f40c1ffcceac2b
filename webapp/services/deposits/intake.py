"""What was seen of the chain, written down: new deposits, how deep they lie, and the money that moves because of it.

Nearly all that comes is plain: new, or waiting, of no escrow, and nobody spends its coins elsewhere. Of that any number
is written by a few statements. Everything else is judged one by one, before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.failpoints import Step, step
from webapp.domain.money import ZERO
from webapp.models import Deposit
from webapp.models.many_rows import insert_rows, row_of
from webapp.services.daemon.answers import OutPoint, Tip
from webapp.services.deposits import credits as deposit_credits
from webapp.services.deposits import losses, twins
from webapp.services.deposits.depth import BlockTotals, is_deep_enough
from webapp.services.deposits.sightings import Sighting
from webapp.services.escrow_payments import UNJUDGED

# The deposits that stand in the database, by the outputs that they are.
Known = Mapping[OutPoint, Deposit]
_Pair = tuple[Deposit, Sighting]


class Intake:
    """Everything here joins the caller's unit of work, which holds the escrows that are concerned."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._settings = settings

    def take_in(self, news: Sequence[Sighting], known: Known, tip: Tip, totals: BlockTotals) -> None:
        """Write down these sightings, of which something is new: single ones in their order, then all that is plain."""
        _lock(self._session, [known[each.point].id for each in news if each.point in known])
        pairs = [(known.get(each.point) or _new_deposit(self._session, each), each) for each in news]
        due = [pair for pair in pairs if self.is_due(*pair, totals)]
        # Escrows are taken before wallets, and both in id order everywhere, so that nobody waits for each other.
        deposit_credits.lock_wallets(self._session, (deposit for deposit, _ in due))
        new = [deposit for deposit, seen in pairs if _is_plain(deposit, seen) and seen.point not in known]
        self._session.add_all(deposit for deposit, seen in pairs if not _is_plain(deposit, seen))
        for deposit, seen in pairs:
            _update_depth(deposit, seen, tip)
        self._move_money(due)
        insert_rows(self._session.connection(), Deposit, [row_of(deposit) for deposit in new])

    def is_due(self, deposit: Deposit, seen: Sighting, totals: BlockTotals) -> bool:
        """Whether its money moves now: into its wallet, or out of it because the chain has undone it."""
        if deposit.status == "credited":
            return seen.confirmations <= 0
        return is_deep_enough(self._settings.wallet, seen, totals)

    def _move_money(self, due: Sequence[_Pair]) -> None:
        plain = [deposit for deposit, seen in due if _is_plain(deposit, seen)]
        for deposit, seen in [pair for pair in due if not _is_plain(*pair)]:
            self._judge(deposit, seen)
        if plain:
            with step(Step.DEPOSITS_CREDIT):
                deposit_credits.credit_all(self._session, plain)

    def _judge(self, deposit: Deposit, seen: Sighting) -> None:
        if deposit.status == "credited":
            with step(Step.DEPOSITS_TAKE_BACK):
                deposit_credits.take_back(self._session, deposit)
            return
        with step(Step.DEPOSITS_CREDIT):
            losses.take_over(self._session, deposit, seen.conflicts)
            twins.inherit(self._session, deposit, seen.conflicts)
            deposit_credits.credit(self._session, deposit, self._settings)


def _lock(session: Session, deposit_ids: Sequence[int]) -> None:
    """Hold these deposits, and let their objects say what they are now. Wallets are taken after them."""
    if deposit_ids:
        statement = select(Deposit).where(Deposit.id.in_(deposit_ids)).order_by(Deposit.id).with_for_update()
        session.scalars(statement.execution_options(populate_existing=True)).all()


def _is_plain(deposit: Deposit, seen: Sighting) -> bool:
    """Whether it waits, or is new, and has nothing to do with an escrow or with another payment."""
    return deposit.status != "credited" and deposit.escrow_id is None and not seen.conflicts


def _new_deposit(session: Session, seen: Sighting) -> Deposit:
    return Deposit(
        wallet_id=seen.owner.wallet_id,
        escrow_id=seen.owner.escrow_id,
        address=seen.address,
        txid=seen.txid,
        vout=seen.vout,
        amount=seen.amount,
        held_amount=ZERO,
        status="seen",
        disposition=UNJUDGED,
        credit_round=0,
        shortfall=ZERO,
        first_seen_at=twins.first_seen(session, seen),
    )


def _update_depth(deposit: Deposit, seen: Sighting, tip: Tip) -> None:
    deposit.confirmations, deposit.block_hash = seen.confirmations, seen.block_hash
    deposit.block_height = tip.height - seen.confirmations + 1 if seen.confirmations > 0 else None
