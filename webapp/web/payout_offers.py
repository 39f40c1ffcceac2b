"""What an operator is offered for a payout: each action with what it will do, in plain words."""

from __future__ import annotations

from dataclasses import dataclass

from webapp.domain.payout_states import ON_EVIDENCE, UNCLAIMED, PayoutAction, state_of
from webapp.services.payouts.foreign_evidence import Evidence
from webapp.services.payouts.inspection import RaiseOffer
from webapp.web.formats import money
from webapp.web.payout_view import PayoutView

# What each action asks for: nothing, a reason that the payee reads, or a rate; some on the evidence that was read.
FORMS_OF = {
    PayoutAction.APPROVE: "confirm",
    PayoutAction.HOLD: "because",
    PayoutAction.RESUME: "confirm",
    PayoutAction.RETURN: "because",
    PayoutAction.REBROADCAST: "confirm",
    PayoutAction.RAISE_FEE: "rate",
    PayoutAction.ACCEPT: "evidence",
    PayoutAction.QUEUE_AGAIN: "evidence",
    PayoutAction.RETURN_UNPAID: "evidence_because",
}

MESSAGES = {
    PayoutAction.APPROVE: "The payout is approved.",
    PayoutAction.HOLD: "The payout is held. It is not sent until somebody lets it go.",
    PayoutAction.RESUME: "The payout is let go.",
    PayoutAction.RETURN: "The return is under way; the page says how far it is.",
    PayoutAction.REBROADCAST: "The transaction was sent again; the page says what came of it.",
    PayoutAction.RAISE_FEE: "The fee is raised: a second transaction pays for the first.",
    PayoutAction.ACCEPT: "The payout counts as paid.",
    PayoutAction.QUEUE_AGAIN: "The payout is queued again.",
    PayoutAction.RETURN_UNPAID: "The money is back in the balance.",
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
    "accept_payout": "Accepted as paid",
    "queue_again_payout": "Found unpaid, and queued again",
    "return_unpaid_payout": "Found unpaid, and returned",
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
        """What it asks for: a value of `FORMS_OF`."""
        return FORMS_OF[self.action]


def offers_of(
    view: PayoutView, raise_offer: RaiseOffer | None, evidence: Evidence | None = None
) -> list[Offer]:
    """What the payout's state allows now."""
    allowed = state_of(view.payout.status).may_do
    if view.is_being_cancelled:
        allowed -= {PayoutAction.RETURN, PayoutAction.REBROADCAST}
    if raise_offer is None:
        allowed -= {PayoutAction.RAISE_FEE}
    if view.is_in_question:
        allowed -= {PayoutAction.REBROADCAST}
    if evidence is not None and (evidence.is_final or evidence.share):
        allowed -= {PayoutAction.RETURN}
    if evidence is None or not evidence.is_final:
        allowed -= {*ON_EVIDENCE}
    elif not evidence.share:
        allowed -= {PayoutAction.ACCEPT}
    return [
        offer_on(action, view, evidence)
        if evidence and action in ON_EVIDENCE
        else _offer(action, view, raise_offer)
        for action in PayoutAction
        if action in allowed
    ]


def offer_on(action: PayoutAction, view: PayoutView, evidence: Evidence) -> Offer:
    """A decision on the evidence of what another transaction paid."""
    gross, source = money(view.payout.gross), view.payout.source_name
    share, missing = money(evidence.share), money(evidence.missing)
    unpaid = f"{share} that came to the address do not count: they are a loss." if evidence.share else ""
    match action:
        case PayoutAction.ACCEPT:
            rest = f" What is missing, {missing}, goes back to {source}." if evidence.missing else ""
            what = f"{share} that came to the address count as this payout, which is final then.{rest}"
            return Offer(action, "It is paid", what, "done", "")
        case PayoutAction.QUEUE_AGAIN:
            what = f"{gross} leave with another transaction, less its fee if the payee bears it. {unpaid}"
            return Offer(action, "It did not pay: queue it again", what.strip(), "clock")
    what = f"Nothing more is sent, and {gross} go back to {source} at once. {unpaid}"
    return Offer(action, "It did not pay: give the money back", what.strip(), "refund", "danger")


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
    gross, source = money(view.payout.gross), view.payout.source_name
    if view.payout.status in UNCLAIMED:
        return f"Nothing is sent, and {gross} are in the balance of {source} again at once."
    mates = f" The {_others(view.mates)} in the same transaction are queued again then." if view.mates else ""
    return (
        "Its transaction is made impossible first: another one spends one of its coins, for a fee that the community "
        f"fund bears. When that one has {view.confirmations_needed} confirmations, {gross} are in the balance of "
        f"{source} again.{mates} If the payout arrives first after all, it counts as paid."
    )


def _others(count: int) -> str:
    return f"{count} other payout{'' if count == 1 else 's'}"
