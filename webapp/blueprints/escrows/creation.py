"""A new escrow: the form, the preview of its split, and the lock or the address to pay to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.datastructures import MultiDict

from webapp.blueprints.escrows.blueprint import bp, manager, show_url
from webapp.blueprints.escrows.endings import chosen_terms, trial_of
from webapp.blueprints.forms.escrows import EscrowForm
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import (
    FrozenWalletError,
    InsufficientFundsError,
    InvalidAmountError,
    NoDepositAddressError,
    ValidationError,
)
from webapp.domain.money import split
from webapp.domain.result_rules.kinds import Kind
from webapp.domain.result_rules.words import rules_in_words
from webapp.domain.said import said
from webapp.models import CatalogueService, Escrow
from webapp.services.funding_terms import DEPOSIT
from webapp.services.terms.repetition import repeated_terms
from webapp.services.wallet_ownership import list_wallets
from webapp.web.amount_field import read_amount
from webapp.web.current import db_session, services
from webapp.web.formats import duration, percent
from webapp.web.guards import signed_in
from webapp.web.htmx import done, render
from webapp.web.presses import press_once
from webapp.web.wallet_choices import wallet_choices

_IS_LOCKED = said("The escrow is created and its amount locked.")
_ASKS_FOR_PAYMENT = said("The escrow is created. It begins when your payment has arrived.")


@bp.get("/new")
@signed_in
def new() -> ResponseReturnValue:
    """The form for another escrow. What stands in the address is filled in; `?repeat=` names an escrow to follow,
    `?service=` one of the catalogue.
    """
    service = _chosen_service()
    filled = request.args if service is None else MultiDict(_filled_from(service) | request.args.to_dict())
    form = _escrow_form(filled)
    if "repeat" in request.args:
        usual_time = timedelta(hours=services().settings.escrow.default_deadline_hours)
        repeated = manager().get_escrow(request.args["repeat"])
        form.follow(repeated, current_user.actor.wallet_ids, usual_time)
        if repeated.has_own_terms:
            form.fill_terms(repeated_terms(db_session(), repeated))
    return _new_page(form, service=service)


@bp.post("")
@signed_in
def create() -> ResponseReturnValue:
    """Lock the amount, or ask for a payment; leads to the new escrow."""
    form = _escrow_form()
    if form.validate():
        is_by_deposit = form.funding.data == DEPOSIT
        if is_by_deposit:
            services().wallets(db_session()).stock_address()
        try:
            location = press_once(lambda: show_url(_create(form).id))
        except (InsufficientFundsError, FrozenWalletError) as error:
            form.amount.errors = [*form.amount.errors, _money_refusal(error)]
        except ValidationError as error:
            form.take_errors(form.ending_error(error))
        except NoDepositAddressError as error:
            form.take_errors(error)
        else:
            return done(location, message=_ASKS_FOR_PAYMENT if is_by_deposit else _IS_LOCKED)
    return _new_page(form, 422)


@bp.post("/new")
@signed_in
def try_out() -> ResponseReturnValue:
    """The form with what was typed, and what would come of it: for those without script."""
    return _new_page(_escrow_form())


def _chosen_service() -> CatalogueService | None:
    """The service of the catalogue that is to be ordered, if the address names one that is offered."""
    service_id = request.args.get("service", type=int)
    if service_id is None:
        return None
    service = services().catalogue(db_session()).get(current_user.actor, service_id)
    return service if service.is_active else None


def _filled_from(service: CatalogueService) -> dict[str, str]:
    filled = {"provider_wallet_id": str(service.provider_wallet_id), "service_name": service.name}
    if service.price is not None:
        filled["amount"] = str(service.price)
    if service.deadline_hours is not None:
        deadline = utcnow() + timedelta(hours=service.deadline_hours)
        filled["expires_at"] = deadline.strftime("%Y-%m-%dT%H:%M")
    return filled


def _escrow_form(filled: MultiDict[str, str] | None = None) -> EscrowForm:
    form = EscrowForm(formdata=request.form if filled is None else filled)
    form.offer(wallet_choices())
    return form


def _create(form: EscrowForm) -> Escrow:
    return manager().create_escrow(
        form.payer_wallet_id.data,
        form.provider_wallet_id.data,
        form.amount.data,
        form.service_name.data,
        form.task_id.data,
        provider_node_id=form.provider_node_id.data or None,
        verifier_key_id=form.verifier_key_id.data or None,
        expected_result_hash=form.expected_result_hash.data or None,
        **_ending(form),
        **form.payment,
    )


def _ending(form: EscrowForm) -> dict[str, Any]:
    """A deadline, or terms that say when it ends."""
    if form.is_usual:
        return {"expires_at": form.deadline}
    return {"terms": chosen_terms(form)}


def _money_refusal(error: InsufficientFundsError | FrozenWalletError) -> str:
    if isinstance(error, FrozenWalletError):
        return _("Your wallet is frozen: nothing can leave it until an operator has looked at it")
    return _("Is more than you have available")


def _new_page(form: EscrowForm, status: int = 200, service: CatalogueService | None = None) -> Response:
    wallets = list_wallets(db_session(), current_user.id)
    settings = services().settings.escrow
    return render(
        "escrows/new",
        "escrow_form",
        status=status,
        form=form,
        wallets=wallets,
        rules=rules_in_words(Kind(service.kind), service.limits, service.requires_result) if service else [],
        usual_deadline=duration(settings.default_deadline_hours),
        usual_payment_time=duration(settings.default_funding_hours),
        **_split_of(form.amount.data),
        **trial_of(form),
    )


@bp.get("/split")
@signed_in
def preview_split() -> ResponseReturnValue:
    """Who would get what of an amount, while it is being typed."""
    return Response(render_template("partials/escrow_split.html", **_split_of(request.args.get("amount"))))


def _split_of(text: str | None) -> dict[str, Any]:
    """The parts of what was typed; both None while it is not an amount."""
    basis_points = services().settings.escrow.fund_basis_points
    shares = {"provider_share": percent(10_000 - basis_points), "fund_share": percent(basis_points)}
    try:
        provider_amount, community_amount = split(read_amount(text), basis_points)
    except InvalidAmountError:
        return {"provider_amount": None, "community_amount": None, **shares}
    return {"provider_amount": provider_amount, "community_amount": community_amount, **shares}
