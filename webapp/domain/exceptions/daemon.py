"""Errors of the coin daemon. Nothing in the ledger changed because of one."""

from __future__ import annotations

from webapp.domain.exceptions.service import DuxosError
from webapp.domain.said import said


class WalletIntegrationError(DuxosError):
    """Something about the coin daemon; nothing in the ledger changed because of it."""

    status = 503
    slug = "daemon"
    title: str = said("The coin daemon could not do this")


class RpcUnavailableError(WalletIntegrationError):
    """The daemon was not reached: down, refused, timed out on a read, or the circuit is open."""

    slug = "daemon-unreachable"
    title: str = said("The coin daemon is out of reach")


class RpcWarmingUpError(RpcUnavailableError):
    """-28: the daemon is starting and will answer soon."""

    slug = "daemon-warming-up"
    title: str = said("The coin daemon is starting")


class RpcOverloadedError(RpcUnavailableError):
    """503, or a full work queue: nothing was done, try later."""

    slug = "daemon-overloaded"
    title: str = said("The coin daemon is overloaded")


class RpcAuthenticationError(WalletIntegrationError):
    """401: the RPC user or password is wrong."""

    slug = "daemon-authentication"
    title: str = said("The coin daemon refused the RPC password")


class RpcRefusedError(WalletIntegrationError):
    """The daemon answered with an error and did nothing. `code` is its number."""

    slug = "daemon-refused"
    title: str = said("The coin daemon refused the call")

    def __init__(self, detail: str, *, code: int, method: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.method = method


class WalletLockedError(RpcRefusedError):
    """-13: the daemon's wallet needs its passphrase."""

    slug = "daemon-wallet-locked"
    title: str = said("The daemon's wallet is locked")


class WalletInsufficientFundsError(RpcRefusedError):
    """-4 or -6: the daemon has too few spendable coins."""

    slug = "daemon-insufficient-funds"
    title: str = said("The daemon's wallet has too few spendable coins")


class TransactionTooLargeError(RpcRefusedError):
    """-4 or -6: the transaction would exceed the standard size; pay fewer outputs at a time."""

    slug = "daemon-transaction-too-large"
    title: str = said("The transaction is too large for the network")


class RpcMethodNotFoundError(RpcRefusedError):
    """-32601: this daemon's dialect lacks the method."""

    slug = "daemon-method-not-found"
    title: str = said("The daemon does not know the method")


class RpcUnknownOutcomeError(WalletIntegrationError):
    """A changing call whose answer was lost: it was done or it was not. Never treat this as failure."""

    slug = "daemon-unknown-outcome"
    title: str = said("It is not known whether the daemon did this")


class SigningIncompleteError(WalletIntegrationError):
    """The daemon could not sign every input: one is spent, unknown or not the wallet's own."""

    slug = "daemon-signing-incomplete"
    title: str = said("The daemon could not sign the transaction")


class NoDepositAddressError(WalletIntegrationError):
    """None is in stock, and the daemon has not made new ones yet."""

    slug = "no-deposit-address"
    title: str = said("There is no address to pay to at the moment")


class WrongNetworkError(WalletIntegrationError):
    """The daemon runs on another network than the one configured."""

    slug = "daemon-wrong-network"
    title: str = said("The daemon runs on another network")
