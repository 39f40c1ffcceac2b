"""The fund's rules in the browser: those that hold, those that are announced, and the form that announces others."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from webapp.blueprints.forms.fund_rules import RulesForm
from webapp.blueprints.fund.blueprint import bp
from webapp.domain.canonical import sha256_hex
from webapp.domain.exceptions import ConflictError, ValidationError
from webapp.domain.roles import Role
from webapp.domain.said import said
from webapp.services import fund_rules
from webapp.services.fund_rules import Proposal
from webapp.web.current import db_session, services
from webapp.web.fund_view import change_lines, change_view, how_it_works, is_fund_public
from webapp.web.guards import public_while, roles, signed_in
from webapp.web.htmx import done, render
from webapp.web.own_password import is_own_password, limits_guessing
from webapp.web.presses import press_once

PAGE, PARTIAL = "fund/rules", "fund_rules"
PAGE_SIZE = 10


@bp.get("/rules")
@public_while(is_fund_public)
@signed_in
def rules() -> ResponseReturnValue:
    """The rules, what changed of them and what will; operators have the form there."""
    return _page()


@bp.post("/rules")
@limits_guessing
@roles(Role.OPERATOR)
def change_rules() -> ResponseReturnValue:
    """Show what would change; sent once more as it was shown, with the password, announce it."""
    form = RulesForm()
    if not form.validate():
        return _page(form, 422)
    try:
        if not form.shown.data:
            return _show(form)
        if not is_own_password(form.password):
            return _show(form, 422)
        location = press_once(lambda: _announce(form))
    except ValidationError as error:
        form.shown.data = ""
        form.take_errors(error)
        return _page(form, 422)
    except ConflictError as error:
        flash(_("Nothing was changed: %(reason)s.", reason=error.detail), "warning")
        return _show(form, 409)
    return done(location, PARTIAL, message=_("The change is announced."), **_context())


@bp.post("/rules/<row:change_id>/withdraw")
@roles(Role.OPERATOR)
def withdraw_rules(change_id: int) -> ResponseReturnValue:
    """Take an announced change back before it holds."""

    def effect() -> str:
        fund_rules.withdraw(db_session(), current_user.actor, change_id)
        return url_for("fund.rules")

    try:
        location = press_once(effect)
    except ConflictError as error:
        flash(_("Nothing was changed: %(reason)s.", reason=error.detail), "warning")
        return _page(status=409)
    return done(
        location, PARTIAL, message=_("The change is withdrawn: the rules stay as they are."), **_context()
    )


def _announce(form: RulesForm) -> str:
    settings, actor = services().settings, current_user.actor
    change = fund_rules.propose(db_session(), settings, actor, form.values, form.reason.data)
    if sha256_hex(change.changes) != form.shown.data:
        raise ConflictError(said("it would not be what was shown; look at it again"))
    return url_for("fund.rules")


def _show(form: RulesForm, status: int = 200) -> Response:
    """The form once more, with what would change and when. Raises ValidationError when nothing can."""
    proposal = fund_rules.preview(db_session(), services().settings, form.values, form.reason.data)
    form.shown.data = sha256_hex(proposal.changes)
    return _page(form, status, proposal)


def _page(form: RulesForm | None = None, status: int = 200, proposal: Proposal | None = None) -> Response:
    return render(PAGE, PARTIAL, status=status, **_context(form, proposal))


def _context(form: RulesForm | None = None, proposal: Proposal | None = None) -> dict[str, Any]:
    session, settings = db_session(), services().settings
    held = fund_rules.in_force(session, settings)
    cursor = request.args.get("cursor")
    past = fund_rules.list_changes(session, limit=PAGE_SIZE, cursor=cursor)
    is_operator = current_user.is_authenticated and current_user.role == Role.OPERATOR
    return {
        "is_operator": is_operator,
        "form": (form or RulesForm.of(held)) if is_operator else None,
        "proposal": proposal,
        "proposed": change_lines(proposal.changes) if proposal else (),
        "changes": [change_view(change) for change in fund_rules.pending(session)],
        "past": [change_view(change) for change in past.items],
        "next_url": url_for("fund.rules", cursor=past.next_cursor) if past.next_cursor else None,
        "first_url": url_for("fund.rules") if cursor else None,
        **how_it_works(held),
    }
