"""A published statement as its page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from webapp.domain.money import Amount
from webapp.models import SolvencyStatement
from webapp.web.formats import NO_BREAK_SPACE, decimal

SHOWN_ADDRESSES = 50


@dataclass(frozen=True, slots=True)
class Holding:
    """An address that holds coins. `signature` is None when it has not signed."""

    address: str
    amount: Amount
    signature: str | None


@dataclass(frozen=True, slots=True)
class StatementView:
    """`coverage` is a percentage with two decimals, rounded down; None while nothing is owed. `number` is the hash that
    every holding address has signed inside `message`. `holdings` are the largest of `address_count`.
    """

    id: int
    block_height: int
    block_hash: str
    published_at: datetime
    owed: Amount
    held: Amount
    coverage: str | None
    root_hash: str
    number: str
    message: str
    holdings: list[Holding]
    address_count: int
    signed: Amount
    other: Amount
    cold: list[Holding]

    @property
    def unsigned(self) -> Amount:
        """What of the coins nobody has signed for."""
        return self.held - self.signed - sum((each.amount for each in self.cold if each.signature), Amount(0))


def view_of(statement: SolvencyStatement) -> StatementView:
    """The statement in parts."""
    document = statement.document
    said = document["statement"]
    coins = _holdings(said["coins"], document["signatures"])
    return StatementView(
        id=statement.id,
        block_height=statement.block_height,
        block_hash=statement.block_hash,
        published_at=statement.published_at,
        owed=Amount(statement.liabilities),
        held=Amount(statement.reserves),
        coverage=coverage(statement.liabilities, statement.reserves),
        root_hash=statement.root_hash,
        number=document["message"].rpartition(" ")[2],
        message=document["message"],
        holdings=coins[:SHOWN_ADDRESSES],
        address_count=len(coins),
        signed=sum((each.amount for each in coins), Amount(0)),
        other=Amount.parse(said["other_coins"], allow_zero=True),
        cold=_holdings(said["cold_storage"], document["cold_signatures"]),
    )


def coverage(owed: int, held: int) -> str | None:
    """`100.00 %`: base units held for those owed, rounded down."""
    if not owed:
        return None
    percent, hundredths = divmod(held * 10_000 // owed, 100)
    return decimal(f"{percent}.{hundredths:02d}") + f"{NO_BREAK_SPACE}%"


def _holdings(coins: list[dict[str, Any]], signatures: dict[str, str]) -> list[Holding]:
    return [
        Holding(
            each["address"], Amount.parse(each["amount"], allow_zero=True), signatures.get(each["address"])
        )
        for each in coins
    ]
