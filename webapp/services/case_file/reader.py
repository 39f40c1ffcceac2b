"""For whom a case file is made, and what of the others' affairs is not for them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from webapp.domain.escrow_states import Party
from webapp.domain.roles import Actor, Role
from webapp.models import Escrow
from webapp.services.evidence import rights


@dataclass(frozen=True, slots=True)
class CaseReader:
    """`name` is in what capacity they read. Where coins come from and go to is theirs to see for the wallets
    `sees_coins_of`; what was said and shown in the dispute, if `sees_dispute`.
    """

    name: str
    sees_coins_of: frozenset[int]
    sees_dispute: bool

    @classmethod
    def of(cls, session: Session, actor: Actor, escrow: Escrow, parties: frozenset[Party]) -> CaseReader:
        """The reader that this actor is, who may see the escrow."""
        sides = frozenset({escrow.payer_wallet_id, escrow.provider_wallet_id})
        return cls(
            name=_name(actor, parties),
            sees_coins_of=sides if actor.role is Role.OPERATOR else sides & actor.wallet_ids,
            sees_dispute=rights.may_read(session, actor, escrow, parties),
        )


def _name(actor: Actor, parties: frozenset[Party]) -> str:
    if side := rights.side_of(actor, parties):
        return side
    if actor.role in (Role.OPERATOR, Role.ARBITER):
        return actor.role.value
    return "verifier" if Party.VERIFIER in parties else "witness"
