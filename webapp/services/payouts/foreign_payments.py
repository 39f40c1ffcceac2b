"""Payouts whose coins another transaction has taken for good, when that one pays some of their batch: an operator says
of each what that was.

Their own transaction can never confirm, and nothing but a person can tell whether coins that came to the payee were
meant as this payment. The other transaction is written down as one of ours with the first decision. All that the
wallet lost by it is nobody's then (`losses`). A payout that is accepted as paid pays for its part of that, and is as
final as the transaction; any other is queued again, or its money goes back.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from webapp.config import Settings
from webapp.domain import accounts
from webapp.domain.addresses import destination
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import PayoutStateError
from webapp.domain.money import ZERO, Amount
from webapp.domain.payout_states import PayoutStatus
from webapp.domain.said import said
from webapp.ledger import pooled
from webapp.ledger.journal import Move, post
from webapp.models import ChainTransaction, ChainTransactionInput, Payout
from webapp.models.compare_and_set import changes_one_row
from webapp.services import audit_trail
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.payouts import queue
from webapp.services.payouts.effects import PayoutEffects
from webapp.services.payouts.foreign_cost import ForeignCost, cost_of
from webapp.services.payouts.foreign_evidence import Evidence
from webapp.services.payouts.payments import find_payments, paid_to
from webapp.services.payouts.spender_search import Spender, find_spender
from webapp.services.payouts.transactions import UNSETTLED
from webapp.services.unit_of_work import unit_of_work

# How the follower's reason for such a transaction ends.
ASKS_OPERATOR = "an operator has to say what it paid"
# Does what the decision is, in its unit of work: with the other transaction's row, and the evidence by then.
Decision = Callable[[ChainTransaction, Evidence], None]


def is_in_question(payout: Payout) -> bool:
    """Whether the follower has found that an operator must decide. By what is stored: asks nobody."""
    reason = payout.transaction.reason if payout.transaction else ""
    return payout.status == PayoutStatus.UNKNOWN and reason.endswith(ASKS_OPERATOR)


def is_written_down(session: Session, txid: str) -> bool:
    """Whether somebody has begun to decide about the transaction, or another batch is paid by it."""
    return _written_down(session, txid) is not None


class ForeignPayments:
    """Evidence and decisions. Call it outside a unit of work: it asks the daemon, and may raise its errors."""

    def __init__(self, session: Session, settings: Settings, daemon: DaemonWallet) -> None:
        self._session = session
        self._needed = settings.wallet.payout_confirmations
        self._daemon = daemon

    def look(self, payout: Payout) -> Evidence | None:
        """The evidence; None when there is nothing for an operator to decide."""
        found = self._find(payout)
        self._session.commit()
        return found[1] if found else None

    def accept(self, payout: Payout, txid: str, share: Amount, note: Callable[[Evidence], None]) -> None:
        """It was paid `share` by the transaction `txid`, which is what the operator has read; what is missing of it
        goes back to where it came from. The fee that its payee was told stays: the miners had theirs.

        Raises PayoutStateError when that is not so (any more), or the transaction is not final.
        """

        def decide(foreign: ChainTransaction, evidence: Evidence) -> None:
            if not evidence.share:
                raise PayoutStateError(
                    said("That transaction pays nothing that could count for this payout.")
                )
            if evidence.missing:
                self._give_missing_back(payout, foreign, evidence.missing)
            payout.net = evidence.share
            payout.transaction_id = foreign.id
            payout.status, payout.status_since = PayoutStatus.CONFIRMED.value, utcnow()
            payout.reason = f"paid by transaction {foreign.txid}, as an operator has found"
            PayoutEffects(self._session).settle_one_more(foreign, payout)
            note(evidence)

        self._decide(payout, txid, share, decide)

    def queue_again(self, payout: Payout, txid: str, share: Amount, note: Callable[[Evidence], None]) -> None:
        """It was not paid, whatever came to its destination: it waits for another transaction. Raises like `accept`."""

        def decide(foreign: ChainTransaction, evidence: Evidence) -> None:
            self._give_fee_back(payout)
            payout.status, payout.status_since = PayoutStatus.QUEUED.value, utcnow()
            payout.next_attempt_at, payout.is_return_requested = utcnow(), False
            payout.reason = "its first transaction can never confirm; waiting for another"
            payout.transaction_id = payout.output_index = payout.fee = payout.net = None
            note(evidence)

        self._decide(payout, txid, share, decide)

    def give_back(
        self, payout: Payout, txid: str, share: Amount, reason: str, note: Callable[[Evidence], None]
    ) -> None:
        """It was not paid, and is not to be: its money goes back for this reason. Raises like `accept`."""

        def decide(foreign: ChainTransaction, evidence: Evidence) -> None:
            note(evidence)
            self._give_fee_back(payout)
            queue.return_to_wallet(self._session, payout, f"returned by an operator: {reason}")

        self._decide(payout, txid, share, decide)

    def _decide(self, payout: Payout, txid: str, share: Amount, decision: Decision) -> None:
        self._session.commit()  # No transaction stays open while the daemon is asked.
        self._daemon.require_network()
        parent, found = payout.transaction, self._find(payout)
        if parent is None or found is None:
            raise PayoutStateError(
                said("Nothing is to be decided here: the worker finds out what became of it.")
            )
        spender, evidence = found
        if not evidence.is_final:
            raise PayoutStateError(
                said(
                    "Transaction {txid} has {confirmations} of {needed} confirmations: until then the "
                    "chain can still replace it.",
                    txid=evidence.txid,
                    confirmations=evidence.confirmations,
                    needed=self._needed,
                )
            )
        cost = cost_of(self._session, spender, ZERO)
        height = self._daemon.tip().height
        with unit_of_work(self._session):
            # One at a time, as with every transaction that is stored: what the others have decided must be seen.
            pooled.lock(self._session, accounts.FUND)
            self._take(payout, parent)
            known = _written_down(self._session, evidence.txid, is_to_change=True)
            foreign = known or self._write_down(spender, cost, parent, height)
            evidence = self._evidence(payout, spender, foreign)
            if foreign.status != "confirmed" or (evidence.txid, evidence.share) != (txid, share):
                raise PayoutStateError(said("What that transaction pays reads otherwise by now: look again."))
            payout.output_index = find_payments(spender.transaction, [payout]).output_index.get(
                payout.address
            )
            decision(foreign, evidence)
            self._let_go(parent, evidence, height)

    def _find(self, payout: Payout) -> tuple[Spender, Evidence] | None:
        parent = payout.transaction
        self._session.commit()
        if parent is None or payout.status != PayoutStatus.UNKNOWN:
            return None
        spender = find_spender(self._session, self._daemon, parent, payout)
        if spender is None:
            return None
        paid = find_payments(spender.transaction, self._of(parent))
        foreign = _written_down(self._session, spender.transaction.txid)
        # The follower needs nobody to find out that all of them are paid, or none.
        if not paid.output_index or (paid.is_complete and foreign is None):
            return None
        return spender, self._evidence(payout, spender, foreign)

    def _evidence(self, payout: Payout, spender: Spender, foreign: ChainTransaction | None) -> Evidence:
        payee = destination(payout.address)
        same = [each for each in self._of(foreign) if destination(each.address) == payee]
        rivals = [each for each in self._of(payout.transaction) if destination(each.address) == payee]
        return Evidence(
            txid=spender.transaction.txid,
            confirmations=spender.confirmations,
            confirmations_needed=self._needed,
            due=payout.net or ZERO,
            paid=paid_to(spender.transaction, payout.address),
            counted=sum((each.net for each in same if each.net), start=ZERO),
            rivals=len(rivals) - 1,
        )

    def _of(self, transaction: ChainTransaction | None) -> list[Payout]:
        if transaction is None:
            return []
        statement = select(Payout).where(Payout.transaction_id == transaction.id)
        return list(self._session.scalars(statement.execution_options(populate_existing=True)))

    def _take(self, payout: Payout, parent: ChainTransaction) -> None:
        """Hold the batch's row and then the payout's, unless it has moved on."""
        self._session.refresh(parent, with_for_update=True)
        stands = (Payout.id == payout.id) & (Payout.status == PayoutStatus.UNKNOWN)
        statement = update(Payout).where(stands, Payout.transaction_id == parent.id)
        is_taken = changes_one_row(self._session, statement.values(status_since=utcnow()))
        self._session.refresh(payout)
        if not is_taken:
            raise PayoutStateError(
                said("The payout has just changed: it is {status} now. Look again.", status=payout.status)
            )

    def _write_down(
        self, spender: Spender, cost: ForeignCost, parent: ChainTransaction, height: int
    ) -> ChainTransaction:
        """The other transaction as one of ours that pays nobody yet: it is followed from here on, as ours are."""
        theirs = spender.transaction
        foreign = ChainTransaction(
            id=uuid7(),
            kind="payouts",
            status="confirmed",
            txid=theirs.txid,
            signed_hex=spender.signed_hex,
            fee=cost.fee,
            amount=cost.elsewhere,
            size=theirs.size,
            built_on_block=parent.built_on_block,
            confirmations=spender.confirmations,
            block_hash=spender.block_hash,
            block_height=height - spender.confirmations + 1,
            broadcast_at=utcnow(),
            inputs=[ChainTransactionInput(txid=point.txid, vout=point.vout) for point in theirs.inputs],
        )
        self._session.add(foreign)
        self._session.flush()
        PayoutEffects(self._session).settle(foreign)
        return foreign

    def _give_missing_back(self, payout: Payout, foreign: ChainTransaction, missing: Amount) -> None:
        """Out of the payout, which is smaller from here on, into where it came from."""
        if payout.escrow_id is not None:
            audit_trail.lock(self._session, payout.escrow_id)  # Everybody takes an escrow before a wallet.
        source = accounts.FUND if payout.wallet_id is None else accounts.available(payout.wallet_id)
        key = f"payout:{payout.id}:missing:{foreign.id}"
        move = Move(accounts.PAYOUTS_IN_FLIGHT, source, missing)
        post(self._session, key, "payout_missing", [move], even_if_frozen=True)
        payout.gross -= missing

    def _give_fee_back(self, payout: Payout) -> None:
        if payout.fee_paid_by == "fund" and payout.fee:
            move = Move(accounts.PAYOUTS_IN_FLIGHT, accounts.FUND, payout.fee)
            key = f"payout:{payout.id}:fee_return:{payout.transaction_id}"
            post(self._session, key, "fee_return", [move])

    def _let_go(self, parent: ChainTransaction, evidence: Evidence, height: int) -> None:
        """Given up when nothing of the batch is undecided. The reason changes in any case: whoever follows the batch
        at this moment has looked at payouts that are not in it any more. Should the chain hold the batch after all,
        what that pays for this payout is nobody's: it stands in `amount`.
        """
        txid, amount = evidence.txid, parent.amount + evidence.due
        self._session.flush()
        left = select(func.count()).where(Payout.transaction_id == parent.id)
        count = self._session.execute(left).scalar_one()
        values: dict[str, object] = {"reason": f"{txid} has spent its coins; {count} of its payouts are left"}
        if not count:
            values = {
                "status": "replaced",
                "reason": f"its inputs were spent by {txid}",
                "block_height": height,
            }
        is_open = (ChainTransaction.id == parent.id) & ChainTransaction.status.in_(UNSETTLED)
        statement = update(ChainTransaction).where(is_open).values(amount=amount, **values)
        if not changes_one_row(self._session, statement):
            raise PayoutStateError(said("Its transaction has just moved on: look again."))


def _written_down(session: Session, txid: str, *, is_to_change: bool = False) -> ChainTransaction | None:
    """The row of a transaction that pays payouts under this id, and that was not given up. Held if it is to change:
    the chain may undo it at this moment.
    """
    statement = select(ChainTransaction).where(
        ChainTransaction.txid == txid,
        ChainTransaction.kind == "payouts",
        ChainTransaction.status != "replaced",
    )
    if is_to_change:
        statement = statement.with_for_update()
    return session.scalars(statement.limit(1).execution_options(populate_existing=True)).first()
