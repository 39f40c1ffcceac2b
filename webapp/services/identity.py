"""Users: registration, passwords, and the wallet that everyone starts with."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from email_validator import EmailNotValidError, validate_email
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.exceptions import DuxosError, InvalidCredentialsError, NotFoundError, ValidationError
from webapp.domain.roles import Role
from webapp.domain.said import said
from webapp.models import User, Wallet
from webapp.models.insert_once import insert_once
from webapp.services.notices import security
from webapp.services.unit_of_work import unit_of_work

MIN_PASSWORD_LENGTH = 10
MAX_PASSWORD_LENGTH = 200

# One hash takes 64 MiB: a rush of log-ins waits its turn instead of exhausting the machine.
_HASHING_SLOTS = threading.BoundedSemaphore(2)
_LONGEST_WAIT_SECONDS = 2.0


class TooManyLogInsError(DuxosError):
    """So many passwords wait to be checked that this one is turned away; nothing was changed."""

    status = 503
    slug = "too-many-log-ins"
    title = said("Too many people are logging in at this moment")


@contextmanager
def _hashing(session: Session) -> Iterator[None]:
    """A slot for one hash. The database connection is given back for the wait. Raises TooManyLogInsError."""
    if not session.info.get("unit_of_work"):
        session.commit()
    if not _HASHING_SLOTS.acquire(timeout=_LONGEST_WAIT_SECONDS):
        raise TooManyLogInsError(said("Wait for a moment, then try again."))
    try:
        yield
    finally:
        _HASHING_SLOTS.release()


class Identity:
    """Users of one instance. Every method is one unit of work."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._hasher = _hasher(settings.security.password_memory_kib, settings.security.password_rounds)

    def register(self, email: str, password: str, role: Role | str) -> User:
        """A new user with a wallet. Raises ValidationError naming `email`, `password` or `role`."""
        address = _checked_email(email)
        _check_password(password)
        known = _checked_role(role)
        password_hash = self._hash(password)
        with unit_of_work(self._session):
            values = {"email": address, "password_hash": password_hash, "role": known.value}
            user_id = insert_once(self._session, User, values, User.id)
            if user_id is None:
                raise ValidationError.of("email", said("this address has an account already"))
            self._session.add(Wallet(user_id=user_id))
        return self._session.get_one(User, user_id)

    def authenticate(self, email: str, password: str) -> User:
        """The user with this e-mail and password. Raises InvalidCredentialsError, the same for every cause."""
        user = self._find(email.strip().lower())
        # An unknown address costs as much time as a wrong password, so that the answer tells nothing.
        stored = user.password_hash if user else _decoy_hash(self._hasher)
        is_right = self._verify(stored, password)
        if not user or not is_right or not user.is_active:
            raise InvalidCredentialsError()
        if self._hasher.check_needs_rehash(stored):
            self._rehash(user, stored, password)
        return user

    def find(self, email: str) -> User:
        """The user with this e-mail address, for operators. Raises NotFoundError."""
        user = self._find(email.strip().lower())
        if user is None:
            raise NotFoundError(said("there is no account with this e-mail address"))
        return user

    def _find(self, email: str) -> User | None:
        if not email.isprintable():
            return None
        return self._session.scalars(select(User).where(User.email == email)).first()

    def _rehash(self, user: User, stored: str, password: str) -> None:
        """Raise an old hash to today's cost, unless the password was changed meanwhile."""
        password_hash = self._hash(password)
        is_as_read = (User.id == user.id) & (User.password_hash == stored)
        with unit_of_work(self._session):
            self._session.execute(update(User).where(is_as_read).values(password_hash=password_hash))

    def change_password(self, user: User, old: str, new: str) -> None:
        """Set a new password. Raises ValidationError naming `old_password` or `password`."""
        if not self._verify(user.password_hash, old):
            raise ValidationError.of("old_password", said("is not the present password"))
        _check_password(new)
        password_hash = self._hash(new)
        with unit_of_work(self._session):
            user.password_hash = password_hash
            security.tell(self._session, user.id, "security.password")

    def choose_language(self, user: User, language: str | None) -> None:
        """Keep the language that the user wants to read; None: as each browser asks. It has to be one that there is."""
        with unit_of_work(self._session):
            user.language = language

    def _hash(self, password: str) -> str:
        with _hashing(self._session):
            return self._hasher.hash(password)

    def _verify(self, stored: str, password: str) -> bool:
        if not _is_encodable(password):
            return False
        try:
            with _hashing(self._session):
                return self._hasher.verify(stored, password[: MAX_PASSWORD_LENGTH + 1])
        except (VerificationError, InvalidHashError):
            return False


@cache
def _hasher(memory_kib: int, rounds: int) -> PasswordHasher:
    return PasswordHasher(memory_cost=memory_kib, time_cost=rounds)


@cache
def _decoy_hash(hasher: PasswordHasher) -> str:
    return hasher.hash("nobody has this password")


def _checked_email(email: str) -> str:
    try:
        return validate_email(email, check_deliverability=False, test_environment=True).normalized.lower()
    except EmailNotValidError as error:
        raise ValidationError.of("email", str(error)) from None


def _is_encodable(text: str) -> bool:
    """False for text with half of a surrogate pair, which no encoding of Unicode can carry."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_password(password: str) -> None:
    if not _is_encodable(password):
        raise ValidationError.of("password", said("must be valid Unicode text"))
    if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
        raise ValidationError.of(
            "password",
            said(
                "must have {min_password_length} to {max_password_length} characters",
                min_password_length=MIN_PASSWORD_LENGTH,
                max_password_length=MAX_PASSWORD_LENGTH,
            ),
        )


def _checked_role(role: Role | str) -> Role:
    try:
        return Role(role)
    except ValueError:
        raise ValidationError.of("role", said("must be one of {names}", names=", ".join(Role))) from None
