"""Encryption at rest for secrets that must be read again: signing keys."""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from webapp.config import Settings
from webapp.domain.exceptions import ConfigurationError


class SecretBox:
    """Seals with the first of `security.encryption_keys` and opens with any of them, so that keys can be rotated."""

    def __init__(self, keys: list[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    @classmethod
    def of(cls, settings: Settings) -> SecretBox:
        """The box of an instance."""
        return cls([key.get_secret_value() for key in settings.security.encryption_keys])

    def seal(self, secret: str) -> str:
        """Ciphertext that is safe to store."""
        return self._fernet.encrypt(secret.encode()).decode()

    def open(self, sealed: str) -> str:
        """The secret. Raises ConfigurationError when no configured key opens it."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise ConfigurationError(
                "security.encryption_keys: none of the keys opens a stored secret"
            ) from None
