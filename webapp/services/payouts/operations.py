"""What operators do to one payout: hold it, let it go, give it back, send it again, raise its fee, say what paid it.

Which action a state allows stands in `domain/payout_states`; what the chain has to say is asked when it is done. Every
action is recorded with what it changes, and on the timeline of the escrow that the payout comes from. Done twice, by
one operator or by two, it has one effect: the second is told where the payout stands.
"""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import (
    NotFoundError,
    PayoutStateError,
    PermissionDeniedError,
)
from webapp.domain.money import Amount
from webapp.domain.payout_states import FOR_OTHERS, UNCLAIMED, WORDS, PayoutAction, PayoutStatus, refusal
from webapp.domain.reasons import checked_reason
from webapp.domain.roles import Actor, Role
from webapp.domain.said import said
from webapp.models import ChainTransaction, Payout
from webapp.models.compare_and_set import changes_one_row
from webapp.services import operator_actions
from webapp.services.custody.approvals import APPROVED
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.payouts import halts as payout_halts
from webapp.services.payouts import queue
from webapp.services.payouts.cancellation import Cancellation, is_being_cancelled
from webapp.services.payouts.fee_bump import FeeBump
from webapp.services.payouts.follower import TransactionFollower
from webapp.services.payouts.foreign_evidence import Evidence
from webapp.services.payouts.foreign_payments import ForeignPayments
from webapp.services.payouts.trail import record
from webapp.services.unit_of_work import unit_of_work

_PRIVATE = ("reason", "address")


def subject_of(payout_id: uuid.UUID) -> str:
    """What the record of operators' actions calls a payout."""
    return f"payout:{payout_id}"


