"""The family of errors that callers may meet. Each names a fact, in words that its reader can act on.

DuxosError
├── ValidationError                 what was sent is not acceptable; `fields` says where
│   ├── InvalidAmountError          not an amount: sign, decimals, size or form
│   └── InvalidAddressError         not a payable address of this network
├── NotFoundError                   no such thing, or not yours to see
├── ConflictError                   the thing is not in a state that allows this
│   ├── EscrowStateError            the escrow has moved on; carries its present status
│   │   └── TermsDecidedError       its own terms have decided; what they decided is due
│   ├── OfferStateError             the offer is not the one that was seen, or stands no more
│   ├── DisputeStateError           the dispute is not where this can be done
│   ├── PayoutStateError            the payout has moved on
│   └── IdempotencyConflictError    the first request with this key is still running
├── EvidenceDamagedError            a stored file of a dispute is gone or was changed; operators were told
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
│   └── ResultValidationError       the result or the provider's signature over it is not valid
├── CommunityFundError              an operation of the fund was refused
├── ConfigurationError              the settings stop the start; names key and reason
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
    ├── NoDepositAddressError       no address is in stock, and the daemon has not made new ones yet
    └── WrongNetworkError           the daemon runs on another network than configured
"""

from webapp.domain.exceptions.daemon import (
    NoDepositAddressError,
    RpcAuthenticationError,
    RpcMethodNotFoundError,
    RpcOverloadedError,
    RpcRefusedError,
    RpcUnavailableError,
    RpcUnknownOutcomeError,
    RpcWarmingUpError,
    SigningIncompleteError,
    TransactionTooLargeError,
    WalletInsufficientFundsError,
    WalletIntegrationError,
    WalletLockedError,
    WrongNetworkError,
)
from webapp.domain.exceptions.service import (
    AuthenticationError,
    CommunityFundError,
    ConfigurationError,
    ConflictError,
    DisputeStateError,
    DuplicateEntryError,
    DuxosError,
    EscrowStateError,
    EvidenceDamagedError,
    FrozenWalletError,
    IdempotencyConflictError,
    IdempotencyMismatchError,
    InsufficientFundsError,
    InvalidAddressError,
    InvalidAmountError,
    InvalidCredentialsError,
    NotFoundError,
    OfferStateError,
    PayoutStateError,
    PermissionDeniedError,
    ResultValidationError,
    ScopeError,
    SignatureError,
    SpendLimitError,
    TermsDecidedError,
    TransactionError,
    ValidationError,
)

__all__ = [
    "AuthenticationError",
    "CommunityFundError",
    "ConfigurationError",
    "ConflictError",
    "DisputeStateError",
    "DuplicateEntryError",
    "DuxosError",
    "EscrowStateError",
    "EvidenceDamagedError",
    "FrozenWalletError",
    "IdempotencyConflictError",
    "IdempotencyMismatchError",
    "InsufficientFundsError",
    "InvalidAddressError",
    "InvalidAmountError",
    "InvalidCredentialsError",
    "NoDepositAddressError",
    "NotFoundError",
    "OfferStateError",
    "PayoutStateError",
    "PermissionDeniedError",
    "ResultValidationError",
    "RpcAuthenticationError",
    "RpcMethodNotFoundError",
    "RpcOverloadedError",
    "RpcRefusedError",
    "RpcUnavailableError",
    "RpcUnknownOutcomeError",
    "RpcWarmingUpError",
    "ScopeError",
    "SignatureError",
    "SigningIncompleteError",
    "SpendLimitError",
    "TermsDecidedError",
    "TransactionError",
    "TransactionTooLargeError",
    "ValidationError",
    "WalletInsufficientFundsError",
    "WalletIntegrationError",
    "WalletLockedError",
    "WrongNetworkError",
]
