"""The list of nodes: filtered by what one looks for, page by page, with the search in the address."""

from __future__ import annotations

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from webapp.blueprints.forms.nodes import NodeSearchForm
from webapp.blueprints.nodes.blueprint import bp, registry
from webapp.domain.exceptions import ValidationError
from webapp.domain.node_health import Health
from webapp.domain.said import said
from webapp.services.nodes.registry import NodeFilter
from webapp.web.guards import signed_in
from webapp.web.htmx import render
from webapp.web.node_view import health_label, row_of

PAGE_SIZE = 20


@bp.get("")
@signed_in
def index() -> ResponseReturnValue:
    """Every node, or those that are looked for."""
    form = NodeSearchForm(formdata=request.args)
    is_valid = form.validate()
    health, is_mine, cursor = _health(), bool(request.args.get("mine")), request.args.get("cursor") or None
    sought = form.sought() | {name: value for name, value in (("health", health), ("mine", is_mine)) if value}

    def address(**changes: object) -> str:
        values = {name: value for name, value in (sought | changes).items() if value}
        return url_for("nodes.index", **values)  # type: ignore[arg-type]

    page = None
    if is_valid:
        page = registry().list(_filter(form, health, is_mine), PAGE_SIZE, cursor)
    next_cursor = page.next_cursor if page else None
    return render(
        "nodes/index",
        "node_list",
        status=200 if is_valid else 422,
        form=form,
        nodes=[row_of(view, current_user.actor) for view in page.items] if page else [],
        whose_tabs=[
            (_("All nodes"), address(mine=None), not is_mine),
            (_("My nodes"), address(mine="yes"), is_mine),
        ],
        health_tabs=[(label, address(health=each), each == health) for each, label in _health_tabs()],
        kept={"health": health, "mine": "yes" if is_mine else None},
        is_mine=is_mine,
        is_filtered=bool(health or form.sought()),
        everything_url=url_for("nodes.index"),
        next_url=address(cursor=next_cursor) if next_cursor else None,
        first_url=address() if cursor else None,
    )


def _health() -> str | None:
    health = request.args.get("health") or None
    if health not in (None, *Health):
        raise ValidationError.of("health", said("must be one of {names}", names=", ".join(Health)))
    return health


def _health_tabs() -> list[tuple[str | None, str]]:
    return [(None, _("Any health")), *((each.value, health_label(each)) for each in Health)]


def _filter(form: NodeSearchForm, health: str | None, is_mine: bool) -> NodeFilter:
    return NodeFilter(
        text=form.text.data or "",
        capability=form.capability.data or "",
        region=form.region.data or "",
        health=Health(health) if health else None,
        status=form.status.data or None,
        wallet_ids=current_user.actor.wallet_ids if is_mine else None,
    )
