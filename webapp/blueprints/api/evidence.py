"""Evidence in disputes over JSON, and the case file."""

from __future__ import annotations

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from webapp.blueprints.api.evidence_schemas import EvidenceDocument, EvidenceList, EvidencePath, NewEvidence
from webapp.blueprints.api.operations import answer, answer_once, file_operation, operation, operation_id
from webapp.blueprints.api.schemas import EscrowPath, IdempotencyHeader
from webapp.domain.evidence.names import MEDIA_TYPES
from webapp.domain.roles import Scope
from webapp.services.evidence import rights
from webapp.services.evidence.documents import item_document
from webapp.services.idempotency import StoredAnswer
from webapp.web.body_sizes import takes_evidence
from webapp.web.current import db_session, services
from webapp.web.downloads import case_file, foreign_file
from webapp.web.guards import signed_request
from webapp.web.signed_requests import current_actor

_TAG = Tag(name="Evidence", description="What the two sides of a disputed escrow say and show")
bp = APIBlueprint(
    "api_evidence", __name__, url_prefix="/escrow", abp_tags=[_TAG], operation_id_callback=operation_id
)


@bp.post(
    "/<id>/evidence",
    **operation(
        Scope.ESCROW_DISPUTE,
        EvidenceDocument,
        creates=True,
        description="For the payer and the provider while the escrow is disputed. What was added stays: nothing is "
        "changed or taken back. Files are UTF-8 text, JSON, PDF, PNG, JPEG or WebP, by their content.",
    ),
)
@takes_evidence
@signed_request(Scope.ESCROW_DISPUTE)
def add(path: EscrowPath, header: IdempotencyHeader, body: NewEvidence) -> Response:
    """Add a text, a file, or both."""
    manager = services().escrow_manager(db_session(), current_actor())
    book = services().evidence(db_session(), current_actor())
    escrow = manager.get_escrow(path.id)
    parties = manager.parties(escrow)
    file = body.file.submitted(services().settings.evidence.max_file_bytes) if body.file else None
    item = book.prepare(escrow, parties, body.text, file)

    def effect() -> StoredAnswer:
        added = book.add(escrow, parties, item)
        document = EvidenceDocument.model_validate(item_document(added))
        return StoredAnswer(201, document.model_dump_json())

    with book.adding(item):
        return answer_once(header, effect)


@bp.get("/<id>/evidence", **operation(Scope.ESCROW_READ, EvidenceList))
@signed_request(Scope.ESCROW_READ)
def list_all(path: EscrowPath) -> Response:
    """What both sides have added. For them, operators, and the arbiters of the dispute."""
    manager = services().escrow_manager(db_session(), current_actor())
    escrow = manager.get_escrow(path.id)
    items = services().evidence(db_session(), current_actor()).items(escrow, manager.parties(escrow))
    documents = [EvidenceDocument.model_validate(item_document(item)) for item in items]
    return answer(EvidenceList(items=documents, is_open=rights.takes_evidence(db_session(), escrow)))


@bp.get(
    "/<id>/evidence/<number>",
    **file_operation(
        Scope.ESCROW_READ, MEDIA_TYPES, "The file of an item, as a download", more_problems=(503,)
    ),
)
@signed_request(Scope.ESCROW_READ)
def show_file(path: EvidencePath) -> Response:
    """The file of one item, byte for byte as it was handed in."""
    manager = services().escrow_manager(db_session(), current_actor())
    escrow = manager.get_escrow(path.id)
    book = services().evidence(db_session(), current_actor())
    item, data = book.open(escrow, manager.parties(escrow), path.number)
    return foreign_file(data, item.file_name or "", item.media_type or "")


@bp.get(
    "/<id>/case-file",
    **file_operation(
        Scope.ESCROW_READ,
        ("application/zip",),
        "All that is known of the escrow, as far as it is the key's to see: JSON and files, hash-chained and signed. "
        "Check it with `python -m webapp.domain.case_file verify FILE`",
    ),
)
@signed_request(Scope.ESCROW_READ)
def show_case_file(path: EscrowPath) -> Response:
    """The case file, which anybody can check without this service."""
    escrow = services().escrow_manager(db_session(), current_actor()).get_escrow(path.id)
    escrow_id = escrow.id
    return case_file(services().case_files(db_session(), current_actor()).write(escrow_id), escrow_id)
