"""Files in the vault that no row names: what a crash, or a refusal after the file was put away, has left behind."""

from __future__ import annotations

from itertools import islice

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.models import EvidenceItem
from webapp.services.evidence.vault import Vault
from webapp.services.secret_box import SecretBox

# A row follows its file within seconds. A week leaves time to notice that the database is not the one of the folder.
ORPHAN_AFTER_SECONDS = 7 * 24 * 3600
_AT_ONCE = 500


def sweep(session: Session, settings: Settings) -> int:
    """Take away what is older than a week and belongs to nothing; how many files that were."""
    vault = Vault(settings.evidence_folder, SecretBox.of(settings))
    old, taken = vault.older_than(ORPHAN_AFTER_SECONDS), 0
    while names := list(islice(old, _AT_ONCE)):
        known = set(session.scalars(select(EvidenceItem.stored_as).where(EvidenceItem.stored_as.in_(names))))
        session.rollback()
        for name in names:
            if name not in known:
                vault.remove(name)
                taken += 1
    return taken