class PayoutOperations:
    """One operator's hands. All but `hold` and `resume` may ask the daemon: call them outside a unit of work.

    Every action raises PermissionDeniedError, NotFoundError, or PayoutStateError naming the present state. `seen` is
    the state in which the operator has read the payout: what they do is refused when it has left that one.
    """

    def __init__(
        self,
        session: Session,
        settings: Settings,
        daemon: DaemonWallet,
        actor: Actor,
        *,
        seen: str | None = None,
    ) -> None:
        self._session = session
        self._actor = actor
        self._seen = seen
        self._daemon = daemon
        self._fee_bump = FeeBump(session, settings, daemon)
        self._cancellation = Cancellation(session, settings, daemon)
        self._foreign = ForeignPayments(session, settings, daemon)
        self._follower = TransactionFollower(session, settings, daemon)

    def hold(self, payout_id: uuid.UUID, reason: str) -> Payout:
        """Keep a queued payout from being sent until it is let go. Its owner reads the reason."""
        reason = checked_reason(reason)
        with unit_of_work(self._session):
            payout = self._require(payout_id, PayoutAction.HOLD)
            self._move(
                payout,
                PayoutStatus.QUEUED,
                PayoutStatus.HELD,
                said("held by an operator: {reason}", reason=reason),
            )
            self._record(payout, "hold", "payout_held", reason=reason)
        return payout

    def resume(self, payout_id: uuid.UUID, address: str) -> Payout:
        """Let a held payout go to `address`, which is what the operator has read: to the queue, or to an approval that
        its change of address has made void.
        """
        with unit_of_work(self._session):
            payout = self._require(payout_id, PayoutAction.RESUME)
            if address != payout.address:
                raise PayoutStateError(
                    said("Its destination has changed: read it again before you let it go.")
                )
            if self._has_lost_its_approval(payout):
                after, words = PayoutStatus.AWAITING_APPROVAL, queue.AWAITING_APPROVAL
            else:
                after, words = PayoutStatus.QUEUED, queue.WAITING
            self._move(payout, PayoutStatus.HELD, after, words)
            self._record(payout, "resume", "payout_resumed", to=after.value, address=address)
        return payout

    def return_to_balance(self, payout_id: uuid.UUID, reason: str) -> Payout:
        """Give the money back to its wallet: at once while no transaction has it, else when that one is impossible."""
        reason = checked_reason(reason)
        payout = self._require(payout_id, PayoutAction.RETURN)
        if payout.status in UNCLAIMED:
            return self._return_at_once(payout, reason)
        if payout.is_return_requested and is_being_cancelled(self._session, payout):
            return payout

        def note(how: str, txid: str | None) -> None:
            by = {"txid": txid} if txid else {}
            self._record(payout, "return", "payout_return_requested", reason=reason, how=how, **by)

        self._cancellation.request(payout, note)
        return payout

    def rebroadcast(self, payout_id: uuid.UUID) -> Payout:
        """Send the stored bytes again. The payout says what came of it."""
        payout = self._require(payout_id, PayoutAction.REBROADCAST)
        transaction = _transaction_of(payout)
        if self._follower.has_rival(transaction):
            raise PayoutStateError(
                said(
                    "The payout is being taken back, or another transaction has taken its coins: the two "
                    "must not race."
                )
            )
        if payout_halts.keeps_back(self._session, transaction):
            raise PayoutStateError(
                said("All payouts are halted: nothing is sent for the first time until they are resumed.")
            )
        self._daemon.require_network()
        with unit_of_work(self._session):
            self._record(payout, "rebroadcast", "payout_rebroadcast", txid=transaction.txid)
        self._follower.broadcast(transaction)
        self._session.refresh(payout)
        self._session.commit()
        return payout

    def raise_fee(self, payout_id: uuid.UUID, rate_per_kb: Amount | None = None) -> Payout:
        """Have its transaction and a child of it pay `rate_per_kb` FLOP; without one, a step more than now.

        Raises UpkeepRefusedError with the reason when that is not possible or not allowed.
        """
        payout = self._require(payout_id, PayoutAction.RAISE_FEE)
        parent = _transaction_of(payout)

        def record(child: ChainTransaction) -> None:
            self._record(payout, "raise_fee", "payout_fee_raised", txid=child.txid, cost=child.fee)

        self._fee_bump.raise_fee(parent, rate_per_kb, also=record)
        return payout

    def evidence(self, payout_id: uuid.UUID) -> Evidence | None:
        """What the transaction that has taken its coins pays to its destination; None when nobody is to decide.

        Raises NotFoundError, or a WalletIntegrationError.
        """
        payout = self._session.get(Payout, payout_id, populate_existing=True)
        if payout is None:
            raise NotFoundError(said("there is no such payout"))
        return self._foreign.look(payout)

    def accept(self, payout_id: uuid.UUID, txid: str, share: Amount) -> Payout:
        """Count `share` of what the transaction `txid` pays, which is the evidence that was read, as this payout."""
        payout = self._require(payout_id, PayoutAction.ACCEPT)

        def note(found: Evidence) -> None:
            detail = {"paid": found.share, "missing": found.missing, **_read(found)}
            self._record(payout, "accept", "payout_accepted", **detail)

        self._foreign.accept(payout, txid, share, note)
        return payout

    def queue_again(self, payout_id: uuid.UUID, txid: str, share: Amount) -> Payout:
        """Say that the transaction `txid`, whatever it pays to the destination, is not this payout, and pay it."""
        payout = self._require(payout_id, PayoutAction.QUEUE_AGAIN)

        def note(found: Evidence) -> None:
            self._record(payout, "queue_again", "payout_requeued", not_counted=found.share, **_read(found))

        self._foreign.queue_again(payout, txid, share, note)
        return payout

    def return_unpaid(self, payout_id: uuid.UUID, txid: str, share: Amount, reason: str) -> Payout:
        """Say the same, and give the money back. The payee reads the reason."""
        reason = checked_reason(reason)
        payout = self._require(payout_id, PayoutAction.RETURN_UNPAID)

        def note(found: Evidence) -> None:
            detail = {"reason": reason, "not_counted": found.share, **_read(found)}
            self._record(payout, "return_unpaid", "payout_return_requested", **detail)

        self._foreign.give_back(payout, txid, share, reason, note)
        return payout

    def _return_at_once(self, payout: Payout, reason: str) -> Payout:
        with unit_of_work(self._session):
            self._move(payout, PayoutStatus(payout.status), PayoutStatus.FAILED, reason)
            self._record(payout, "return", "payout_return_requested", reason=reason, how="at once")
            queue.return_to_wallet(
                self._session, payout, said("returned by an operator: {reason}", reason=reason)
            )
        return payout

    def _require(self, payout_id: uuid.UUID, action: PayoutAction) -> Payout:
        if self._actor.role is not Role.OPERATOR:
            raise PermissionDeniedError(said("only an operator may do this to a payout"))
        payout = self._session.get(Payout, payout_id, populate_existing=True)
        if payout is None:
            raise NotFoundError(said("there is no such payout"))
        if action in FOR_OTHERS:
            self._actor.require_not_own(said("the payout"), payout.wallet_id, payout.requested_by)
        if reason := refusal(payout.status, action):
            raise PayoutStateError(reason)
        if self._seen is not None and payout.status != self._seen:
            raise PayoutStateError(
                said(
                    "The payout has moved on: it is {status} now. Look again.",
                    status=WORDS[PayoutStatus(payout.status)],
                )
            )
        return payout

    def _move(self, payout: Payout, before: PayoutStatus, after: PayoutStatus, reason: str) -> None:
        """Change its state unless it has left it, or goes elsewhere, meanwhile; the row count decides against a worker
        or an owner.
        """
        stands = (Payout.id == payout.id) & (Payout.status == before) & (Payout.address == payout.address)
        values: dict[str, Any] = {"status": after, "status_since": utcnow(), "reason": reason[:500]}
        if after is PayoutStatus.QUEUED:
            values["next_attempt_at"] = utcnow()
        if not changes_one_row(self._session, update(Payout).where(stands).values(**values)):
            self._session.refresh(payout)
            raise PayoutStateError(
                said(
                    "The payout has just changed: it is {status} now. Look again.",
                    status=WORDS[PayoutStatus(payout.status)],
                )
            )
        self._session.refresh(payout)

    def _has_lost_its_approval(self, payout: Payout) -> bool:
        """Whether it was approved once, for an address that its owner has changed since."""
        if payout.approved_by is not None:
            return False
        actions = operator_actions.of_subject(self._session, subject_of(payout.id))
        return any(action.action == APPROVED for action in actions)

    def _record(self, payout: Payout, action: str, event: str, **detail: Any) -> None:
        """On the operators' record, and on the timeline of the escrow that the payout comes from, if there is one."""
        operator_actions.record(
            self._session,
            self._actor,
            f"{action}_payout",
            subject_of(payout.id),
            gross=payout.gross,
            **detail,
        )
        # Both sides of the escrow read its timeline: why an operator looks at a payee, and where that one is paid, is
        # not the other side's business.
        texts = {name: str(value) for name, value in detail.items() if name not in _PRIVATE}
        record(self._session, payout, event, texts, self._actor)


def _read(found: Evidence) -> dict[str, Any]:
    """What an operator had before their eyes when they decided."""
    return {"txid": found.txid, "confirmations": found.confirmations, "to_address": found.paid}


def _transaction_of(payout: Payout) -> ChainTransaction:
    assert payout.transaction is not None, said("a payout in this state has a transaction")
    return payout.transaction
