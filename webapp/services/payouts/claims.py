"""Which payouts a worker is paying right now. A claim is a lease; what it allows is checked again when it is used.

A payout that is claimed and put back, again and again, waits for all that time: `status_since` says since when.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.config import WalletSettings
from webapp.domain.clock import utcnow
from webapp.domain.failpoints import Step, step
from webapp.domain.said import said
from webapp.models import Payout
from webapp.services.payouts import batching
from webapp.services.process_holder import holder, is_known_dead
from webapp.services.unit_of_work import unit_of_work

# What a payout waits for that no transaction can pay within the limits before coins are merged (upkeep does it).
WAITS_FOR_MERGES = said("its amount lies in too many small coins; they are merged first")
WAITS_FOR_FUND = said(
    "{waits_for_merges}, as soon as the community fund can bear the fee of that",
    waits_for_merges=WAITS_FOR_MERGES,
)


@dataclass(frozen=True, slots=True)
class Claim:
    """Payouts that one worker may pay while `token` stands on their rows."""

    token: str
    payouts: tuple[Payout, ...]

    def halves(self) -> tuple[Claim, Claim]:
        """The same in two parts."""
        middle = len(self.payouts) // 2
        return Claim(self.token, self.payouts[:middle]), Claim(self.token, self.payouts[middle:])

    def singles(self) -> list[Claim]:
        """Each payout by itself."""
        return [Claim(self.token, (payout,)) for payout in self.payouts]

    def split(self, chosen: Collection[Payout]) -> tuple[Claim, Claim]:
        """Those that were chosen, and the rest."""
        ids = {payout.id for payout in chosen}
        rest = tuple(payout for payout in self.payouts if payout.id not in ids)
        return Claim(self.token, tuple(chosen)), Claim(self.token, rest)


def claim_due(session: Session, settings: WalletSettings) -> Claim:
    """Claim the due payouts that can share one transaction, oldest first.

    None while none is due, and while those that are due wait for others to share a transaction with.
    """
    now = utcnow()
    token = f"{holder()}/{secrets.token_hex(4)}"
    if not batching.may_claim(session, settings):
        session.commit()
        return Claim(token, ())
    with unit_of_work(session):
        rows = session.execute(
            batching.due(Payout.id, Payout.fee_paid_by)
            .order_by(Payout.next_attempt_at, Payout.id)
            .limit(settings.max_payouts_per_transaction)
            .with_for_update(skip_locked=True)
        ).all()
        if not rows:
            return Claim(token, ())
        # The fee is taken from the outputs or added to them: a transaction can do only one of the two.
        ids = [row.id for row in rows if row.fee_paid_by == rows[0].fee_paid_by]
        claimed = session.scalars(
            update(Payout)
            .where(Payout.id.in_(ids), Payout.status == "queued")
            .values(
                status="claimed",
                claim_token=token,
                claimed_until=now + timedelta(seconds=settings.payout_lease_seconds),
                attempts=Payout.attempts + 1,
                reason="being built into a transaction",
            )
            .returning(Payout)
            .execution_options(synchronize_session=False, populate_existing=True)
        ).all()
    # The unit of work has ended: what follows is slow, and no transaction stays open for it.
    return Claim(token, tuple(sorted(claimed, key=lambda payout: payout.id)))


def put_back(
    session: Session, claim: Claim, reason: str, *, delay_seconds: int = 0, is_attempt: bool = True
) -> None:
    """Give claimed payouts back to the queue: nothing of them is on the network. Others' claims are left alone.

    Without `is_attempt` it was not their turn yet: a daemon that was away says nothing about a payout.
    """
    now = utcnow()
    with step(Step.PAYOUTS_PUT_BACK), unit_of_work(session):
        session.execute(
            update(Payout)
            .where(
                Payout.id.in_([payout.id for payout in claim.payouts]),
                Payout.status == "claimed",
                Payout.claim_token == claim.token,
            )
            .values(
                status="queued",
                claim_token=None,
                claimed_until=None,
                next_attempt_at=now + timedelta(seconds=delay_seconds),
                attempts=Payout.attempts - (0 if is_attempt else 1),
                reason=reason[:500],
            )
            .execution_options(synchronize_session=False)
        )


def release_abandoned(session: Session) -> int:
    """Give back what was claimed by a process that is gone or too slow. Returns how many.

    Nothing of it can be on the network: only a stored transaction is ever broadcast, and storing one checks that
    the claim still stands.
    """
    now = utcnow()
    claimed = session.scalars(select(Payout).where(Payout.status == "claimed")).all()
    abandoned = [
        Claim(payout.claim_token or "", (payout,))
        for payout in claimed
        if (payout.claimed_until and payout.claimed_until < now)
        or is_known_dead((payout.claim_token or "").partition("/")[0])
    ]
    for claim in abandoned:
        put_back(session, claim, said("the worker that was building it stopped"))
    return len(abandoned)
