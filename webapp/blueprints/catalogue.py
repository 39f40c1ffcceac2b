"""The service catalogue in the browser: found by payers, and offered, changed and retired by providers."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from webapp.blueprints.forms.catalogue import ChangeServiceForm, NewServiceForm, ServiceSearchForm
from webapp.domain.exceptions import NotFoundError, ValidationError
from webapp.domain.result_rules.kinds import Kind
from webapp.domain.result_rules.words import NAMES, rules_in_words
from webapp.domain.said import said
from webapp.models import CatalogueService
from webapp.services.catalogue import Catalogue, ServiceFilter
from webapp.web.current import db_session, services
from webapp.web.guards import signed_in
from webapp.web.htmx import done, render
from webapp.web.parties import wallet_name
from webapp.web.wallet_choices import wallet_choices

PAGE_SIZE = 20
bp = Blueprint("catalogue", __name__, url_prefix="/catalogue")


@bp.get("")
@signed_in
def index() -> ResponseReturnValue:
    """What can be ordered, or those services that are looked for; or one's own, retired ones too."""
    form = ServiceSearchForm(formdata=request.args)
    is_valid = form.validate()
    is_mine, cursor = bool(request.args.get("mine")), request.args.get("cursor") or None
    sought = {"text": form.text.data, "kind": form.kind.data, "mine": "yes" if is_mine else None}

    def address(**changes: str | None) -> str:
        given = {name: value for name, value in (sought | changes).items() if value}
        return url_for("catalogue.index", **given)

    page = _catalogue().list(_filter(form, is_mine), PAGE_SIZE, cursor) if is_valid else None
    next_cursor = page.next_cursor if page else None
    return render(
        "catalogue/index",
        "service_list",
        status=200 if is_valid else 422,
        form=form,
        listed=page.items if page else [],
        kind_names=NAMES,
        provider_name=_provider_name,
        whose_tabs=[
            (_("All services"), address(mine=None), not is_mine),
            (_("My services"), address(mine="yes"), is_mine),
        ],
        is_mine=is_mine,
        is_filtered=bool(form.text.data or form.kind.data),
        next_url=address(cursor=next_cursor) if next_cursor else None,
        first_url=address() if cursor else None,
    )


@bp.get("/new")
@signed_in
def new() -> ResponseReturnValue:
    """The form for another service."""
    form = NewServiceForm(formdata=None)
    form.offer(wallet_choices())
    return _new_page(form)


@bp.post("/new")
@signed_in
def offer() -> ResponseReturnValue:
    """Offer it; leads to its page."""
    form = NewServiceForm()
    form.offer(wallet_choices())
    if form.validate():
        try:
            service = _catalogue().offer(current_user.actor, form.provider_wallet_id.data, **form.terms)
        except ValidationError as error:
            form.take_errors(error)
        else:
            return done(_show_url(service.id), message=_("The service is offered."))
    return _new_page(form, 422)


@bp.get("/<int:service_id>")
@signed_in
def show(service_id: int) -> ResponseReturnValue:
    """One service: what it does, what it costs, how its results are checked."""
    return _page(service_id)


@bp.post("/<int:service_id>")
@signed_in
def change(service_id: int) -> ResponseReturnValue:
    """Change one's own service. Orders keep what they were made with."""
    _own(service_id)
    form = ChangeServiceForm()
    if form.validate():
        try:
            _catalogue().change(current_user.actor, service_id, **form.terms)
        except ValidationError as error:
            form.take_errors(error)
        else:
            return _after(service_id, _("The service is changed. Orders keep what they were made with."))
    return _page(service_id, 422, form)


@bp.post("/<int:service_id>/retire")
@signed_in
def retire(service_id: int) -> ResponseReturnValue:
    """Offer it no longer."""
    _own(service_id)
    _catalogue().change(current_user.actor, service_id, is_active=False)
    return _after(service_id, _("The service is retired. Orders that were made go on."))


@bp.post("/<int:service_id>/resume")
@signed_in
def resume(service_id: int) -> ResponseReturnValue:
    """Offer a retired one again."""
    _own(service_id)
    _catalogue().change(current_user.actor, service_id, is_active=True)
    return _after(service_id, _("The service is offered again."))


def _catalogue() -> Catalogue:
    return services().catalogue(db_session())


def _own(service_id: int) -> CatalogueService:
    """The reader's own service. Somebody else's is not there to be changed."""
    service = _catalogue().get(current_user.actor, service_id)
    if service.provider_wallet_id not in current_user.actor.wallet_ids:
        raise NotFoundError(said("there is no such service of yours"))
    return service


def _provider_name(service: CatalogueService) -> str:
    return wallet_name(service.provider_wallet_id, current_user.actor)


def _filter(form: ServiceSearchForm, is_mine: bool) -> ServiceFilter:
    return ServiceFilter(
        text=form.text.data or "",
        kind=form.kind.data or None,
        wallet_ids=current_user.actor.wallet_ids if is_mine else None,
        is_active=None if is_mine else True,
    )


def _show_url(service_id: int) -> str:
    return url_for("catalogue.show", service_id=service_id)


def _new_page(form: NewServiceForm, status: int = 200) -> Response:
    return render("catalogue/new", "service_form", status=status, form=form, **_usual())


def _page(service_id: int, status: int = 200, form: ChangeServiceForm | None = None) -> Response:
    return render("catalogue/show", "service_status", status=status, **_context(service_id, form))


def _after(service_id: int, message: str) -> ResponseReturnValue:
    return done(_show_url(service_id), "service_status", message=message, **_context(service_id))


def _context(service_id: int, form: ChangeServiceForm | None = None) -> dict[str, Any]:
    service = _catalogue().get(current_user.actor, service_id)
    kind = Kind(service.kind)
    return {
        "service": service,
        "kind_name": NAMES[kind],
        "provider": _provider_name(service),
        "is_own": service.provider_wallet_id in current_user.actor.wallet_ids,
        "rules": rules_in_words(kind, service.limits, service.requires_result),
        "form": form or ChangeServiceForm.of(service),
        **_usual(),
    }


def _usual() -> dict[str, int]:
    settings = services().settings.escrow
    return {
        "usual_deadline_hours": settings.default_deadline_hours,
        "usual_acceptance_hours": settings.acceptance_window_hours,
        "max_result_size": settings.max_result_size,
    }
