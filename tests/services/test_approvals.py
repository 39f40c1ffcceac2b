"""Payouts that need a second pair of eyes: which ones, whose eyes, and one outcome however many press at once."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import sqlalchemy.orm
from sqlalchemy import select

from tests.support.money import balances, credit
from tests.support.people import RESULT_HASH, Person, make_escrow, make_pair, make_person, manager, signature
from webapp.domain.exceptions import (
    NotFoundError,
    PayoutStateError,
    PermissionDeniedError,
    ValidationError,
)
from webapp.domain.money import Amount
from webapp.models import JournalEntry, OperatorAction, Payout
from webapp.services import operator_actions
from webapp.services.container import Services
from webapp.services.custody import approvals, freezes
from webapp.services.database import Session
from webapp.services.payouts import halts
from webapp.services.wallet_ownership import set_payout_address

HERE, THERE = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", "n3GNqMveyvaPvUbH469vDRadqpJMPc84JA"
ROUNDS = 6

pytestmark = pytest.mark.settings(custody={"approval_above": "50"})


def ask(session: sqlalchemy.orm.Session, services: Services, person: Person, amount: str) -> Payout:
    queue = services.wallets(session).payouts
    return queue.withdraw(person.wallet_id, HERE, Amount.parse(amount), person.actor)


def test_who_asked_or_owns_does_not_decide_and_earnings_wait_like_the_rest(
    session: sqlalchemy.orm.Session, services: Services
) -> None:
    pair = make_pair(session, services)
    owner, other = (make_person(session, services, "operator") for _ in range(2))
    credit(session, owner.wallet_id, "60")
    credit(session, pair.payer.wallet_id, "100")
    own = ask(session, services, owner, "60")
    assert (own.status, own.requested_by) == ("awaiting_approval", owner.actor.name)
    with pytest.raises(PermissionDeniedError, match="another operator"):
        approvals.approve(session, owner.actor, own.id, HERE)
    with pytest.raises(PermissionDeniedError, match="another operator"):
        approvals.refuse(session, owner.actor, own.id, "changed my mind")
    assert not approvals.may_decide(owner.actor, own)
    assert approvals.may_decide(other.actor, own)
    for unreadable in ("  ", "\0", "see \u202egnihton", "x" * 301):
        with pytest.raises(ValidationError):
            approvals.refuse(session, other.actor, own.id, unreadable)
    with pytest.raises(PayoutStateError, match="read it again"):
        approvals.approve(session, other.actor, own.id, f"{HERE}\0")
    with pytest.raises(NotFoundError):
        approvals.refuse(session, other.actor, uuid.UUID(int=0), "no")

    provider = pair.provider
    set_payout_address(session, services.daemon, provider.actor, provider.wallet_id, THERE)
    escrow = make_escrow(session, services, pair, "100")
    manager(session, services, pair.payer).release_escrow(escrow.id, RESULT_HASH, signature(pair, escrow))
    waiting = approvals.list_waiting(session)
    assert (len(approvals.list_waiting(session, limit=1)), approvals.count_waiting(session)) == (1, 2)
    assert [(str(each.gross), each.requested_by) for each in waiting] == [
        ("60.00000000", owner.actor.name),
        ("95.00000000", "worker"),
    ]
    approvals.refuse(session, other.actor, waiting[1].id, "not this week")
    assert balances(session, provider.wallet_id) == ("95.00000000", "0.00000000")
    assert operator_actions.of_subject(session, f"payout:{waiting[1].id}")[0].detail == {
        "reason": "not this week",
        "gross": "95.00000000",
    }
    session.rollback()


def test_slices_of_a_large_withdrawal_wait_once_they_add_up_and_what_was_seen_counts_no_more(
    session: sqlalchemy.orm.Session, services: Services
) -> None:
    person, judge = make_person(session, services), make_person(session, services, "operator")
    credit(session, person.wallet_id, "1000")
    statuses = [ask(session, services, person, amount).status for amount in ("20", "20", "10", "0.06")]
    assert statuses == ["queued", "queued", "queued", "awaiting_approval"]
    (last,) = approvals.list_waiting(session)
    approvals.approve(session, judge.actor, last.id, HERE)
    seen, unseen = (ask(session, services, person, "400") for _ in range(2))
    approvals.approve(session, judge.actor, seen.id, HERE)
    queue = services.wallets(session).payouts
    first = session.scalars(select(Payout).order_by(Payout.id)).first()
    assert first is not None
    queue.cancel(first.id, person.actor.wallet_ids)
    assert [ask(session, services, person, amount).status for amount in ("20", "0.06")] == [
        "queued",
        "awaiting_approval",
    ], "what was approved and what waits for it leave the bound as it is; what was taken back makes room"
    assert unseen.status == "awaiting_approval"


def test_many_hands_on_one_payout_end_in_one_decision_for_one_address(
    session: sqlalchemy.orm.Session, services: Services
) -> None:
    person = make_person(session, services)
    judges = [make_person(session, services, "operator") for _ in range(2)]
    credit(session, person.wallet_id, "1000")
    for _ in range(ROUNDS):
        payout_id = ask(session, services, person, "60").id
        gate = threading.Barrier(6)

        def press(number: int, payout_id=payout_id, gate=gate) -> None:
            with Session(services.settings) as own:
                queue = services.wallets(own).payouts
                presses = (
                    lambda: approvals.approve(own, judges[0].actor, payout_id, HERE),
                    lambda: approvals.approve(own, judges[1].actor, payout_id, HERE),
                    lambda: approvals.refuse(own, judges[1].actor, payout_id, "no"),
                    lambda: queue.redirect(payout_id, person.actor.wallet_ids, THERE),
                    lambda: queue.redirect(payout_id, person.actor.wallet_ids, HERE),
                    lambda: queue.cancel(payout_id, person.actor.wallet_ids),
                )
                gate.wait()
                with suppress(PayoutStateError):  # somebody else was first
                    presses[number]()

        with ThreadPoolExecutor(6) as threads:
            list(threads.map(press, range(6)))
        session.rollback()
        payout = session.get_one(Payout, payout_id, populate_existing=True)
        returns = session.scalars(
            select(JournalEntry.id).where(JournalEntry.key == f"payout:{payout_id}:return")
        ).all()
        assert payout.status in ("queued", "awaiting_approval", "failed")
        assert len(returns) == (payout.status == "failed")
        if payout.status == "queued":
            assert payout.approved_by in {judge.actor.name for judge in judges}
            last = operator_actions.of_subject(session, f"payout:{payout_id}")[-1]
            assert last.detail["address"] == payout.address, "it goes where the approval says"
        session.rollback()
        if payout.status != "failed":
            services.wallets(session).payouts.cancel(payout_id, person.actor.wallet_ids)
    assert balances(session, person.wallet_id) == ("1000.00000000", "0.00000000")


def test_freezing_and_the_brake_are_recorded_once_however_often_they_are_pressed(
    session: sqlalchemy.orm.Session, services: Services
) -> None:
    person, chief = make_person(session, services), make_person(session, services, "operator")
    assert [freezes.freeze(session, chief.actor, person.wallet_id, "a call") for _ in range(2)] == [
        True,
        False,
    ]
    assert [
        freezes.unfreeze(session, services.settings, chief.actor, person.wallet_id, "it was them")
        for _ in range(2)
    ] == [
        True,
        False,
    ]
    freezes.freeze(session, chief.actor, chief.wallet_id, "for a test")
    with pytest.raises(PermissionDeniedError):
        freezes.unfreeze(session, services.settings, chief.actor, chief.wallet_id, "it is mine")
    with pytest.raises(NotFoundError):
        freezes.freeze(session, chief.actor, 404, "who?")
    assert [halts.halt_by_operator(session, chief.actor, "fire") for _ in range(2)] == [True, False]
    for unreadable in (" ", "a\0b", "\u202e"):
        with pytest.raises(ValidationError):
            halts.halt_by_operator(session, chief.actor, unreadable)
        with pytest.raises(ValidationError):
            freezes.freeze(session, chief.actor, person.wallet_id, unreadable)
    assert halts.is_halted(session)
    assert halts.resume(session, chief.actor, seen=("9" * 5000, "x")) == []
    assert [halts.resume(session, chief.actor) for _ in range(2)] == [["operator"], []]
    assert not halts.is_halted(session)
    done = session.execute(select(OperatorAction.action, OperatorAction.subject).order_by(OperatorAction.id))
    assert [tuple(row) for row in done] == [
        ("freeze_wallet", f"wallet:{person.wallet_id}"),
        ("unfreeze_wallet", f"wallet:{person.wallet_id}"),
        ("freeze_wallet", f"wallet:{chief.wallet_id}"),
        ("halt_payouts", "payouts"),
        ("resume_payouts", "payouts"),
    ]
    session.rollback()
