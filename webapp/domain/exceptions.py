"""The family of errors that callers may meet. Each names a fact, in words that its reader can act on.

    DuxosError
    ├── ValidationError                 what was sent is not acceptable; `fields` says where
    │   ├── InvalidAmountError          not an amount: sign, decimals, size or form
    │   └── InvalidAddressError         not a payable address of this network
    ├── NotFoundError                   no such thing, or not yours to see
    ├── ConflictError                   the thing is not in a state that allows this
    │   ├── EscrowStateError            the escrow has moved on; carries its present status
    │   ├── PayoutStateError            the payout has moved on
    │   └── IdempotencyConflictError    the first request with this key is still running
    ├── IdempotencyMismatchError        the key was used for another request
    ├── AuthenticationError             who is calling is not known
    │   ├── SignatureError              a signature is missing, malformed, wrong, old or replayed
    │   └── InvalidCredentialsError     the e-mail and password do not belong together
    ├── PermissionDeniedError           who is calling is known and may not do this
    │   ├── ScopeError                  the key lacks the scope
    │   └── SpendLimitError             the key may not spend this much
    ├── TransactionError                a movement of money was refused
    │   ├── InsufficientFundsError      the wallet's available balance is too small
    │   ├── FrozenWalletError           the wallet may not move money
    │   ├── DuplicateEntryError         this business event is in the journal already
    │   ├── ResultValidationError       the result or the provider's signature over it is not valid
    │   └── PayoutsHaltedError          payouts are stopped until an operator clears the cause
    ├── CommunityFundError              an operation of the fund was refused
    ├── ConfigurationError              the settings stop the start; names key and reason
    ├── IntegrityError                  the books do not agree with themselves or with the daemon
    └── WalletIntegrationError          the daemon; see `RpcError` and its children
        ├── RpcUnavailableError         not reached: down, refused, timed out on a read, circuit open
        │   ├── RpcWarmingUpError       -28: starting, will answer soon
        │   └── RpcOverloadedError      503 or a full work queue
        ├── RpcAuthenticationError      401: user or password is wrong
        ├── RpcRefusedError             answered with an error: nothing was done; carries the code
        │   ├── WalletLockedError       -13: the daemon's wallet needs its passphrase
        │   ├── WalletInsufficientFundsError   -4 / -6: the daemon has too few spendable coins
        │   ├── TransactionTooLargeError       -4 / -6: too many inputs and outputs for one transaction
        │   └── RpcMethodNotFoundError  -32601: this dialect lacks the method
        ├── RpcUnknownOutcomeError      a changing call whose answer was lost: done or not done
        ├── SigningIncompleteError      the daemon could not sign every input
        └── WrongNetworkError           the daemon runs on another network than configured
"""

from __future__ import annotations


class DuxosError(Exception):
    """Base of the family. `detail` is a sentence for the reader, `fields` maps input fields to messages."""

    status = 500
    slug = "internal-error"
    title = "Something went wrong"

    def __init__(self, detail: str = "", *, fields: dict[str, str] | None = None) -> None:
        self.detail = detail or self.title
        self.fields = fields or {}
        super().__init__(self.detail)


class ValidationError(DuxosError):
    """What was sent is not acceptable; `fields` says where."""

    status = 422
    slug = "validation-error"
    title = "Some of the input is not valid"

    @classmethod
    def of(cls, field: str, message: str) -> ValidationError:
        """An error about one field."""
        return cls(f"{field}: {message}", fields={field: message})


class InvalidAmountError(ValidationError):
    """Not an amount of FLOP: sign, decimals, size or form."""

    slug = "invalid-amount"
    title = "The amount is not valid"


class InvalidAddressError(ValidationError):
    """Not a payable address of the configured network."""

    slug = "invalid-address"
    title = "The address is not valid"


class NotFoundError(DuxosError):
    """No such thing, or not the caller's to see: the two are not told apart."""

    status = 404
    slug = "not-found"
    title = "Not found"


class ConflictError(DuxosError):
    """The thing is not in a state that allows this."""

    status = 409
    slug = "conflict"
    title = "This is not possible in the present state"


class EscrowStateError(ConflictError):
    """The escrow has moved on; `current_status` is where it stands."""

    slug = "escrow-state"
    title = "The escrow is not in a state that allows this"

    def __init__(self, detail: str, *, current_status: str) -> None:
        super().__init__(detail)
        self.current_status = current_status


class PayoutStateError(ConflictError):
    """The payout has moved on."""

    slug = "payout-state"
    title = "The payout is not in a state that allows this"


class IdempotencyConflictError(ConflictError):
    """The first request with this Idempotency-Key is still running."""

    slug = "idempotency-in-progress"
    title = "The same request is still being processed"


class IdempotencyMismatchError(DuxosError):
    """The Idempotency-Key was used for a different request."""

    status = 422
    slug = "idempotency-mismatch"
    title = "This idempotency key belongs to another request"


class AuthenticationError(DuxosError):
    """Who is calling is not known."""

    status = 401
    slug = "authentication-required"
    title = "Authentication is required"


