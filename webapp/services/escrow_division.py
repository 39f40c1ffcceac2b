"""An escrow that is divided: by what both sides have agreed on, or by a ruling.

The share of the provider's side is named before the community fund's part, which is the same as was agreed for the
whole. What is left goes back to the payer. The parts are computed here and never typed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.escrow_states import Action, Party
from webapp.domain.exceptions import ValidationError
from webapp.domain.money import Amount, split
from webapp.domain.roles import Actor
from webapp.domain.said import said
from webapp.models import Escrow
from webapp.services.escrow_funding import EscrowFunding
from webapp.services.escrow_moves import EscrowMoves
from webapp.services.wallet_integration import WalletIntegration

_REASONS = {
    Party.AGREEMENT: "by agreement",
    Party.RULING: "by a ruling",
    Party.TERMS: "by the terms of the escrow",
}


@dataclass(frozen=True, slots=True)
class Division:
    """Who gets what of an escrow's amount. The three parts add to it."""

    provider: Amount
    fund: Amount
    payer: Amount

    @classmethod
    def of(cls, escrow: Escrow, share: Amount) -> Division:
        """`share` of the amount for the provider's side, before the fund's part of it.

        Raises ValidationError naming `share` when it is more than the escrow's amount.
        """
        if share > escrow.amount:
            raise ValidationError.of("share", said("must be at most {most} FLOP", most=escrow.amount))
        provider, fund = split(share, escrow.fund_basis_points)
        return cls(provider, fund, escrow.amount - share)


class EscrowDivision:
    """Ends escrows that hold their money by dividing it, for one actor, in the caller's unit of work."""

    def __init__(
        self, session: Session, settings: Settings, actor: Actor, wallets: WalletIntegration
    ) -> None:
        self._moves = EscrowMoves(session, settings, actor, wallets)
        self._funding = EscrowFunding(session, settings)
        self._wallets = wallets

    def divide(self, escrow: Escrow, share: Amount, by: Party, detail: dict[str, Any]) -> Division:
        """Pay everybody their part at once. `by` is `Party.AGREEMENT`, `Party.RULING` or, for the whole, `Party.TERMS`;
        `detail` says which.

        With the whole for one side the escrow is `released` or `refunded`, otherwise `resolved`. Raises
        EscrowStateError, PermissionDeniedError, ValidationError.
        """
        division = Division.of(escrow, share)
        now = utcnow()
        if not share:
            action, kind = Action.REFUND, "refunded"
            values: dict[str, Any] = {"refunded_at": now, "refund_reason": _REASONS[by]}
        elif share == escrow.amount:
            action, kind, values = Action.RELEASE, "released", {"released_at": now}
        else:
            action, kind = Action.RESOLVE, "resolved"
            values = {
                "released_at": now,
                "resolved_provider_amount": division.provider,
                "resolved_community_amount": division.fund,
            }
        self._moves.check(escrow, action, frozenset({by}))
        self._moves.move(escrow, action, **values)
        self._post(escrow, action, division)
        told = {
            "by": by.value,
            "provider_amount": str(division.provider),
            "community_amount": str(division.fund),
            "refunded_amount": str(division.payer),
            **({"reason": values["refund_reason"]} if "refund_reason" in values else {}),
            **detail,
        }
        self._moves.record(escrow, kind, told)
        if share:
            self._moves.pay_out(escrow, division.provider)
        self._funding.send_home(escrow.id, division.payer)
        return division

    def _post(self, escrow: Escrow, action: Action, division: Division) -> None:
        if action is Action.REFUND:
            self._wallets.unlock_funds(escrow.id, escrow.payer_wallet_id, escrow.amount)
        elif action is Action.RELEASE:
            self._wallets.transfer_funds(escrow)
        else:
            self._wallets.divide_funds(escrow, division.provider, division.fund, division.payer)
