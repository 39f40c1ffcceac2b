"""A dispute on the page of its escrow: what its two sides do, and what those who are assigned decide."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from webapp.blueprints.escrows.blueprint import bp, manager, show_url
from webapp.blueprints.escrows.page import show_page
from webapp.blueprints.forms.disputes import DecisionForm, GroundsForm, StatementForm
from webapp.domain.disputes.rungs import Rung
from webapp.domain.exceptions import ConflictError, NotFoundError, ValidationError
from webapp.domain.roles import Role
from webapp.services.disputes.judging import Judging
from webapp.services.disputes.ladder import DisputeLadder
from webapp.web.current import db_session, services
from webapp.web.dispute_view import dispute_of
from webapp.web.forms import PageForm
from webapp.web.guards import roles, signed_in
from webapp.web.htmx import in_place_of, is_htmx, render
from webapp.web.live import live
from webapp.web.presses import press_once


@bp.get("/<uuid:escrow_id>/dispute")
@signed_in
@live
def dispute_state(escrow_id: uuid.UUID) -> ResponseReturnValue:
    """Where the dispute stands and what is said in it, for open pages; what depends on it, when that has changed."""
    escrow = manager().get_escrow(escrow_id)
    dispute = dispute_of(escrow)
    if dispute is None:
        raise NotFoundError("there is no dispute over this escrow")
    if not is_htmx():
        return redirect(show_url(escrow_id), code=303)
    if request.args.get("seen") == dispute.mark:
        return render("escrows/show", "escrow_dispute_state", escrow=escrow, dispute=dispute)
    return in_place_of("escrow_status", show_page(escrow_id))


@bp.post("/<uuid:escrow_id>/dispute/statements")
@signed_in
def add_statement(escrow_id: uuid.UUID) -> ResponseReturnValue:
    """Say something. It stays."""
    form = StatementForm()
    return _act(
        escrow_id,
        lambda: _ladder().speak(escrow_id, form.text.data or "", form.seen.data),
        _("Said. The other side can read it now."),
        statement_form=form,
    )


@bp.post("/<uuid:escrow_id>/dispute/escalate")
@signed_in
def escalate_dispute(escrow_id: uuid.UUID) -> ResponseReturnValue:
    """Go on to the next rung."""
    seen = request.form.get("seen", "")
    message = _("A mediator is asked.") if seen == Rung.TALK else _("An arbiter is asked.")
    return _act(escrow_id, lambda: _ladder().escalate(escrow_id, seen), message)


@bp.post("/<uuid:escrow_id>/dispute/accept")
@signed_in
def accept_in_dispute(escrow_id: uuid.UUID) -> ResponseReturnValue:
    """Accept what is proposed or ruled."""
    seen = request.form.get("seen", "")
    return _act(escrow_id, lambda: _ladder().accept(escrow_id, seen), _("Accepted."))


@bp.post("/<uuid:escrow_id>/dispute/appeal")
@signed_in
def appeal_dispute(escrow_id: uuid.UUID) -> ResponseReturnValue:
    """Have three others judge."""
    form = GroundsForm()
    return _act(
        escrow_id,
        lambda: _ladder().appeal(escrow_id, form.reason.data or "", form.seen.data),
        _("Three other arbiters judge it now."),
        grounds_form=form,
    )


@bp.post("/<uuid:escrow_id>/dispute/decide")
@roles(Role.ARBITER)
def decide_dispute(escrow_id: uuid.UUID) -> ResponseReturnValue:
    """Propose, rule or vote, as the rung is that was seen."""
    form, judging = DecisionForm(), _judging()
    deeds = {
        Rung.MEDIATION.value: (judging.propose, _("Proposed. Both sides can accept it now.")),
        Rung.ARBITRATION.value: (judging.rule, _("The ruling is stated.")),
        Rung.PANEL.value: (judging.vote, _("Your vote is in. It stays sealed until all are.")),
    }
    seen = form.seen.data or ""
    decide, message = deeds.get(seen, deeds[Rung.PANEL.value])
    return _act(
        escrow_id,
        lambda: decide(escrow_id, form.share, form.reason.data or "", seen),
        message,
        decision_form=form,
    )


@bp.post("/<uuid:escrow_id>/dispute/step-down")
@roles(Role.ARBITER)
def step_down(escrow_id: uuid.UUID) -> ResponseReturnValue:
    """Leave it to somebody else."""
    form = GroundsForm()
    return _act(
        escrow_id,
        lambda: _judging().step_down(escrow_id, form.reason.data or "", form.seen.data),
        _("Somebody else is asked now."),
        grounds_form=form,
    )


def _act(
    escrow_id: uuid.UUID, deed: Callable[[], object], message: str, **forms: PageForm
) -> ResponseReturnValue:
    """Do it once, and show what has become of it; `forms` holds the one that was sent."""
    manager().get_escrow(escrow_id)
    if not all(form.validate() for form in forms.values()):
        return show_page(escrow_id, 422, **forms)

    def press() -> str:
        deed()
        return show_url(escrow_id)

    try:
        location = press_once(press)
    except ValidationError as error:
        for form in forms.values():
            form.take_errors(error)
        return show_page(escrow_id, 422, **forms)
    except ConflictError as error:
        flash(_("Nothing was done: %(why)s.", why=error.detail), "warning")
        return show_page(escrow_id, 409)
    flash(message, "success")
    return show_page(escrow_id) if is_htmx() else redirect(location, code=303)


def _ladder() -> DisputeLadder:
    return services().disputes(db_session(), current_user.actor)


def _judging() -> Judging:
    return services().judging(db_session(), current_user.actor)
