"""What people manage about themselves: payout addresses, signing keys, sessions, the password."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

from flask import Blueprint, Response, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from webapp.blueprints.forms.account import PasswordForm, PayoutAddressForm, SigningKeyForm
from webapp.domain.exceptions import ValidationError
from webapp.domain.money import Amount
from webapp.domain.roles import Role, Scope
from webapp.extensions import limiter
from webapp.models import Wallet
from webapp.services.signing_keys import IssuedKey
from webapp.services.wallet_ownership import list_wallets, set_payout_address
from webapp.web.current import db_session, services
from webapp.web.devices import device_name
from webapp.web.guards import signed_in
from webapp.web.htmx import done, render
from webapp.web.key_states import key_state
from webapp.web.notice_choices import notice_choices
from webapp.web.sessions import browser_sessions
from webapp.web.step_up import confirmed, has_second_factor
from webapp.web.wallet_choices import wallet_choices

bp = Blueprint("account", __name__, url_prefix="/account")

WRONG_PASSWORDS = "10 per 15 minutes"


@bp.get("")
@signed_in
def show() -> ResponseReturnValue:
    """Everything on one page, each part a form of its own."""
    return _page()


@bp.post("/wallets/<row:wallet_id>/payout-address")
@signed_in
@confirmed()
def change_payout_address(wallet_id: int) -> ResponseReturnValue:
    """Set or clear where a wallet's earnings are paid out to."""
    form = PayoutAddressForm().belongs_to(wallet_id)
    if form.validate():
        address = form.payout_address.data or ""
        try:
            set_payout_address(db_session(), services().daemon, current_user.actor, wallet_id, address)
        except ValidationError as error:
            form.take_errors(error)
        else:
            message = (
                _("Earnings are paid out to the new address.")
                if address
                else _("Earnings stay in the balance.")
            )
            return _done("account_wallets", message)
    return _page("account_wallets", 422, payout_forms={wallet_id: form})


@bp.post("/keys")
@signed_in
@confirmed()
def create_key() -> ResponseReturnValue:
    """Make a signing key. Its secret is in this answer and nowhere else, so a plain form gets the page itself."""
    form = _key_form()
    if form.validate():
        try:
            issued = _issue_key(form)
        except ValidationError as error:
            form.take_errors(error)
        else:
            return _page("account_keys", 201, issued=issued, key_form=_key_form(is_empty=True))
    return _page("account_keys", 422, key_form=form)


@bp.post("/keys/<key_id>/revoke")
@signed_in
def revoke_key(key_id: str) -> ResponseReturnValue:
    """End a key at once."""
    services().signing_keys(db_session()).revoke(key_id, current_user.actor.wallet_ids)
    return _done("account_keys", _("The key is revoked; requests signed with it are refused."))


@bp.post("/sessions/<row:session_id>/revoke")
@signed_in
def revoke_session(session_id: int) -> ResponseReturnValue:
    """Log one browser out."""
    browser_sessions().revoke(current_user.user, session_id)
    return _done("account_sessions", _("That session is ended."))


@bp.post("/sessions/revoke-others")
@signed_in
def revoke_other_sessions() -> ResponseReturnValue:
    """Log every other browser out."""
    browser_sessions().revoke_all(current_user.user, except_id=current_user.session_id)
    return _done("account_sessions", _("All other sessions are ended."))


@bp.post("/password")
@limiter.limit(
    WRONG_PASSWORDS,
    key_func=lambda: f"user:{getattr(current_user, 'id', None)}",
    deduct_when=lambda response: response.status_code == 422,
)
@signed_in
def change_password() -> ResponseReturnValue:
    """Set a new password and log every other browser out."""
    form = PasswordForm()
    if form.validate():
        try:
            identity = services().identity(db_session())
            identity.change_password(current_user.user, form.old_password.data, form.password.data)
        except ValidationError as error:
            form.take_errors(error)
        else:
            browser_sessions().revoke_all(current_user.user, except_id=current_user.session_id)
            return _done(
                "account_password",
                _("Your password is changed, and all other sessions are ended."),
                is_empty=True,
            )
    return _page("account_password", 422, password_form=form)


def _page(partial: str | None = None, status: int = 200, **over: Any) -> Response:
    return render("account/show", partial, status=status, **_context(**over))


def _done(partial: str, message: str, is_empty: bool = False) -> Response:
    over = {"password_form": PasswordForm(formdata=None)} if is_empty else {}
    return done(url_for("account.show"), partial, message=message, **_context(**over))


def _context(**over: Any) -> dict[str, Any]:
    """What the page and each of its partials show; `over` holds the form that was just sent."""
    wallets = list_wallets(db_session(), current_user.id)
    payout_forms = over.pop("payout_forms", {})
    keys = services().signing_keys(db_session())
    context: dict[str, Any] = {
        "wallets": [(wallet, payout_forms.get(wallet.id) or _payout_form(wallet)) for wallet in wallets],
        "keys": [(key, key_state(key)) for wallet in wallets for key in keys.list_for_wallet(wallet.id)],
        "issued": None,
        "has_second_factor": has_second_factor(),
        "sessions": [
            (row, device_name(row.user_agent)) for row in browser_sessions().list_live(current_user.user)
        ],
        "this_session_id": current_user.session_id,
        "min_payout": services().settings.wallet.min_payout,
        **notice_choices(),
    }
    if "key_form" not in over:
        over["key_form"] = _key_form(is_empty=True)
    if "password_form" not in over:
        over["password_form"] = PasswordForm(formdata=None)
    return context | over


def _payout_form(wallet: Wallet) -> PayoutAddressForm:
    return PayoutAddressForm(formdata=None, obj=wallet).belongs_to(wallet.id)


def _key_form(is_empty: bool = False) -> SigningKeyForm:
    form = SigningKeyForm(formdata=None) if is_empty else SigningKeyForm()
    wallets = wallet_choices()
    may_airdrop = current_user.role == Role.OPERATOR
    form.offer(wallets, [scope for scope in Scope if may_airdrop or scope != Scope.FUND_AIRDROP])
    return form


def _issue_key(form: SigningKeyForm) -> IssuedKey:
    keys = services().signing_keys(db_session())
    limit, last_day = form.spend_limit.data, form.expires_at.data
    return keys.create(
        form.wallet_id.data,
        form.scopes.data,
        label=form.label.data or "",
        spend_limit=Amount.parse(limit, field="spend_limit") if limit else None,
        expires_at=datetime.combine(last_day, time.max, UTC) if last_day else None,
    )
