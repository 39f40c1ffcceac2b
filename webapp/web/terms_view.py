"""How an escrow ends, for one reader: which conditions hold, what is missing and from whom, what comes by time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from flask_login import current_user

from webapp.domain.escrow_states import Party, Status
from webapp.domain.terms.conditions import State, Turn
from webapp.domain.terms.language import PayerApproves, PreimageOf
from webapp.domain.terms.phrases import Names, Reader
from webapp.domain.terms.sentences import Told, tell_outcome, tell_prediction, tell_turn
from webapp.models import Escrow
from webapp.services.terms.outlook import Outlook, outlook, usual_outlook
from webapp.web.current import db_session, services
from webapp.web.formats import day_and_time
from webapp.web.language import translated
from webapp.web.parties import wallet_name


@dataclass(frozen=True, slots=True)
class Look:
    """A condition as it is drawn: its clause or heading, an icon with a tone, what that means, and whose turn it is."""

    text: str
    icon: str
    tone: str
    turn: str
    parts: list[Look]
    is_group: bool


@dataclass(frozen=True, slots=True)
class TermsView:
    """`trees` are headings with what is below them. `mark` changes whenever something of this is shown otherwise."""

    is_own: bool
    is_open: bool
    trees: list[tuple[str, Look]]
    predictions: list[str]
    ends_by: datetime
    asks_approval: bool
    asks_secret: bool
    mark: str


def terms_view(escrow: Escrow, parties: frozenset[Party]) -> TermsView | None:
    """The view for whoever is logged in; None for the usual terms when there is nothing to foresee any more.

    For the usual terms no query is needed.
    """
    settings = services().settings
    if escrow.has_own_terms:
        found = outlook(db_session(), settings, escrow)
        return _view(found, _names(escrow), True, escrow.terms.decide_themselves, parties)
    if escrow.status not in (Status.ACTIVE, Status.DELIVERED):
        return None
    return _view(usual_outlook(settings, escrow), _names(escrow), False, True, parties)


def view_of_trial(found: Outlook) -> TermsView:
    """The view of terms that are tried out, for the payer who types them."""
    return _view(found, Names(reader=Reader.PAYER, moment=day_and_time), True, True, frozenset())


def _names(escrow: Escrow) -> Names:
    actor = current_user.actor
    reader = Reader.ANOTHER
    if escrow.payer_wallet_id in actor.wallet_ids:
        reader = Reader.PAYER
    elif escrow.provider_wallet_id in actor.wallet_ids:
        reader = Reader.PROVIDER
    payer, provider = (
        wallet_name(each, actor) for each in (escrow.payer_wallet_id, escrow.provider_wallet_id)
    )
    return Names(payer, provider, reader, day_and_time)


def _view(found: Outlook, names: Names, is_own: bool, is_open: bool, parties: frozenset[Party]) -> TermsView:
    look = partial(_look, names=names, is_open=is_open)
    trees = [(translated(tree.text), look(tree.parts[0])) for tree in tell_outcome(found.now, names)]
    predictions = [translated(tell_prediction(each, names)) for each in found.predictions] if is_open else []
    waits = list(_waiting(found)) if is_open and is_own else []
    return TermsView(
        is_own=is_own,
        is_open=is_open,
        trees=trees,
        predictions=predictions,
        ends_by=found.ends_by,
        asks_approval=Party.PAYER in parties and PayerApproves() in waits,
        asks_secret=any(isinstance(each, PreimageOf) for each in waits),
        mark=hashlib.sha256(repr((trees, predictions)).encode()).hexdigest()[:16],
    )


def _waiting(found: Outlook) -> Iterator[object]:
    """The leaves that somebody can still bring about."""
    states = list(found.now.conditions)
    while states:
        state = states.pop()
        states += state.parts
        if state.turn is not None:
            yield state.condition


def _look(told: Told, names: Names, is_open: bool) -> Look:
    icon, tone = _sign(told.state, is_open)
    turn = told.state.turn
    return Look(
        text=translated(told.text),
        icon=icon,
        tone=tone,
        turn=translated(tell_turn(turn, names))
        if turn is not None and turn is not Turn.TIME and is_open
        else "",
        parts=[_look(part, names, is_open) for part in told.parts],
        is_group=bool(told.parts),
    )


def _sign(state: State, is_open: bool) -> tuple[str, str]:
    if state.holds:
        return "done-circle", "good"
    return ("circle", "waiting") if state.can_hold and is_open else ("cross", "plain")
