"""The daemon's answers as typed values. Pure: reads dictionaries, asks nothing, decides nothing.

Amounts of the daemon are FLOP as Decimal; here they are `Amount`, without sign: `category` says which way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from webapp.domain.money import Amount

# Categories of wallet entries that pay the wallet; coinbases are "immature" first and "orphan" when undone.
INCOMING = ("receive", "generate", "immature")


class Tip(NamedTuple):
    """The end of the main chain."""

    height: int
    hash: str


class OutPoint(NamedTuple):
    """An output of a transaction: what inputs name and what locks hold."""

    txid: str
    vout: int


@dataclass(frozen=True)
class Coin:
    """An unspent output of the daemon's wallet that it may spend. `address` is None for an unusual script."""

    point: OutPoint
    amount: Amount
    confirmations: int
    address: str | None


@dataclass(frozen=True)
class TxOutput:
    """What a transaction pays. `address` is None for a script that has no single address."""

    vout: int
    address: str | None
    amount: Amount


@dataclass(frozen=True)
class DecodedTransaction:
    """A transaction read from its hex. `size` is in bytes; the txid changes when it is signed."""

    txid: str
    inputs: tuple[OutPoint, ...]
    outputs: tuple[TxOutput, ...]
    size: int


@dataclass(frozen=True)
class FundedTransaction:
    """A transaction with inputs, not yet signed. `change_position` is the change's vout, or None."""

    hex: str
    fee: Amount
    change_position: int | None


@dataclass(frozen=True)
class ChainEntry:
    """One line of the daemon's wallet history: an output that pays the wallet, or one that left it.

    `confirmations` is 0 in the mempool and negative when a conflicting transaction was mined. `seen_at` is when the
    daemon saw it first; for what it found in a block that it read late, the block's own time.
    """

    txid: str
    vout: int
    category: str
    address: str | None
    amount: Amount
    confirmations: int
    block_hash: str | None
    is_coinbase: bool
    conflicts: tuple[str, ...]
    seen_at: datetime

    @property
    def is_incoming(self) -> bool:
        """Whether it pays the wallet."""
        return self.category in INCOMING


@dataclass(frozen=True)
class Ancestry:
    """A transaction of the mempool with everything unconfirmed that it builds on: how many, their bytes, their fees."""

    count: int
    size: int
    fees: Amount


class SendOutcome(StrEnum):
    """How a broadcast ended well. A repeated broadcast may be either."""

    ACCEPTED = "accepted"
    ALREADY_KNOWN = "already_known"


def read_amount(value: Any) -> Amount:
    """A daemon's number as an Amount, zero allowed, its sign dropped."""
    return Amount.parse(abs(value), allow_zero=True)


def read_entry(entry: Mapping[str, Any]) -> ChainEntry:
    """One element of `listsinceblock`'s `transactions`."""
    return ChainEntry(
        txid=entry["txid"],
        vout=entry["vout"],
        category=entry["category"],
        address=entry.get("address"),
        amount=read_amount(entry["amount"]),
        confirmations=entry["confirmations"],
        block_hash=entry.get("blockhash"),
        is_coinbase=bool(entry.get("generated", False)),
        conflicts=tuple(entry.get("walletconflicts", ())),
        seen_at=datetime.fromtimestamp(entry["time"], UTC),
    )


def read_decoded(decoded: Mapping[str, Any]) -> DecodedTransaction:
    """The answer of `decoderawtransaction`, or of `getrawtransaction` with details."""
    return DecodedTransaction(
        txid=decoded["txid"],
        inputs=tuple(OutPoint(i["txid"], i["vout"]) for i in decoded["vin"] if "txid" in i),
        outputs=tuple(_read_output(output) for output in decoded["vout"]),
        size=decoded["size"],
    )


def _read_output(output: Mapping[str, Any]) -> TxOutput:
    script = output["scriptPubKey"]
    # Up to 0.21 a list that for a bare multisig holds several; later one `address`.
    addresses = script.get("addresses") or [script[key] for key in ("address",) if key in script]
    address = addresses[0] if len(addresses) == 1 else None
    return TxOutput(vout=output["n"], address=address, amount=read_amount(output["value"]))


def read_coins(rows: list[dict[str, Any]]) -> list[Coin]:
    """The answer of `listunspent`, without what the wallet only watches or may not spend yet."""
    return [
        Coin(
            OutPoint(row["txid"], row["vout"]),
            read_amount(row["amount"]),
            row["confirmations"],
            row.get("address"),
        )
        for row in rows
        if row.get("spendable", True)
    ]


def read_ancestry(entry: Mapping[str, Any]) -> Ancestry:
    """The answer of `getmempoolentry`; its `ancestorfees` are base units in both dialects."""
    return Ancestry(entry["ancestorcount"], entry["ancestorsize"], Amount(int(entry["ancestorfees"])))


def read_outpoints(rows: list[dict[str, Any]]) -> list[OutPoint]:
    """The answer of `listlockunspent`."""
    return [OutPoint(row["txid"], row["vout"]) for row in rows]


def read_fee_estimate(answer: Any) -> Amount | None:
    """FLOP per kB, or None: a quiet chain answers -1 (0.14), nothing (0.21), or a refusal."""
    rate = answer.get("feerate") if isinstance(answer, dict) else None
    return read_amount(rate) if rate is not None and rate > 0 else None


def read_relay_fee(answer: Any) -> Amount:
    """The least FLOP per kB that the daemon relays, from `getnetworkinfo`; zero when it did not say."""
    fee = answer.get("relayfee") if isinstance(answer, dict) else None
    return read_amount(fee) if fee else Amount(0)
