"""The page of one escrow: its timeline, and what its parties do to it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from flask import Response, flash, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from webapp.blueprints.escrows.blueprint import bp, manager, show_url
from webapp.blueprints.forms.disputes import DecisionForm, GroundsForm, StatementForm
from webapp.blueprints.forms.escrow_secret import SecretForm
from webapp.blueprints.forms.escrows import DeliverForm, DisputeForm, RefundForm, ReleaseForm
from webapp.blueprints.forms.evidence import EvidenceForm
from webapp.blueprints.forms.offers import OfferForm
from webapp.domain.clock import utcnow
from webapp.domain.escrow_states import Action, Status
from webapp.domain.exceptions import (
    EscrowStateError,
    OfferStateError,
    ResultValidationError,
    ValidationError,
)
from webapp.domain.result_rules.kinds import Kind
from webapp.domain.result_rules.words import rules_in_words
from webapp.domain.roles import Scope
from webapp.domain.said import said
from webapp.models import Escrow
from webapp.services.escrow_manager import EscrowManager
from webapp.services.result_inspection import Inspection, find_report, inspect_result
from webapp.services.service_orders import ServiceOrder, acceptance_hours
from webapp.web.body_sizes import takes_results
from webapp.web.current import db_session, services
from webapp.web.dispute_view import dispute_of
from webapp.web.due_terms import settling_what_is_due
from webapp.web.escrow_view import view_of
from webapp.web.evidence_view import evidence_of
from webapp.web.forms import PageForm
from webapp.web.guards import signed_in
from webapp.web.htmx import done, in_place_of, is_htmx, render
from webapp.web.language import translated
from webapp.web.live import live
from webapp.web.offer_view import offers_view
from webapp.web.presses import press_once
from webapp.web.states import state_word
from webapp.web.terms_view import terms_view

MADE_HERE = "Made to deliver in the browser"


@bp.get("/<uuid:escrow_id>")
@signed_in
def show(escrow_id: uuid.UUID) -> ResponseReturnValue:
    """One escrow. To those who are no party to it there is none."""
    return show_page(escrow_id)


@bp.get("/<uuid:escrow_id>/timeline")
@signed_in
@live
def timeline(escrow_id: uuid.UUID) -> ResponseReturnValue:
    """The timeline by itself, asked for every few seconds. When the state has changed, all that depends on it; when
    more of the payment has arrived, that.
    """
    escrow = manager().get_escrow(escrow_id)
    if request.args.get("seen") == escrow.status:
        context = _context(escrow)
        payment = context["view"].payment
        brings_payment = is_htmx() and payment is not None and request.args.get("paid") != payment.mark
        terms = context["terms"]
        brings_terms = is_htmx() and terms is not None and request.args.get("terms") != terms.mark
        brings = {"brings_payment": brings_payment, "brings_terms": brings_terms}
        return render("escrows/show", "escrow_timeline", **brings, **context)
    if is_htmx():
        flash(_("The escrow is %(status)s now.", status=state_word(escrow.status)), "info")
    return in_place_of("escrow_status", show_page(escrow_id))


@bp.post("/<uuid:escrow_id>/deliver")
@takes_results
@signed_in
def deliver(escrow_id: uuid.UUID) -> ResponseReturnValue:
    """Hand in the result, signed by the provider or for it with its own key."""
    form = DeliverForm()
    # Where no hash was entered, it is the file's. It is not put into the form: the next file has another.
    result_hash = form.result_hash.data or ""
    inspection: Inspection | None = None

    def look(escrows: EscrowManager) -> None:
        nonlocal result_hash, inspection
        settings = services().settings
        if submitted := form.take_file(settings.escrow.max_result_size):
            result_hash = result_hash or submitted.hash
            inspection = inspect_result(
                db_session(), settings, escrows, escrow_id, Action.DELIVER, submitted, result_hash
            )

    def effect(escrows: EscrowManager, escrow: Escrow) -> None:
        signature = form.provider_signature.data or _sign(escrow, form, result_hash)
        escrows.deliver_escrow(escrow_id, result_hash, signature, inspection)

    return act(escrow_id, "deliver_form", form, effect, _("The result is delivered."), look)


@bp.post("/<uuid:escrow_id>/release")
@signed_in
def release(escrow_id: uuid.UUID) -> ResponseReturnValue:
    """Pay the provider and the fund."""
    form = ReleaseForm()

    def effect(escrows: EscrowManager, _escrow: Escrow) -> None:
        escrows.release_escrow(escrow_id, form.result_hash.data or None, form.provider_signature.data or None)

    return act(escrow_id, "release_form", form, effect, _("Released: the provider and the fund are paid."))


@bp.post("/<uuid:escrow_id>/refund")
@signed_in
def refund(escrow_id: uuid.UUID) -> ResponseReturnValue:
    """Give the amount back to the payer, or cancel what is not paid for."""
    form = RefundForm()

    def effect(escrows: EscrowManager, _escrow: Escrow) -> None:
        escrows.refund_escrow(escrow_id, form.reason.data)

    was_pending = form.seen.data == Status.PENDING
    message = _("The escrow is cancelled.") if was_pending else _("Refunded: the payer has the money back.")
    return act(escrow_id, "refund_form", form, effect, message)


@bp.post("/<uuid:escrow_id>/dispute")
@signed_in
def dispute(escrow_id: uuid.UUID) -> ResponseReturnValue:
    """Object: the ladder of a dispute begins."""
    form = DisputeForm()

    def effect(escrows: EscrowManager, _escrow: Escrow) -> None:
        escrows.dispute_escrow(escrow_id, form.reason.data)

    message = _("The other side is to answer now; the money stays where it is until it is decided.")
    return act(escrow_id, "dispute_form", form, effect, message)


def act(
    escrow_id: uuid.UUID,
    form_name: str,
    form: PageForm,
    effect: Callable[[EscrowManager, Escrow], object],
    message: str,
    look: Callable[[EscrowManager], None] | None = None,
) -> Response:
    """Do it once. `look` comes before, and outside of the transaction."""
    escrows = manager()
    escrows.get_escrow(escrow_id)
    if not form.validate():
        return show_page(escrow_id, 422, **{form_name: form})

    def press() -> str:
        escrow = escrows.get_escrow(escrow_id)
        if form["seen"].data != escrow.status:
            raise EscrowStateError(said("the escrow has moved on"), current_status=escrow.status)
        effect(escrows, escrow)
        return show_url(escrow_id)

    try:
        if look is not None:
            look(escrows)
        with settling_what_is_due():
            location = press_once(press)
    except EscrowStateError as error:
        flash(
            _(
                "Nothing was done: the escrow is %(status)s by now.",
                status=state_word(error.current_status),
            ),
            "warning",
        )
        return show_page(escrow_id, 409)
    except OfferStateError as error:
        flash(_("Nothing was done: %(why)s.", why=translated(error.detail)), "warning")
        return show_page(escrow_id, 409, **{form_name: form})
    except (ValidationError, ResultValidationError) as error:
        form.take_errors(error)
        return show_page(escrow_id, 422, **{form_name: form})
    return done(location, "escrow_status", message=message, **_context(escrows.get_escrow(escrow_id)))


def _sign(escrow: Escrow, form: DeliverForm, result_hash: str) -> str:
    """The provider's own signature. Makes a key for it first, when there is none and the provider wants one."""
    if escrow.provider_wallet_id not in current_user.actor.wallet_ids:
        return ""  # Nobody signs for somebody else; delivering is refused for it.
    if not _signing_keys(escrow):
        if escrow.provider_node_id:
            raise ValidationError.of("provider_signature", said("is needed: the node has no key that works"))
        if not form.make_key.data:
            raise ValidationError.of(
                "provider_signature", said("is needed, unless a signing key is made for you")
            )
        keys = services().signing_keys(db_session())
        keys.create(escrow.provider_wallet_id, [Scope.ESCROW_DELIVER.value], label=MADE_HERE)
    return (
        services()
        .node_auth(db_session())
        .sign_result(
            escrow.provider_wallet_id,
            escrow.provider_node_id,
            escrow.id,
            escrow.amount,
            result_hash.lower(),
        )
    )


