"""Frozen wallets: nothing leaves one until an operator gives it back; coins still arrive.

Coins of escrows that were on their way out through the wallet wait in it, and go on when it is given back.
"""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import NotFoundError
from webapp.domain.reasons import checked_reason
from webapp.domain.roles import Actor
from webapp.domain.said import said
from webapp.models import Payout, Wallet
from webapp.models.compare_and_set import changes_one_row
from webapp.services import held_back_refunds, operator_actions
from webapp.services.escrow_funding import lock_escrows
from webapp.services.unit_of_work import unit_of_work

# What the record of operators' actions calls a freeze, and its end.
FROZEN = "freeze_wallet"
UNFROZEN = "unfreeze_wallet"


def freeze(session: Session, actor: Actor, wallet_id: int, reason: str) -> bool:
    """Let nothing leave the wallet. False when it was frozen already. Raises NotFoundError, ValidationError.

    A payout that a worker is building into a transaction at this moment is taken out of its hands.
    """
    reason = checked_reason(reason)
    with unit_of_work(session):
        if not _set(session, wallet_id, is_frozen=True):
            return False
        _take_back_claims(session, wallet_id)
        operator_actions.record(session, actor, FROZEN, subject_of(wallet_id), reason=reason)
    return True


def unfreeze(session: Session, settings: Settings, actor: Actor, wallet_id: int, reason: str) -> bool:
    """Give the wallet back to its owner, and send home what it kept back of refunds. False when it was not frozen.

    Raises NotFoundError, ValidationError, and PermissionDeniedError to an owner who is an operator.
    """
    reason = checked_reason(reason)
    actor.require_not_own(said("the wallet"), wallet_id)
    with unit_of_work(session):
        # Everybody takes an escrow before a wallet.
        lock_escrows(session, held_back_refunds.waiting(session, wallet_id))
        if not _set(session, wallet_id, is_frozen=False):
            return False
        operator_actions.record(session, actor, UNFROZEN, subject_of(wallet_id), reason=reason)
        held_back_refunds.send(session, settings, wallet_id)
    return True


def why_frozen(session: Session, wallet_id: int) -> str | None:
    """What the operator said who froze the wallet last; None when the service froze it by itself."""
    actions = operator_actions.of_subject(session, subject_of(wallet_id))
    reasons = [action.detail["reason"] for action in actions if action.action == FROZEN]
    return reasons[-1] if reasons else None


def subject_of(wallet_id: int) -> str:
    """What the record of operators' actions calls a wallet."""
    return f"wallet:{wallet_id}"


def _set(session: Session, wallet_id: int, *, is_frozen: bool) -> bool:
    differs = (Wallet.id == wallet_id) & Wallet.is_frozen.is_(not is_frozen)
    is_changed = changes_one_row(session, update(Wallet).where(differs).values(is_frozen=is_frozen))
    if not is_changed and session.get(Wallet, wallet_id) is None:
        raise NotFoundError(said("there is no wallet {wallet_id}", wallet_id=wallet_id))
    return is_changed


def _take_back_claims(session: Session, wallet_id: int) -> None:
    """Storing a transaction checks that its claims stand: without this one it is thrown away unsent."""
    session.execute(
        update(Payout)
        .where(Payout.wallet_id == wallet_id, Payout.status == "claimed")
        .values(
            status="queued",
            status_since=utcnow(),
            claim_token=None,
            claimed_until=None,
            reason="the wallet is frozen",
        )
        .execution_options(synchronize_session=False)
    )
