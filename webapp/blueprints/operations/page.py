"""The operations page: the state of the service on one page, and the switches that operators have."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Response, flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from webapp.blueprints.forms.operations import AssignForm, FreezeForm, ReasonForm
from webapp.blueprints.operations.blueprint import bp
from webapp.domain.exceptions import (
    ConflictError,
    DuxosError,
    NotFoundError,
    PermissionDeniedError,
)
from webapp.domain.roles import Role
from webapp.services import alerts, chain_reach, operations_overview, unexplained_coins
from webapp.services.custody import approvals, cold_storage, freezes
from webapp.services.custody import overview as custody_overview
from webapp.services.custody.sweep import Sweeper
from webapp.services.payouts import halts
from webapp.services.unexplained_coins import Explanation
from webapp.web.current import db_session, services
from webapp.web.forms import PageForm
from webapp.web.guards import roles
from webapp.web.htmx import done, render
from webapp.web.language import translated
from webapp.web.presses import press_once, press_repeatable
from webapp.web.step_up import confirmed

PAGE, PARTIAL = "operations/show", "operations_status"


@bp.get("")
@roles(Role.OPERATOR)
def show() -> ResponseReturnValue:
    """Everything at a glance, and the switches."""
    return render(PAGE, PARTIAL, **_context())


@bp.post("/halt")
@roles(Role.OPERATOR)
def halt() -> ResponseReturnValue:
    """Stop payouts; everything else goes on."""
    form = ReasonForm(prefix="halt")
    is_new: list[bool] = []

    def effect() -> None:
        is_new.append(halts.halt_by_operator(db_session(), current_user.actor, form.reason.data or ""))

    def message() -> str:
        reasons = [each.detail for each in halts.standing(db_session()) if each.cause == halts.BY_OPERATOR]
        if is_new == [False] and reasons:
            return _("Payouts were halted already: %(reasons)s", reasons=reasons[0])
        return _("Payouts are halted.")

    return _act(form, effect, message)


@bp.post("/resume")
@roles(Role.OPERATOR)
@confirmed()
def resume() -> ResponseReturnValue:
    """Lift the halts that the page showed, and say what stands besides."""
    seen = request.form.getlist("seen")
    lifted: list[list[str]] = []

    def message() -> str:
        standing = ", ".join(each.cause for each in halts.standing(db_session()))
        if standing:
            if lifted == [[]]:
                return _(
                    "Nothing was lifted: what stands is %(standing)s. Read why before you let payouts go on.",
                    standing=standing,
                )
            return _(
                "Payouts are still halted: what stands is %(standing)s. Read why before you let payouts go on.",
                standing=standing,
            )
        return (
            _("Nothing was lifted: payouts were going on already.") if lifted == [[]] else _("Payouts go on.")
        )

    return _act(None, lambda: lifted.append(halts.resume(db_session(), current_user.actor, seen)), message)


@bp.post("/alerts/<row:alert_id>/acknowledge")
@roles(Role.OPERATOR)
def acknowledge(alert_id: int) -> ResponseReturnValue:
    """Put an alert away."""
    return _act(
        None,
        lambda: alerts.acknowledge(db_session(), current_user.actor, alert_id),
        _("The alert is put away."),
    )


@bp.post("/wallets/freeze")
@roles(Role.OPERATOR)
def freeze() -> ResponseReturnValue:
    """Let nothing leave a wallet."""
    form = FreezeForm(prefix="freeze")
    is_new: list[bool] = []

    def effect() -> None:
        wallet_id, reason = form.wallet.data or 0, form.reason.data or ""
        is_new.append(freezes.freeze(db_session(), current_user.actor, wallet_id, reason))

    def message() -> str:
        if is_new != [False]:
            return _("The wallet is frozen.")
        reason = freezes.why_frozen(db_session(), form.wallet.data or 0)
        if not reason:
            return _("The wallet was frozen already: the service has frozen it by itself")
        return _("The wallet was frozen already: %(reason)s", reason=reason)

    return _act(form, effect, message)


@bp.post("/wallets/<row:wallet_id>/unfreeze")
@roles(Role.OPERATOR)
@confirmed()
def unfreeze(wallet_id: int) -> ResponseReturnValue:
    """Give a frozen wallet back to its owner."""
    return _act(
        None,
        lambda: freezes.unfreeze(
            db_session(), services().settings, current_user.actor, wallet_id, "from the operations page"
        ),
        _("Wallet %(wallet_id)s is its owner’s again.", wallet_id=wallet_id),
    )


@bp.post("/payouts/<uuid:payout_id>/approve")
@roles(Role.OPERATOR)
@confirmed()
def approve(payout_id: uuid.UUID) -> ResponseReturnValue:
    """Let a large payout leave, to the address that was read."""
    address = request.form.get("address", "")
    return _act(
        None,
        lambda: approvals.approve(db_session(), current_user.actor, payout_id, address),
        _("The payout is approved."),
    )


@bp.post("/payouts/<uuid:payout_id>/refuse")
@roles(Role.OPERATOR)
def refuse(payout_id: uuid.UUID) -> ResponseReturnValue:
    """Give the money of a large payout back to its wallet."""
    form = ReasonForm(prefix=f"refuse-{payout_id}")
    return _act(
        form,
        lambda: approvals.refuse(db_session(), current_user.actor, payout_id, form.reason.data or ""),
        _("The payout is refused; its money is back in the wallet."),
    )


@bp.post("/coins/<row:coin_id>/assign")
@roles(Role.OPERATOR)
@confirmed()
def assign_coin(coin_id: int) -> ResponseReturnValue:
    """Say whose a coin is; it is credited by the rules of deposits."""
    form = AssignForm(prefix=f"assign-{coin_id}")
    return _act(
        form,
        lambda: unexplained_coins.assign_to_wallet(
            db_session(), current_user.actor, coin_id, form.wallet.data or 0
        ),
        _("The coin is the wallet’s, and credited with the next look at the chain."),
    )


@bp.post("/coins/<row:coin_id>/ours")
@roles(Role.OPERATOR)
@confirmed()
def keep_coin(coin_id: int) -> ResponseReturnValue:
    """Say that a coin is the operators' own."""
    return _act(
        None,
        lambda: unexplained_coins.mark_as_ours(db_session(), current_user.actor, coin_id),
        _("The coin is noted as the operators’ own."),
    )


