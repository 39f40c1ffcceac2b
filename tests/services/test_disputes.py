"""Objecting to a result: the clocks stop, an arbiter decides, and the ruling moves the money."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.support.money import credit
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
from webapp.domain.exceptions import (
    EscrowStateError,
    NotFoundError,
    PermissionDeniedError,
    ResultValidationError,
    ValidationError,
)
from webapp.domain.roles import WORKER
from webapp.models import Dispute, Escrow
from webapp.services import audit_trail
from webapp.services.container import Services
from webapp.services.escrow_clock import EscrowClock


@pytest.fixture
def pair(session: Session, services: Services) -> Pair:
    made = make_pair(session, services)
    credit(session, made.payer.wallet_id, "100")
    return made


@pytest.fixture
def arbiter(session: Session, services: Services) -> Person:
    return make_person(session, services, "arbiter")


@pytest.fixture
def delivered(session: Session, services: Services, pair: Pair) -> Escrow:
    escrow = make_escrow(session, services, pair, "100")
    return manager(session, services, pair.provider).deliver_escrow(
        escrow.id, RESULT_HASH, signature(pair, escrow)
    )


def _available(session: Session, services: Services, person: Person) -> str:
    return str(services.wallets(session).get_balance(person.wallet_id).available)


def _dispute(session: Session) -> tuple[str, str | None]:
    row = session.scalars(select(Dispute).execution_options(populate_existing=True)).one()
    return row.status, row.resolution


def test_an_objection_stops_the_clock_and_a_refund_by_the_arbiter_ends_it(
    session: Session, services: Services, pair: Pair, arbiter: Person, delivered: Escrow
) -> None:
    disputed = manager(session, services, pair.payer).dispute_escrow(delivered.id, "This is noise.")
    assert disputed.status == "disputed"
    with time_machine.travel(utcnow() + timedelta(days=400), tick=False):
        assert EscrowClock(session, services.escrow_manager(session, WORKER), services.settings).run() == 0

    ruled = manager(session, services, arbiter).refund_escrow(delivered.id, "It is noise indeed.")

    assert ruled.status == "refunded"
    assert _available(session, services, pair.payer) == "100.00000000"
    assert _dispute(session) == ("resolved", "refunded")
    kinds = [entry.kind for entry in audit_trail.entries(session, delivered.id)]
    assert kinds == ["created", "delivered", "disputed", "refunded"]


def test_the_arbiter_may_find_for_the_provider(
    session: Session, services: Services, pair: Pair, arbiter: Person, delivered: Escrow
) -> None:
    manager(session, services, pair.payer).dispute_escrow(delivered.id, "I do not like it.")

    manager(session, services, arbiter).release_escrow(delivered.id)

    assert _available(session, services, pair.provider) == "95.00000000"
    assert str(services.fund_manager(session).balance()) == "5.00000000"
    assert _dispute(session) == ("resolved", "released")


def test_without_a_result_the_arbiter_can_only_refund(
    session: Session, services: Services, pair: Pair, arbiter: Person
) -> None:
    escrow = make_escrow(session, services, pair, "100")
    manager(session, services, pair.provider).dispute_escrow(escrow.id, "The order makes no sense.")
    with pytest.raises(ResultValidationError):
        manager(session, services, arbiter).release_escrow(escrow.id)
    assert manager(session, services, arbiter).refund_escrow(escrow.id, "Agreed.").status == "refunded"


def test_nobody_moves_disputed_money_but_an_arbiter_of_no_party(
    session: Session, services: Services, pair: Pair, delivered: Escrow
) -> None:
    manager(session, services, pair.payer).dispute_escrow(delivered.id, "No.")
    operator = make_person(session, services, "operator")
    for person in (pair.payer, pair.provider, operator):
        with pytest.raises(PermissionDeniedError):
            manager(session, services, person).release_escrow(delivered.id)
        with pytest.raises(PermissionDeniedError):
            manager(session, services, person).refund_escrow(delivered.id, "mine")
        with pytest.raises((EscrowStateError, PermissionDeniedError)):
            manager(session, services, person).dispute_escrow(delivered.id, "again")


def test_an_arbiter_does_not_rule_on_an_escrow_of_their_own(
    session: Session, services: Services, arbiter: Person
) -> None:
    own = make_pair(session, services)
    credit(session, arbiter.wallet_id, "10")
    escrow = services.escrow_manager(session, arbiter.actor).create_escrow(
        arbiter.wallet_id, own.provider.wallet_id, "10", "service", "task"
    )
    judge = manager(session, services, arbiter)
    judge.dispute_escrow(escrow.id, "I want it back")
    with pytest.raises(PermissionDeniedError):
        judge.refund_escrow(escrow.id, "because I say so")


def test_an_objection_comes_in_time_from_a_party_and_with_a_reason(
    session: Session, services: Services, pair: Pair, delivered: Escrow
) -> None:
    payer = manager(session, services, pair.payer)
    with pytest.raises(ValidationError, match="reason"):
        payer.dispute_escrow(delivered.id, "  ")
    with pytest.raises(NotFoundError):
        manager(session, services, make_person(session, services)).dispute_escrow(delivered.id, "hello")
    assert delivered.accept_by is not None
    with (
        time_machine.travel(delivered.accept_by, tick=False),
        pytest.raises(PermissionDeniedError, match="over"),
    ):
        payer.dispute_escrow(delivered.id, "too late")
    with time_machine.travel(delivered.accept_by - timedelta(seconds=1), tick=False):
        assert payer.dispute_escrow(delivered.id, "in time").status == "disputed"
