"""What the audit trail tells the two sides of an escrow, and who is assigned to its dispute."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from webapp.domain.clock import to_rfc3339
from webapp.domain.escrow_states import Status
from webapp.domain.money import ZERO, Amount
from webapp.domain.notices import Subject
from webapp.models import Escrow, EscrowTransaction
from webapp.services.notices.book import Draft
from webapp.services.notices.cursor import Cursor
from webapp.services.notices.disputes import IN_DISPUTE, OpenDispute, open_disputes
from webapp.services.notices.readers import actors, owners
from webapp.services.notices.reading import read_on

_ROWS = select(
    EscrowTransaction.id,
    EscrowTransaction.kind,
    EscrowTransaction.actor,
    EscrowTransaction.amount.label("moved"),
    EscrowTransaction.escrow_id,
    Escrow.status,
    Escrow.payer_wallet_id,
    Escrow.provider_wallet_id,
    Escrow.service_name,
    Escrow.amount,
    Escrow.provider_amount,
    Escrow.expires_at,
    Escrow.accept_by,
).join(Escrow, Escrow.id == EscrowTransaction.escrow_id)

# What asks for something is told only while it is still asked for.
_TOLD_WHILE = {
    "delivered": Status.DELIVERED,
    **dict.fromkeys(("disputed", "dispute_assigned", *IN_DISPUTE), Status.DISPUTED),
}


class TrailReader:
    """Reads on from where the last one was. Nobody is told what they, or their own keys, have done."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._cursor = Cursor(session, "trail")

    def run(self) -> bool:
        """Tell what is new. True when there may be more."""
        return read_on(self._session, self._cursor, _ROWS, EscrowTransaction.id, self._drafts)

    def _drafts(self, rows: Sequence[Row[Any]]) -> list[Draft]:
        told = [row for row in rows if _TOLD_WHILE.get(row.kind, row.status) == row.status]
        users = owners(
            self._session, {w for row in told for w in (row.payer_wallet_id, row.provider_wallet_id)}
        )
        by = actors(self._session, (row.actor for row in told))
        disputes = open_disputes(
            self._session, {row.escrow_id for row in told if row.kind.startswith("dispute_")}
        )
        found = []
        for row in told:
            for user_id, kind, amount, deadline in self._told(row, users, disputes.get(row.escrow_id)):
                if user_id is not None and by.get(row.actor) != user_id:
                    found.append(_draft(row, user_id, kind, amount, deadline))
        return found

    def _told(
        self, row: Row[Any], users: dict[int, int], dispute: OpenDispute | None
    ) -> Iterator[tuple[int | None, str, Amount, datetime | None]]:
        """(user, kind, amount, deadline) for each one who is told of a row."""
        payer, provider = users.get(row.payer_wallet_id), users.get(row.provider_wallet_id)
        match row.kind:
            case "created":
                kind = "provides.new_unpaid" if row.status == Status.PENDING else "provides.new"
                yield provider, kind, row.amount, row.expires_at
            case "funded":
                yield payer, "pays.funded", row.amount, None
                yield provider, "provides.funded", row.amount, row.expires_at
            case "delivered":
                yield payer, "pays.delivered", row.amount, row.accept_by
            case "disputed":
                yield payer, "pays.disputed", row.amount, None
                yield provider, "provides.disputed", row.amount, None
            case "dispute_assigned" if dispute:
                for user_id in dispute.assigned:
                    yield user_id, "arbiter.assigned", row.amount, dispute.ends_at
            case kind if dispute and kind in IN_DISPUTE:
                yield payer, f"pays.{IN_DISPUTE[kind]}", row.amount, dispute.ends_at
                yield provider, f"provides.{IN_DISPUTE[kind]}", row.amount, dispute.ends_at
            case "offered" | "offer_declined":
                what = "offer" if row.kind == "offered" else row.kind
                yield payer, f"pays.{what}", row.amount, None
                yield provider, f"provides.{what}", row.amount, None
            case "released":
                yield payer, "pays.released", row.amount, None
                yield provider, "provides.released", row.provider_amount, None
            case "refunded":
                back = ZERO if row.moved is None else row.moved
                yield payer, "pays.refunded" if back else "pays.cancelled", back, None
                yield provider, "provides.refunded" if back else "provides.cancelled", back, None
            case "resolved":
                yield payer, "pays.resolved", row.amount, None
                yield provider, "provides.resolved", row.amount, None


def _draft(row: Row[Any], user_id: int, kind: str, amount: Amount, deadline: datetime | None) -> Draft:
    detail = {"service": row.service_name, "amount": str(amount)}
    if deadline is not None:
        detail["deadline"] = to_rfc3339(deadline)
    # Nobody is assigned to the same dispute twice, though several rows may tell that somebody was.
    source = f"assigned:{row.escrow_id}" if kind == "arbiter.assigned" else f"trail:{row.id}:{kind}"
    return Draft(user_id, kind, source, Subject.ESCROW, str(row.escrow_id), detail)
