"""A batch carried out: in the order of its operations, with a result for each.

All of it is one transaction, so that a batch that is sent again under its Idempotency-Key finds all of its results or
none. Within it each operation is atomic by itself; when they are asked for together, one failure undoes all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.exceptions import DuxosError, TermsDecidedError
from webapp.domain.roles import WORKER, Actor
from webapp.models import Escrow
from webapp.services.batches.operations import (
    Asked,
    Create,
    Deliver,
    Done,
    Operation,
    Outcome,
    Refund,
    Release,
    placed,
)
from webapp.services.batches.standing import lock_and_read
from webapp.services.batches.usual_moves import UsualMoves
from webapp.services.escrow_manager import EscrowManager
from webapp.services.escrow_moves import EscrowMoves
from webapp.services.express.rows import AnyEscrow
from webapp.services.key_ring import KeyRing
from webapp.services.transaction_validator import TransactionValidator
from webapp.services.unit_of_work import unit_of_work
from webapp.services.wallet_integration import WalletIntegration


class Batch:
    """Operations of one actor, by the rules that single ones go by. `tell` writes down how an escrow stands."""

    def __init__(
        self,
        session: Session,
        settings: Settings,
        actor: Actor,
        wallets: WalletIntegration,
        key_ring: KeyRing,
        tell: Callable[[AnyEscrow], str],
    ) -> None:
        self._session = session
        self._settings = settings
        self._actor = actor
        self._manager = EscrowManager(session, settings, actor=actor, wallet_integration=wallets)
        self._moves = EscrowMoves(session, settings, actor, wallets)
        self._validator = TransactionValidator(session, settings, key_ring)
        self._tell = tell

    def run(self, operations: Sequence[Asked], *, together: bool) -> list[Outcome]:
        """What came of each. Together: raises the error of the first that fails, told of its place.

        Raises what is nobody's fault who asks (`status` 500 and above) in any case, and then nothing has happened.
        """
        with unit_of_work(self._session):
            usual = self._usual_moves(operations)
            outcomes = []
            for number, operation in enumerate(operations):
                outcome = self._outcome(usual, operation)
                if isinstance(outcome, DuxosError) and together:
                    raise placed(outcome, number)
                outcomes.append(outcome)
            usual.write()
        return outcomes

    def _usual_moves(self, operations: Sequence[Asked]) -> UsualMoves:
        standing = lock_and_read(self._session, self._actor, operations)
        about = (self._session, self._settings, self._actor)
        return UsualMoves(*about, self._validator, self._moves, standing)

    def _outcome(self, usual: UsualMoves, asked: Asked) -> Outcome:
        if isinstance(asked, DuxosError):
            return asked
        try:
            escrow = usual.do(asked) if usual.takes(asked) else self._do_unusual(usual, asked)
            return Done(isinstance(asked, Create), self._tell(escrow))
        except DuxosError as error:
            if error.status >= 500:
                raise
            return error

    def _do_unusual(self, usual: UsualMoves, operation: Operation) -> Escrow:
        usual.write()
        usual.forget(operation)
        try:
            with self._session.begin_nested():
                return self._do(operation)
        except TermsDecidedError as error:
            self._settle_due(error)
            raise

    def _do(self, operation: Operation) -> Escrow:
        match operation:
            case Create(terms):
                return self._manager.create_escrow(**terms)
            case Deliver(escrow_id, result_hash, provider_signature):
                return self._manager.deliver_escrow(escrow_id, result_hash, provider_signature)
            case Release(escrow_id, result_hash, provider_signature):
                return self._manager.release_escrow(escrow_id, result_hash, provider_signature)
            case Refund(escrow_id, reason):
                return self._manager.refund_escrow(escrow_id, reason)

    def _settle_due(self, error: TermsDecidedError) -> None:
        """Whoever comes after an escrow's own terms have decided is refused, and finds done what they decided."""
        manager = EscrowManager(self._session, self._settings, actor=WORKER)
        manager.terms.settle_due(error.escrow_id)
        error.current_status = self._session.get_one(Escrow, error.escrow_id).status
