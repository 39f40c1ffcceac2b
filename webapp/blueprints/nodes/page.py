"""One node: how it is, what it is worth, what it gets; and what its owner changes about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Response, flash, redirect
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from webapp.blueprints.forms.nodes import ChangeNodeForm
from webapp.blueprints.forms.operations import ReasonForm
from webapp.blueprints.nodes.blueprint import bp, registry, show_url
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import NotFoundError, ValidationError
from webapp.domain.said import said
from webapp.services.nodes.views import NodeView
from webapp.web.current import db_session, services
from webapp.web.guards import signed_in
from webapp.web.htmx import done, is_htmx, render
from webapp.web.live import live
from webapp.web.node_prospects import Listing, listing_of
from webapp.web.node_view import IssuedSecret, page_of
from webapp.web.step_up import confirmed

PAGE, PARTIAL = "nodes/show", "node_status"
NOT_ASKED = "not asked"


@bp.get("/nodes/<node_id>")
@signed_in
def show(node_id: str) -> ResponseReturnValue:
    """The node, to everybody; what is its owner's own affair, to the owner and to operators."""
    return page(node_id)


@bp.get("/nodes/<node_id>/health")
@signed_in
@live
def health(node_id: str) -> ResponseReturnValue:
    """How it is, asked for again and again: the directory, which may be elsewhere, is not asked along."""
    if not is_htmx():
        return redirect(show_url(node_id), code=303)
    return render(PAGE, "node_health", view=page_of(registry().get(node_id), Listing(None, NOT_ASKED)))


@bp.post("/nodes/<node_id>")
@signed_in
def change(node_id: str) -> ResponseReturnValue:
    """Say something else of one's own node."""
    _own(node_id)
    form = ChangeNodeForm()
    if form.validate():
        try:
            registry().update(current_user.actor, node_id, **form.terms)
        except ValidationError as error:
            form.take_errors(error)
        else:
            return after(node_id, _("The node is changed."))
    return page(node_id, 422, change_form=form)


@bp.post("/nodes/<node_id>/secret")
@signed_in
@confirmed()
def rotate(node_id: str) -> ResponseReturnValue:
    """Give one's own node a new secret. It is in this answer and nowhere else."""
    _own(node_id)
    try:
        key = registry().rotate(current_user.actor, node_id)
    except ValidationError:
        flash(
            _(
                "Nothing was changed: the node has as many secrets that work as it may have. Revoke "
                "one first."
            ),
            "warning",
        )
        return page(node_id, 409)
    overlap = timedelta(hours=services().settings.nodes.secret_overlap_hours)
    return page(node_id, 201, issued=IssuedSecret.of(node_id, key, utcnow() + overlap))


@bp.post("/nodes/<node_id>/keys/<key_id>/revoke")
@signed_in
def revoke_key(node_id: str, key_id: str) -> ResponseReturnValue:
    """End one of the secrets of one's own node at once."""
    _own(node_id)
    services().signing_keys(db_session()).revoke(key_id, current_user.actor.wallet_ids)
    return after(node_id, _("That secret is revoked; nothing that is signed with it counts."))


def _own(node_id: str) -> NodeView:
    """The reader's own node. Somebody else's is not there to be changed."""
    view = registry().get(node_id)
    if view.node.wallet_id not in current_user.actor.wallet_ids:
        raise NotFoundError(said("there is no such node of yours"))
    return view


def page(node_id: str, status: int = 200, **over: Any) -> Response:
    """The page of the node, or to HTMX its partial; `over` holds the form that was just sent."""
    return render(PAGE, PARTIAL, status=status, **_context(node_id, **over))


def after(node_id: str, message: str) -> ResponseReturnValue:
    """The node as it is after a change."""
    return done(show_url(node_id), PARTIAL, message=message, **_context(node_id))


def _context(node_id: str, **over: Any) -> dict[str, Any]:
    registry().get(node_id)  # Nobody has an outside registry asked about what is not here.
    listing = listing_of(db_session(), services().settings, node_id)
    view = registry().get(node_id)
    forms: dict[str, Callable[[], Any]] = {
        "change_form": lambda: ChangeNodeForm.of(view.node),
        "reason_form": lambda: ReasonForm(formdata=None),
    }
    # A form that is drawn empty is made only when none was sent: WTForms would fill it from the request.
    drawn = {name: over.get(name) or make() for name, make in forms.items()}
    return {"view": page_of(view, listing), "issued": None} | over | drawn
