"""The wallet: balances, where to send coins, what comes and goes, and taking coins out."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, Response, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from webapp.blueprints.address_book import book
from webapp.blueprints.forms.wallets import RedirectForm, WithdrawForm
from webapp.blueprints.wallet_statements import latest_lines, statement_page, whole_statement
from webapp.domain.exceptions import (
    FrozenWalletError,
    InsufficientFundsError,
    InvalidAmountError,
    NotFoundError,
    PayoutStateError,
    ValidationError,
)
from webapp.domain.money import Amount
from webapp.domain.said import said
from webapp.models import Payout
from webapp.services import chain_reach, wallet_queries
from webapp.services.chain_reach import ChainReach
from webapp.services.deposits import addresses as deposit_addresses
from webapp.services.deposits import depth, losses
from webapp.services.payouts.preview import Preview, preview_withdrawal
from webapp.services.payouts.queue import PayoutQueue
from webapp.services.wallet_ownership import list_wallets
from webapp.web.amount_field import read_amount
from webapp.web.current import db_session, services
from webapp.web.guards import signed_in
from webapp.web.htmx import done, in_place_of, render
from webapp.web.live import live
from webapp.web.payout_view import view_of
from webapp.web.presses import press_once
from webapp.web.qr_codes import qr_code
from webapp.web.step_up import confirmed
from webapp.web.wallet_words import batch_sentence

bp = Blueprint("wallets", __name__, url_prefix="/wallet")

LATEST = 6


@bp.get("")
@signed_in
def show() -> ResponseReturnValue:
    """One of the reader's wallets; `?wallet=` chooses among several."""
    return _page(_wallet_id())


@bp.get("/movements")
@signed_in
@live
def movements() -> ResponseReturnValue:
    """Balances, deposits and payouts as they stand, asked for every few seconds."""
    wallet_id = _wallet_id()
    return render("wallets/show", "wallet_movements", **_page_context(wallet_id))


@bp.get("/statement")
@signed_in
def statement() -> ResponseReturnValue:
    """Every posting that touched the wallet, page by page; `?since=` and `?until=` are its days."""
    return statement_page(_wallet_id())


@bp.get("/statement.<any(csv, json):form>")
@signed_in
def statement_file(form: str) -> ResponseReturnValue:
    """The whole statement of the days that are asked for, to take away."""
    return whole_statement(_wallet_id(), form)


@bp.post("/withdraw")
@signed_in
@confirmed(unless=lambda: bool(request.form.get("preview")))
def withdraw() -> ResponseReturnValue:
    """Queue a payout; leads to its page. With `preview` nothing happens: the form comes back with the figures."""
    form = WithdrawForm()
    wallet_id = _wallet_id()
    if request.form.get("preview"):
        return _page(wallet_id, "withdraw_form", withdraw_form=form)
    if form.validate():
        try:
            location = press_once(lambda: _payout_url(_withdraw(wallet_id, form).id))
        except InsufficientFundsError:
            form.amount.errors = [*form.amount.errors, _("Is more than you have available")]
        except FrozenWalletError as error:
            form.take_errors(error)
        except ValidationError as error:
            form.take_errors(error)
        else:
            asked = _own_payout(uuid.UUID(location.rpartition("/")[2]))
            return done(location, message=_WITHDRAWN.get(asked.status, _("The withdrawal is queued.")))
    return _page(wallet_id, "withdraw_form", 422, withdraw_form=form)


_WITHDRAWN = {"awaiting_approval": said("The withdrawal waits until an operator approves it.")}


@bp.get("/withdraw/preview")
@signed_in
def preview() -> ResponseReturnValue:
    """What would become of the amount, while it is being typed."""
    shown = _preview_context(_wallet_id(), request.args.get("amount"), _reach())
    return Response(render_template("partials/withdraw_preview.html", **shown))


@bp.get("/payouts/<uuid:payout_id>")
@signed_in
def payout(payout_id: uuid.UUID) -> ResponseReturnValue:
    """One payout: where it stands and why."""
    return _payout_page(_own_payout(payout_id))


@bp.get("/payouts/<uuid:payout_id>/progress")
@signed_in
@live
def payout_progress(payout_id: uuid.UUID) -> ResponseReturnValue:
    """How far it is, asked for every few seconds. When its state has changed, all that depends on it."""
    found = _own_payout(payout_id)
    if request.args.get("seen") == found.status:
        return render("wallets/payout", "payout_progress", **_payout_context(found))
    return in_place_of("payout_status", _payout_page(found))


@bp.post("/payouts/<uuid:payout_id>/redirect")
@signed_in
@confirmed()
def redirect_payout(payout_id: uuid.UUID) -> ResponseReturnValue:
    """Send it elsewhere, as long as nobody has taken it up."""
    form = RedirectForm()
    _own_payout(payout_id)
    if not form.validate():
        return _payout_page(_own_payout(payout_id), 422, redirect_form=form)
    try:
        address = form.address.data
        location = press_once(lambda: _payout_url(_redirect(payout_id, address).id))
    except PayoutStateError:
        return _too_late(payout_id)
    except ValidationError as error:
        form.take_errors(error)
        return _payout_page(_own_payout(payout_id), 422, redirect_form=form)
    message = _("The payout goes to the new address.")
    return done(location, "payout_status", message=message, **_payout_context(_own_payout(payout_id)))


