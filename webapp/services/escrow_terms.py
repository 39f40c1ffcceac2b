"""Reading and checking what a new escrow is asked to be. Every complaint names its field; all come at once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.canonical import normalize_result_hash
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import InvalidAmountError, NotFoundError, ValidationError
from webapp.domain.money import Amount
from webapp.domain.numbers import LARGEST_NUMBER
from webapp.domain.reasons import checked_reason
from webapp.domain.said import said
from webapp.models import Node, SigningKey, Wallet
from webapp.services.funding_terms import DEPOSIT, FundingReader, FundingTerms
from webapp.services.terms.creation import ProvenTerms, complaints_about_names, read_and_prove

MAX_NAME_LENGTH = 128
MAX_METADATA_DEPTH = 32
MAX_REASON_LENGTH = 500
_AS_JSON = json.JSONEncoder(allow_nan=False, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class NewEscrow:
    """Terms that passed every check, at the moment of the creation."""

    created_at: datetime
    payer_wallet_id: int
    provider_wallet_id: int
    amount: Amount
    service_name: str
    task_id: str
    metadata: dict[str, Any]
    provider_node_id: str | None
    verifier_key_id: str | None
    expected_result_hash: str | None
    expires_at: datetime
    funding: FundingTerms
    own: ProvenTerms | None


class TermsReader:
    """Collects complaints while it reads, and raises them together.

    Without a session it reads what names nothing but the two wallets, and leaves it to the database whether they exist.
    """

    def __init__(self, session: Session | None, settings: Settings) -> None:
        self._found = session
        self._all_settings = settings
        self._settings = settings.escrow
        self._now = utcnow()
        self._complaints: dict[str, str] = {}
        self._funding = FundingReader(settings, self._complaints)

    def read(
        self,
        *,
        payer_wallet_id: int,
        provider_wallet_id: int,
        amount: object,
        service_name: str,
        task_id: str,
        metadata: dict[str, Any] | None,
        provider_node_id: str | None,
        verifier_key_id: str | None,
        expected_result_hash: str | None,
        expires_at: datetime | None,
        funding: str,
        fund_by: datetime | None,
        refund_address: str | None,
        terms: object = None,
    ) -> NewEscrow:
        """The checked terms. Raises ValidationError (InvalidAmountError when only the amount is wrong)."""
        checked_amount, deadline, own = self._amount(amount), self._deadline(expires_at), None
        if terms is not None:
            own = self._own(terms, expires_at, funding, provider_wallet_id, verifier_key_id)
            deadline = own.proof.latest_end if own else deadline
        read = NewEscrow(
            created_at=self._now,
            payer_wallet_id=payer_wallet_id,
            provider_wallet_id=self._provider(payer_wallet_id, provider_wallet_id),
            amount=checked_amount,
            service_name=self._name("service_name", service_name),
            task_id=self._name("task_id", task_id),
            metadata=self._metadata(metadata),
            provider_node_id=self._node(provider_node_id, provider_wallet_id),
            verifier_key_id=self._verifier(verifier_key_id, provider_wallet_id),
            expected_result_hash=self._hash(expected_result_hash),
            expires_at=deadline,
            funding=self._funding.read(
                funding,
                fund_by,
                refund_address,
                amount=checked_amount,
                now=self._now,
                expires_at=deadline,
            ),
            own=own,
        )
        if self._complaints:
            kind = InvalidAmountError if set(self._complaints) == {"amount"} else ValidationError
            detail = "; ".join(f"{field}: {message}" for field, message in self._complaints.items())
            raise kind(detail, fields=self._complaints)
        return read

    def _own(
        self,
        document: object,
        expires_at: datetime | None,
        funding: str,
        provider_wallet_id: int,
        verifier_key_id: str | None,
    ) -> ProvenTerms | None:
        """Terms of its own. They say when it ends, and count from its creation, so it has to have its money by then."""
        if expires_at is not None:
            self._complaints["expires_at"] = said("must be left out: the terms say when the escrow ends")
        if funding == DEPOSIT:
            self._complaints["funding"] = said("must be from the balance: the terms count from the creation")
        try:
            own = read_and_prove(self._session, self._all_settings, document, self._now)
        except ValidationError as error:
            self._complaints |= error.fields
            return None
        named = own.terms, provider_wallet_id, verifier_key_id
        if _is_wallet_id(provider_wallet_id):
            self._complaints |= complaints_about_names(self._session, *named, self._now)
        return own

    def _amount(self, value: object) -> Amount:
        try:
            amount = Amount.parse(value)
        except InvalidAmountError as error:
            self._complaints |= error.fields
            return Amount(0)
        least, most = self._settings.min_amount, self._settings.max_amount
        if not least <= amount <= most:
            self._complaints["amount"] = said(
                "must be between {least} and {most} FLOP", least=least, most=most
            )
        return amount

    def _provider(self, payer_wallet_id: int, provider_wallet_id: int) -> int:
        if payer_wallet_id == provider_wallet_id:
            self._complaints["provider_wallet_id"] = said("must differ from the payer's wallet")
        elif not _is_wallet_id(provider_wallet_id) or not self._is_wallet(provider_wallet_id):
            self._complaints["provider_wallet_id"] = said("there is no such wallet")
        return provider_wallet_id

    def _is_wallet(self, wallet_id: int) -> bool:
        return self._found is None or self._found.get(Wallet, wallet_id) is not None

    @property
    def _session(self) -> Session:
        if self._found is None:
            raise ValueError("terms that name keys, nodes or conditions are read with a session")
        return self._found

    def _name(self, field: str, value: object) -> str:
        text = value.strip() if isinstance(value, str) else ""
        if not text or len(text) > MAX_NAME_LENGTH or not text.isprintable():
            self._complaints[field] = said(
                "must be 1 to {max_name_length} printable characters", max_name_length=MAX_NAME_LENGTH
            )
        return text

    def _metadata(self, value: object) -> dict[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._complaints["metadata"] = said("must be an object")
            return {}
        if complaint := _metadata_complaint(value, self._settings.max_metadata_bytes):
            self._complaints["metadata"] = complaint
        return value

    def _node(self, node_id: str | None, provider_wallet_id: int) -> str | None:
        if not node_id:
            return None
        node = self._session.get(Node, node_id) if _is_id(node_id) else None
        if node is None or node.wallet_id != provider_wallet_id or node.status != "active":
            self._complaints["provider_node_id"] = said("is not an active node of the provider")
        return node_id

    def _verifier(self, key_id: str | None, provider_wallet_id: int) -> str | None:
        if not key_id:
            return None
        key = self._session.get(SigningKey, key_id) if _is_id(key_id) else None
        provider = (
            self._session.get(Wallet, provider_wallet_id) if _is_wallet_id(provider_wallet_id) else None
        )
        if key is None or not key.is_usable(utcnow()):
            self._complaints["verifier_key_id"] = said("is not a key that works")
        elif provider is not None and key.wallet.user_id == provider.user_id:
            # A provider can never release to itself, whatever name it signs under.
            self._complaints["verifier_key_id"] = said("must not belong to the provider")
        return key_id

    def _hash(self, value: str | None) -> str | None:
        if not value:
            return None
        try:
            return normalize_result_hash(value, field="expected_result_hash")
        except ValidationError as error:
            self._complaints |= error.fields
            return None

    def _deadline(self, value: datetime | None) -> datetime:
        now = self._now
        if value is None:
            return now + timedelta(hours=self._settings.default_deadline_hours)
        if not isinstance(value, datetime) or value.tzinfo is None:
            self._complaints["expires_at"] = said("must be a time with its zone")
            return now
        latest = now + timedelta(hours=self._settings.max_deadline_hours)
        if not now < value <= latest:
            self._complaints["expires_at"] = said(
                "must be in the future, at most {max_deadline_hours} hours",
                max_deadline_hours=self._settings.max_deadline_hours,
            )
            return now
        return value.astimezone(UTC)


def _is_wallet_id(value: object) -> bool:
    return type(value) is int and 0 < value <= LARGEST_NUMBER


def _is_id(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_NAME_LENGTH and value.isprintable()


def _metadata_complaint(value: dict[str, Any], max_bytes: int) -> str | None:
    try:
        size = len(_AS_JSON.encode(value).encode())
    except (TypeError, ValueError, RecursionError):
        return said("must be plain JSON of valid Unicode text")
    if size > max_bytes:
        return said("must take at most {max_bytes} bytes as JSON", max_bytes=max_bytes)
    if _depth(value) > MAX_METADATA_DEPTH:
        return said(
            "must not be nested deeper than {max_metadata_depth} levels",
            max_metadata_depth=MAX_METADATA_DEPTH,
        )
    if any("\0" in text for text in _texts(value)):
        return said("must not contain the character U+0000")
    return None


def _depth(value: object) -> int:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, parts), default=0)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield str(key)
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


def parsed_escrow_id(escrow_id: uuid.UUID | str) -> uuid.UUID:
    """The id of an escrow. Text that is none names no escrow: NotFoundError."""
    try:
        return escrow_id if isinstance(escrow_id, uuid.UUID) else uuid.UUID(escrow_id)
    except ValueError:
        raise NotFoundError(said("there is no such escrow, or it is not yours")) from None


def stated_reason(reason: object) -> str:
    """Why a party does something, for the other one to read; it may have several lines. Raises ValidationError."""
    return checked_reason(reason, MAX_REASON_LENGTH, keeps_lines=True)
