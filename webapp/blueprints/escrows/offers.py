"""Offers on the page of an escrow: made, countered, accepted, declined, withdrawn."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from webapp.blueprints.escrows.blueprint import bp, manager
from webapp.blueprints.escrows.page import act
from webapp.blueprints.forms.offers import AnswerForm, OfferForm
from webapp.domain.money import Amount
from webapp.services.offers import Offers
from webapp.web.current import db_session, services
from webapp.web.guards import signed_in
from webapp.web.htmx import is_htmx, render
from webapp.web.live import live
from webapp.web.offer_view import offers_view, parts_of


@bp.get("/<uuid:escrow_id>/offers")
@signed_in
@live
def show_offers(escrow_id: uuid.UUID) -> ResponseReturnValue:
    """The offers by themselves, which the page asks for as they change; what is being typed beside them stays."""
    escrow = manager().get_escrow(escrow_id)
    # The form stands on the page of the escrow; that of the offers alone has none.
    asker = request.headers.get("HX-Current-URL", "").partition("?")[0]
    has_form = is_htmx() and not asker.endswith(request.path)
    context: dict[str, Any] = {"escrow": escrow, "offers": offers_view(escrow), "brings_answers": has_form}
    return render("escrows/offers", "escrow_offer_list", **context)


@bp.get("/<uuid:escrow_id>/offers/split")
@signed_in
def preview_offer(escrow_id: uuid.UUID) -> ResponseReturnValue:
    """Who would get what, while a share is being typed."""
    escrow = manager().get_escrow(escrow_id)
    parts = parts_of(escrow, request.args.get("share"))
    return Response(render_template("partials/escrow_offer_split.html", escrow=escrow, parts=parts))


@bp.post("/<uuid:escrow_id>/offers")
@signed_in
def offer(escrow_id: uuid.UUID) -> ResponseReturnValue:
    """Offer the other side a split. While an offer of theirs stands, this is the answer to it."""
    form = OfferForm()

    def effect() -> None:
        _offers().offer(
            escrow_id, form.share.data, form.message.data, answers=form.answers.data, expires_at=form.until
        )

    return act(
        escrow_id,
        "offer_form",
        form,
        lambda _escrows, _escrow: effect(),
        _("Your offer is made: the other side can accept it now."),
    )


@bp.post("/<uuid:escrow_id>/offers/<int:offer_id>/accept")
@signed_in
def accept_offer(escrow_id: uuid.UUID, offer_id: int) -> ResponseReturnValue:
    """Agree: everybody gets their part at once."""
    form = AnswerForm()

    def effect() -> None:
        seen = Amount.parse(form.share.data, field="share", allow_zero=True)
        _offers().accept(escrow_id, offer_id, seen)

    return _answer(escrow_id, form, effect, _("You have agreed: everybody has their part."))


@bp.post("/<uuid:escrow_id>/offers/<int:offer_id>/decline")
@signed_in
def decline_offer(escrow_id: uuid.UUID, offer_id: int) -> ResponseReturnValue:
    """Say no."""
    return _answer(
        escrow_id,
        AnswerForm(),
        lambda: _offers().decline(escrow_id, offer_id),
        _("You have declined the offer. The money stays where it is."),
    )


@bp.post("/<uuid:escrow_id>/offers/<int:offer_id>/withdraw")
@signed_in
def withdraw_offer(escrow_id: uuid.UUID, offer_id: int) -> ResponseReturnValue:
    """Take it back."""
    return _answer(
        escrow_id,
        AnswerForm(),
        lambda: _offers().withdraw(escrow_id, offer_id),
        _("Your offer is withdrawn."),
    )


def _answer(
    escrow_id: uuid.UUID, form: AnswerForm, effect: Callable[[], object], message: str
) -> ResponseReturnValue:
    return act(escrow_id, "answer_form", form, lambda _escrows, _escrow: effect(), message)


def _offers() -> Offers:
    return services().offers(db_session(), current_user.actor)
