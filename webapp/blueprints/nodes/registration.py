"""A new node: the form, and the one answer that shows its secret."""

from __future__ import annotations

from flask import Response
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp.blueprints.forms.nodes import RegisterNodeForm
from webapp.blueprints.nodes.blueprint import bp, registry
from webapp.domain.exceptions import ValidationError
from webapp.services.wallet_ownership import list_wallets
from webapp.web.current import db_session, services
from webapp.web.guards import signed_in
from webapp.web.htmx import render
from webapp.web.node_view import IssuedSecret
from webapp.web.step_up import confirmed
from webapp.web.wallet_choices import wallet_choices


@bp.get("/new")
@signed_in
def new() -> ResponseReturnValue:
    """The form for another node."""
    return _new_page(_form(is_empty=True))


@bp.post("/new")
@signed_in
@confirmed()
def register() -> ResponseReturnValue:
    """Register it. Its secret is in this answer and nowhere else."""
    form = _form()
    if form.validate():
        try:
            made = registry().register(
                current_user.actor, form.node_id.data or "", form.wallet_id.data, **form.terms
            )
        except ValidationError as error:
            form.take_errors(error)
        else:
            issued = IssuedSecret.of(made.node.id, made.key)
            return render("nodes/registered", "node_registered", status=201, issued=issued)
    return _new_page(form, 422)


def _form(is_empty: bool = False) -> RegisterNodeForm:
    form = RegisterNodeForm(formdata=None) if is_empty else RegisterNodeForm()
    form.offer(wallet_choices())
    return form


def _new_page(form: RegisterNodeForm, status: int = 200) -> Response:
    return render(
        "nodes/new",
        "node_form",
        status=status,
        form=form,
        wallets=list_wallets(db_session(), current_user.id),
        heartbeat_seconds=services().settings.nodes.heartbeat_seconds,
    )
