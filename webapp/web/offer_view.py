"""What the page of an escrow shows of the offers that its sides have made, to one reader."""

from __future__ import annotations

from dataclasses import dataclass

from flask_login import current_user

from webapp.domain.escrow_states import HOLDING, Status
from webapp.domain.exceptions import InvalidAmountError, PermissionDeniedError, ValidationError
from webapp.domain.money import Amount
from webapp.domain.offers import OfferStatus, Side
from webapp.models import Escrow
from webapp.services.escrow_division import Division
from webapp.services.offers import Offers, StandingOffer
from webapp.web.current import db_session, services


@dataclass(frozen=True, slots=True)
class OffersView:
    """`side` is the one that the reader may negotiate for, None when they only look on. `mine` and `theirs` are open
    offers of the reader's side and of the other one; to those who look on, all open ones are in `others`.
    """

    side: Side | None
    mine: StandingOffer | None
    theirs: StandingOffer | None
    others: list[StandingOffer]
    past: list[StandingOffer]
    is_live: bool

    @property
    def is_shown(self) -> bool:
        """Whether there is anything to show or to do."""
        return bool((self.side and self.is_live) or self.mine or self.theirs or self.others or self.past)

    @property
    def theirs_id(self) -> int | None:
        """The offer of the other side that one of the reader's would be made in place of."""
        return self.theirs.offer.id if self.theirs else None


def offers_view(escrow: Escrow) -> OffersView:
    """The offers of an escrow, for whoever is logged in."""
    offers = services().offers(db_session(), current_user.actor)
    side = _side(offers, escrow)
    every = offers.list(escrow)
    is_open = [each for each in every if each.status is OfferStatus.OPEN]
    by_side = {Side(each.offer.side): each for each in is_open}
    return OffersView(
        side=side,
        mine=by_side.get(side) if side else None,
        theirs=by_side.get(side.other) if side else None,
        others=[] if side else is_open,
        past=[each for each in every if each.status is not OfferStatus.OPEN],
        is_live=Status(escrow.status) in HOLDING,
    )


def _side(offers: Offers, escrow: Escrow) -> Side | None:
    try:
        return offers.side(escrow)
    except PermissionDeniedError:
        return None


def parts_of(escrow: Escrow, share: str | None) -> Division | None:
    """Who would get what of it by a share that is being typed; None while it is not one."""
    try:
        return Division.of(escrow, Amount.parse((share or "").strip(), allow_zero=True))
    except (InvalidAmountError, ValidationError):
        return None
