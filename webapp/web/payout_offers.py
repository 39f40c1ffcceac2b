"""What an operator is offered for a payout: each action with what it will do, in plain words."""

from __future__ import annotations

from dataclasses import dataclass

from webapp.domain.payout_states import UNCLAIMED, PayoutAction, state_of
from webapp.services.payouts.inspection import RaiseOffer
from webapp.web.filters import money
from webapp.web.payout_view import PayoutView

# What each action asks for: nothing, a reason that the payee reads, or a rate.
FORMS_OF = {
    PayoutAction.APPROVE: "confirm",
    PayoutAction.HOLD: "because",
    PayoutAction.RESUME: "confirm",
    PayoutAction.RETURN: "because",
    PayoutAction.REBROADCAST: "confirm",
    PayoutAction.RAISE_FEE: "rate",
}

MESSAGES = {
    PayoutAction.APPROVE: "The payout is approved.",
    PayoutAction.HOLD: "The payout is held. It is not sent until somebody lets it go.",
    PayoutAction.RESUME: "The payout is let go.",
    PayoutAction.RETURN: "The return is under way; the page says how far it is.",
    PayoutAction.REBROADCAST: "The transaction was sent again; the page says what came of it.",
    PayoutAction.RAISE_FEE: "The fee is raised: a second transaction pays for the first.",
}

# What the record calls an action that was done.
_DONE = {
    "approve_payout": "Approved",
    "refuse_payout": "Refused",
    "hold_payout": "Held",
    "resume_payout": "Let go",
    "return_payout": "Return asked for",
    "rebroadcast_payout": "Sent again",
    "raise_fee_payout": "Fee raised",
}


def words_of(action: str) -> str:
    """A recorded action in words."""
    return _DONE.get(action) or action.replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class Offer:
    """An action with the words around its button. `kind` and `icon` are the button's."""

    action: PayoutAction
    label: str
    what: str
    icon: str
    kind: str = "secondary"

    @property
    def form(self) -> str:
        """What it asks for: "confirm", "because" or "rate"."""
        return FORMS_OF[self.action]


def offers_of(view: PayoutView, raise_offer: RaiseOffer | None) -> list[Offer]:
    """What the payout's state allows now."""
    allowed = state_of(view.payout.status).may_do
    if view.is_being_cancelled:
        allowed -= {PayoutAction.RETURN, PayoutAction.REBROADCAST}
    if raise_offer is None:
        allowed -= {PayoutAction.RAISE_FEE}
    return [_offer(action, view, raise_offer) for action in PayoutAction if action in allowed]


def _offer(action: PayoutAction, view: PayoutView, raise_offer: RaiseOffer | None) -> Offer:
    gross = money(view.payout.gross)
    match action:
        case PayoutAction.APPROVE:
            what = f"{gross} are sent to the address on this page and to no other."
            return Offer(action, "Approve it", what, "done", "")
        case PayoutAction.HOLD:
            what = "It is not sent until an operator lets it go. Its owner may still change the address."
            return Offer(action, "Hold it", what, "lock")
        case PayoutAction.RESUME:
            what = (
                "It is queued again, to the address on this page and to no other; or it waits for an approval, if its "
                "address has changed since it had one."
            )
            return Offer(action, "Let it go", what, "arrow-up", "")
        case PayoutAction.REBROADCAST:
            what = "The very same transaction is sent to the network once more. It cannot pay twice."
            return Offer(action, "Send it again", what, "arrow-up")
        case PayoutAction.RAISE_FEE:
            assert raise_offer is not None, "without one it is not offered"
            return Offer(action, "Raise the fee", _words_of_raise(view, raise_offer), "arrow-up", "")
    return Offer(action, "Give the money back", _words_of_return(view), "refund", "danger")


def _words_of_raise(view: PayoutView, offer: RaiseOffer) -> str:
    mates = f", and so are the {_others(view.mates)} in its transaction" if view.mates else ""
    return (
        f"A second transaction spends the change of the first and pays for both, so that miners take them sooner. The "
        f"payment stays what it is{mates}. Now it pays {money(offer.rate_now)} per kB; to reach {money(offer.rate)} "
        f"costs the community fund about {money(offer.cost)}."
    )


def _words_of_return(view: PayoutView) -> str:
    gross, wallet = money(view.payout.gross), view.payout.wallet_id
    if view.payout.status in UNCLAIMED:
        return f"Nothing is sent, and {gross} are in the balance of wallet {wallet} again at once."
    mates = f" The {_others(view.mates)} in the same transaction are queued again then." if view.mates else ""
    return (
        "Its transaction is made impossible first: another one spends one of its coins, for a fee that the community "
        f"fund bears. When that one has {view.confirmations_needed} confirmations, {gross} are in the balance of "
        f"wallet {wallet} again.{mates} If the payout arrives first after all, it counts as paid."
    )


def _others(count: int) -> str:
    return f"{count} other payout{'' if count == 1 else 's'}"
