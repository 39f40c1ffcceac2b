"""Payouts as operators see them: everybody's, by state; and one, with what can be done about it."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response, flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from webapp.blueprints.forms.operator_payouts import (
    BecauseForm,
    ConfirmForm,
    EvidenceBecauseForm,
    EvidenceForm,
    RateForm,
)
from webapp.blueprints.operations.blueprint import bp
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import DuxosError, NotFoundError, ValidationError, WalletIntegrationError
from webapp.domain.money import Amount
from webapp.domain.payout_states import FINAL, FOR_OTHERS, PayoutAction
from webapp.domain.roles import Role
from webapp.domain.said import said
from webapp.models import Payout
from webapp.services import operator_actions
from webapp.services.chain_reach import Reach
from webapp.services.custody import approvals
from webapp.services.payouts import deadlines, inspection
from webapp.services.payouts.foreign_evidence import Evidence
from webapp.services.payouts.operations import PayoutOperations, subject_of
from webapp.web.current import db_session, services
from webapp.web.forms import PageForm
from webapp.web.guards import roles
from webapp.web.htmx import done, render
from webapp.web.language import translated
from webapp.web.parties import as_sentence
from webapp.web.payout_offers import FORMS_OF, MESSAGES, offers_of, words_of
from webapp.web.payout_view import PayoutView, view_of
from webapp.web.presses import press_once, press_repeatable
from webapp.web.states import state_look
from webapp.web.step_up import confirmed

PAGE_SIZE = 20


@bp.get("/payouts")
@roles(Role.OPERATOR)
def payouts() -> ResponseReturnValue:
    """Everybody's payouts, the newest first. Filters and place are in the address."""
    status, cursor = (request.args.get(name) or None for name in ("status", "cursor"))
    is_late = bool(request.args.get("late"))
    session, settings = db_session(), services().settings
    page = inspection.list_payouts(
        session, settings, status=status, is_late=is_late, limit=PAGE_SIZE, cursor=cursor
    )

    def address(cursor: str | None = None) -> str:
        return url_for("operations.payouts", status=status, late="yes" if is_late else None, cursor=cursor)

    return render(
        "operations/payouts",
        "operations_payouts",
        payouts=page.items,
        tabs=_tabs(status, is_late),
        is_filtered=bool(status or is_late),
        next_url=address(page.next_cursor) if page.next_cursor else None,
        first_url=address() if cursor else None,
        is_late=_is_late,
    )


@bp.get("/payouts/<uuid:payout_id>")
@roles(Role.OPERATOR)
def payout(payout_id: uuid.UUID) -> ResponseReturnValue:
    """One payout: where it is and why, what was done about it, and what can be."""
    return _page(payout_id)


@bp.post("/payouts/<uuid:payout_id>/do/<action>")
@roles(Role.OPERATOR)
@confirmed()
def act_on_payout(payout_id: uuid.UUID, action: str) -> ResponseReturnValue:
    """Hold it, let it go, approve it, give it back, send it again, raise its fee, or say what has paid it."""
    try:
        wanted = PayoutAction(action)
    except ValueError:
        raise NotFoundError(said("there is no such action")) from None
    form: PageForm = _FORMS[FORMS_OF[wanted]](prefix=wanted.value)
    if not form.validate():
        return _page(payout_id, 422, {wanted: form})
    # What asks the daemon cannot run in one unit of work with its press.
    press = press_once if wanted in _OF_THE_BOOKS else press_repeatable

    def effect() -> str:
        _do(wanted, payout_id, form)
        return url_for("operations.payout", payout_id=payout_id)

    try:
        location = press(effect)
    except NotFoundError:
        raise
    except ValidationError as error:
        form.take_errors(error)
        return _page(payout_id, 422, {wanted: form})
    except DuxosError as error:
        flash(
            _(
                "Nothing was changed. %(reason)s",
                reason=as_sentence(translated(error.detail)),
            ),
            "warning",
        )
        return _page(payout_id, 409)
    return done(location, "operations_payout", message=MESSAGES[wanted], **_context(payout_id))


_FORMS: dict[str, type[PageForm]] = {
    "confirm": ConfirmForm,
    "because": BecauseForm,
    "rate": RateForm,
    "evidence": EvidenceForm,
    "evidence_because": EvidenceBecauseForm,
}
_OF_THE_BOOKS = (PayoutAction.HOLD, PayoutAction.RESUME, PayoutAction.APPROVE)


