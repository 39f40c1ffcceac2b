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
from webapp.services.batches.locking import lock_ahead
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
from webapp.services.escrow_manager import EscrowManager
from webapp.services.unit_of_work import unit_of_work


class Batch:
    """Operations of one actor, through the same services as single ones. `tell` writes down how an escrow stands."""

    def __init__(
        self,
        session: Session,
        settings: Settings,
        actor: Actor,
        manager: EscrowManager,
        tell: Callable[[Escrow], str],
    ) -> None:
        self._session = session
        self._settings = settings
        self._actor = actor
        self._manager = manager
        self._tell = tell

    def run(self, operations: Sequence[Asked], *, together: bool) -> list[Outcome]:
        """What came of each. Together: raises the error of the first that fails, told of its place.

        Raises what is nobody's fault who asks (`status` 500 and above) in any case, and then nothing has happened.
        """
        with unit_of_work(self._session):
            lock_ahead(self._session, self._actor, operations)
            return [
                self._outcome(operation, number, together=together)
                for number, operation in enumerate(operations)
            ]

    def _outcome(self, asked: Asked, number: int, *, together: bool) -> Outcome:
        try:
            if isinstance(asked, DuxosError):
                raise asked
            with self._session.begin_nested():
                return Done(isinstance(asked, Create), self._tell(self._do(asked)))
        except DuxosError as error:
            if together:
                raise placed(error, number) from None
            if error.status >= 500:
                raise
            if isinstance(error, TermsDecidedError):
                self._settle_due(error)
            return error

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
