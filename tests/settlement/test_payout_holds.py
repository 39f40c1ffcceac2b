"""Payouts in operators' hands before any transaction has them: held, let go, given back; and those that are late."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy.orm
from sqlalchemy import select, update

from tests.support.money import balances, credit
from tests.support.people import Pair, Person, make_escrow, make_pair, make_person, manager, signature
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import DuxosError, PayoutStateError, PermissionDeniedError, ValidationError
from webapp.domain.money import Amount
from webapp.models import Alert, Payout
from webapp.services import audit_trail, operator_actions
from webapp.services.container import Services
from webapp.services.custody import approvals
from webapp.services.database import Session
from webapp.services.payouts import claims, deadlines
from webapp.services.payouts import halts as payout_halts
from webapp.services.payouts.deadlines import DeadlineWatch
from webapp.services.payouts.operations import PayoutOperations, subject_of
from webapp.services.unit_of_work import unit_of_work
from webapp.services.wallet_ownership import set_payout_address

ADDRESS = "n3GNqMveyvaPvUbH469vDRadqpJMPc84JA"
OTHER_ADDRESS = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"


class Desk:
    """A payer with 200 FLOP, a provider, and two operators at a service whose daemon is away."""

    def __init__(self, session: sqlalchemy.orm.Session, services: Services) -> None:
        self.session, self.services = session, services
        self.pair: Pair = make_pair(session, services)
        self.operators = [make_person(session, services, "operator") for _ in range(2)]
        credit(session, self.pair.payer.wallet_id, "200")

    def hands(self, person: Person | None = None) -> PayoutOperations:
        self.session.rollback()
        actor = (person or self.operators[0]).actor
        return PayoutOperations(self.session, self.services.settings, self.services.daemon, actor)

    def withdraw(self, amount: str = "10") -> uuid.UUID:
        queue = self.services.wallets(self.session).payouts
        return queue.withdraw(self.pair.payer.wallet_id, ADDRESS, Amount.parse(amount)).id

    def payout(self, payout_id: uuid.UUID) -> Payout:
        self.session.rollback()
        found = self.session.get_one(Payout, payout_id, populate_existing=True)
        self.session.rollback()
        return found

    def at_once(self, act: Callable[[PayoutOperations], object]) -> list[str]:
        """Both operators do the same at the same moment; what each was told."""
        told: list[str] = []
        start = threading.Barrier(2)
        self.session.rollback()

        def press(person: Person) -> None:
            settings = self.services.settings
            with Session(settings) as session:
                hands = PayoutOperations(session, settings, self.services.daemon, person.actor)
                start.wait()
                try:
                    act(hands)
                except DuxosError as error:
                    told.append(error.detail)
                else:
                    told.append("done")

        threads = [threading.Thread(target=press, args=(person,)) for person in self.operators]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(told)


@pytest.fixture
def desk(session: sqlalchemy.orm.Session, services: Services) -> Desk:
    """The people and their service."""
    return Desk(session, services)


def test_a_queued_payout_is_held_let_go_and_given_back_each_once(desk: Desk) -> None:
    session, services, pair = desk.session, desk.services, desk.pair
    provider = pair.provider
    set_payout_address(session, services.daemon, provider.actor, provider.wallet_id, ADDRESS)
    escrow = make_escrow(session, services, pair, "100")
    manager(session, services, pair.payer).release_escrow(escrow.id, "ab" * 32, signature(pair, escrow))
    payout_id = session.scalars(select(Payout.id)).one()
    with pytest.raises(PermissionDeniedError):
        desk.hands(pair.payer).hold(payout_id, "because I can")
    for unreadable in ("  ", "a\0b", "\u202e"):
        with pytest.raises(ValidationError):
            desk.hands().hold(payout_id, unreadable)

    desk.hands().hold(payout_id, "looks odd")
    with pytest.raises(PayoutStateError, match="The payout is held: it can be let go or returned"):
        desk.hands().hold(payout_id, "looks odd")
    assert claims.claim_due(session, services.settings.wallet).payouts == ()
    assert desk.payout(payout_id).reason == "held by an operator: looks odd"
    refused, done = desk.at_once(lambda hands: hands.resume(payout_id, ADDRESS))
    assert (refused.startswith("The payout"), done) == (True, "done")
    assert desk.payout(payout_id).status == "queued"
    refused, done = desk.at_once(lambda hands: hands.return_to_balance(payout_id, "wrong address"))
    assert (refused.startswith("The payout"), done) == (True, "done")

    assert balances(session, provider.wallet_id) == ("95.00000000", "0.00000000")
    assert desk.payout(payout_id).reason == "returned by an operator: wrong address"
    acts = [each.action for each in operator_actions.of_subject(session, subject_of(payout_id))]
    assert acts == ["hold_payout", "resume_payout", "return_payout"]
    trail = audit_trail.entries(session, escrow.id)[-4:]
    assert [(entry.kind, entry.actor == "worker") for entry in trail] == [
        ("payout_held", False),
        ("payout_resumed", False),
        ("payout_return_requested", False),
        ("payout_failed", True),
    ]
    for entry in trail:
        told = str(entry.detail)
        assert "odd" not in told and "wrong" not in told and ADDRESS not in told, "the payer reads it, too"
    with pytest.raises(PayoutStateError, match="its money is back in the balance"):
        desk.hands().return_to_balance(payout_id, "again")


def test_an_operator_does_not_decide_what_is_their_own_or_what_they_did_not_read(desk: Desk) -> None:
    owner, other = desk.operators
    credit(desk.session, owner.wallet_id, "10")
    queue = desk.services.wallets(desk.session).payouts
    own = queue.withdraw(owner.wallet_id, ADDRESS, Amount.parse("10"), owner.actor).id
    asked = queue.withdraw(desk.pair.payer.wallet_id, ADDRESS, Amount.parse("10"), owner.actor).id
    for payout_id in (own, asked):
        desk.hands(other).hold(payout_id, "a look")
        with pytest.raises(PermissionDeniedError, match="another operator"):
            desk.hands(owner).resume(payout_id, ADDRESS)
        with pytest.raises(PermissionDeniedError, match="another operator"):
            desk.hands(owner).return_to_balance(payout_id, "I want it back")
    desk.session.rollback()
    services = desk.services
    stale = PayoutOperations(
        desk.session, services.settings, services.daemon, other.actor, seen="awaiting_approval"
    )
    with pytest.raises(PayoutStateError, match="it is held now"):
        stale.return_to_balance(own, "as the page said")
    assert [desk.payout(each).status for each in (own, asked)] == ["held", "held"]
    assert desk.hands(other).return_to_balance(own, "wrong week").status == "failed"


def test_a_claimed_payout_belongs_to_its_worker_until_the_lease_ends(desk: Desk) -> None:
    payout_id = desk.withdraw()
    since = desk.payout(payout_id).status_since
    claim = claims.claim_due(desk.session, desk.services.settings.wallet)
    for act in (
        lambda: desk.hands().hold(payout_id, "too late"),
        lambda: desk.hands().return_to_balance(payout_id, "too late"),
        lambda: desk.hands().rebroadcast(payout_id),
        lambda: desk.hands().raise_fee(payout_id),
    ):
        with pytest.raises(PayoutStateError, match="The payout is claimed: a worker is building"):
            act()
    claims.put_back(desk.session, claim, "not now")
    assert desk.payout(payout_id).status_since == since, "trying in vain is waiting, too"


@pytest.mark.settings(custody={"approval_above": "5"})
def test_a_held_payout_keeps_its_approval_unless_its_address_changes(desk: Desk) -> None:
    kept, changed = desk.withdraw(), desk.withdraw()
    for payout_id in (kept, changed):
        with pytest.raises(PayoutStateError, match="The payout is awaiting approval"):
            desk.hands().hold(payout_id, "not approved yet")
        approvals.approve(desk.session, desk.operators[1].actor, payout_id, ADDRESS)
        desk.hands().hold(payout_id, "a second look")
    queue = desk.services.wallets(desk.session).payouts
    own_wallets = desk.pair.payer.actor.wallet_ids
    queue.redirect(changed, own_wallets, OTHER_ADDRESS)
    with pytest.raises(PayoutStateError):
        queue.cancel(kept, own_wallets)
    assert [desk.payout(each).status for each in (kept, changed)] == ["held", "held"]

    desk.hands().resume(kept, ADDRESS)
    with pytest.raises(PayoutStateError, match="read it again"):
        desk.hands().resume(changed, ADDRESS)
    desk.hands().resume(changed, OTHER_ADDRESS)

    assert [desk.payout(each).status for each in (kept, changed)] == ["queued", "awaiting_approval"]
    desk.hands().return_to_balance(changed, "nobody approves it")
    assert balances(desk.session, desk.pair.payer.wallet_id)[0] == "190.00000000"


def test_late_payouts_are_told_once_each_and_many_of_them_as_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "MANY", 2)
    session, settings = desk.session, desk.services.settings

    def pass_hours(status: str, hours: int) -> None:
        with unit_of_work(session):
            since = utcnow() - timedelta(hours=hours)
            session.execute(update(Payout).where(Payout.status == status).values(status_since=since))

    def told() -> list[str]:
        for _ in range(2):
            DeadlineWatch(session, settings).run()
        found = list(
            session.scalars(select(Alert.subject).where(Alert.kind == "payout_stuck").order_by(Alert.id))
        )
        session.rollback()
        return found

    first = desk.withdraw()
    assert told() == []
    desk.hands().hold(first, "a look")
    pass_hours("held", 100)
    assert told() == [f"payout:{first}:held"]
    with unit_of_work(session):
        session.execute(update(Alert).values(acknowledged_at=utcnow()))
    assert told() == [f"payout:{first}:held"], "whoever put it away knows it"

    for _ in range(3):
        desk.hands().hold(desk.withdraw(), "a look")
    pass_hours("held", 90)
    assert told() == [f"payout:{first}:held", "payouts:held"]

    queued = desk.withdraw()
    pass_hours("queued", 2)
    with unit_of_work(session):
        payout_halts.halt(session, "operator", "we look at something")
    assert f"payout:{queued}:queued" not in told(), "what halts all of them was told"
    with unit_of_work(session):
        payout_halts.clear(session, "operator", "user:1")
    assert told()[-1] == f"payout:{queued}:queued"
