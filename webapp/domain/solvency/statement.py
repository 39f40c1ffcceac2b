"""The statement of reserves: what is said of one block, what is signed of it, and how it is read back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .reading import RefusedError, base_units, fields, flop, hash_bytes, integer, items, text
from .signed_messages import MAGICS
from .tree import Node

FORMAT = "duxos-solvency-1"
NETWORKS = ("main", "test", "regtest")

_LARGEST_HEIGHT = 2**31
_SAID = (
    "format",
    "network",
    "made_at",
    "block_height",
    "block_hash",
    "root_hash",
    "liabilities",
    "reserves",
    "coins",
    "other_coins",
    "cold_storage",
    "message_magic",
    "address_version",
)


@dataclass(frozen=True, slots=True)
class CoinsAt:
    """Base units that an address holds."""

    address: str
    amount: int


@dataclass(frozen=True, slots=True)
class Statement:
    """What is said. `root` is the tree's, its sum the liabilities; `coins` are at the addresses that sign.

    `other_coins` are in the same wallet: at addresses beyond the bounded list, at ones that cannot sign, or not
    spendable yet. `message_magic` and `address_version` are what the network's `signmessage` and addresses begin with.
    """

    network: str
    made_at: str
    block_height: int
    block_hash: str
    root: Node
    coins: tuple[CoinsAt, ...]
    other_coins: int
    cold_storage: tuple[CoinsAt, ...]
    message_magic: str
    address_version: int

    @property
    def liabilities(self) -> int:
        """Everything that is owed."""
        return self.root.sum

    @property
    def signing(self) -> int:
        """What the addresses hold that sign."""
        return sum(coins.amount for coins in self.coins)

    @property
    def cold(self) -> int:
        """What lies in cold storage."""
        return sum(coins.amount for coins in self.cold_storage)

    @property
    def reserves(self) -> int:
        """Everything that is there."""
        return self.signing + self.other_coins + self.cold

    def as_json(self) -> dict[str, Any]:
        """The statement as it is published and hashed: names, texts and small numbers only."""
        return {
            "format": FORMAT,
            "network": self.network,
            "made_at": self.made_at,
            "block_height": self.block_height,
            "block_hash": self.block_hash,
            "root_hash": self.root.hash.hex(),
            "liabilities": flop(self.liabilities),
            "reserves": flop(self.reserves),
            "coins": [_coins_json(coins) for coins in self.coins],
            "other_coins": flop(self.other_coins),
            "cold_storage": [_coins_json(coins) for coins in self.cold_storage],
            "message_magic": self.message_magic,
            "address_version": self.address_version,
        }

    def document(self, signatures: Mapping[str, str], cold_signatures: Mapping[str, str]) -> dict[str, Any]:
        """What is published: the statement, the text that is signed, and the signatures by address (base64)."""
        return {
            "statement": self.as_json(),
            "message": message_of(self),
            "signatures": dict(signatures),
            "cold_signatures": dict(cold_signatures),
        }


def message_of(statement: Statement) -> str:
    """The text that every holding address signs. It names the statement by the SHA-256 of its canonical JSON."""
    digest = hashlib.sha256(_canonical(statement.as_json())).hexdigest()
    return f"DuxOS Escrow solvency statement {digest}"


def read_statement(value: object) -> Statement:
    """The statement in a document. Raises RefusedError unless it is complete and adds up."""
    found = dict(zip(_SAID, fields(value, "the statement", *_SAID), strict=True))
    if found["format"] != FORMAT or found["network"] not in NETWORKS or found["message_magic"] not in MAGICS:
        raise RefusedError(
            "the statement is of a format, network or kind of signature that is not known here"
        )
    statement = Statement(
        network=found["network"],
        made_at=text(found["made_at"], "made_at"),
        block_height=integer(found["block_height"], "block_height", _LARGEST_HEIGHT),
        block_hash=hash_bytes(found["block_hash"], "block_hash").hex(),
        root=Node(
            hash_bytes(found["root_hash"], "root_hash"), base_units(found["liabilities"], "liabilities")
        ),
        coins=_read_coins(found["coins"], "coins"),
        other_coins=base_units(found["other_coins"], "other_coins"),
        cold_storage=_read_coins(found["cold_storage"], "cold_storage"),
        message_magic=found["message_magic"],
        address_version=integer(found["address_version"], "address_version", 255),
    )
    addresses = [coins.address for coins in statement.coins + statement.cold_storage]
    if len(set(addresses)) != len(addresses):
        raise RefusedError("an address is counted twice")
    if base_units(found["reserves"], "reserves") != statement.reserves:
        raise RefusedError("the reserves stated are not the sum of what the statement lists")
    return statement


def _read_coins(value: object, where: str) -> tuple[CoinsAt, ...]:
    found = []
    for item in items(value, where):
        address, amount = fields(item, where, "address", "amount")
        found.append(CoinsAt(text(address, f"{where}: address"), base_units(amount, f"{where}: amount")))
    return tuple(found)


def _coins_json(coins: CoinsAt) -> dict[str, str]:
    return {"address": coins.address, "amount": flop(coins.amount)}


def _canonical(value: dict[str, Any]) -> bytes:
    # RFC 8785 for values like these: ASCII names, no floats, no integer beyond 53 bits.
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
