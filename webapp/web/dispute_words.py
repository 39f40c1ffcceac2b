"""Disputes in words: the rungs, whose turn it is, what comes by itself, and the events of the timeline."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext

from webapp.domain.disputes.defaults import Basis
from webapp.domain.disputes.rungs import Rung, Seat, Standing
from webapp.domain.disputes.shares import NOTHING, WHOLE
from webapp.domain.said import said
from webapp.web.formats import percent
from webapp.web.language import recalled
from webapp.web.parties import as_sentence

RUNGS = {
    Rung.TALK: said("Talk"),
    Rung.MEDIATION: said("Mediation"),
    Rung.ARBITRATION: said("Ruling"),
    Rung.APPEAL: said("Time to appeal"),
    Rung.PANEL: said("Appeal"),
}
SEATS = {
    Seat.MEDIATOR: said("You are the mediator"),
    Seat.ARBITER: said("You are the arbiter"),
    Seat.PANEL: said("You are on the panel"),
}
BASES = {
    Basis.AGREEMENT: said("Both sides agreed, or one of them gave in."),
    Basis.PROPOSAL: said("Both sides accepted what the mediator proposed."),
    Basis.RULING: said("The arbiter’s ruling was executed."),
    Basis.PANEL: said("The panel has decided."),
    Basis.SILENCE: said("The other side did not answer in time."),
    Basis.NO_RULING: said("No arbiter ruled in time."),
}

# kind of the audit trail -> title, icon, tone
LOOKS = {
    "dispute_statement": (said("A statement"), "file", "plain"),
    "dispute_mediation": (said("Mediation"), "scales", "waiting"),
    "dispute_arbitration": (said("An arbiter is asked"), "scales", "waiting"),
    "dispute_assigned": (said("Assigned"), "scales", "moving"),
    "dispute_reassigned": (said("Given to somebody else"), "refund", "moving"),
    "dispute_stepped_down": (said("Stepped down"), "arrow-left", "plain"),
    "dispute_proposed": (said("Division proposed"), "split", "waiting"),
    "dispute_accepted": (said("Accepted"), "done", "good"),
    "dispute_ruled": (said("Ruling"), "scales", "waiting"),
    "dispute_appealed": (said("Appeal"), "scales", "bad"),
    "dispute_vote": (said("A sealed vote"), "lock", "moving"),
    "dispute_votes": (said("Votes opened"), "scales", "good"),
    "dispute_silence": (said("No answer"), "clock", "bad"),
    "dispute_no_ruling": (said("No ruling"), "clock", "bad"),
}


def share_words(share: int) -> str:
    """Who gets what by a share in basis points."""
    if share == NOTHING:
        return _("All of it goes back to the payer.")
    if share == WHOLE:
        return _("All of it goes to the provider’s side.")
    return _(
        "%(share)s go to the provider’s side, %(rest)s back to the payer.",
        share=percent(share),
        rest=percent(WHOLE - share),
    )


def turn_words(standing: Standing, seats: frozenset[Seat], votes: int, is_seated: bool) -> str:
    """Whose turn it is."""
    other = standing.opener not in seats and bool(seats & {Seat.PAYER, Seat.PROVIDER})
    match standing.rung:
        case Rung.TALK if standing.has_answered:
            return _("Both have spoken. Agree on a split, or go on to a mediator at once.")
        case Rung.TALK if other:
            return _("It is your turn: answer with a statement, with evidence or with an offer.")
        case Rung.TALK if standing.opener is Seat.PAYER:
            return _("The provider is to answer.")
        case Rung.TALK:
            return _("The payer is to answer.")
        case Rung.MEDIATION if standing.is_proposed:
            return _("Both sides may accept what is proposed; either may go on to an arbiter instead.")
        case Rung.MEDIATION if is_seated:
            return _("A mediator reads what both say, and proposes a division.")
        case Rung.ARBITRATION if is_seated:
            return _("An arbiter reads what both say, and rules.")
        case Rung.MEDIATION | Rung.ARBITRATION:
            return _("Nobody without a part in it could be assigned so far.")
        case Rung.APPEAL:
            return _("The ruling is stated. The money stays where it is until the time to appeal is over.")
        case Rung.PANEL:
            return ngettext(
                "Three other arbiters vote: %(num)d vote is in. Nobody sees it before all are in.",
                "Three other arbiters vote: %(num)d votes are in. Nobody sees them before all are in.",
                votes,
            )
    return ""


def default_words(standing: Standing) -> str:
    """What comes when the time is over and nobody has done anything."""
    match standing.rung:
        case Rung.TALK if standing.has_answered:
            return _("Then a mediator is asked.")
        case Rung.TALK if standing.opener is Seat.PROVIDER and standing.is_delivered:
            return _("Without an answer the money is then released to the provider.")
        case Rung.TALK:
            return _("Without an answer the money then goes back to the payer.")
        case Rung.MEDIATION:
            return _("Without an agreement an arbiter then decides.")
        case Rung.ARBITRATION if standing.is_delivered:
            return _(
                "Then another arbiter is asked; if none rules, each side gets half, as a result was delivered."
            )
        case Rung.ARBITRATION:
            return _("Then another arbiter is asked; if none rules, the payer has the money back.")
        case Rung.APPEAL:
            return _("Then the ruling is executed.")
        case Rung.PANEL:
            return _(
                "Then the votes that are in count; with fewer than two of them, the first ruling stands."
            )
    return ""


def note_of(kind: str, detail: dict[str, Any]) -> str:
    """What an event of a dispute meant."""
    reason = as_sentence(recalled(detail.get("reason")))
    share = detail.get("share_basis_points")
    decided = share_words(share) if isinstance(share, int) else ""
    match kind:
        case "dispute_mediation" | "dispute_arbitration":
            return _("The time was over.") if detail.get("why") == "time" else ""
        case "dispute_assigned":
            return _ASSIGNED.get(detail.get("seat", ""), "")
        case "dispute_reassigned":
            return _("Nothing was decided in time.")
        case "dispute_proposed" | "dispute_ruled":
            return f"{decided} {reason}"
        case "dispute_appealed":
            return reason
        case "dispute_votes":
            return f"{decided} {_WAYS.get(detail.get('way', ''), '')}"
        case "dispute_silence" | "dispute_no_ruling":
            return decided
    return ""


_ASSIGNED = {
    "mediator": said("A mediator who has no part in it."),
    "arbiter": said("An arbiter who has no part in it."),
    "panel": said("Other arbiters who have no part in it."),
}
_WAYS = {
    "majority": said("By a majority."),
    "median": said("All three differed, so the one in the middle counts."),
    "first_ruling": said("There was no majority, so the first ruling stands."),
}
