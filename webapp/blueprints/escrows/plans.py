"""Escrows in parts: the form with as many rows as are wanted, and the page of a plan."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.datastructures import MultiDict

from webapp.blueprints.escrows.blueprint import bp
from webapp.blueprints.forms.plans import PlanForm
from webapp.domain.exceptions import FrozenWalletError, InsufficientFundsError, ValidationError
from webapp.services.plans import MAX_PARTS, MIN_PARTS, Plans
from webapp.services.wallet_ownership import list_wallets
from webapp.web.current import db_session, services
from webapp.web.formats import duration
from webapp.web.guards import signed_in
from webapp.web.htmx import done, render
from webapp.web.live import live
from webapp.web.parties import wallet_name
from webapp.web.plan_view import BAR_WIDTH, bar_of, sum_of
from webapp.web.presses import press_once
from webapp.web.wallet_choices import wallet_choices

# What the form of a single escrow says of all parts; its amount is the first one's.
_CARRIED = ("provider_wallet_id", "service_name", "task_id", "provider_node_id", "verifier_key_id")
_AMOUNTS = [f"parts-{number}-amount" for number in range(MAX_PARTS)]


@bp.get("/plans/new")
@signed_in
def new_plan() -> ResponseReturnValue:
    """The form. What stands in the address is filled in."""
    return _form_page(_form(request.args))


@bp.post("/plans/begin")
@signed_in
def begin_plan() -> ResponseReturnValue:
    """From the form of a single escrow to this one, with what was typed there."""
    typed = {name: request.form[name] for name in _CARRIED if request.form.get(name)}
    if request.form.get("amount"):
        typed[_AMOUNTS[0]] = request.form["amount"]
    return done(url_for("escrows.new_plan", **typed))  # type: ignore[arg-type]


@bp.post("/plans/rows")
@signed_in
def change_rows() -> ResponseReturnValue:
    """The form with what was typed, and one row more or less. Nothing is checked or made."""
    return _form_page(_form(request.form, request.form.get("rows", type=int)))


@bp.get("/plans/sum")
@signed_in
def preview_plan() -> ResponseReturnValue:
    """What the parts add to, while they are being typed."""
    context = _sum_of([request.args.get(name) for name in _AMOUNTS])
    return Response(render_template("partials/plan_sum.html", **context))


@bp.post("/plans")
@signed_in
def create_plan() -> ResponseReturnValue:
    """Lock all parts, or none; leads to the plan."""
    form = _form(request.form)
    if form.validate_all():
        try:
            location = press_once(lambda: _create(form))
        except InsufficientFundsError:
            form.form_errors.append(_("All parts together are more than you have available."))
        except FrozenWalletError:
            form.form_errors.append(
                _("Your wallet is frozen: nothing can leave it until an operator looked at it.")
            )
        except ValidationError as error:
            form.take_errors(error)
        else:
            return done(location, message=_("All parts are created and their amounts locked."))
    return _form_page(form, 422)


@bp.get("/plans/<uuid:plan_id>")
@signed_in
@live
def show_plan(plan_id: uuid.UUID) -> ResponseReturnValue:
    """A plan and its parts. To those who are no party to it there is none."""
    overview = _plans().get(plan_id)
    return render(
        "escrows/plan",
        "plan_status",
        overview=overview,
        bar=bar_of(overview),
        bar_width=BAR_WIDTH,
        topics=[f"escrow-{part.id}" for part in overview.parts if part.refunded_amount is None],
        wallet_name=lambda wallet_id: wallet_name(wallet_id, current_user.actor),
    )


def _create(form: PlanForm) -> str:
    made = _plans().create(
        form.payer_wallet_id.data,
        form.provider_wallet_id.data or 0,
        form.title.data or "",
        form.milestones(),
        service_name=form.service_name.data or "",
        task_id=form.task_id.data or "",
        provider_node_id=form.provider_node_id.data or None,
        verifier_key_id=form.verifier_key_id.data or None,
    )
    return url_for("escrows.show_plan", plan_id=made.plan.id)


def _plans() -> Plans:
    return services().plans(db_session(), current_user.actor)


def _form(filled: MultiDict[str, str], rows: int | None = None) -> PlanForm:
    wallets = wallet_choices()
    return PlanForm(filled, wallets, rows)


def _form_page(form: PlanForm, status: int = 200) -> Response:
    return render(
        "escrows/new_plan",
        "plan_form",
        status=status,
        form=form,
        wallets=list_wallets(db_session(), current_user.id),
        least_rows=MIN_PARTS,
        most_rows=MAX_PARTS,
        usual_deadline=duration(services().settings.escrow.default_deadline_hours),
        **_sum_of([row.amount.data for row in form.rows]),
    )


def _sum_of(texts: list[str | None]) -> dict[str, Any]:
    return {"sums": sum_of(texts, services().settings.escrow.fund_basis_points)}
