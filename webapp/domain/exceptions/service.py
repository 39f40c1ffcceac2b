"""Errors of the service itself: input, rights, states, money, books."""

from __future__ import annotations

import uuid

from webapp.domain.said import said


class DuxosError(Exception):
    """Base of the family. `detail` is a sentence for the reader, `fields` maps input fields to messages."""

    status = 500
    slug = "internal-error"
    title: str = said("Something went wrong")

    def __init__(self, detail: str = "", *, fields: dict[str, str] | None = None) -> None:
        self.detail = detail or self.title
        self.fields = fields or {}
        super().__init__(self.detail)


class ValidationError(DuxosError):
    """What was sent is not acceptable; `fields` says where."""

    status = 422
    slug = "validation-error"
    title: str = said("Some of the input is not valid")

    @classmethod
    def of(cls, field: str, message: str) -> ValidationError:
        """An error about one field."""
        return cls(said("{field}: {message}", field=field, message=message), fields={field: message})


class InvalidAmountError(ValidationError):
    """Not an amount of FLOP: sign, decimals, size or form."""

    slug = "invalid-amount"
    title: str = said("The amount is not valid")


class InvalidAddressError(ValidationError):
    """Not a payable address of the configured network."""

    slug = "invalid-address"
    title: str = said("The address is not valid")


class NotFoundError(DuxosError):
    """No such thing, or not the caller's to see: the two are not told apart."""

    status = 404
    slug = "not-found"
    title: str = said("Not found")


class ConflictError(DuxosError):
    """The thing is not in a state that allows this."""

    status = 409
    slug = "conflict"
    title: str = said("This is not possible in the present state")


class EscrowStateError(ConflictError):
    """The escrow has moved on; `current_status` is where it stands."""

    slug = "escrow-state"
    title: str = said("The escrow is not in a state that allows this")

    def __init__(self, detail: str, *, current_status: str) -> None:
        super().__init__(detail)
        self.current_status = current_status


class OfferStateError(ConflictError):
    """The offer is not the one that was seen, or stands no more."""

    slug = "offer-state"
    title = "The offer is not open any more"


class TermsDecidedError(EscrowStateError):
    """The terms of the escrow have decided, and what they decided is due; nothing else counts any more."""

    slug = "escrow-decided"
    title: str = said("The terms of the escrow have decided")

    def __init__(self, detail: str, *, current_status: str, escrow_id: uuid.UUID) -> None:
        super().__init__(detail, current_status=current_status)
        self.escrow_id = escrow_id


class DisputeStateError(ConflictError):
    """The dispute is not where this can be done, or has moved on."""

    slug = "dispute-state"
    title: str = said("The dispute is not in a state that allows this")


class PayoutStateError(ConflictError):
    """The payout has moved on."""

    slug = "payout-state"
    title: str = said("The payout is not in a state that allows this")


class IdempotencyConflictError(ConflictError):
    """The first request with this Idempotency-Key is still running."""

    slug = "idempotency-in-progress"
    title: str = said("The same request is still being processed")


class EvidenceDamagedError(DuxosError):
    """A stored file of a dispute is gone or is not what was handed in; operators were told."""

    status = 503
    slug = "evidence-damaged"
    title = "The file cannot be given out"


class IdempotencyMismatchError(DuxosError):
    """The Idempotency-Key was used for a different request."""

    status = 422
    slug = "idempotency-mismatch"
    title: str = said("This idempotency key belongs to another request")


class AuthenticationError(DuxosError):
    """Who is calling is not known."""

    status = 401
    slug = "authentication-required"
    title: str = said("Authentication is required")


class SignatureError(AuthenticationError):
    """The request's signature is missing, malformed, wrong, old or replayed."""

    slug = "invalid-signature"
    title: str = said("The request signature is not valid")


class InvalidCredentialsError(AuthenticationError):
    """The e-mail address and password do not belong together."""

    slug = "invalid-credentials"
    title: str = said("The e-mail address or password is wrong")


class PermissionDeniedError(DuxosError):
    """Who is calling is known and may not do this."""

    status = 403
    slug = "permission-denied"
    title: str = said("You may not do this")


class ScopeError(PermissionDeniedError):
    """The signing key lacks the scope."""

    slug = "missing-scope"
    title: str = said("The key lacks the scope for this")


class SpendLimitError(PermissionDeniedError):
    """The signing key may not spend this much."""

    slug = "spend-limit"
    title: str = said("The key's spend limit does not allow this")


class TransactionError(DuxosError):
    """A movement of money was refused; nothing moved."""

    status = 409
    slug = "transaction-refused"
    title: str = said("The transaction was refused")


class InsufficientFundsError(TransactionError):
    """The wallet's available balance is smaller than what should leave it."""

    slug = "insufficient-funds"
    title: str = said("The available balance is too small")


class FrozenWalletError(TransactionError):
    """The wallet may not move money until an operator lifts the freeze."""

    status = 403
    slug = "wallet-frozen"
    title: str = said("The wallet is frozen")


class DuplicateEntryError(TransactionError):
    """This business event is in the journal already."""

    slug = "duplicate-entry"
    title: str = said("This has already happened")


class ResultValidationError(TransactionError):
    """The result hash, or the provider's signature over it, is not valid."""

    status = 422
    slug = "invalid-result"
    title: str = said("The result is not valid")


class CommunityFundError(DuxosError):
    """An operation of the community fund was refused."""

    status = 409
    slug = "community-fund"
    title: str = said("The community fund refused this")


class ConfigurationError(DuxosError):
    """The settings stop the start; the detail names the key and the reason."""

    slug = "configuration"
    title: str = said("The configuration is not valid")