@bp.post("/payouts/<uuid:payout_id>/cancel")
@signed_in
def cancel_payout(payout_id: uuid.UUID) -> ResponseReturnValue:
    """Take it back into the balance, as long as nobody has taken it up."""
    _own_payout(payout_id)
    try:
        location = press_once(lambda: _payout_url(_cancel(payout_id).id))
    except PayoutStateError:
        return _too_late(payout_id)
    message = _("The payout is cancelled; its money is back in your balance.")
    return done(location, "payout_status", message=message, **_payout_context(_own_payout(payout_id)))


def _too_late(payout_id: uuid.UUID) -> Response:
    flash(_("Nothing was changed: the payout is on its way already."), "warning")
    return _payout_page(_own_payout(payout_id), 409)


def _wallet_id() -> int:
    """The wallet that the request speaks of: the reader's first one unless another is named. Raises NotFoundError."""
    named = request.values.get("wallet", "")
    own = sorted(current_user.actor.wallet_ids)
    if not named and own:
        return own[0]
    if not named.isdecimal() or len(named) > 18 or int(named) not in own:
        raise NotFoundError(said("there is no such wallet, or it is not yours"))
    return int(named)


def _queue() -> PayoutQueue:
    return services().wallets(db_session()).payouts


def _withdraw(wallet_id: int, form: WithdrawForm) -> Payout:
    amount = Amount.parse(form.amount.data)
    return _queue().withdraw(wallet_id, form.address.data or "", amount, current_user.actor)


def _redirect(payout_id: uuid.UUID, address: str) -> Payout:
    return _queue().redirect(payout_id, current_user.actor.wallet_ids, address)


def _cancel(payout_id: uuid.UUID) -> Payout:
    return _queue().cancel(payout_id, current_user.actor.wallet_ids)


def _own_payout(payout_id: uuid.UUID) -> Payout:
    return wallet_queries.get_own_payout(db_session(), current_user.actor, payout_id)


def _payout_url(payout_id: uuid.UUID) -> str:
    return url_for("wallets.payout", payout_id=payout_id)


def _payout_page(found: Payout, status: int = 200, **forms: RedirectForm) -> Response:
    return render("wallets/payout", "payout_status", status=status, **_payout_context(found, **forms))


def _payout_context(found: Payout, **forms: RedirectForm) -> dict[str, Any]:
    context = {
        "view": view_of(found),
        "redirect_form": RedirectForm(formdata=None),
        "saved": book().list_all(),
    }
    return context | forms


def _page(wallet_id: int, partial: str | None = None, status: int = 200, **forms: WithdrawForm) -> Response:
    return render("wallets/show", partial, status=status, **_page_context(wallet_id, **forms))


def _page_context(wallet_id: int, **forms: WithdrawForm) -> dict[str, Any]:
    """What the page and each of its partials show; `forms` holds the one that was just sent."""
    reach = _reach()
    session, wallet = db_session(), services().settings.wallet
    deposits = wallet_queries.list_deposits(session, wallet_id, limit=LATEST)
    payouts = wallet_queries.list_payouts(session, wallet_id, limit=LATEST)
    figures = wallet_queries.overview(session, wallet_id)
    # Asking the daemon for a first address must not keep the page waiting for one that does not answer.
    address = deposit_addresses.ensure(session, services().daemon if reach.is_open else None, wallet_id)
    return {
        "figures": figures,
        "wallets": list_wallets(session, current_user.id),
        "reach": reach,
        "address": address,
        "qr": qr_code(address) if address else None,
        "deposits": deposits.items,
        "deposit_confirmations": wallet.confirmations_required,
        "deposit_steps": depth.longer_waits(wallet),
        "confirmations_needed": depth.confirmations_needed(session, wallet, deposits.items),
        "lost": losses.outstanding(session, wallet_id) if figures.is_frozen else None,
        "payouts": payouts.items,
        "payout_confirmations": wallet.payout_confirmations,
        "is_moving": bool(figures.incoming or figures.outgoing),
        "withdraw_form": WithdrawForm(formdata=None),
        "saved": book().list_all(),
        "min_payout": wallet.min_payout,
        **_preview_context(wallet_id, forms["withdraw_form"].amount.data if forms else None, reach),
        **latest_lines(wallet_id),
    } | forms


def _preview_context(wallet_id: int, text: str | None, reach: ChainReach) -> dict[str, Any]:
    """The preview of what was typed; None while it is not an amount."""
    found: Preview | None = None
    try:
        amount = read_amount(text)
        found = preview_withdrawal(db_session(), services().settings, wallet_id, amount)
    except InvalidAmountError:
        pass
    wallet = services().settings.wallet
    return {
        "preview": found,
        "leaves": batch_sentence(found.batch) if found else "",
        "fee_paid_by": wallet.fee_paid_by,
        "max_fee": wallet.max_fee_per_payout,
        "reach": reach,
    }


def _reach() -> ChainReach:
    return chain_reach.look(db_session(), services().settings)
