"""What follows from the facts of an escrow, however they are held: as a row of a session, or as plain values."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from webapp.domain.escrow_states import Party, Status, Terms
from webapp.domain.money import ZERO, Amount
from webapp.domain.roles import Actor


class EscrowFacts(Protocol):
    """The facts that matter here; see `models.Escrow` for what they mean."""

    @property
    def status(self) -> str: ...
    @property
    def amount(self) -> Amount: ...
    @property
    def resolved_provider_amount(self) -> Amount | None: ...
    @property
    def resolved_community_amount(self) -> Amount | None: ...
    @property
    def funding(self) -> str: ...
    @property
    def deposited_amount(self) -> Amount: ...
    @property
    def expires_at(self) -> datetime: ...
    @property
    def accept_by(self) -> datetime | None: ...
    @property
    def fund_by(self) -> datetime | None: ...
    @property
    def has_own_terms(self) -> bool: ...
    @property
    def payer_wallet_id(self) -> int: ...
    @property
    def provider_wallet_id(self) -> int: ...
    @property
    def provider_node_id(self) -> str | None: ...
    @property
    def verifier_key_id(self) -> str | None: ...


class DerivedFacts:
    """What every holder of an escrow's facts tells besides them."""

    @property
    def held_amount(self: EscrowFacts) -> Amount:
        """What of the payer's it holds while it lives, and held last after that."""
        return self.amount if self.funding == "balance" else self.deposited_amount

    @property
    def refunded_amount(self: EscrowFacts) -> Amount | None:
        """What of the payer's went back when it ended; None while it lives."""
        match Status(self.status):
            case Status.RELEASED:
                return ZERO
            case Status.REFUNDED:
                return self.amount if self.funding == "balance" else self.deposited_amount
            case Status.RESOLVED:
                paid = (self.resolved_provider_amount or ZERO) + (self.resolved_community_amount or ZERO)
                return self.amount - paid
        return None

    @property
    def terms(self: EscrowFacts) -> Terms:
        """What the rules of `domain.escrow_states` look at."""
        return Terms(Status(self.status), self.expires_at, self.accept_by, self.fund_by, self.has_own_terms)


def parties_of(escrow: EscrowFacts, actor: Actor) -> frozenset[Party]:
    """In what capacities the actor stands to the escrow."""
    if actor.is_program:
        return frozenset({Party.PROVIDER, Party.VERIFIER})
    capacities = {
        Party.PAYER: escrow.payer_wallet_id in actor.wallet_ids,
        Party.PROVIDER: escrow.provider_wallet_id in actor.wallet_ids
        and (actor.node_id is None or escrow.provider_node_id in (None, actor.node_id)),
        Party.VERIFIER: escrow.verifier_key_id in actor.key_ids,
        Party.CLOCK: actor.is_clock,
    }
    return frozenset(party for party, applies in capacities.items() if applies)
