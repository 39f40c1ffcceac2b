"""Disputes and the people in them, under a clock that stands until it is moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import time_machine
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tests.support.money import balances, credit, fund_balance
from tests.support.people import (
    RESULT_HASH,
    Pair,
    Person,
    make_escrow,
    make_pair,
    make_person,
    manager,
    signature,
)
from webapp.domain.clock import utcnow
from webapp.domain.disputes.rungs import Rung
from webapp.models import Dispute, DisputeSeat, Escrow, User
from webapp.services import audit_trail
from webapp.services.container import Services
from webapp.services.disputes import records
from webapp.services.disputes.clock import DisputeClock
from webapp.services.disputes.judging import Judging
from webapp.services.disputes.ladder import DisputeLadder
from webapp.services.unit_of_work import unit_of_work

SECOND = timedelta(seconds=1)
REASON = "It is noise."


class Court:
    """A payer with coins, a provider with a key, some arbiters; and one escrow at a time that they argue about."""

    def __init__(self, session: Session, services: Services, arbiters: int = 6) -> None:
        self.session, self.services = session, services
        self.pair: Pair = make_pair(session, services)
        credit(session, self.pair.payer.wallet_id, "1000")
        self.arbiters = [make_person(session, services, "arbiter") for _ in range(arbiters)]

    @property
    def payer(self) -> Person:
        """Who pays."""
        return self.pair.payer

    @property
    def provider(self) -> Person:
        """Who provides."""
        return self.pair.provider

    def escrow(self, amount: str = "100", *, is_delivered: bool = True, **terms: Any) -> Escrow:
        """An escrow between the two, with a signed result unless that is not wanted."""
        escrow = make_escrow(self.session, self.services, self.pair, amount, **terms)
        if is_delivered:
            work = signature(self.pair, escrow)
            manager(self.session, self.services, self.provider).deliver_escrow(escrow.id, RESULT_HASH, work)
        return escrow

    def of(self, person: Person) -> DisputeLadder:
        """Disputes as this person has them."""
        return self.services.disputes(self.session, person.actor)

    def judge(self, person: Person) -> Judging:
        """Disputes as this person judges them."""
        return self.services.judging(self.session, person.actor)

    def open(self, escrow: Escrow, by: Person | None = None) -> Dispute:
        """A dispute, by the payer unless somebody else is named."""
        self.of(by or self.payer).open(escrow.id, REASON)
        return self.dispute(escrow)

    def bring_to(self, rung: Rung, escrow: Escrow, by: Person | None = None) -> Dispute:
        """A new dispute at this rung: both have spoken, and what comes before has been done without waiting."""
        self.open(escrow, by)
        other = self.payer if by is self.provider else self.provider
        steps: list[Callable[[], object]] = [
            lambda: self.of(other).speak(escrow.id, "It is what was ordered."),
            lambda: self.of(other).escalate(escrow.id),
            lambda: self.of(other).escalate(escrow.id),
            lambda: self.judge(self.seated(escrow)[0]).rule(escrow.id, 5000, "Half was done."),
            lambda: self.of(other).appeal(escrow.id, "More was done."),
        ]
        needed = {Rung.TALK: 0, Rung.MEDIATION: 2, Rung.ARBITRATION: 3, Rung.APPEAL: 4, Rung.PANEL: 5}
        for step in steps[: needed[rung]]:
            step()
        dispute = self.dispute(escrow)
        assert dispute.rung == rung
        return dispute

    def dispute(self, escrow: Escrow) -> Dispute:
        """The dispute as it is now."""
        found = records.find_dispute(self.session, escrow.id)
        assert found is not None
        self.session.commit()
        return found

    def seated(self, escrow: Escrow) -> list[Person]:
        """Those whose turn it is."""
        seats = records.seated(records.seats_of(self.session, self.dispute(escrow)))
        self.session.commit()
        people = {each.user.id: each for each in self.arbiters}
        return [people[seat.user_id] for seat in seats]

    def tick(self) -> int:
        """The worker's look at disputes."""
        return DisputeClock(self.session, self.services.settings, self.services.wallets(self.session)).run()

    def at_the_end(self, escrow: Escrow, clock: time_machine.Traveller) -> None:
        """Let the rung's time run out: nothing happens one second before, and what follows happens at its end."""
        ends_at = self.dispute(escrow).rung_ends_at
        clock.move_to(ends_at - SECOND)
        assert self.tick() == 0
        clock.move_to(ends_at)
        assert self.tick() == 1
        assert self.tick() == 0

    def status(self, escrow: Escrow) -> str:
        """The escrow's status as it is now."""
        self.session.refresh(escrow)
        status = escrow.status
        self.session.commit()
        return status

    def rung(self, escrow: Escrow) -> str:
        """Where the dispute stands now."""
        return self.dispute(escrow).rung

    def ended(self, escrow: Escrow) -> tuple[str | None, int | None]:
        """What the end rests on, and the share."""
        dispute = self.dispute(escrow)
        assert dispute.rung == Rung.ENDED
        return dispute.basis, dispute.share_basis_points

    def shares(self) -> tuple[str, str, str]:
        """What payer and provider may spend, and the fund has."""
        payer, provider = (balances(self.session, each.wallet_id)[0] for each in (self.payer, self.provider))
        return payer, provider, str(fund_balance(self.session))

    def trail(self, escrow: Escrow) -> list[str]:
        """The kinds of events on the timeline."""
        kinds = [entry.kind for entry in audit_trail.entries(self.session, escrow.id)]
        self.session.commit()
        return kinds

    @contextmanager
    def only(self, number: int) -> Iterator[None]:
        """Let only the first arbiters be there for a while."""
        others = [each.user.id for each in self.arbiters[number:]]
        self._let_be(others, False)
        yield
        self._let_be(others, True)

    def _let_be(self, users: list[int], is_active: bool) -> None:
        with unit_of_work(self.session):
            self.session.execute(update(User).where(User.id.in_(users)).values(is_active=is_active))

    def seats(self, escrow: Escrow) -> list[tuple[str, str | None]]:
        """Every seat with how it was left, in the order of assignment."""
        statement = select(DisputeSeat.seat, DisputeSeat.leaving).where(
            DisputeSeat.dispute_id == self.dispute(escrow).id
        )
        found = self.session.execute(statement.order_by(DisputeSeat.id))
        rows = [(row.seat, row.leaving) for row in found]
        self.session.commit()
        return rows


def later(**hours: float) -> datetime:
    """The moment that is so much later than now."""
    return utcnow() + timedelta(**hours)
