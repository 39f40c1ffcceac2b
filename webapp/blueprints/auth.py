"""The ways in and out: register, log in, log out. Logging in never tells whether an e-mail address has an account."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from webapp.blueprints.forms.auth import LogInForm, RegisterForm
from webapp.blueprints.forms.second_factor import CodeForm
from webapp.domain.exceptions import InvalidCredentialsError, ValidationError
from webapp.extensions import limiter
from webapp.services.identity import Identity
from webapp.web.catalogues import SOURCE_LANGUAGE
from webapp.web.current import db_session, services
from webapp.web.guards import public, safe_next
from webapp.web.htmx import done, render
from webapp.web.kept_forms import FIELD, open_kept
from webapp.web.kept_forms import keep as keep_form
from webapp.web.language import present_language
from webapp.web.navigation import home_url
from webapp.web.pending_log_in import PendingLogIn, of_text, to_text
from webapp.web.rate_limits import visitor
from webapp.web.sessions import log_in as open_session
from webapp.web.sessions import log_out as end_session

bp = Blueprint("auth", __name__)

# Guessing: a few wrong passwords for one account, more for one visitor who tries many accounts.
WRONG_PASSWORDS_PER_ACCOUNT = "10 per 15 minutes"
WRONG_PASSWORDS_PER_VISITOR = "50 per 15 minutes"
REGISTRATIONS_PER_VISITOR = "30 per hour"


def _identity() -> Identity:
    return services().identity(db_session())


def _visitor_and_account() -> str:
    return f"{visitor()}|{request.form.get('email', '').strip().lower()[:254]}"


def _was_refused(response: Response) -> bool:
    return response.status_code == 422


def _pending_account() -> str:
    pending = of_text(request.form.get("pending"))
    return f"user:{pending.user.id}" if pending else visitor()


@bp.route("/login", methods=["GET", "POST"])
@limiter.limit(
    WRONG_PASSWORDS_PER_ACCOUNT, key_func=_visitor_and_account, methods=["POST"], deduct_when=_was_refused
)
@limiter.limit(WRONG_PASSWORDS_PER_VISITOR, key_func=visitor, methods=["POST"], deduct_when=_was_refused)
@public
def log_in() -> ResponseReturnValue:
    """The log-in form, and what becomes of it."""
    form = LogInForm()
    if request.method == "GET":
        if current_user.is_authenticated:
            return redirect(home_url(), code=303)
        form.next.data = safe_next(request.args.get("next")) or ""
        return render("auth/log_in", form=form)
    if form.validate():
        try:
            user = _identity().authenticate(form.email.data, form.password.data)
            pending = PendingLogIn(user, form.next.data or "", form.kept_form.data or "")
            if services().second_factors(db_session()).is_on(user.id):
                code_form = CodeForm(formdata=None)
                code_form.pending.data = to_text(pending)
                return render("auth/code", form=code_form)
            return _let_in(pending)
        except InvalidCredentialsError as error:
            form.take_errors(error)
    return render("auth/log_in", status=422, form=form)


@bp.post("/login/code")
@limiter.limit(WRONG_PASSWORDS_PER_ACCOUNT, key_func=_pending_account, deduct_when=_was_refused)
@limiter.limit(WRONG_PASSWORDS_PER_VISITOR, key_func=visitor, deduct_when=_was_refused)
@public
def enter_code() -> ResponseReturnValue:
    """The second step of those who have a second factor."""
    form = CodeForm()
    pending = of_text(form.pending.data)
    if pending is None:
        flash(_("The log-in took too long. Begin again."), "warning")
        return redirect(url_for("auth.log_in"), code=303)
    if form.validate():
        if services().second_factors(db_session()).verify(pending.user.id, form.code.data):
            return _let_in(pending)
        form.code.errors = [_("This code is not right, or was used already")]
    return render("auth/code", status=422, form=form)


def _let_in(pending: PendingLogIn) -> ResponseReturnValue:
    open_session(pending.user)
    kept = open_kept(pending.kept_form, pending.user.id)
    if kept is not None:
        return render("auth/go_on", kept=kept)
    return done(safe_next(pending.next) or home_url())


@bp.post("/login/keep")
@public
def keep() -> ResponseReturnValue:
    """The log-in for whoever sent a form after their session had ended; what they typed goes with it."""
    form = LogInForm(formdata=None)
    form.next.data = safe_next(request.args.get("next")) or ""
    form.kept_form.data = request.form.get(FIELD) or keep_form()
    return render("auth/log_in", "session_ended", status=401, form=form)


@bp.route("/register", methods=["GET", "POST"])
@limiter.limit(REGISTRATIONS_PER_VISITOR, key_func=visitor, methods=["POST"])
@public
def register() -> ResponseReturnValue:
    """The registration form, and what becomes of it. Only payers and providers register themselves."""
    form = RegisterForm()
    if request.method == "GET":
        if current_user.is_authenticated:
            return redirect(home_url(), code=303)
        return render("auth/register", form=form)
    if form.validate():
        try:
            user = _identity().register(form.email.data, form.password.data, form.role.data)
        except ValidationError as error:
            form.take_errors(error)
        else:
            if present_language() != SOURCE_LANGUAGE:  # mails are written in it, too
                _identity().choose_language(user, present_language())
            open_session(user)
            return done(home_url(), message=_("Welcome. Your account and its wallet are ready."))
    return render("auth/register", status=422, form=form)


@bp.post("/logout")
@public
def log_out() -> ResponseReturnValue:
    """End the session. Whoever is logged out already is simply there."""
    end_session()
    return done("/login", message=_("You are logged out."))
