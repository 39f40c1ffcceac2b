"""Who is there is asked again before coins may leave or rights change, unless it was proved a short while ago.

The proof is the authenticator's code, or the password where there is none. What the form held travels along, so that
the right answer does at once what was asked for. A session proves it at its log-in and then for
`security.confirmed_for_minutes`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import ParamSpec

from flask import Response, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from wtforms import PasswordField, StringField

from webapp.domain.clock import utcnow
from webapp.domain.exceptions import InvalidCredentialsError
from webapp.web.current import db_session, services
from webapp.web.forms import PageForm
from webapp.web.guards import present_page
from webapp.web.htmx import is_htmx, render
from webapp.web.own_password import limits_guessing, note_wrong_guess
from webapp.web.sessions import browser_sessions

P = ParamSpec("P")
FIELD = "proof"


class PasswordProofForm(PageForm):
    """The password, of those who have no second factor."""

    proof = PasswordField(_l("Your password"))


class CodeProofForm(PageForm):
    """The authenticator's code, or a recovery code."""

    proof = StringField(_l("Code of your authenticator"))


ProofForm = PasswordProofForm | CodeProofForm


def never() -> bool:
    """What `confirmed` takes for a view that always wants to know."""
    return False


def confirmed(
    unless: Callable[[], bool] = never,
) -> Callable[[Callable[P, ResponseReturnValue]], Callable[P, ResponseReturnValue]]:
    """Have a view of those who are logged in run only for one who has proved lately who they are.

    It stands under the marker of who may reach the view. `unless()` spares the requests that do nothing yet.
    """

    def decorate(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            if unless() or _was_proved_lately():
                return view(*args, **kwargs)
            form = CodeProofForm() if has_second_factor() else PasswordProofForm()
            if FIELD not in request.form:
                return _ask(form, 200)
            if not _is_proof(form):
                note_wrong_guess()
                form.proof.errors = [_refusal(form)]
                return _ask(form, 422)
            browser_sessions().confirm(current_user.session_id)
            return view(*args, **kwargs)

        return limits_guessing(guarded)

    return decorate


def _was_proved_lately() -> bool:
    minutes = services().settings.security.confirmed_for_minutes
    return bool(utcnow() - current_user.confirmed_at < timedelta(minutes=minutes))


def has_second_factor() -> bool:
    """Whether codes are asked of whoever is logged in."""
    return services().second_factors(db_session()).is_on(current_user.id)


def _is_proof(form: ProofForm) -> bool:
    text = form.proof.data or ""
    if isinstance(form, CodeProofForm):
        return services().second_factors(db_session()).verify(current_user.id, text)
    try:
        services().identity(db_session()).authenticate(current_user.email, text)
    except InvalidCredentialsError:
        return False
    return True


def _refusal(form: ProofForm) -> str:
    if isinstance(form, CodeProofForm):
        return _("This code is not right, or was used already")
    return _("This is not your password")


def _ask(form: ProofForm, status: int) -> Response:
    fields = [each for each in request.form.items(multi=True) if each[0] not in (FIELD, "csrf_token")]
    return render(
        "account/confirm",
        "confirm_identity",
        status=status,
        form=form,
        fields=fields,
        path=request.full_path.rstrip("?"),
        origin=present_page() or url_for("dashboard.show"),
        element=(is_htmx() and request.headers.get("HX-Target")) or "confirm-identity",
        asks_for_code=isinstance(form, CodeProofForm),
    )
