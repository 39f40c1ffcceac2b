"""The components of pages, all on one: for whoever changes the style sheet or a macro. It shows samples, no data."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from webapp.blueprints.forms.escrows import DeliverForm
from webapp.blueprints.forms.nodes import ChangeNodeForm
from webapp.blueprints.forms.operations import FreezeForm
from webapp.blueprints.operations.blueprint import bp
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import ValidationError
from webapp.domain.money import Amount
from webapp.domain.roles import Role
from webapp.domain.said import said
from webapp.web.guards import roles
from webapp.web.htmx import render
from webapp.web.states import known_looks

SAMPLE_ID = "7f3c9a1e5b8d2460c7f3e9a1b5d82460c7f3e9a15b8d2460c7f3e9a1b5d82460"


@bp.get("/style")
@roles(Role.OPERATOR)
def style() -> ResponseReturnValue:
    """Every component once, with and without what it can have."""
    return render("operations/style", **_samples())


def _samples() -> dict[str, Any]:
    now, here = utcnow(), url_for("operations.style")
    wrong = FreezeForm(prefix="wrong", data={"wallet": 12345})
    wrong.take_errors(ValidationError.of("wallet", said("there is no such wallet")))
    return {
        "amounts": [Amount(1), Amount.parse("2.5"), Amount.parse("1234567.00000001")],
        "looks": known_looks(),
        "sample_id": SAMPLE_ID,
        "past": now - timedelta(hours=3),
        "ahead": now + timedelta(days=2),
        "form": FreezeForm(prefix="right"),
        "wrong": wrong,
        "node_form": ChangeNodeForm(),
        "deliver_form": DeliverForm(),
        "tabs_shown": [(_("All"), here, True), (_("Open"), here, False)],
        "here": here,
    }
