"""Evidence of one escrow: added by its sides while it is disputed, read by those whom it concerns, never changed.

Adding goes in two steps. `prepare` looks at the file and puts it away sealed, outside of any transaction; `add` writes
the row and the event of the audit trail in the caller's unit of work. A file whose row was never written is taken away
by housekeeping.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.escrow_states import Party
from webapp.domain.evidence.chain import AUDIT_KIND, GENESIS, item_hash
from webapp.domain.evidence.file_types import media_type_of
from webapp.domain.evidence.names import clean_name
from webapp.domain.exceptions import DuxosError, EvidenceDamagedError, NotFoundError, ValidationError
from webapp.domain.reasons import checked_reason
from webapp.domain.roles import Actor
from webapp.domain.said import said
from webapp.models import Escrow, EvidenceItem
from webapp.services import audit_trail
from webapp.services.disputes.ladder import note_answer
from webapp.services.evidence import rights
from webapp.services.evidence.documents import item_document
from webapp.services.evidence.vault import UnreadableFileError, Vault
from webapp.services.payouts.halts import raise_alert
from webapp.services.secret_box import SecretBox
from webapp.services.unit_of_work import unit_of_work

ALERT = "evidence_damaged"


@dataclass(frozen=True, slots=True)
class SubmittedFile:
    """A file as it was sent. Its `name` is a proposal; what type its sender says it has is not even asked."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that lies sealed in the vault, and what was found out about it."""

    name: str
    media_type: str
    size: int
    sha256: str
    stored_as: str


@dataclass(slots=True)
class PreparedItem:
    """What `add` writes down, and whether it has."""

    text: str
    file: StoredFile | None
    is_added: bool = False


