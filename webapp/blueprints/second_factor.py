"""The second factor of one's account: set up, confirmed, turned off; recovery codes."""

from __future__ import annotations

from flask import Blueprint, Response, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from webapp.blueprints.forms.second_factor import CodeForm
from webapp.domain.exceptions import ConflictError, ValidationError
from webapp.services.second_factors import SecondFactors
from webapp.web.current import db_session, services
from webapp.web.guards import signed_in
from webapp.web.htmx import done, render
from webapp.web.own_password import note_wrong_guess
from webapp.web.qr_codes import qr_code
from webapp.web.sessions import browser_sessions
from webapp.web.step_up import confirmed

bp = Blueprint("second_factor", __name__, url_prefix="/account/second-factor")


@bp.get("")
@signed_in
def show() -> ResponseReturnValue:
    """Whether it is on, and the way to the other state."""
    return _page()


@bp.post("/begin")
@signed_in
@confirmed()
def begin() -> ResponseReturnValue:
    """Show what the authenticator is to scan. The secret is in this answer and in no address."""
    return _enrolment_page(CodeForm(formdata=None))


@bp.post("/confirm")
@signed_in
@confirmed()
def confirm() -> ResponseReturnValue:
    """Turn it on with the first code; the recovery codes are in this answer and nowhere else.

    A wrong code is answered with the secret again, as `begin` shows it: it is for nobody else either.
    """
    form = CodeForm()
    if not form.validate():
        return _enrolment_page(form, 422)
    try:
        codes = _factors().confirm(current_user.user, form.code.data)
    except ValidationError as error:
        note_wrong_guess()
        form.take_errors(error)
        return _enrolment_page(form, 422)
    # Whoever is logged in elsewhere has not shown a code.
    browser_sessions().revoke_all(current_user.user, except_id=current_user.session_id)
    return _page(201, codes=codes)


@bp.post("/recovery-codes")
@signed_in
@confirmed()
def renew_recovery_codes() -> ResponseReturnValue:
    """Ten new recovery codes; the old ones end."""
    return _page(201, codes=_factors().renew_recovery_codes(current_user.id))


@bp.post("/off")
@signed_in
@confirmed()
def turn_off() -> ResponseReturnValue:
    """Ask for no codes any more."""
    _factors().turn_off(current_user.id)
    return done(
        url_for("second_factor.show"), message=_("The second factor is off: the password alone logs you in.")
    )


def _factors() -> SecondFactors:
    return services().second_factors(db_session())


def _page(status: int = 200, codes: list[str] | None = None) -> Response:
    factors = _factors()
    is_on = factors.is_on(current_user.id)
    left = factors.codes_left(current_user.id) if is_on else 0
    return render("account/second_factor", status=status, is_on=is_on, codes=codes or [], codes_left=left)


def _enrolment_page(form: CodeForm, status: int = 200) -> Response:
    try:
        enrolment = _factors().begin(current_user.user)
    except ConflictError:
        return _page(409)
    picture = qr_code(enrolment.uri)
    return render("account/authenticator", status=status, form=form, secret=enrolment.secret, picture=picture)