def _signing_keys(escrow: Escrow) -> int:
    """How many keys could sign a result of this escrow in its provider's name."""
    keys = services().signing_keys(db_session()).list_for_wallet(escrow.provider_wallet_id)
    node_id = escrow.provider_node_id
    return sum(key.is_usable(utcnow()) and node_id in (None, key.node_id) for key in keys)


def show_page(
    escrow_id: uuid.UUID, status: int = 200, partial: str = "escrow_status", **forms: PageForm
) -> Response:
    """The page, or to HTMX that partial of it; `forms` holds the one that was just sent, with its errors."""
    context = _context(manager().get_escrow(escrow_id), **forms)
    return render("escrows/show", partial, status=status, **context)


def _rules(escrow: Escrow) -> list[str]:
    """What its result must be, in words; nothing when its service is not of the catalogue."""
    order = ServiceOrder.of(escrow)
    return rules_in_words(Kind(order.kind), order.limits, order.requires_result) if order else []


def _context(escrow: Escrow, **forms: PageForm) -> dict[str, Any]:
    """What the page of an escrow and its partials show; `forms` holds the one that was just sent."""
    parties = manager().parties(escrow)
    view = view_of(escrow, parties)
    return {
        "view": view,
        "escrow": escrow,
        "deliver_form": DeliverForm(formdata=None),
        "release_form": ReleaseForm(formdata=None),
        "refund_form": RefundForm(formdata=None),
        "dispute_form": DisputeForm(formdata=None),
        "has_signing_key": view.may("deliver") and _signing_keys(escrow) > 0,
        "acceptance_hours": acceptance_hours(escrow, services().settings),
        "report": find_report(db_session(), escrow.id),
        "rules": _rules(escrow),
        "terms": terms_view(escrow, parties),
        "secret_form": SecretForm(formdata=None),
        "dispute": dispute_of(escrow) if view.was_disputed else None,
        "bond": services().settings.disputes.bond,
        "statement_form": StatementForm(formdata=None),
        "grounds_form": GroundsForm(formdata=None),
        "decision_form": DecisionForm(formdata=None),
        "evidence": evidence_of(escrow, parties),
        "evidence_form": EvidenceForm(formdata=None),
        "offers": offers_view(escrow),
        "plan": services().plans(db_session(), current_user.actor).find(escrow),
        "offer_form": OfferForm(formdata=None),
    } | forms