@bp.post("/sweep")
@roles(Role.OPERATOR)
def sweep() -> ResponseReturnValue:
    """Take what is above the target to cold storage."""
    held = services()
    sweeper = Sweeper(db_session(), held.settings, held.daemon)
    return _act(
        None,
        lambda: sweeper.sweep_now(current_user.actor),
        _("Coins are on their way to cold storage."),
        press_repeatable,
    )


@bp.post("/refill-address")
@roles(Role.OPERATOR)
def take_refill_address() -> ResponseReturnValue:
    """Take an address for coins that come back from cold storage."""
    return _act(
        None,
        lambda: cold_storage.take_refill_address(db_session(), services().daemon, current_user.actor),
        _("The page shows the new refill address."),
        press_repeatable,
    )


def _act(
    form: PageForm | None,
    effect: Callable[[], object],
    message: str | Callable[[], str],
    press: Callable[[Callable[[], str]], str] = press_once,
) -> ResponseReturnValue:
    """Do it once, say so, and show the page as it is by then; what cannot be done is said beside its form."""
    if form is not None and not form.validate():
        return render(PAGE, PARTIAL, status=422, **_context(form))
    try:
        location = press(lambda: _after(effect))
    except ConflictError as error:
        return _refused(error, 409)
    except (NotFoundError, PermissionDeniedError) as error:
        return _refused(error, 422)
    except DuxosError as error:
        if form is None:
            return _refused(error, 422)
        form.take_errors(error)
        return render(PAGE, PARTIAL, status=422, **_context(form))
    words = message if isinstance(message, str) else message()
    return done(location, PARTIAL, message=words, **_context())


def _after(effect: Callable[[], object]) -> str:
    effect()
    return url_for("operations.show")


def _refused(error: DuxosError, status: int) -> Response:
    flash(_("Nothing was changed: %(reason)s.", reason=translated(error.detail).rstrip(".")), "warning")
    return render(PAGE, PARTIAL, status=status, **_context())


def _explanation(known: operations_overview.Figures) -> Explanation | None:
    latest = known.reconciliation
    return unexplained_coins.explain(db_session(), latest.unexplained) if latest else None


def _context(wrong: PageForm | None = None) -> dict[str, Any]:
    """The page; `wrong` is the form that came with errors: its prefix says which of the page's forms it is."""
    session, settings = db_session(), services().settings

    def form_of(kind: type[PageForm], prefix: str) -> PageForm:
        is_wrong = wrong is not None and wrong._prefix == f"{prefix}-"
        return wrong if is_wrong and wrong else kind(formdata=None, prefix=prefix)

    known = operations_overview.figures(session, settings)
    return {
        "known": known,
        "explanation": _explanation(known),
        "details": operations_overview.details(session),
        "reach": chain_reach.look(session, settings),
        "custody": custody_overview.look(session, settings),
        "halt_form": form_of(ReasonForm, "halt"),
        "freeze_form": form_of(FreezeForm, "freeze"),
        "refuse_form": lambda payout: form_of(ReasonForm, f"refuse-{payout.id}"),
        "assign_form": lambda coin: form_of(AssignForm, f"assign-{coin.id}"),
        "may_decide": partial(approvals.may_decide, current_user.actor),
    }
