"""A payout in plain words: where it is, what is in its way, what happens next and by when. For its owner and operators.

The two read the same sentences; what concerns operators only (the daemon's words, the reason of a halt) is theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _

from webapp.domain.clock import utcnow
from webapp.domain.payout_states import FINAL, OwnerAction, PayoutStatus, Turn, owner_may, state_of
from webapp.models import ChainTransaction, Payout
from webapp.services import chain_reach
from webapp.services.chain_reach import ChainReach
from webapp.services.payouts import batching
from webapp.services.payouts.batching import Outlook
from webapp.services.payouts.claims import WAITS_FOR_FUND, WAITS_FOR_MERGES
from webapp.services.payouts.foreign_payments import is_in_question
from webapp.services.payouts.inspection import Inspection, inspect
from webapp.services.payouts.queue import WAITING
from webapp.services.payouts.transactions import UNSETTLED
from webapp.web.current import db_session, services
from webapp.web.formats import money
from webapp.web.language import recalled
from webapp.web.parties import as_sentence
from webapp.web.wallet_words import batch_sentence


@dataclass(frozen=True, slots=True)
class OwnTransaction:
    """A transaction of the service's own about a payout's: what it is for, and how far it is."""

    title: str
    note: str
    txid: str
    status: str


@dataclass(frozen=True, slots=True)
class PayoutView:
    """One payout as its page shows it. `obstacle` is empty while nothing is in its way."""

    found: Inspection
    where: str
    obstacle: str
    who: str
    next_step: str
    due_at: datetime | None
    is_late: bool
    own: list[OwnTransaction]
    confirmations: int
    confirmations_needed: int
    reach: ChainReach

    @property
    def payout(self) -> Payout:
        """The payout itself."""
        return self.found.payout

    @property
    def mates(self) -> int:
        """How many other payouts its transaction pays."""
        return self.found.mates

    @property
    def is_being_cancelled(self) -> bool:
        """Whether a transaction is on its way that makes its own one impossible."""
        return self.found.cancel is not None

    @property
    def is_in_question(self) -> bool:
        """Whether an operator must say what another transaction has paid."""
        return is_in_question(self.payout)

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen."""
        return self.payout.status in FINAL

    @property
    def may_redirect(self) -> bool:
        """Whether its owner may send it elsewhere."""
        return self.payout.status in owner_may(OwnerAction.REDIRECT)

    @property
    def may_take_back(self) -> bool:
        """Whether its owner may have the money back at once."""
        return self.payout.status in owner_may(OwnerAction.TAKE_BACK)


def view_of(payout: Payout, *, is_for_operator: bool = False) -> PayoutView:
    """The view of a payout that the reader may see."""
    session, settings = db_session(), services().settings
    found = inspect(session, settings, payout)
    reach = chain_reach.look(session, settings)
    needed = settings.wallet.payout_confirmations
    seen = payout.transaction.confirmations if payout.transaction else 0
    is_confirmed = payout.status == PayoutStatus.CONFIRMED
    return PayoutView(
        found=found,
        where=_where(found, seen, needed, is_for_operator),
        obstacle=_obstacle(found, reach, is_for_operator),
        who=_who(found, is_for_operator),
        next_step=_next_step(found, needed, batching.outlook(session, settings.wallet)),
        due_at=found.due_at,
        is_late=found.is_late,
        own=[_own(each) for each in found.own],
        confirmations=needed if is_confirmed else min(seen, needed),
        confirmations_needed=needed,
        reach=reach,
    )


def _where(found: Inspection, seen: int, needed: int, is_for_operator: bool) -> str:
    payout = found.payout
    match payout.status:
        case PayoutStatus.HELD:
            return _(
                "%(reason)s It is not sent until an operator lets it go.",
                reason=as_sentence(recalled(payout.reason)),
            )
        case PayoutStatus.BROADCAST if seen:
            return _(
                "Its transaction is in a block, and has %(seen)s of %(needed)s confirmations.",
                seen=seen,
                needed=needed,
            )
        case PayoutStatus.BROADCAST:
            return _("The network has its transaction; no block holds it yet.")
        case PayoutStatus.SIGNED | PayoutStatus.UNKNOWN if found.cancel or payout.is_return_requested:
            return _(
                "An operator takes it back. First its transaction is made impossible, so that "
                "nothing is paid twice."
            )
        case PayoutStatus.UNKNOWN if is_in_question(payout):
            return _("Another transaction has spent its coins. An operator compares what that one has paid.")
        case PayoutStatus.CONFIRMED if payout.is_return_requested:
            return _("It has arrived and is final. It was to be taken back, and was faster.")
        case PayoutStatus.FAILED:
            reason = recalled(payout.reason).rstrip(".")
            if is_for_operator:
                return _("Nothing was sent, and the money is back in the balance: %(reason)s.", reason=reason)
            return _("Nothing was sent, and the money is back in your balance: %(reason)s.", reason=reason)
    return state_of(payout.status).meaning


