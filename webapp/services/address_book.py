"""Everybody's own book of addresses to send coins to. It names them; it gives no right to send anything there."""

from __future__ import annotations

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.addresses import check_address
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import InvalidAddressError, NotFoundError, ValidationError
from webapp.domain.said import said
from webapp.models import SavedAddress, User
from webapp.models.insert_once import insert_once
from webapp.services.unit_of_work import unit_of_work

MOST = 100
LONGEST_LABEL = 64


class AddressBook:
    """The book of one user."""

    def __init__(self, session: Session, settings: Settings, user_id: int) -> None:
        self._session = session
        self._network = settings.wallet.network
        self._user_id = user_id

    def list_all(self) -> list[SavedAddress]:
        """By name; at most `MOST`."""
        statement = select(SavedAddress).where(SavedAddress.user_id == self._user_id)
        return list(self._session.scalars(statement.order_by(func.lower(SavedAddress.label))))

    def labels(self) -> dict[str, str]:
        """What the addresses are called: address to name."""
        return {saved.address: saved.label for saved in self.list_all()}

    def add(self, label: str, address: str) -> None:
        """Keep an address. Raises ValidationError naming `label`, `address`, or both."""
        complaints = self._complaints(label.strip(), address)
        if complaints:
            detail = "; ".join(f"{field}: {message}" for field, message in complaints.items())
            raise ValidationError(detail, fields=complaints)
        with unit_of_work(self._session):
            # Whoever adds takes turns with themselves, so that the book stays within its limit.
            self._session.execute(select(User.id).where(User.id == self._user_id).with_for_update())
            saved = self.list_all()
            if len(saved) >= MOST:
                raise ValidationError.of(
                    "label", said("the book is full: it holds {most} addresses", most=MOST)
                )
            if any(each.label == label.strip() for each in saved):
                raise ValidationError.of("label", said("another address has this name"))
            values = {
                "user_id": self._user_id,
                "label": label.strip(),
                "address": address,
                "created_at": utcnow(),
            }
            if insert_once(self._session, SavedAddress, values) is None:
                raise ValidationError.of("address", said("is in your book already"))

    def remove(self, saved_id: int) -> None:
        """Forget an address. Raises NotFoundError."""
        is_own = (SavedAddress.id == saved_id) & (SavedAddress.user_id == self._user_id)
        with unit_of_work(self._session):
            if (
                self._session.scalars(delete(SavedAddress).where(is_own).returning(SavedAddress.id)).first()
                is None
            ):
                raise NotFoundError(said("there is no such address in your book"))

    def _complaints(self, label: str, address: str) -> dict[str, str]:
        complaints: dict[str, str] = {}
        if not label or len(label) > LONGEST_LABEL or not label.isprintable():
            complaints["label"] = said("must be 1 to {most} printable characters", most=LONGEST_LABEL)
        try:
            check_address(address, self._network)
        except InvalidAddressError as error:
            complaints |= error.fields
        return complaints
