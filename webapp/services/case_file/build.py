"""The case file of one escrow, as a file without a name that is gone when it is closed."""

from __future__ import annotations

import tempfile
import uuid
from contextlib import ExitStack
from typing import IO, Any

from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.case_file.manifest import public_key_of
from webapp.domain.case_file.package import Package, readable_json
from webapp.domain.case_file.verification import CASE, CASE_FORMAT
from webapp.domain.exceptions import EvidenceDamagedError
from webapp.domain.roles import Actor
from webapp.models import EvidenceItem
from webapp.services.case_file.keys import CaseFileKeys
from webapp.services.case_file.reader import CaseReader
from webapp.services.case_file.sections import SECTIONS, path_of
from webapp.services.escrow_manager import EscrowManager
from webapp.services.evidence.book import EvidenceBook, of_escrow
from webapp.services.secret_box import SecretBox
from webapp.services.snapshot import snapshot

_README = """\
The case file of escrow {escrow_id}.

case.json        the escrow, its audit trail, ledger entries, payouts, offers, the dispute and evidence,
                 as far as they are for whom this file was made
evidence/        the files that the two sides have shown, numbered as in case.json
manifest.json    all of these with their SHA-256, each bound to the one before, signed with the Ed25519 key
                 {key}

To check it, without the service and without a network, with the program's source at hand:

    python -m webapp.domain.case_file verify FILE --key {key}

The service shows its keys to everybody on its page /case-files. Files of evidence come from the two sides: open them
as carefully as anything that strangers send.
"""


class CaseFiles:
    """Made for one actor, with what is theirs to see."""

    def __init__(
        self,
        session: Session,
        settings: Settings,
        box: SecretBox,
        actor: Actor,
        manager: EscrowManager,
    ) -> None:
        self._session = session
        self._actor = actor
        self._manager = manager
        self._keys = CaseFileKeys(session, box)
        self._evidence = EvidenceBook(session, settings, box, actor)

    def write(self, escrow_id: uuid.UUID | str) -> IO[bytes]:
        """The case file, ready to be read from its beginning. Call it outside a unit of work.

        The database is read in one moment, the files after it: no transaction waits for a disk. Raises NotFoundError.
        """
        key = self._keys.current()
        case, items = self._collect(escrow_id)
        identifier = case["escrow"]["id"]
        with ExitStack() as until_written:
            stream = until_written.enter_context(tempfile.TemporaryFile())
            package = Package(stream)
            package.add("README.txt", _README.format(escrow_id=identifier, key=public_key_of(key)).encode())
            for item in items:
                self._add_file(package, item, case)
            package.add(CASE, readable_json(case))
            package.finish(identifier, key)
            stream.seek(0)
            until_written.pop_all()
        return stream

    def _collect(self, escrow_id: uuid.UUID | str) -> tuple[dict[str, Any], list[EvidenceItem]]:
        with snapshot(self._session):
            escrow = self._manager.get_escrow(escrow_id)
            parties = self._manager.parties(escrow)
            reader = CaseReader.of(self._session, self._actor, escrow, parties)
            case: dict[str, Any] = {"format": CASE_FORMAT, "made_for": reader.name}
            for name, section in SECTIONS.items():
                found = section(self._session, escrow, reader)
                if found is not None:
                    case[name] = found
            items = of_escrow(self._session, escrow.id) if reader.sees_dispute else []
            for item in items:
                self._session.expunge(item)  # what was read stays with them when the moment is over
        return case, items

    def _add_file(self, package: Package, item: EvidenceItem, case: dict[str, Any]) -> None:
        """Put the file in; one that is damaged is named as such, and does not keep the rest from its reader."""
        path = path_of(item)
        if path is None:
            return
        try:
            package.add(path, self._evidence.content(item))
        except EvidenceDamagedError:
            told = case["evidence"][item.number - 1]
            told["path"], told["omitted"] = None, "missing or damaged when this case file was made"
