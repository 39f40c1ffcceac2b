"""Very many wallet transactions in a hurry: outputs that anybody can spend, each spent to an address of custody.

No key signs anything and no mempool is waited for: the miner is handed blocks of finished transactions.
"""

from __future__ import annotations

import hashlib
import random
import struct
from collections.abc import Iterator, Sequence
from itertools import islice

from tests.support.chain import Chain

# The script OP_TRUE, behind its hash: to spend it is to show it.
_REDEEM = b"\x51"
_OUTPUTS_AT_ONCE = 2500  # below 100 kB a transaction
_CALLS_AT_ONCE, _BLOCKS_AT_ONCE = 100, 20
_BASE_UNITS = 100_000_000


def pay(chain: Chain, addresses: Sequence[str], count: int, blocks: int, units: int, seed: int = 1) -> None:
    """Mine `count` transactions in so many blocks, each of which pays `units` to one of custody's addresses."""
    chooser = random.Random(seed)
    scripts = [bytes.fromhex(each["scriptPubKey"]) for each in _ask(chain, "validateaddress", addresses)]
    coins = iter(list(_coins(chain, count, units)))
    reward = chain.new_outside_address()
    sizes = [count // blocks + (number < count % blocks) for number in range(blocks)]
    chain.sync()
    for number, size in enumerate(sizes):
        spending = [_spend(txid, vout, units, chooser.choice(scripts)) for txid, vout in islice(coins, size)]
        chain.miner.rpc("generateblock", reward, spending)
        if number % _BLOCKS_AT_ONCE == 0:
            chain.sync()  # custody's wallet takes longer than the miner
    chain.sync()


def custody_addresses(chain: Chain, count: int) -> list[str]:
    """New addresses of the wallet that the product talks to."""
    found: list[str] = []
    while len(found) < count:
        calls = [("getnewaddress", "", "legacy")] * min(_CALLS_AT_ONCE, count - len(found))
        found += chain.custody.rpc_in_turn(*calls)
    return found


def _ask(chain: Chain, method: str, addresses: Sequence[str]) -> list[dict[str, str]]:
    answers: list[dict[str, str]] = []
    for start in range(0, len(addresses), _CALLS_AT_ONCE):
        answers += chain.custody.rpc_in_turn(
            *((method, each) for each in addresses[start : start + _CALLS_AT_ONCE])
        )
    return answers


def _coins(chain: Chain, count: int, units: int) -> Iterator[tuple[bytes, int]]:
    """(txid as it is hashed, output) of so many coins of `units` that anybody can spend."""
    script = b"\xa9\x14" + hashlib.new("ripemd160", hashlib.sha256(_REDEEM).digest()).digest() + b"\x87"
    for start in range(0, count, _OUTPUTS_AT_ONCE):
        wanted = min(_OUTPUTS_AT_ONCE, count - start)
        raw = _transaction([], [(units, script)] * wanted)
        funded = chain.miner.rpc("fundrawtransaction", raw, {"changePosition": wanted, "feeRate": "0.01"})
        signed = chain.miner.rpc("signrawtransactionwithwallet", funded["hex"])
        txid = chain.miner.rpc("sendrawtransaction", signed["hex"], 0)
        chain.mine(1)
        yield from ((bytes.fromhex(txid)[::-1], vout) for vout in range(wanted))


def _spend(txid: bytes, vout: int, units: int, script: bytes) -> str:
    shown = bytes([len(_REDEEM)]) + _REDEEM
    return _transaction([txid + struct.pack("<I", vout) + _sized(shown) + b"\xff" * 4], [(units, script)])


def _transaction(inputs: list[bytes], outputs: list[tuple[int, bytes]]) -> str:
    """The hex of a transaction of version 2, without a lock time."""
    body = b"".join(struct.pack("<q", units) + _sized(script) for units, script in outputs)
    parts = (b"\x02\0\0\0", _number(len(inputs)), *inputs, _number(len(outputs)), body, b"\0" * 4)
    return b"".join(parts).hex()


def _sized(part: bytes) -> bytes:
    return _number(len(part)) + part


def _number(number: int) -> bytes:
    return bytes([number]) if number < 253 else b"\xfd" + struct.pack("<H", number)