class SignatureError(AuthenticationError):
    """The request's signature is missing, malformed, wrong, old or replayed."""

    slug = "invalid-signature"
    title = "The request signature is not valid"


class InvalidCredentialsError(AuthenticationError):
    """The e-mail address and password do not belong together."""

    slug = "invalid-credentials"
    title = "The e-mail address or password is wrong"


class PermissionDeniedError(DuxosError):
    """Who is calling is known and may not do this."""

    status = 403
    slug = "permission-denied"
    title = "You may not do this"


class ScopeError(PermissionDeniedError):
    """The signing key lacks the scope."""

    slug = "missing-scope"
    title = "The key lacks the scope for this"


class SpendLimitError(PermissionDeniedError):
    """The signing key may not spend this much."""

    slug = "spend-limit"
    title = "The key's spend limit does not allow this"


class TransactionError(DuxosError):
    """A movement of money was refused; nothing moved."""

    status = 409
    slug = "transaction-refused"
    title = "The transaction was refused"


class InsufficientFundsError(TransactionError):
    """The wallet's available balance is smaller than what should leave it."""

    slug = "insufficient-funds"
    title = "The available balance is too small"


class FrozenWalletError(TransactionError):
    """The wallet may not move money until an operator lifts the freeze."""

    status = 403
    slug = "wallet-frozen"
    title = "The wallet is frozen"


class DuplicateEntryError(TransactionError):
    """This business event is in the journal already."""

    slug = "duplicate-entry"
    title = "This has already happened"


class ResultValidationError(TransactionError):
    """The result hash, or the provider's signature over it, is not valid."""

    status = 422
    slug = "invalid-result"
    title = "The result is not valid"


class PayoutsHaltedError(TransactionError):
    """Payouts are stopped until an operator clears the cause."""

    status = 503
    slug = "payouts-halted"
    title = "Payouts are halted"


class CommunityFundError(DuxosError):
    """An operation of the community fund was refused."""

    status = 409
    slug = "community-fund"
    title = "The community fund refused this"


class ConfigurationError(DuxosError):
    """The settings stop the start; the detail names the key and the reason."""

    slug = "configuration"
    title = "The configuration is not valid"


class IntegrityError(DuxosError):
    """The books do not agree with themselves or with the daemon."""

    slug = "integrity"
    title = "The books do not agree"


class WalletIntegrationError(DuxosError):
    """Something about the coin daemon; nothing in the ledger changed because of it."""

    status = 503
    slug = "daemon"
    title = "The coin daemon could not do this"


class RpcUnavailableError(WalletIntegrationError):
    """The daemon was not reached: down, refused, timed out on a read, or the circuit is open."""

    slug = "daemon-unreachable"
    title = "The coin daemon is out of reach"


class RpcWarmingUpError(RpcUnavailableError):
    """-28: the daemon is starting and will answer soon."""

    slug = "daemon-warming-up"
    title = "The coin daemon is starting"


class RpcOverloadedError(RpcUnavailableError):
    """503, or a full work queue: nothing was done, try later."""

    slug = "daemon-overloaded"
    title = "The coin daemon is overloaded"


class RpcAuthenticationError(WalletIntegrationError):
    """401: the RPC user or password is wrong."""

    slug = "daemon-authentication"
    title = "The coin daemon refused the RPC password"


class RpcRefusedError(WalletIntegrationError):
    """The daemon answered with an error and did nothing. `code` is its number."""

    slug = "daemon-refused"
    title = "The coin daemon refused the call"

    def __init__(self, detail: str, *, code: int, method: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.method = method


class WalletLockedError(RpcRefusedError):
    """-13: the daemon's wallet needs its passphrase."""

    slug = "daemon-wallet-locked"
    title = "The daemon's wallet is locked"


class WalletInsufficientFundsError(RpcRefusedError):
    """-4 or -6: the daemon has too few spendable coins."""

    slug = "daemon-insufficient-funds"
    title = "The daemon's wallet has too few spendable coins"


class TransactionTooLargeError(RpcRefusedError):
    """-4 or -6: the transaction would exceed the standard size; pay fewer outputs at a time."""

    slug = "daemon-transaction-too-large"
    title = "The transaction is too large for the network"


class RpcMethodNotFoundError(RpcRefusedError):
    """-32601: this daemon's dialect lacks the method."""

    slug = "daemon-method-not-found"
    title = "The daemon does not know the method"


class RpcUnknownOutcomeError(WalletIntegrationError):
    """A changing call whose answer was lost: it was done or it was not. Never treat this as failure."""

    slug = "daemon-unknown-outcome"
    title = "It is not known whether the daemon did this"


class SigningIncompleteError(WalletIntegrationError):
    """The daemon could not sign every input: one is spent, unknown or not the wallet's own."""

    slug = "daemon-signing-incomplete"
    title = "The daemon could not sign the transaction"


class WrongNetworkError(WalletIntegrationError):
    """The daemon runs on another network than the one configured."""

    slug = "daemon-wrong-network"
    title = "The daemon runs on another network"
