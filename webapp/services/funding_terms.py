"""How a new escrow is to be paid for: out of the payer's balance, or by coins sent to an address of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from webapp.config import Settings
from webapp.domain.addresses import check_address
from webapp.domain.exceptions import InvalidAddressError
from webapp.domain.money import Amount
from webapp.domain.said import said

BALANCE, DEPOSIT = "balance", "deposit"
_ONLY_WITH_DEPOSIT = said("goes only with funding by a deposit")


@dataclass(frozen=True, slots=True)
class FundingTerms:
    """`fund_by` is the end of the time to pay. `refund_address` is where coins go that the escrow gives back or does
    not need; without one they stay in the payer's balance. Both belong to a deposit only.
    """

    funding: str
    fund_by: datetime | None = None
    refund_address: str | None = None

    @property
    def is_by_deposit(self) -> bool:
        """Whether coins are awaited at an address of the escrow's own."""
        return self.funding == DEPOSIT


class FundingReader:
    """Writes what it objects to into `complaints`, field by field."""

    def __init__(self, settings: Settings, complaints: dict[str, str]) -> None:
        self._settings = settings
        self._complaints = complaints

    def read(
        self,
        funding: str,
        fund_by: datetime | None,
        refund_address: str | None,
        *,
        amount: Amount,
        now: datetime,
        expires_at: datetime,
    ) -> FundingTerms:
        """The checked terms, for an escrow of `amount` that is to be delivered by `expires_at`."""
        if funding not in (BALANCE, DEPOSIT):
            self._complaints["funding"] = said(
                "must be {balance} or {deposit}", balance=BALANCE, deposit=DEPOSIT
            )
        if funding != DEPOSIT:
            for field, value in (("fund_by", fund_by), ("refund_address", refund_address)):
                if value:
                    self._complaints[field] = _ONLY_WITH_DEPOSIT
            return FundingTerms(BALANCE)
        self._check_amount(amount)
        return FundingTerms(DEPOSIT, self._deadline(fund_by, now, expires_at), self._address(refund_address))

    def _check_amount(self, amount: Amount) -> None:
        """No wallet sends dust."""
        least = self._settings.wallet.dust_limit
        if amount < least and "amount" not in self._complaints:
            self._complaints["amount"] = said(
                "must be at least {least} FLOP to be paid on the chain", least=least
            )

    def _deadline(self, value: datetime | None, now: datetime, expires_at: datetime) -> datetime:
        if value is None:
            # An escrow of a few hours keeps half of them for the work.
            usual = now + timedelta(hours=self._settings.escrow.default_funding_hours)
            return min(usual, now + (expires_at - now) / 2)
        if not isinstance(value, datetime) or value.tzinfo is None:
            self._complaints["fund_by"] = said("must be a time with its zone")
            return now
        is_too_late = value >= expires_at and "expires_at" not in self._complaints
        if value <= now or is_too_late:
            self._complaints["fund_by"] = said("must be in the future, and before the result is due")
            return now
        return value.astimezone(UTC)

    def _address(self, value: str | None) -> str | None:
        if not value:
            return None
        try:
            check_address(value, self._settings.wallet.network, "refund_address")
        except InvalidAddressError as error:
            self._complaints |= error.fields
        return value