def _do(action: PayoutAction, payout_id: uuid.UUID, form: Any) -> None:
    held = services()
    actor, seen = current_user.actor, request.form.get("seen", "")
    operations = PayoutOperations(db_session(), held.settings, held.daemon, actor, seen=seen)
    match action:
        case PayoutAction.APPROVE:
            approvals.approve(db_session(), actor, payout_id, form.address.data or "")
        case PayoutAction.HOLD:
            operations.hold(payout_id, form.reason.data)
        case PayoutAction.RESUME:
            operations.resume(payout_id, form.address.data or "")
        case PayoutAction.RETURN:
            operations.return_to_balance(payout_id, form.reason.data)
        case PayoutAction.REBROADCAST:
            operations.rebroadcast(payout_id)
        case PayoutAction.RAISE_FEE:
            operations.raise_fee(payout_id, Amount.parse(form.rate.data, field="rate"))
        case PayoutAction.ACCEPT:
            operations.accept(payout_id, *_read(form))
        case PayoutAction.QUEUE_AGAIN:
            operations.queue_again(payout_id, *_read(form))
        case PayoutAction.RETURN_UNPAID:
            operations.return_unpaid(payout_id, *_read(form), form.reason.data)


def _read(form: Any) -> tuple[str, Amount]:
    """The evidence that the page showed."""
    return form.txid.data or "", Amount.parse(form.share.data or "", field="share", allow_zero=True)


def _page(
    payout_id: uuid.UUID, status: int = 200, forms: dict[PayoutAction, PageForm] | None = None
) -> Response:
    context = _context(payout_id, forms)
    return render("operations/payout", "operations_payout", status=status, **context)


def _context(payout_id: uuid.UUID, sent: dict[PayoutAction, PageForm] | None = None) -> dict[str, Any]:
    """The page; `sent` is the form that came with errors."""
    session, settings = db_session(), services().settings
    found = inspection.get_payout(session, payout_id)
    view = view_of(found, is_for_operator=True)
    raise_offer = inspection.offer_raise(session, settings, view.found)
    evidence = _evidence(view)
    possible = offers_of(view, raise_offer, evidence)
    offers = [offer for offer in possible if _is_ours_to_decide(offer.action, found)]
    forms = {offer.action: _FORMS[offer.form](formdata=None, prefix=offer.action.value) for offer in offers}
    if raise_offer and PayoutAction.RAISE_FEE in forms:
        forms[PayoutAction.RAISE_FEE]["rate"].data = str(raise_offer.rate)
    return {
        "view": view,
        "evidence": evidence,
        "offers": offers,
        "forms": forms | (sent or {}),
        "actions": operator_actions.of_subject(session, subject_of(payout_id)),
        "words_of": words_of,
    }


def _evidence(view: PayoutView) -> Evidence | None:
    """What another transaction pays, where that is in question; None while the daemon cannot say."""
    if not view.is_in_question or view.reach.reach is Reach.DAEMON_DOWN:
        return None
    held = services()
    operations = PayoutOperations(db_session(), held.settings, held.daemon, current_user.actor)
    try:
        return operations.evidence(view.payout.id)
    except WalletIntegrationError:
        return None


def _is_ours_to_decide(action: PayoutAction, found: Payout) -> bool:
    """What is an operator's own is for another one; the services ask again."""
    return action not in FOR_OTHERS or approvals.may_decide(current_user.actor, found)


def _is_late(found: Payout) -> bool:
    due_at = deadlines.due_at(found, services().settings)
    return due_at is not None and due_at < utcnow()


def _tabs(status: str | None, is_late: bool) -> list[tuple[str, str, bool]]:
    """(words, address, whether it is the present one)."""
    counts = inspection.count_states(db_session(), services().settings)
    words = {each.status: f"{translated(state_look(each.status).label)} ({each.count})" for each in counts}
    words |= {each: state_look(each).label for each in FINAL}
    late = sum(each.late for each in counts)
    return [
        (_("All"), url_for("operations.payouts"), not (status or is_late)),
        (_("Late (%(count)s)", count=late), url_for("operations.payouts", late="yes"), is_late),
        *(
            (label, url_for("operations.payouts", status=each.value), status == each)
            for each, label in words.items()
        ),
    ]