def _obstacle(found: Inspection, reach: ChainReach, is_for_operator: bool) -> str:
    """What keeps it from going on, if something does; the gravest only."""
    payout = found.payout
    status = payout.status
    if status in FINAL:
        return ""
    if status in (PayoutStatus.QUEUED, PayoutStatus.CLAIMED, PayoutStatus.SIGNED):
        if found.halts:
            if not is_for_operator:
                return _("All payouts are halted at the moment.")
            causes = ", ".join(f"{halt.cause} ({halt.detail})" for halt in found.halts)
            return _("All payouts are halted: %(causes)s.", causes=causes)
        if found.is_frozen:
            return _("The wallet is frozen: nothing leaves it until an operator has looked at it.")
    if not reach.is_open and state_of(status).turn is not Turn.OPERATOR:
        return _("The chain is out of reach; it goes on by itself when that is back.")
    if status == PayoutStatus.QUEUED and payout.attempts and payout.reason != WAITING:
        if is_for_operator or payout.reason in (WAITS_FOR_MERGES, WAITS_FOR_FUND):
            return _("So far it could not be sent: %(reason)s", reason=as_sentence(recalled(payout.reason)))
        return _("So far it could not be sent; it is tried again by itself.")
    if status == PayoutStatus.UNKNOWN and is_for_operator and not payout.is_return_requested:
        return as_sentence(recalled(payout.reason))
    return ""


def _who(found: Inspection, is_for_operator: bool) -> str:
    turn = Turn.OPERATOR if is_in_question(found.payout) else state_of(found.payout.status).turn
    match turn:
        case Turn.OPERATOR:
            return _("You and the other operators") if is_for_operator else _("An operator")
        case Turn.NETWORK:
            return _("The network")
        case Turn.WORKER:
            return _("This service, by itself")
    return _("Nobody")


def _next_step(found: Inspection, needed: int, batch: Outlook) -> str:
    payout = found.payout
    if found.cancel is not None:
        return _(
            "When the transaction that makes it impossible has %(needed)s confirmations, the "
            "money is back in the balance. Should this one arrive first after all, it counts as "
            "paid.",
            needed=needed,
        )
    match payout.status:
        case PayoutStatus.AWAITING_APPROVAL:
            return _(
                "An operator approves it, and it is queued; or refuses it, and the money is back in "
                "the balance."
            )
        case PayoutStatus.HELD:
            return _("An operator lets it go, and it is queued; or gives the money back to the balance.")
        case PayoutStatus.QUEUED if payout.next_attempt_at > utcnow():
            return _("It is tried again in a moment, with the next batch.")
        case PayoutStatus.QUEUED:
            return batch_sentence(batch)
        case PayoutStatus.CLAIMED:
            return _("It is signed and sent, or goes back to the queue.")
        case PayoutStatus.SIGNED:
            return _("The transaction is sent.")
        case PayoutStatus.BROADCAST:
            return _(
                "It is final after %(needed)s confirmations, about a minute each.",
                needed=needed,
            )
        case PayoutStatus.UNKNOWN if is_in_question(payout):
            return _(
                "When the other transaction has %(needed)s confirmations, an operator says what it "
                "has paid: then it counts as paid, is queued again, or the money goes back.",
                needed=needed,
            )
        case PayoutStatus.UNKNOWN:
            return _("The same transaction is sent again until the network has it; it cannot pay twice.")
    return ""


def _own(transaction: ChainTransaction) -> OwnTransaction:
    cost = _("It costs the community fund %(fee)s.", fee=money(transaction.fee))
    if transaction.status == "replaced":
        cost = _(
            "It came too late: the first transaction was faster. Its fee went back to the community fund."
        )
    if transaction.kind == "fee_bump":
        title = _("Fee raised")
        note = _("A second transaction, whose fee pays for both.")
    else:
        title = _("Being taken back") if transaction.status in UNSETTLED else _("Taken back")
        note = _("A transaction that spends the same coin, so that the payout’s own can never confirm.")
    return OwnTransaction(title, f"{note} {cost}", transaction.txid, transaction.status)
