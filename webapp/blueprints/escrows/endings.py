"""How a new escrow is to end: tried out while it is chosen. Nothing is made here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from webapp.blueprints.escrows.blueprint import bp
from webapp.blueprints.forms.escrow_terms import EndingFields
from webapp.blueprints.forms.escrows import EscrowForm
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import ValidationError
from webapp.services.service_orders import ordered_service
from webapp.services.terms.outlook import try_out
from webapp.web.current import db_session, services
from webapp.web.guards import signed_in
from webapp.web.language import translated
from webapp.web.parties import at_the_beginning
from webapp.web.terms_view import view_of_trial


@bp.post("/ending")
@signed_in
def preview_ending() -> ResponseReturnValue:
    """What would come of the terms that are being typed."""
    form = EscrowForm(formdata=request.form)
    form.offer([])
    return Response(render_template("partials/escrow_simulation.html", **trial_of(form)))


def trial_of(form: EscrowForm) -> dict[str, Any]:
    """What partials/escrow_simulation needs: the terms tried out, or why they cannot be."""
    if form.ending.data not in dict(_choices(form)):
        return {"trial": None, "trial_errors": []}
    try:
        outlook = try_out(db_session(), services().settings, chosen_terms(form))
    except ValidationError as error:
        mapped = form.ending_error(error)
        return {"trial": None, "trial_errors": [_told(form, *each) for each in mapped.fields.items()]}
    return {"trial": view_of_trial(outlook), "trial_errors": []}


def _choices(form: EndingFields) -> list[tuple[str, str]]:
    return [(each.value, each.label) for each in form.ending.choices]


def _told(form: EscrowForm, name: str, message: str) -> str:
    text = at_the_beginning(translated(message).rstrip("."))
    if name in form and name != "ending":
        return _("%(field)s: %(message)s.", field=str(form[name].label.text), message=text)
    return f"{text}."


def chosen_terms(form: EscrowForm) -> dict[str, Any]:
    """The document of the terms that were chosen, the usual ones included. Raises ValidationError naming fields."""
    settings = services().settings.escrow
    deadline = form.deadline or utcnow() + timedelta(hours=settings.default_deadline_hours)
    named = {"service_name": form.service_name.data, "provider_wallet_id": form.provider_wallet_id.data}
    service = ordered_service(db_session(), named)
    hours = (service.acceptance_hours if service else None) or settings.acceptance_window_hours
    return form.document(deadline, hours, bool(form.verifier_key_id.data))
