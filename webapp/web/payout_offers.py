"""What an operator is offered for a payout: each action with what it will do, in plain words."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import gettext as _
from flask_babel import ngettext

from webapp.domain.payout_states import ON_EVIDENCE, UNCLAIMED, PayoutAction, state_of
from webapp.domain.said import said
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
    PayoutAction.APPROVE: said("The payout is approved."),
    PayoutAction.HOLD: said("The payout is held. It is not sent until somebody lets it go."),
    PayoutAction.RESUME: said("The payout is let go."),
    PayoutAction.RETURN: said("The return is under way; the page says how far it is."),
    PayoutAction.REBROADCAST: said("The transaction was sent again; the page says what came of it."),
    PayoutAction.RAISE_FEE: said("The fee is raised: a second transaction pays for the first."),
    PayoutAction.ACCEPT: said("The payout counts as paid."),
    PayoutAction.QUEUE_AGAIN: said("The payout is queued again."),
    PayoutAction.RETURN_UNPAID: said("The money is back in the balance."),
}

# What the record calls an action that was done.
_DONE = {
    "approve_payout": said("Approved"),
    "refuse_payout": said("Refused"),
    "hold_payout": said("Held"),
    "resume_payout": said("Let go"),
    "return_payout": said("Return asked for"),
    "rebroadcast_payout": said("Sent again"),
    "raise_fee_payout": said("Fee raised"),
    "accept_payout": said("Accepted as paid"),
    "queue_again_payout": said("Found unpaid, and queued again"),
    "return_unpaid_payout": said("Found unpaid, and returned"),
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
    unpaid = [_("%(share)s that came to the address do not count: they are a loss.", share=share)]
    match action:
        case PayoutAction.ACCEPT:
            what = [
                _(
                    "%(share)s that came to the address count as this payout, which is final then.",
                    share=share,
                )
            ]
            if evidence.missing:
                what += [
                    _(
                        "What is missing, %(missing)s, goes back to %(source)s.",
                        missing=missing,
                        source=source,
                    )
                ]
            return Offer(action, _("It is paid"), " ".join(what), "done", "")
        case PayoutAction.QUEUE_AGAIN:
            what = [
                _(
                    "%(gross)s leave with another transaction, less its fee if the payee bears it.",
                    gross=gross,
                )
            ]
            what += unpaid if evidence.share else []
            return Offer(action, _("It did not pay: queue it again"), " ".join(what), "clock")
    what = [
        _("Nothing more is sent, and %(gross)s go back to %(source)s at once.", gross=gross, source=source)
    ]
    what += unpaid if evidence.share else []
    return Offer(action, _("It did not pay: give the money back"), " ".join(what), "refund", "danger")


def _offer(action: PayoutAction, view: PayoutView, raise_offer: RaiseOffer | None) -> Offer:
    gross = money(view.payout.gross)
    match action:
        case PayoutAction.APPROVE:
            what = _(
                "%(gross)s are sent to the address on this page and to no other.",
                gross=gross,
            )
            return Offer(action, _("Approve it"), what, "done", "")
        case PayoutAction.HOLD:
            what = _("It is not sent until an operator lets it go. Its owner may still change the address.")
            return Offer(action, _("Hold it"), what, "lock")
        case PayoutAction.RESUME:
            what = _(
                "It is queued again, to the address on this page and to no other; or it waits for an "
                "approval, if its address has changed since it had one."
            )
            return Offer(action, _("Let it go"), what, "arrow-up", "")
        case PayoutAction.REBROADCAST:
            what = _("The very same transaction is sent to the network once more. It cannot pay twice.")
            return Offer(action, _("Send it again"), what, "arrow-up")
        case PayoutAction.RAISE_FEE:
            assert raise_offer is not None, "without one it is not offered"
            return Offer(action, _("Raise the fee"), _words_of_raise(view, raise_offer), "arrow-up", "")
    return Offer(action, _("Give the money back"), _words_of_return(view), "refund", "danger")


def _words_of_raise(view: PayoutView, offer: RaiseOffer) -> str:
    words = [
        _(
            "A second transaction spends the change of the first and pays for both, so that miners take them sooner."
        ),
        _("The payment stays what it is."),
    ]
    if view.mates:
        words.append(
            ngettext(
                "So does %(num)d other payout in its transaction.",
                "So do %(num)d other payouts in its transaction.",
                view.mates,
            )
        )
    words.append(
        _(
            "Now it pays %(rate_now)s per kB; to reach %(rate)s costs the community fund about %(cost)s.",
            rate_now=money(offer.rate_now),
            rate=money(offer.rate),
            cost=money(offer.cost),
        )
    )
    return " ".join(words)


def _words_of_return(view: PayoutView) -> str:
    gross, source = money(view.payout.gross), view.payout.source_name
    if view.payout.status in UNCLAIMED:
        return _(
            "Nothing is sent, and %(gross)s are in the balance of %(source)s again at once.",
            gross=gross,
            source=source,
        )
    words = [
        _(
            "Its transaction is made impossible first: another one spends one of its coins, for a fee that the "
            "community fund bears. When that one has %(count)s confirmations, %(gross)s are in the balance of "
            "%(source)s again.",
            count=view.confirmations_needed,
            gross=gross,
            source=source,
        )
    ]
    if view.mates:
        words.append(
            ngettext(
                "The %(num)d other payout in the same transaction is queued again then.",
                "The %(num)d other payouts in the same transaction are queued again then.",
                view.mates,
            )
        )
    words.append(_("If the payout arrives first after all, it counts as paid."))
    return " ".join(words)
