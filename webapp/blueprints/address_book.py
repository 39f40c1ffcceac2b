"""The reader's book of addresses."""

from __future__ import annotations

from flask import Blueprint, Response, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from webapp.blueprints.forms.wallets import SavedAddressForm
from webapp.domain.exceptions import ValidationError
from webapp.services.address_book import AddressBook
from webapp.web.current import db_session, services
from webapp.web.guards import signed_in
from webapp.web.htmx import done, render
from webapp.web.step_up import confirmed

bp = Blueprint("address_book", __name__, url_prefix="/wallet/addresses")


@bp.get("")
@signed_in
def show() -> ResponseReturnValue:
    """All addresses of the book, and the form for another one."""
    return _page(SavedAddressForm(formdata=None))


@bp.post("")
@signed_in
@confirmed()
def add() -> ResponseReturnValue:
    """Keep an address: whoever sends coins later relies on its name."""
    form = SavedAddressForm()
    if form.validate():
        try:
            book().add(form.label.data or "", form.address.data or "")
        except ValidationError as error:
            form.take_errors(error)
        else:
            return _done(_("The address is in your book."))
    return _page(form, 422)


@bp.post("/<row:saved_id>/remove")
@signed_in
def remove(saved_id: int) -> ResponseReturnValue:
    """Forget an address."""
    book().remove(saved_id)
    return _done(_("The address is out of your book."))


def book() -> AddressBook:
    """The book of whoever is logged in."""
    return AddressBook(db_session(), services().settings, current_user.id)


def _done(message: str) -> Response:
    form = SavedAddressForm(formdata=None)
    return done(
        url_for("address_book.show"), "address_book", message=message, form=form, saved=book().list_all()
    )


def _page(form: SavedAddressForm, status: int = 200) -> Response:
    return render("wallets/addresses", "address_book", status=status, form=form, saved=book().list_all())
