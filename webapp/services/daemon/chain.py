"""What the daemon knows of chain, mempool and its wallet's history. Changes nothing, in either dialect."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from pydantic import SecretStr

from webapp.domain.exceptions import RpcRefusedError, WrongNetworkError
from webapp.domain.money import Amount
from webapp.services.daemon import rpc_errors
from webapp.services.daemon.answers import (
    Ancestry,
    ChainEntry,
    DecodedTransaction,
    OutPoint,
    Tip,
    read_amount,
    read_ancestry,
    read_decoded,
    read_entry,
    read_fee_estimate,
    read_relay_fee,
)
from webapp.services.daemon.dialect import Dialect, DialectProbe
from webapp.services.wallet_rpc import WalletRpc

FEE_TARGET_BLOCKS = 6
BATCH = 100


class WalletSettings(Protocol):
    """The `wallet` section of the settings, as far as it is needed here."""

    @property
    def network(self) -> str: ...
    @property
    def fee_rate_per_kb(self) -> Amount: ...
    @property
    def max_fee_rate_per_kb(self) -> Amount: ...
    @property
    def passphrase(self) -> SecretStr | str | None: ...


class DaemonChain:
    """Reading methods. Every one may raise RpcUnavailableError or RpcAuthenticationError."""

    def __init__(self, rpc: WalletRpc, settings: WalletSettings) -> None:
        self.rpc = rpc
        self.settings = settings
        self._probe = DialectProbe(rpc)

    @property
    def network(self) -> str:
        """The configured network: main, test or regtest."""
        return self.settings.network

    def dialect(self) -> Dialect:
        """How the daemon wants to be spoken to."""
        return self._probe.dialect()

    def require_network(self) -> None:
        """Raise WrongNetworkError unless the daemon runs on the configured network."""
        actual = self.rpc.read("getblockchaininfo")["chain"]
        if actual != self.network:
            raise WrongNetworkError(
                f"The coin daemon at {self.rpc.endpoint} runs on {actual}, but wallet.network is "
                f"{self.network}. Point rpc.port at the right daemon, or correct wallet.network."
            )

    def balance(self) -> Amount:
        """Spendable coins: confirmed ones and our own change. Coins of others in the mempool do not count."""
        return read_amount(self.rpc.read("getbalance"))

    def immature_balance(self) -> Amount:
        """Coins that were mined to the wallet's addresses and are not spendable yet; `balance` leaves them out."""
        return read_amount(self.rpc.read("getwalletinfo")["immature_balance"])

    def fee_rate_per_kb(self) -> Amount:
        """FLOP per kilobyte to pay: the daemon's estimate, at least the configured floor and the daemon's
        relay minimum, at most the configured ceiling."""
        estimate, network = self.rpc.batch_read(
            [("estimatesmartfee", [FEE_TARGET_BLOCKS]), ("getnetworkinfo", [])]
        )
        return self.choose_fee_rate(read_fee_estimate(estimate), read_relay_fee(network))

    def choose_fee_rate(self, estimate: Amount | None, relay_fee: Amount) -> Amount:
        """The rule of `fee_rate_per_kb` for given answers."""
        wanted = max(self.settings.fee_rate_per_kb, estimate or relay_fee)
        return max(min(wanted, self.settings.max_fee_rate_per_kb), relay_fee)

    def tip(self) -> Tip:
        """Height and hash of the best block, from one answer."""
        info = self.rpc.read("getblockchaininfo")
        return Tip(info["blocks"], info["bestblockhash"])

    def heights(self) -> tuple[int, int]:
        """(the blocks that the daemon has read, the headers that it knows of)."""
        info = self.rpc.read("getblockchaininfo")
        return info["blocks"], info["headers"]

    def is_catching_up(self) -> bool:
        """Whether the daemon knows of blocks that it has not read yet."""
        blocks, headers = self.heights()
        return headers > blocks

    def block_header(self, block_hash: str) -> dict[str, Any] | None:
        """The header; `confirmations` is -1 for a block off the main chain. None for an unknown block."""
        return self._find("getblockheader", block_hash)

    def list_since_block(
        self, block_hash: str | None, target_confirmations: int
    ) -> tuple[list[ChainEntry], str]:
        """(the wallet's entries after the block, the cursor for the next time).

        A block that left the main chain counts from the fork. None, and a block that this daemon never saw,
        count from the beginning. The cursor is the block with `target_confirmations` confirmations.
        """
        try:
            answer = self.rpc.read("listsinceblock", block_hash or "", target_confirmations)
        except RpcRefusedError as refused:
            # 0.21 refuses an unknown block where 0.14 answers from the beginning.
            if refused.code != rpc_errors.INVALID_ADDRESS_OR_KEY:
                raise
            answer = self.rpc.read("listsinceblock", "", target_confirmations)
        return [read_entry(entry) for entry in answer["transactions"]], answer["lastblock"]

    def decode(self, transaction_hex: str) -> DecodedTransaction:
        """What a transaction spends and pays. Raises RpcRefusedError (-22) for garbage."""
        return read_decoded(self.rpc.read("decoderawtransaction", transaction_hex))

    def get_transaction(self, txid: str) -> dict[str, Any] | None:
        """The wallet's own view (`confirmations`, `walletconflicts`, `hex`, ...), or None if it has none."""
        return self._find("gettransaction", txid)

    def get_transactions(self, txids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """`get_transaction` of many in few exchanges, by txid; those that the wallet does not have are left out."""
        return self._find_many("gettransaction", txids)

    def blocks_off_the_chain(self, block_hashes: Iterable[str]) -> set[str]:
        """Which of these blocks are not in the main chain: undone, or never heard of."""
        wanted = list(block_hashes)
        headers = self._find_many("getblockheader", wanted)
        return {each for each in wanted if each not in headers or headers[each]["confirmations"] < 0}

    def get_tx_out(self, txid: str, vout: int, *, include_mempool: bool = True) -> dict[str, Any] | None:
        """The unspent output, or None when it is spent or was never there."""
        found: dict[str, Any] | None = self.rpc.read("gettxout", txid, vout, include_mempool)
        return found

    def get_tx_outs(self, points: Iterable[OutPoint]) -> dict[OutPoint, dict[str, Any] | None]:
        """`get_tx_out` of many in few exchanges; what is spent in the mempool counts as spent."""
        wanted = list(points)
        answers = self._read_many("gettxout", [[point.txid, point.vout] for point in wanted])
        return dict(zip(wanted, answers, strict=True))

    def decode_many(self, transactions: Iterable[str]) -> list[DecodedTransaction]:
        """`decode` of many in few exchanges, in order."""
        answers = self._read_many("decoderawtransaction", [[each] for each in transactions])
        return [read_decoded(each) for each in answers]

    def in_mempool(self, txids: Iterable[str]) -> set[str]:
        """Which of these wait in the daemon's mempool."""
        return set(self.mempool_entries(txids))

    def mempool_entries(self, txids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Those of these that wait in the daemon's mempool, by txid; `depends` names their unconfirmed parents."""
        return self._find_many("getmempoolentry", txids)

    def raw_mempool_has(self, txid: str) -> bool:
        """Whether the transaction waits in the daemon's mempool."""
        return self._find("getmempoolentry", txid) is not None

    def _read_many(self, method: str, calls: list[list[Any]]) -> list[Any]:
        answers: list[Any] = []
        for start in range(0, len(calls), BATCH):
            part = calls[start : start + BATCH]
            answers += self.rpc.batch_read([(method, params) for params in part])
        for answer in answers:
            if isinstance(answer, RpcRefusedError):
                raise answer
        return answers

    def _find_many(self, method: str, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        wanted, found = sorted(set(keys)), {}
        for start in range(0, len(wanted), BATCH):
            part = wanted[start : start + BATCH]
            answers = self.rpc.batch_read([(method, [key]) for key in part])
            for key, answer in zip(part, answers, strict=True):
                if not isinstance(answer, RpcRefusedError):
                    found[key] = answer
                elif answer.code != rpc_errors.INVALID_ADDRESS_OR_KEY:
                    raise answer
        return found

    def mempool_ancestry(self, txid: str) -> Ancestry | None:
        """What a miner must take along with a transaction of the mempool; None when it is not there."""
        entry = self._find("getmempoolentry", txid)
        return read_ancestry(entry) if entry is not None else None

    def _find(self, method: str, key: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self.rpc.read(method, key)
        except RpcRefusedError as refused:
            if refused.code == rpc_errors.INVALID_ADDRESS_OR_KEY:
                return None
            raise
        return found
