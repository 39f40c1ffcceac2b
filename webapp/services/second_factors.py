"""The second factor: an authenticator's codes (RFC 6238, 30 seconds, six digits) and recovery codes.

A code is accepted once, within half a minute of its time on either side. Guessing is limited where codes are asked for.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass

import pyotp
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.domain.exceptions import ConflictError, ValidationError
from webapp.domain.said import said
from webapp.models import RecoveryCode, SecondFactor, User
from webapp.models.compare_and_set import changes_one_row
from webapp.models.insert_once import insert_once
from webapp.services.notices import security
from webapp.services.secret_box import SecretBox
from webapp.services.unit_of_work import unit_of_work

ISSUER = "DuxOS Escrow"
STEP_SECONDS = 30
RECOVERY_CODES = 10
# Without letters and digits that are read for one another; 60 bits, more than anybody guesses.
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_GROUPS, _GROUP_LENGTH = 3, 4


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator is set up with: the secret to type, and the same as a link for its camera."""

    secret: str
    uri: str


class SecondFactors:
    """The second factors of one instance. Every method that changes something is one unit of work."""

    def __init__(self, session: Session, box: SecretBox) -> None:
        self._session = session
        self._box = box

    def is_on(self, user_id: int) -> bool:
        """Whether codes are asked of this user."""
        return self._session.scalar(self._confirmed(user_id)) is not None

    def begin(self, user: User) -> Enrolment:
        """A new secret for an authenticator, which counts when its first code is confirmed.

        Begun again, it is the same secret: a page that is loaded twice must not spoil what was scanned. Raises
        ConflictError when one is on already.
        """
        with unit_of_work(self._session):
            sealed = self._box.seal(pyotp.random_base32())
            insert_once(
                self._session,
                SecondFactor,
                {"user_id": user.id, "sealed_secret": sealed, "last_step": 0, "created_at": utcnow()},
            )
            factor = self._session.get_one(SecondFactor, user.id, populate_existing=True)
            if factor.confirmed_at is not None:
                raise ConflictError(said("the second factor is on already; turn it off first"))
            secret = self._box.open(factor.sealed_secret)
        return Enrolment(secret, pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=ISSUER))

    def confirm(self, user: User, code: str) -> list[str]:
        """Turn it on with the authenticator's first code; the recovery codes, which nobody sees again.

        Raises ValidationError naming `code`, ConflictError when none was begun.
        """
        with unit_of_work(self._session):
            factor = self._session.get(SecondFactor, user.id, populate_existing=True, with_for_update=True)
            if factor is None or factor.confirmed_at is not None:
                raise ConflictError(said("there is no authenticator that waits for its first code"))
            if not self._takes_step(factor, code):
                raise ValidationError.of("code", said("is not the code that your authenticator shows now"))
            factor.confirmed_at = utcnow()
            security.tell(self._session, user.id, "security.second_factor")
            return self._new_recovery_codes(user.id)

    def verify(self, user_id: int, code: str) -> bool:
        """Whether the code is right, of the authenticator or a recovery code; it works once."""
        text = "".join(code.split()).lower()
        with unit_of_work(self._session):
            factor = self._session.scalars(self._confirmed(user_id).with_for_update()).first()
            if factor is None:
                return False
            return self._takes_step(factor, text) if text.isdigit() else self._takes_recovery(user_id, text)

    def renew_recovery_codes(self, user_id: int) -> list[str]:
        """Ten new ones; the old ones work no longer. Raises ConflictError when the second factor is off."""
        with unit_of_work(self._session):
            if self._session.scalars(self._confirmed(user_id).with_for_update()).first() is None:
                raise ConflictError(said("the second factor is off"))
            security.tell(self._session, user_id, "security.second_factor")
            return self._new_recovery_codes(user_id)

    def codes_left(self, user_id: int) -> int:
        """How many recovery codes still work."""
        statement = select(func.count()).where(
            RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None)
        )
        return self._session.execute(statement).scalar_one()

    def turn_off(self, user_id: int) -> None:
        """Ask for no codes any more, and forget the secret. What was off already stays so."""
        with unit_of_work(self._session):
            self._session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
            self._session.execute(delete(SecondFactor).where(SecondFactor.user_id == user_id))
            security.tell(self._session, user_id, "security.second_factor")

    def _confirmed(self, user_id: int):  # type: ignore[no-untyped-def]
        return select(SecondFactor).where(
            SecondFactor.user_id == user_id, SecondFactor.confirmed_at.is_not(None)
        )

    def _takes_step(self, factor: SecondFactor, code: str) -> bool:
        """Whether it is the code of a step around now that was not used yet; then it is used."""
        totp, now = pyotp.TOTP(self._box.open(factor.sealed_secret)), int(time.time()) // STEP_SECONDS
        digits = "".join(code.split())
        for step in (now - 1, now, now + 1):
            if step > factor.last_step and secrets.compare_digest(
                totp.at(step * STEP_SECONDS).encode(), digits.encode()
            ):
                factor.last_step = step
                return True
        return False

    def _takes_recovery(self, user_id: int, code: str) -> bool:
        return changes_one_row(
            self._session,
            update(RecoveryCode)
            .where(
                RecoveryCode.user_id == user_id,
                RecoveryCode.code_hash == _hash(code),
                RecoveryCode.used_at.is_(None),
            )
            .values(used_at=utcnow()),
        )

    def _new_recovery_codes(self, user_id: int) -> list[str]:
        self._session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
        codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
        self._session.add_all(RecoveryCode(user_id=user_id, code_hash=_hash(code)) for code in codes)
        self._session.flush()
        return codes


def _recovery_code() -> str:
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))
    return "-".join(groups)


def _hash(code: str) -> str:
    return hashlib.sha256(code.replace("-", "").encode()).hexdigest()
