"""By which ways its reader is told what, and the links in mail: confirming an address, and no more mail."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from webapp.domain.exceptions import ConflictError, ValidationError
from webapp.extensions import csrf, limiter
from webapp.services.mail.links import Links
from webapp.services.mail.mailboxes import Mailboxes
from webapp.web.current import db_session, services
from webapp.web.guards import public, signed_in
from webapp.web.htmx import done, render
from webapp.web.language import translated
from webapp.web.notice_choices import notice_choices, own_choices

bp = Blueprint("notice_mail", __name__, url_prefix="/notices")

LINKS_PER_USER = "5 per day"


@bp.post("/choices")
@signed_in
def save_choices() -> ResponseReturnValue:
    """Keep what was chosen on the account page."""
    is_mail_shown = bool(services().settings.mail.host)
    mail = request.form.getlist("mail") if is_mail_shown else None
    own_choices().save(request.form.getlist("inbox"), mail, request.form.getlist("urgent"))
    return _done(_("You are told as you have chosen."))


@bp.post("/mail")
@limiter.limit(LINKS_PER_USER, key_func=lambda: f"user:{getattr(current_user, 'id', None)}")
@signed_in
def ask_for_link() -> ResponseReturnValue:
    """Have a link sent by which the reader's address is confirmed."""
    try:
        _mailboxes().ask(current_user.user)
    except ConflictError as error:
        return _done(_("Nothing was sent: %(reason)s.", reason=translated(error.detail)), category="warning")
    return _done(
        _("A link is on its way to %(address)s. Open it to confirm the address.", address=current_user.email)
    )


@bp.post("/mail/off")
@signed_in
def switch_off() -> ResponseReturnValue:
    """No more mail."""
    _mailboxes().switch_off(current_user.id)
    return _done(_("No more mail is sent to you."))


@bp.get("/mail/confirm")
@public
def confirm_page() -> ResponseReturnValue:
    """Asks whether it is they: programs that look into mail open links, too, and press no buttons."""
    try:
        confirmation = _links().read_confirmation(request.args.get("token", ""))
    except ValidationError:
        return render("notices/link", status=422, what="bad", address="", token="")
    token = request.args["token"]
    return render("notices/link", what="confirm", address=confirmation.address, token=token)


@bp.post("/mail/confirm")
@public
def confirm() -> ResponseReturnValue:
    """Mail goes to the address from here on."""
    try:
        _mailboxes().confirm(_links().read_confirmation(request.form.get("token", "")))
    except ValidationError:
        return render("notices/link", status=422, what="bad", address="", token="")
    return render("notices/link", what="confirmed", address="", token="")


@bp.get("/mail/unsubscribe")
@public
def unsubscribe_page() -> ResponseReturnValue:
    """Asks before it is done."""
    try:
        _links().read_unsubscription(request.args.get("token", ""))
    except ValidationError:
        return render("notices/link", status=422, what="bad", address="", token="")
    return render("notices/link", what="unsubscribe", address="", token=request.args["token"])


@bp.post("/mail/unsubscribe")
@csrf.exempt
@public
def unsubscribe() -> ResponseReturnValue:
    """No more mail, whoever presses it: mail programs do so for their readers (RFC 8058), with the token alone."""
    try:
        user_id = _links().read_unsubscription(request.args.get("token") or request.form.get("token", ""))
    except ValidationError:
        return render("notices/link", status=422, what="bad", address="", token="")
    _mailboxes().switch_off(user_id)
    return render("notices/link", what="unsubscribed", address="", token="")


def _links() -> Links:
    return Links(services().settings)


def _mailboxes() -> Mailboxes:
    return Mailboxes(db_session())


def _done(message: str, category: str = "success") -> Response:
    target = f"{url_for('account.show')}#account-notices"
    return done(target, "account_notices", message=message, category=category, **notice_choices())
