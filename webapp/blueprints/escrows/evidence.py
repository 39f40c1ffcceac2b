"""Evidence on the page of a disputed escrow: added with a form, listed, downloaded; and the case file."""

from __future__ import annotations

import uuid

from flask import Response, flash
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from webapp.blueprints.escrows.blueprint import bp, manager, show_url
from webapp.blueprints.escrows.page import show_page
from webapp.blueprints.forms.evidence import EvidenceForm
from webapp.domain.escrow_states import TERMINAL
from webapp.domain.exceptions import EscrowStateError, NotFoundError, ValidationError
from webapp.domain.said import said
from webapp.services.evidence.book import EvidenceBook
from webapp.web.body_sizes import takes_evidence
from webapp.web.current import db_session, services
from webapp.web.downloads import case_file, foreign_file
from webapp.web.evidence_view import evidence_of
from webapp.web.guards import signed_in
from webapp.web.htmx import done, in_place_of, is_htmx, render
from webapp.web.live import live
from webapp.web.presses import press_once


@bp.post("/<uuid:escrow_id>/evidence")
@takes_evidence
@signed_in
def add_evidence(escrow_id: uuid.UUID) -> ResponseReturnValue:
    """Add a text, a file, or both. It stays: nothing is changed or taken back."""
    form = EvidenceForm()
    escrows = manager()
    escrow = escrows.get_escrow(escrow_id)
    parties = escrows.parties(escrow)
    try:
        file = form.take_file(services().settings.evidence.max_file_bytes)
        item = _book().prepare(escrow, parties, form.text.data or "", file)

        def press() -> str:
            _book().add(escrow, parties, item)
            return show_url(escrow_id)

        with _book().adding(item):
            location = press_once(press)
    except ValidationError as error:
        form.take_errors(error)
        return show_page(escrow_id, 422, "escrow_evidence", evidence_form=form)
    except EscrowStateError:
        flash(_("Nothing was added: the dispute takes no more evidence."), "warning")
        # There may be no place for evidence any more: the whole escrow is drawn as it stands.
        return in_place_of("escrow_status", show_page(escrow_id, 409, "escrow_status"))
    return done(
        location,
        "escrow_evidence",
        message=_("Added. Both sides can read it now."),
        escrow=escrow,
        evidence=evidence_of(escrow, parties),
        evidence_form=EvidenceForm(formdata=None),
    )


@bp.get("/<uuid:escrow_id>/evidence")
@signed_in
@live
def evidence_list(escrow_id: uuid.UUID) -> ResponseReturnValue:
    """The list by itself, for open pages; without script, the page of the escrow."""
    escrows = manager()
    escrow = escrows.get_escrow(escrow_id)
    evidence = evidence_of(escrow, escrows.parties(escrow))
    if evidence is None and escrow.status in TERMINAL and is_htmx():
        return Response(
            status=204
        )  # An open page still asks for the empty list of a dispute that has just ended.
    if evidence is None:
        raise NotFoundError(said("there is no such escrow, or it is not yours"))
    return render("escrows/evidence", "escrow_evidence_list", escrow=escrow, evidence=evidence)


@bp.get("/<uuid:escrow_id>/evidence/<row:number>")
@signed_in
def evidence_file(escrow_id: uuid.UUID, number: int) -> Response:
    """The file of one item, as a download that no browser draws or runs."""
    escrows = manager()
    escrow = escrows.get_escrow(escrow_id)
    item, data = _book().open(escrow, escrows.parties(escrow), number)
    return foreign_file(data, item.file_name or "", item.media_type or "")


@bp.get("/<uuid:escrow_id>/case-file")
@signed_in
def show_case_file(escrow_id: uuid.UUID) -> Response:
    """All that is known of the escrow, as far as it is this reader's to see, to be checked without this service."""
    return case_file(services().case_files(db_session(), current_user.actor).write(escrow_id), escrow_id)


def _book() -> EvidenceBook:
    return services().evidence(db_session(), current_user.actor)
