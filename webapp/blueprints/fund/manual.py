"""An airdrop by hand: the form, the dry run, and the giving, which takes the operator's password.

Everything is one plain form that is sent again and again: nodes are found and added to it, it is tried, and what is
confirmed is what was shown. Only the last step changes anything.
"""

from __future__ import annotations

from collections.abc import Iterator

from flask import Response, flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user

from webapp.blueprints.forms.airdrops import AirdropForm, GiveForm
from webapp.blueprints.fund.blueprint import bp
from webapp.domain.exceptions import (
    CommunityFundError,
    PermissionDeniedError,
    ValidationError,
)
from webapp.domain.pagination import MAX_PAGE_SIZE, Page
from webapp.domain.roles import Role
from webapp.services import fund_rules
from webapp.services.airdrops.manual import AirdropChangedError, ManualAirdrops
from webapp.services.node_directory import DirectoryUnreachableError
from webapp.services.nodes.registry import NodeView
from webapp.web.current import db_session, services
from webapp.web.guards import roles
from webapp.web.htmx import done, render
from webapp.web.language import translated
from webapp.web.own_password import is_own_password, limits_guessing
from webapp.web.presses import press_once

SHOWN_NODES = 50
ENTER, FIND, ADD, ADD_ALL, EDIT = "enter", "find", "add", "add-all", "edit"


@bp.get("/airdrops/new")
@roles(Role.OPERATOR)
def new_airdrop() -> ResponseReturnValue:
    """The form. What stands in the address is filled in."""
    return _form_page(AirdropForm(formdata=request.args))


@bp.post("/airdrops/new")
@roles(Role.OPERATOR)
def plan_airdrop() -> ResponseReturnValue:
    """Find nodes, add them, or try what is typed. Nothing is given."""
    form, step = AirdropForm(), request.form.get("step", "")
    added = form.add(request.form.getlist("found"))
    if step == ENTER:  # The key was pressed in a field: in one of the search, if something new stands there.
        step = FIND if form.sought != request.form.get("searched", "") else ""
    if step == FIND:
        return _form_page(form, found=_find(form, SHOWN_NODES))
    if step == ADD_ALL:
        added += _add_all(form)
    if step in (ADD, ADD_ALL) and not form.form_errors:
        flash(
            _added(added, len(form.named)),
            "info",
        )
    if step in (ADD, ADD_ALL, EDIT):
        return _form_page(form)
    return _dry_run(form)


@bp.post("/airdrops")
@limits_guessing
@roles(Role.OPERATOR)
def give_airdrop() -> ResponseReturnValue:
    """Give what the dry run showed; leads to the airdrop. Otherwise it shows the dry run again, as it is by now."""
    form = GiveForm()
    if not form.validate() or not is_own_password(form.password):
        return _dry_run(form, 422)
    try:
        airdrops = _airdrops()
        location = press_once(lambda: _give(airdrops, form))
    except AirdropChangedError as error:
        flash(_("Nothing was given: %(reason)s.", reason=error.detail), "warning")
        return _dry_run(form, 409)
    except (ValidationError, PermissionDeniedError, CommunityFundError) as error:
        flash(_("Nothing was given: what stands against it has come up since the dry run."), "warning")
        if "reason" in error.fields or not error.fields:
            form.take_errors(error)
        return _dry_run(form, 422)
    except DirectoryUnreachableError as error:
        return _unreachable(form, error)
    return done(location, message=_("The airdrop is given."))


def _airdrops() -> ManualAirdrops:
    return ManualAirdrops(db_session(), services().settings, current_user.actor)


def _give(airdrops: ManualAirdrops, form: GiveForm) -> str:
    given = airdrops.give(**form.order, reason=form.reason.data or "", shown=form.shown.data or "")
    return url_for("fund.airdrop", airdrop_id=given.id)


def _dry_run(form: AirdropForm, status: int = 200) -> Response:
    """What would be given. Without nodes or an amount there is nothing to try: then the form comes back."""
    if not isinstance(form, GiveForm) and not form.validate():
        return _form_page(form, status=422)
    try:
        preview = _airdrops().preview(**form.order)
    except DirectoryUnreachableError as error:
        return _unreachable(form, error)
    if preview.problems and status == 200:
        status = 422
    return render(
        "fund/airdrop_check",
        status=status,
        form=form,
        give_form=form if isinstance(form, GiveForm) else GiveForm(formdata=None),
        preview=preview,
        # Those that cannot be paid stand first.
        rows=sorted(preview.rows, key=lambda row: not row.refusals),
        refused=sum(bool(row.refusals) for row in preview.rows),
        on_chain=sum(row.pay_to == "chain" and not row.refusals for row in preview.rows),
    )


def _form_page(form: AirdropForm, status: int = 200, found: Page[NodeView] | None = None) -> Response:
    fund = services().fund_manager(db_session())
    return render(
        "fund/airdrop_new",
        status=status,
        form=form,
        found=found,
        balance=fund.balance(),
        rules=fund_rules.in_force(db_session(), services().settings),
        named=len(form.named),
    )


def _unreachable(form: AirdropForm, error: DirectoryUnreachableError) -> Response:
    form.form_errors.append(_("Nothing was given: %(reason)s.", reason=translated(error.detail).rstrip(".")))
    return _form_page(form, status=503)


def _find(form: AirdropForm, limit: int, cursor: str | None = None) -> Page[NodeView]:
    return services().node_registry(db_session()).list(form.wanted, limit, cursor)


def _add_all(form: AirdropForm) -> int:
    """Name every node that matches, unless there are more than an airdrop may have; how many are new."""
    most = fund_rules.in_force(db_session(), services().settings).max_airdrop_nodes
    node_ids: list[str] = []
    for page in _every_page(form):
        node_ids += [view.node.id for view in page.items]
        if len(node_ids) > most:
            form.form_errors.append(
                _(
                    "More than %(most)s nodes match, which is the most that an airdrop can have.",
                    most=most,
                )
            )
            return 0
    return form.add(node_ids)


def _every_page(form: AirdropForm) -> Iterator[Page[NodeView]]:
    page = _find(form, MAX_PAGE_SIZE)
    yield page
    while page.next_cursor:
        page = _find(form, MAX_PAGE_SIZE, page.next_cursor)
        yield page


def _added(added: int, named: int) -> str:
    new = ngettext("%(num)d node is added.", "%(num)d nodes are added.", added)
    whole = ngettext("%(num)d node is named now.", "%(num)d nodes are named now.", named)
    return f"{new} {whole}"
