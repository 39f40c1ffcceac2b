"""What operators do to a node: suspend it, and let it take part again. Written down, and safe to press twice."""

from __future__ import annotations

from collections.abc import Callable

from flask import flash
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from webapp.blueprints.forms.operations import ReasonForm
from webapp.blueprints.nodes.blueprint import bp, registry, show_url
from webapp.blueprints.nodes.page import after, page
from webapp.domain.exceptions import ConflictError, DuxosError, NotFoundError, PermissionDeniedError
from webapp.domain.roles import Role
from webapp.web.guards import roles
from webapp.web.language import translated
from webapp.web.presses import press_once


@bp.post("/nodes/<node_id>/suspend")
@roles(Role.OPERATOR)
def suspend(node_id: str) -> ResponseReturnValue:
    """Let nothing that the node signs count, and give it no airdrop."""
    return _decide(node_id, registry().suspend, _("The node is suspended."))


@bp.post("/nodes/<node_id>/reinstate")
@roles(Role.OPERATOR)
def reinstate(node_id: str) -> ResponseReturnValue:
    """Let it take part again."""
    return _decide(node_id, registry().reinstate, _("The node takes part again."))


def _decide(node_id: str, effect: Callable[..., object], message: str) -> ResponseReturnValue:
    form = ReasonForm()
    if not form.validate():
        return page(node_id, 422, reason_form=form)

    def once() -> str:
        effect(current_user.actor, node_id, form.reason.data or "")
        return show_url(node_id)

    try:
        press_once(once)
    except NotFoundError:
        raise
    except (ConflictError, PermissionDeniedError) as error:
        flash(_("Nothing was changed: %(reason)s.", reason=translated(error.detail).rstrip(".")), "warning")
        return page(node_id, 409 if isinstance(error, ConflictError) else 422)
    except DuxosError as error:
        form.take_errors(error)
        return page(node_id, 422, reason_form=form)
    return after(node_id, message)
