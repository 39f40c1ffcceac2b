"""Finding out what has been committed since one looked last, in a fixed number of queries.

Escrows, money and notices show in rows that are added: the audit trail, the journal, the inboxes; what asks for an
operator, in alerts, halts and what operators did. What is on its way through the chain changes without these, so
payouts and deposits that are not final are compared with what they were.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Hashable, Iterator
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from webapp.domain import accounts
from webapp.domain.payout_states import FINAL, STATES
from webapp.models import (
    Alert,
    ChainTransaction,
    Deposit,
    Escrow,
    EscrowTransaction,
    Notice,
    OperatorAction,
    Payout,
    PayoutHalt,
    Posting,
)
from webapp.services.live.changes import (
    OF_EVERYTHING,
    OF_FUND,
    OF_OPERATIONS,
    Change,
    of_escrow,
    of_notices,
    of_payout,
    of_wallet,
)

# With more news than this at once, everybody looks at everything again.
MANY = 5000
# PostgreSQL hands out numbers before the commit: a lower one may appear after a higher one, but not much later.
LATE_SECONDS = 15
LATE_NUMBERS = 100

Moving = dict[tuple[str, object], tuple[frozenset[Change], Hashable]]


class NewRows:
    """Which rows of a table that only grows have not been seen yet: those above the highest, and gaps below it."""

    def __init__(self, number: InstrumentedAttribute[int]) -> None:
        self._number = number
        self._highest = 0
        self._gaps: dict[int, float] = {}

    def start(self, connection: Connection) -> None:
        """Begin a little before the end: what is missing there may be on its way."""
        self._highest = max(0, self._newest(connection) - LATE_NUMBERS)

    def condition(self) -> ColumnElement[bool]:
        """True for the rows that have not been seen."""
        return or_(self._number > self._highest, self._number.in_(self._gaps))

    def saw(self, numbers: Collection[int]) -> None:
        """Note what was found."""
        now, seen = time.monotonic(), set(numbers)
        highest = max(seen, default=self._highest)
        skipped = {number: now for number in range(self._highest + 1, highest) if number not in seen}
        known = {number: at for number, at in self._gaps.items() if now - at < LATE_SECONDS}
        self._gaps = {number: at for number, at in (skipped | known).items() if number not in seen}
        self._highest = max(self._highest, highest)

    def skip(self, connection: Connection) -> None:
        """Leave out all that is there."""
        self._highest, self._gaps = self._newest(connection), {}

    def _newest(self, connection: Connection) -> int:
        return connection.execute(select(func.max(self._number))).scalar_one() or 0


class Reader:
    """Reads on a connection that it shares with nobody. What is there at the beginning is not new."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._trail, self._postings = NewRows(EscrowTransaction.id), NewRows(Posting.id)
        self._notices = NewRows(Notice.id)
        self._moving: Moving = {}
        with connection.begin():
            self._trail.start(connection)
            self._postings.start(connection)
            self._notices.start(connection)
            self._asks_operators = self._latest_for_operators()
        self.read()

    def read(self) -> set[Change]:
        """What has changed since the last call, in a transaction that is ended afterwards."""
        with self._connection.begin():
            found = set(self._escrows()) | set(self._money()) | set(self._told()) | set(self._operations())
            moving = _on_their_way(self._connection)
        # What has moved is in only one of the two, or in both with another state.
        for _, (concerned, _state) in self._moving.items() ^ moving.items():
            found |= concerned
        self._moving = moving
        return {OF_EVERYTHING} if len(found) > MANY or OF_EVERYTHING in found else found

    def _escrows(self) -> Iterator[Change]:
        parties = (Escrow.payer_wallet_id, Escrow.provider_wallet_id)
        statement = select(EscrowTransaction.id, EscrowTransaction.escrow_id, *parties).join(
            Escrow, Escrow.id == EscrowTransaction.escrow_id
        )
        rows = self._connection.execute(statement.where(self._trail.condition()).limit(MANY + 1)).all()
        if len(rows) > MANY:
            self._trail.skip(self._connection)
            yield OF_EVERYTHING
            return
        self._trail.saw([row.id for row in rows])
        for row in rows:
            yield of_escrow(row.escrow_id, row.payer_wallet_id, row.provider_wallet_id)

    def _money(self) -> Iterator[Change]:
        statement = select(Posting.id, Posting.source, Posting.destination)
        rows = self._connection.execute(statement.where(self._postings.condition()).limit(MANY + 1)).all()
        if len(rows) > MANY:
            self._postings.skip(self._connection)
            yield OF_EVERYTHING
            return
        self._postings.saw([row.id for row in rows])
        for account in {name for row in rows for name in (row.source, row.destination)}:
            part = accounts.wallet_part(account)
            if part:
                yield of_wallet(part[1])
            elif account == accounts.FUND:
                yield OF_FUND

    def _told(self) -> Iterator[Change]:
        statement = select(Notice.id, Notice.user_id).where(self._notices.condition())
        rows = self._connection.execute(statement.limit(MANY + 1)).all()
        if len(rows) > MANY:
            self._notices.skip(self._connection)
            yield OF_EVERYTHING
            return
        self._notices.saw([row.id for row in rows])
        for user_id in {row.user_id for row in rows}:
            yield of_notices(user_id)

    def _operations(self) -> Iterator[Change]:
        latest = self._latest_for_operators()
        if latest != self._asks_operators:
            self._asks_operators = latest
            yield OF_OPERATIONS

    def _latest_for_operators(self) -> Hashable:
        """The newest alert, halt and deed of an operator: who takes something away leaves a deed."""
        newest = (
            select(func.max(model.id)).scalar_subquery() for model in (Alert, PayoutHalt, OperatorAction)
        )
        return tuple(self._connection.execute(select(*newest)).one())


def _on_their_way(connection: Connection) -> Moving:
    """Payouts and deposits that are not final: what depends on each, and how far it is."""
    parties = (Escrow.payer_wallet_id, Escrow.provider_wallet_id)
    payouts = (
        select(Payout.id, Payout.wallet_id, Payout.escrow_id, *parties)
        .add_columns(Payout.status, ChainTransaction.status, ChainTransaction.confirmations)
        .outerjoin(ChainTransaction, ChainTransaction.id == Payout.transaction_id)
        .outerjoin(Escrow, Escrow.id == Payout.escrow_id)
        .where(Payout.status.in_([status for status in STATES if status not in FINAL]))
    )
    deposits = (
        select(Deposit.id, Deposit.wallet_id, Deposit.escrow_id, *parties)
        .add_columns(Deposit.status, Deposit.confirmations)
        .outerjoin(Escrow, Escrow.id == Deposit.escrow_id)
        .where(Deposit.status == "seen")
    )
    found: Moving = {}
    for kind, statement in (("payout", payouts), ("deposit", deposits)):
        for number, wallet_id, escrow_id, payer, provider, *state in connection.execute(statement):
            concerned = _concerned(kind, number, wallet_id)
            if escrow_id is not None:
                concerned.add(of_escrow(escrow_id, payer, provider))
            found[kind, number] = frozenset(concerned), tuple(state)
    return found


def _concerned(kind: str, number: UUID | int, wallet_id: int | None) -> set[Change]:
    if wallet_id is None:
        return {
            OF_FUND
        }  # A gift of the fund's, or coins that come back from cold storage: on nobody's own page.
    concerned = {of_wallet(wallet_id)}
    if isinstance(number, UUID):
        concerned.add(of_payout(number, wallet_id))
    return concerned
