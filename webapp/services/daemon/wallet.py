"""The daemon's wallet: addresses, transactions, locks, signing. Both dialects; knows nothing of the ledger.

Calls that change something end in one of three ways, as `wallet_rpc` says: done, refused, or
RpcUnknownOutcomeError, which is never a failure.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import RLock

import structlog

from webapp.domain.addresses import check_address, is_address
from webapp.domain.exceptions import (
    InvalidAddressError,
    RpcRefusedError,
    RpcUnknownOutcomeError,
    SigningIncompleteError,
    WalletIntegrationError,
    WalletLockedError,
)
from webapp.domain.failpoints import Step, step
from webapp.domain.money import Amount
from webapp.services.daemon import rpc_errors
from webapp.services.daemon.answers import (
    Coin,
    FundedTransaction,
    OutPoint,
    SendOutcome,
    read_amount,
    read_coins,
    read_outpoints,
)
from webapp.services.daemon.chain import DaemonChain, WalletSettings
from webapp.services.daemon.rpc_connection import plain_secret
from webapp.services.daemon.status import DaemonStatus, ask_status
from webapp.services.wallet_rpc import WalletRpc

log = structlog.get_logger(__name__)

# Signing takes a second at most; a daemon that is busy with a block answers after some more.
UNLOCK_SECONDS = 20
_ANY_DEPTH = 9_999_999
# What daemons say of a transaction that they have: 0.14, 0.21 and newer ones.
_KNOWN_WORDS = ("already in block chain", "already in mempool", "already-in-mempool", "already-known")
# After these the transaction may be known nevertheless: its outputs are all spent, or it was only not relayed.
_UNCLEAR_REFUSALS = (
    rpc_errors.VERIFY_ERROR,
    rpc_errors.VERIFY_REJECTED,
    rpc_errors.CLIENT_P2P_DISABLED,
)


class DaemonWallet(DaemonChain):
    """One daemon's wallet. Thread-safe."""

    def __init__(self, rpc: WalletRpc, settings: WalletSettings) -> None:
        super().__init__(rpc, settings)
        self._unlocking = RLock()
        self._is_openable = True

    def status(self) -> DaemonStatus:
        """Everything an operator asks first. Never raises for the daemon: what is wrong is in `problems`."""
        return ask_status(self)

    def new_address(self, label: str = "") -> str:
        """A new legacy address of the wallet, under `label`."""
        return self._own_address("getnewaddress", self.dialect().new_address_params(label))

    def new_change_address(self) -> str:
        """A new legacy address for change."""
        return self._own_address("getrawchangeaddress", self.dialect().change_address_params())

    def is_mine(self, address: str) -> bool:
        """Whether the wallet can spend what is sent to the address."""
        return bool(self.rpc.read(self.dialect().ownership_method, address).get("ismine"))

    def validate_payout_address(self, address: str, field: str = "address") -> None:
        """Raise InvalidAddressError unless coins can be sent there. The daemon is asked if it is in reach."""
        check_address(address, self.network, field)
        try:
            is_valid = self.rpc.read("validateaddress", address)["isvalid"]
        except WalletIntegrationError as error:
            log.warning("address_not_checked_by_daemon", reason=error.detail)
            return
        if not is_valid:
            message = "is refused by the coin daemon"
            raise InvalidAddressError(f"{field}: {message}", fields={field: message})

    def fund_transaction(
        self,
        outputs: Mapping[str, Amount],
        fee_rate: Amount,
        subtract_fee: bool = False,
        change_address: str | None = None,
        inputs: Iterable[OutPoint] = (),
    ) -> FundedTransaction:
        """Choose inputs for payments to `outputs` (address to amount) and lock them in the daemon.

        All of `inputs` are spent, and others only if these do not suffice; lock them before.

        `fee_rate` is FLOP per kB; with `subtract_fee` the outputs bear the fee in equal parts. Change goes to
        a new legacy address unless one is given. Raises WalletInsufficientFundsError, TransactionTooLargeError
        (pay fewer at a time), or RpcRefusedError (-4 for dust). The locks stay until `unlock_inputs`, the
        spending, or the daemon's restart.
        """
        raw = self.spend(inputs, outputs)
        funded = self.rpc.change(
            "fundrawtransaction",
            raw,
            {
                "changeAddress": change_address or self.new_change_address(),
                "feeRate": fee_rate,
                "lockUnspents": True,
                "subtractFeeFromOutputs": list(range(len(outputs))) if subtract_fee else [],
            },
        )
        position = funded["changepos"]
        return FundedTransaction(
            hex=funded["hex"],
            fee=read_amount(funded["fee"]),
            change_position=position if position >= 0 else None,
        )

    def list_coins(self, min_confirmations: int = 1, addresses: Sequence[str] = ()) -> list[Coin]:
        """The unlocked coins that the wallet can spend, of all addresses or of these; long in a wallet of many."""
        only = [_ANY_DEPTH, list(addresses)] if addresses else []
        return read_coins(self.rpc.read("listunspent", min_confirmations, *only))

    def spend(self, inputs: Iterable[OutPoint], outputs: Mapping[str, Amount]) -> str:
        """An unsigned transaction of exactly these inputs and outputs (address to amount); the rest is its fee."""
        rows = [{"txid": each.txid, "vout": each.vout} for each in inputs]
        raw: str = self.rpc.read("createrawtransaction", rows, dict(outputs))
        return raw

    def sign(self, transaction_hex: str) -> str:
        """The signed hex. Raises SigningIncompleteError, or WalletLockedError outside `unlocked`."""
        signed = self.rpc.read(self.dialect().sign_method, transaction_hex)
        if not signed["complete"]:
            reasons = "; ".join(
                f"{error['txid']}:{error['vout']} {error['error']}" for error in signed.get("errors", [])[:5]
            )
            raise SigningIncompleteError(
                f"The daemon could not sign every input: {reasons or 'no reason given'}"
            )
        signed_hex: str = signed["hex"]
        return signed_hex

    def send_raw(self, transaction_hex: str) -> SendOutcome:
        """Broadcast. Both outcomes mean that the network has it.

        Raises RpcRefusedError when it can not be (-22 garbage, -25/-26 inputs missing or spent by another
        transaction), and RpcUnknownOutcomeError when the answer was lost: send the same bytes again.
        """
        try:
            self.rpc.change("sendrawtransaction", *self.dialect().broadcast_params(transaction_hex))
        except RpcRefusedError as refused:
            if self._is_known(transaction_hex, refused):
                return SendOutcome.ALREADY_KNOWN
            raise
        return SendOutcome.ACCEPTED

    def lock_inputs(self, inputs: Iterable[OutPoint]) -> list[OutPoint]:
        """Keep the wallet from choosing these; a lock that exists is fine. Returns those that could not be
        locked: spent or unknown. The daemon forgets its locks when it restarts."""
        return self._set_locks(list(inputs), is_locked=True)

    def unlock_inputs(self, inputs: Iterable[OutPoint]) -> None:
        """Let the wallet choose these again; those that are spent or not locked are left alone."""
        self._set_locks(list(inputs), is_locked=False)

    def list_locked(self) -> list[OutPoint]:
        """Every lock in the daemon, whoever made it."""
        return read_outpoints(self.rpc.read("listlockunspent"))

    @contextmanager
    def unlocked(self, seconds: int = UNLOCK_SECONDS) -> Iterator[None]:
        """Have the wallet ready to sign in this block, and as locked as it was afterwards.

        An unencrypted wallet, or one that the operator has unlocked, is used as it is. Otherwise
        wallet.passphrase opens it for `seconds` at most: that is what closes it after a crash. Raises
        WalletLockedError when none is set, and RpcRefusedError (-14) when it is wrong. One thread at a time.
        """
        with self._unlocking:
            if self._is_ready_to_sign():
                yield
                return
            with step(Step.WALLET_OPEN):
                self._open(seconds)
            try:
                yield
            finally:
                with step(Step.WALLET_LOCK):
                    self._lock_again()

    def require_openable(self) -> None:
        """Raise what `unlocked` would raise if it could not open the wallet the last time, and cannot now.

        Ask before anything is built: each attempt uses up one of the keys that a locked wallet has in stock.
        """
        if not self._is_openable:
            with self.unlocked():
                self._is_openable = True

    def _open(self, seconds: int) -> None:
        passphrase = plain_secret(self.settings.passphrase)
        self._is_openable = False
        if not passphrase:
            raise WalletLockedError(
                "The daemon's wallet is locked. Set wallet.passphrase, or unlock it with walletpassphrase.",
                code=rpc_errors.WALLET_UNLOCK_NEEDED,
            )
        try:
            self.rpc.change("walletpassphrase", passphrase, seconds)
        except RpcUnknownOutcomeError:
            self._lock_again()
            raise
        self._is_openable = True

    def _is_ready_to_sign(self) -> bool:
        until = self.rpc.read("getwalletinfo").get("unlocked_until")
        return until is None or until > time.time() + 1

    def _lock_again(self) -> None:
        try:
            self.rpc.read("walletlock")  # Locking it twice does no harm, so this may be repeated.
        except WalletIntegrationError as error:
            # It locks by itself when its seconds are over; an error here must not hide the block's own.
            log.warning("wallet_not_locked_again", reason=error.detail)

    def _own_address(self, method: str, params: list[str]) -> str:
        try:
            address: str = self.rpc.change(method, *params)
        except RpcRefusedError as refused:
            if refused.code != rpc_errors.WALLET_KEYPOOL_RAN_OUT:
                raise
            # A locked wallet cannot make keys: what it had made before is used up. Opening it makes new ones.
            with self.unlocked():
                address = self.rpc.change(method, *params)
        if not is_address(address, self.network):
            raise WalletIntegrationError(
                f"{method} gave an address that does not belong to {self.network}: the daemon runs another "
                "network or coin than configured, or made a witness address."
            )
        return address

    def _is_known(self, transaction_hex: str, refused: RpcRefusedError) -> bool:
        if refused.code == rpc_errors.VERIFY_ALREADY_IN_CHAIN:
            return True
        if any(words in refused.detail.lower() for words in _KNOWN_WORDS):
            return True
        if refused.code not in _UNCLEAR_REFUSALS:
            return False
        txid = self.decode(transaction_hex).txid
        ours = self.get_transaction(txid)
        return self.raw_mempool_has(txid) or (ours is not None and ours["confirmations"] > 0)

    def _set_locks(self, outputs: list[OutPoint], *, is_locked: bool) -> list[OutPoint]:
        """One call for all; one for each when one of them spoils it. Returns those that were refused."""
        if not outputs or self._try_locks(outputs, is_locked=is_locked):
            return []
        return [each for each in outputs if not self._try_locks([each], is_locked=is_locked)]

    def _try_locks(self, outputs: list[OutPoint], *, is_locked: bool) -> bool:
        rows = [{"txid": each.txid, "vout": each.vout} for each in outputs]
        try:
            self.rpc.change("lockunspent", not is_locked, rows)
        except RpcRefusedError as refused:
            # 0.14 answers true to everything; 0.21 refuses what is so already, and what is spent or unknown.
            if refused.code != rpc_errors.INVALID_PARAMETER:
                raise
            return len(outputs) == 1 and "already locked" in refused.detail
        return True
