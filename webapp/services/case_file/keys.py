"""The Ed25519 keys that case files are signed with: made on first need, sealed, rotated by adding a newer one."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.case_file.manifest import public_key_of
from webapp.domain.clock import utcnow
from webapp.models import CaseFileKey
from webapp.services.secret_box import SecretBox
from webapp.services.unit_of_work import unit_of_work


class CaseFileKeys:
    """Whoever holds a case file finds its key among the published ones, however often there was a newer one."""

    def __init__(self, session: Session, box: SecretBox) -> None:
        self._session = session
        self._box = box

    def current(self) -> Ed25519PrivateKey:
        """The key that signs now. Makes the first one. Call it outside a unit of work.

        Two processes may each make a first one: the newer signs, and both are published.
        """
        newest = self._session.scalars(select(CaseFileKey).order_by(CaseFileKey.id.desc()).limit(1)).first()
        if newest is None:
            return self.rotate()
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(self._box.open(newest.sealed_private_key)))

    def rotate(self) -> Ed25519PrivateKey:
        """Make a key that signs from now on. What older ones have signed stays good."""
        key = Ed25519PrivateKey.generate()
        sealed = self._box.seal(key.private_bytes_raw().hex())
        with unit_of_work(self._session):
            self._session.add(
                CaseFileKey(public_key=public_key_of(key), sealed_private_key=sealed, created_at=utcnow())
            )
        return key

    def published(self) -> list[CaseFileKey]:
        """All of them, the one that signs now first."""
        return list(self._session.scalars(select(CaseFileKey).order_by(CaseFileKey.id.desc())))