class EvidenceBook:
    """For one actor, who stands to the escrow as `parties` (see `EscrowManager.parties`)."""

    def __init__(self, session: Session, settings: Settings, box: SecretBox, actor: Actor) -> None:
        self._session = session
        self._limits = settings.evidence
        self._vault = Vault(settings.evidence_folder, box)
        self._actor = actor

    def prepare(
        self, escrow: Escrow, parties: frozenset[Party], text: str, file: SubmittedFile | None
    ) -> PreparedItem:
        """Check what is to be added, and put its file away. Call it outside a unit of work.

        Raises PermissionDeniedError, EscrowStateError, ValidationError naming `text` or `file`.
        """
        side = rights.require_side(self._session, self._actor, escrow, parties)
        self._require_room(escrow.id, side, has_file=file is not None)
        words = self._words(text, file)
        self._session.commit()  # No transaction waits for the disk.
        return PreparedItem(words, self._put_away(file) if file is not None else None)

    def add(self, escrow: Escrow, parties: frozenset[Party], item: PreparedItem) -> EvidenceItem:
        """Write it down in the caller's unit of work. Raises as `prepare` does: meanwhile others may have acted."""
        audit_trail.lock(self._session, escrow.id)
        self._session.refresh(escrow)
        side = rights.require_side(self._session, self._actor, escrow, parties)
        self._require_room(escrow.id, side, has_file=item.file is not None)
        last = self._session.scalars(
            select(EvidenceItem)
            .where(EvidenceItem.escrow_id == escrow.id)
            .order_by(EvidenceItem.number.desc())
            .limit(1)
        ).first()
        row = EvidenceItem(
            escrow_id=escrow.id,
            number=last.number + 1 if last else 1,
            by_wallet_id=escrow.payer_wallet_id if side == "payer" else escrow.provider_wallet_id,
            side=side,
            actor=self._actor.name,
            text=item.text,
            created_at=utcnow(),
            previous_hash=last.hash if last else GENESIS,
        )
        if item.file is not None:
            row.file_name, row.media_type = item.file.name, item.file.media_type
            row.size, row.sha256, row.stored_as = item.file.size, item.file.sha256, item.file.stored_as
        row.hash = item_hash(str(escrow.id), item_document(row))
        self._session.add(row)
        detail = {"number": row.number, "side": side, "evidence_hash": row.hash}
        audit_trail.append(self._session, escrow.id, AUDIT_KIND, self._actor.name, detail=detail)
        # In a dispute that the other side has opened, evidence is an answer.
        note_answer(self._session, escrow, row.by_wallet_id)
        item.is_added = True
        return row

    @contextmanager
    def adding(self, item: PreparedItem) -> Iterator[None]:
        """Around the unit of work that adds it: what is known not to have been written down leaves no file.

        After another failure, of the database say, nobody knows; housekeeping looks again when all is settled.
        """
        try:
            yield
        except DuxosError:
            self._discard(item)
            raise
        if not item.is_added:
            self._discard(item)

    def _discard(self, item: PreparedItem) -> None:
        if item.file is not None:
            self._vault.remove(item.file.stored_as)

    def items(self, escrow: Escrow, parties: frozenset[Party]) -> list[EvidenceItem]:
        """What was added, oldest first. Raises NotFoundError for those who are not to know of it."""
        self._require_reader(escrow, parties)
        return of_escrow(self._session, escrow.id)

    def open(self, escrow: Escrow, parties: frozenset[Party], number: int) -> tuple[EvidenceItem, bytes]:
        """An item and its file. Raises NotFoundError; EvidenceDamagedError, and tells the operators."""
        self._require_reader(escrow, parties)
        item = self._session.scalars(
            select(EvidenceItem).where(EvidenceItem.escrow_id == escrow.id, EvidenceItem.number == number)
        ).first()
        if item is None or item.stored_as is None:
            raise NotFoundError("there is no such file")
        self._session.commit()
        return item, self.content(item)

    def content(self, item: EvidenceItem) -> bytes:
        """The file of an item, proven to be the one that was handed in. Raises EvidenceDamagedError."""
        try:
            data = self._vault.open(item.stored_as or "")
            if hashlib.sha256(data).hexdigest() != item.sha256:
                raise UnreadableFileError("its content is not the one that was handed in")
        except UnreadableFileError as error:
            detail = f"The file of item {item.number} of the evidence on escrow {item.escrow_id}: {error}."
            with unit_of_work(self._session):
                raise_alert(self._session, ALERT, f"evidence:{item.escrow_id}:{item.number}", detail)
            raise EvidenceDamagedError(
                said(
                    "The stored file is missing or damaged, and the operators have been told. What it was is known by "
                    "its hash: whoever handed it in can show it again."
                )
            ) from None
        return data

    def _require_reader(self, escrow: Escrow, parties: frozenset[Party]) -> None:
        if not rights.may_read(self._session, self._actor, escrow, parties):
            raise NotFoundError("there is no such escrow, or it is not yours")

    def _require_room(self, escrow_id: uuid.UUID, side: str, *, has_file: bool) -> None:
        items, files = self._session.execute(
            select(func.count(), func.count(EvidenceItem.sha256)).where(
                EvidenceItem.escrow_id == escrow_id, EvidenceItem.side == side
            )
        ).one()
        limits = self._limits
        if items >= limits.max_items_per_side:
            most = limits.max_items_per_side
            raise ValidationError.of(
                "text", said("cannot be added: each side may add {most} items, and you have", most=most)
            )
        if has_file and files >= limits.max_files_per_side:
            most = limits.max_files_per_side
            raise ValidationError.of(
                "file", said("cannot be added: each side may add {most} files, and you have", most=most)
            )

    def _words(self, text: str, file: SubmittedFile | None) -> str:
        if not text.strip():
            if file is None:
                raise ValidationError.of("text", said("must say something, unless a file is added"))
            return ""
        try:
            return checked_reason(text.replace("\t", " "), self._limits.max_text_characters, keeps_lines=True)
        except ValidationError as error:
            raise ValidationError.of("text", error.fields["reason"]) from None

    def _put_away(self, file: SubmittedFile) -> StoredFile:
        if len(file.data) > self._limits.max_file_bytes:
            raise ValidationError.of(
                "file", said("must have at most {most} bytes", most=self._limits.max_file_bytes)
            )
        media_type = media_type_of(file.data)
        return StoredFile(
            clean_name(file.name, media_type),
            media_type,
            len(file.data),
            hashlib.sha256(file.data).hexdigest(),
            self._vault.store(file.data),
        )


def of_escrow(session: Session, escrow_id: uuid.UUID) -> list[EvidenceItem]:
    """All items of an escrow, oldest first."""
    return list(
        session.scalars(
            select(EvidenceItem).where(EvidenceItem.escrow_id == escrow_id).order_by(EvidenceItem.number)
        )
    )
