"""Links in mail that work without a log-in: signed, so that only who got the mail has them, and for one thing each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from itsdangerous import BadData, URLSafeSerializer, URLSafeTimedSerializer

from webapp.config import Settings
from webapp.domain.exceptions import ValidationError
from webapp.domain.said import said

CONFIRMATION_LASTS = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Whoever has it reads the mail at this address, which the user gave."""

    user_id: int
    address: str


class Links:
    """The links of one instance."""

    def __init__(self, settings: Settings) -> None:
        self._base = settings.mail.base_url
        key = settings.security.secret_key.get_secret_value()
        self._confirmations = URLSafeTimedSerializer(key, salt="mail confirmation")
        self._farewells = URLSafeSerializer(key, salt="mail unsubscription")

    def to(self, path: str) -> str:
        """The whole address of a page."""
        return f"{self._base}{path}"

    def confirm(self, user_id: int, address: str) -> str:
        """Where an address is confirmed."""
        return self.to(f"/notices/mail/confirm?token={self._confirmations.dumps([user_id, address])}")

    def unsubscribe(self, user_id: int) -> str:
        """Where mail is switched off."""
        return self.to(f"/notices/mail/unsubscribe?token={self._farewells.dumps(user_id)}")

    def read_confirmation(self, token: str) -> Confirmation:
        """Raises ValidationError naming `token` when it was not given out here, or is too old."""
        try:
            user_id, address = self._confirmations.loads(
                token, max_age=int(CONFIRMATION_LASTS.total_seconds())
            )
        except (BadData, TypeError, ValueError):
            raise ValidationError.of("token", said("is too old, or not from us")) from None
        return Confirmation(user_id, address)

    def read_unsubscription(self, token: str) -> int:
        """The user's id. Raises ValidationError naming `token` when it was not given out here."""
        try:
            user_id: int = self._farewells.loads(token)
        except BadData:
            raise ValidationError.of("token", said("is not from us")) from None
        return user_id
