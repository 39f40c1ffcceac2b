"""The ladder of a dispute on both databases: every way to its end, every clock, races, and the books of the bond."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import delete, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from tests.support.disputes import REASON, SECOND, Court
from tests.support.money import balances, credit
from tests.support.people import make_escrow, make_node, make_person, manager
from webapp.domain.clock import utcnow
from webapp.domain.disputes.rungs import Rung
from webapp.domain.exceptions import (
    ConflictError,
    DisputeStateError,
    EscrowStateError,
    InsufficientFundsError,
    NotFoundError,
    OfferStateError,
    PermissionDeniedError,
    ValidationError,
)
from webapp.domain.money import Amount
from webapp.ledger.integrity import check_books
from webapp.models import Alert, DisputeStatement, Escrow, OperatorAction, Outage
from webapp.services import audit_trail
from webapp.services.container import Services
from webapp.services.database import Session as open_session
from webapp.services.disputes import records
from webapp.services.disputes.clock import DisputeClock
from webapp.services.escrow_clock import EscrowClock
from webapp.services.unit_of_work import unit_of_work

START = datetime(2030, 1, 1, tzinfo=UTC)
# Where the statements are those of other tests, one kind of database is enough.
on_sqlite = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def court(session: Session, services: Services, clock: time_machine.Traveller) -> Court:
    return Court(session, services)


def test_silence_decides_as_it_was_told(court: Court, clock: time_machine.Traveller) -> None:
    """(who opens, whether a signed delivery stands) and what comes of it when the other side never answers."""
    for by, is_delivered, share in (
        (court.payer, True, 0),
        (court.payer, False, 0),
        (court.provider, False, 0),
        (court.provider, True, 10_000),
    ):
        escrow = court.escrow(is_delivered=is_delivered)
        court.open(escrow, by)
        court.at_the_end(escrow, clock)
        assert court.ended(escrow) == ("silence", share)
        assert court.status(escrow) == ("released" if share else "refunded")
        assert court.trail(escrow)[-3:] == ["disputed", "dispute_silence", court.status(escrow)]
    assert court.shares() == ("900.00000000", "95.00000000", "5.00000000")
    assert check_books(court.session) == []


@on_sqlite
@pytest.mark.parametrize(
    ("accepts", "share"),
    [
        ({"payer_approves": True}, 0),
        ({"result_hash_is": "0f" * 32}, 0),
        ({"after": {"hours": 5, "since": "delivery"}}, 10_000),
    ],
)
def test_silence_gives_nobody_what_its_own_terms_refuse_to_the_silent(
    court: Court, clock: time_machine.Traveller, accepts: dict[str, object], share: int
) -> None:
    """A delivery that the terms do not pay for by time alone is not paid for by an unanswered dispute either."""
    in_time = {"delivered_within": {"hours": 10}}
    ending = {"hours": 20, "since": "creation"}
    terms = {
        "release_when": {"all_of": [in_time, accepts, {"before": ending}]},
        "refund_when": {"after": ending},
    }
    for answers, basis, by_time in ((False, "silence", share), (True, "no_ruling", share // 2)):
        escrow = court.escrow("10", terms=terms)
        court.open(escrow, court.provider)
        if answers:
            court.of(court.payer).speak(escrow.id, "It is not what was ordered.")
            court.of(court.payer).escalate(escrow.id)
            with court.only(0):
                court.of(court.payer).escalate(escrow.id)
                court.at_the_end(escrow, clock)
        else:
            court.at_the_end(escrow, clock)
        assert court.ended(escrow) == (basis, by_time)


@on_sqlite
def test_other_clocks_stand_still_while_a_dispute_lasts(court: Court, clock: time_machine.Traveller) -> None:
    escrow = court.escrow()
    court.bring_to(Rung.ARBITRATION, escrow)
    clock.move_to(START + timedelta(days=4))
    worker = EscrowClock(
        court.session, manager(court.session, court.services, court.payer), court.services.settings
    )
    assert worker.run() == 0 and court.status(escrow) == "disputed"


def test_when_both_have_spoken_time_leads_through_every_rung(
    court: Court, clock: time_machine.Traveller
) -> None:
    escrow = court.escrow()
    court.open(escrow)
    court.of(court.provider).speak(escrow.id, "It is what was ordered.")
    for rung in ("mediation", "arbitration", "arbitration", "arbitration"):
        court.at_the_end(escrow, clock)
        assert court.rung(escrow) == rung
    court.at_the_end(escrow, clock)
    # Three arbiters said nothing; the work was delivered.
    assert court.ended(escrow) == ("no_ruling", 5000)
    assert court.shares() == ("950.00000000", "47.50000000", "2.50000000")
    assert court.seats(escrow) == [
        ("mediator", "done"),
        ("arbiter", "silent"),
        ("arbiter", "silent"),
        ("arbiter", "done"),
    ]


@on_sqlite
def test_an_arbiter_who_stays_silent_about_no_delivery_refunds(
    court: Court, clock: time_machine.Traveller
) -> None:
    escrow = court.escrow(is_delivered=False)
    court.bring_to(Rung.ARBITRATION, escrow)
    with court.only(0):
        court.at_the_end(escrow, clock)
    assert court.ended(escrow) == ("no_ruling", 0) and court.status(escrow) == "refunded"


def test_a_proposal_that_both_accept_is_executed_at_once(court: Court) -> None:
    escrow = court.escrow("33.33333333")
    court.bring_to(Rung.MEDIATION, escrow)
    (mediator,) = court.seated(escrow)
    with pytest.raises(DisputeStateError, match="proposed anything"):
        court.of(court.payer).accept(escrow.id)
    court.judge(mediator).propose(escrow.id, 3333, "A third of it works.")
    with pytest.raises(DisputeStateError, match="already"):
        court.judge(mediator).propose(escrow.id, 1, "Or this?")
    court.of(court.payer).accept(escrow.id)
    with pytest.raises(DisputeStateError, match="already"):
        court.of(court.payer).accept(escrow.id)
    assert court.status(escrow) == "disputed"
    court.of(court.provider).accept(escrow.id)
    assert court.ended(escrow) == ("proposal", 3333) and court.status(escrow) == "resolved"
    # 33.33 % of it are 11.10999999, of which the fund gets 5 %.
    assert court.shares() == ("988.89000001", "10.55450000", "0.55549999")
    told = audit_trail.entries(court.session, escrow.id)[-1].detail
    assert (told["by"], told["dispute"], told["share_basis_points"]) == ("agreement", "proposal", 3333)


@on_sqlite
def test_a_proposal_gives_its_time_anew_and_who_declines_goes_on(
    court: Court, clock: time_machine.Traveller
) -> None:
    escrow = court.escrow()
    dispute = court.bring_to(Rung.MEDIATION, escrow)
    clock.move_to(dispute.rung_ends_at - SECOND)
    court.judge(court.seated(escrow)[0]).propose(escrow.id, 5000, "Half.")
    assert court.dispute(escrow).rung_ends_at == dispute.rung_ends_at
    assert court.dispute(escrow).rung_ends_at > utcnow() + timedelta(hours=71)
    court.of(court.payer).accept(escrow.id)
    court.of(court.provider).escalate(escrow.id)
    assert court.rung(escrow) == "arbitration"
    assert not court.dispute(escrow).is_accepted_by_payer


@pytest.mark.parametrize(
    ("share", "status", "expected"),
    [
        (0, "refunded", ("1000.00000000", "0.00000000", "0.00000000")),
        (2500, "resolved", ("975.00000000", "23.75000000", "1.25000000")),
        (10_000, "released", ("900.00000000", "95.00000000", "5.00000000")),
    ],
)
@on_sqlite
def test_a_ruling_is_stated_first_and_executed_by_the_clock(
    court: Court, clock: time_machine.Traveller, share: int, status: str, expected: tuple[str, str, str]
) -> None:
    escrow = court.escrow()
    court.bring_to(Rung.ARBITRATION, escrow)
    court.judge(court.seated(escrow)[0]).rule(escrow.id, share, "So it is.")
    assert (court.rung(escrow), court.status(escrow)) == ("appeal", "disputed")
    court.at_the_end(escrow, clock)
    assert court.ended(escrow) == ("ruling", share)
    assert (court.status(escrow), court.shares()) == (status, expected)


@on_sqlite
def test_a_ruling_that_both_accept_needs_no_clock(court: Court) -> None:
    escrow = court.escrow()
    court.bring_to(Rung.APPEAL, escrow)
    court.of(court.payer).accept(escrow.id)
    with pytest.raises(DisputeStateError, match="accepted the ruling"):
        court.of(court.payer).appeal(escrow.id, "On second thought")
    court.of(court.provider).accept(escrow.id)
    assert court.ended(escrow) == ("ruling", 5000)
    (alone,) = court.session.scalars(select(OperatorAction.action))
    assert alone == "dispute_rule"


def test_an_appeal_is_decided_by_three_others_whose_votes_stay_sealed(court: Court) -> None:
    escrow = court.escrow()
    court.bring_to(Rung.PANEL, escrow)
    panel = court.seated(escrow)
    people = [seat.user_id for seat in records.seats_of(court.session, court.dispute(escrow))]
    assert len(panel) == 3 and len(people) == len(set(people)) == 5
    for share, member in zip((0, 10_000), panel, strict=False):
        court.judge(member).vote(escrow.id, share, f"Because of {share}.")
    with pytest.raises(DisputeStateError, match="voted already"):
        court.judge(panel[0]).vote(escrow.id, 1, "No, this.")
    sealed = str([(e.kind, e.detail) for e in audit_trail.entries(court.session, escrow.id)])
    deeds = str(list(court.session.scalars(select(OperatorAction.detail))))
    assert "Because of" not in sealed and "Because of" not in deeds
    court.judge(panel[2]).vote(escrow.id, 10_000, "Because of all.")
    assert court.ended(escrow) == ("panel", 10_000)
    told = audit_trail.entries(court.session, escrow.id)
    opened = next(each for each in told if each.kind == "dispute_votes").detail
    assert (opened["way"], opened["is_upheld"], len(opened["votes"])) == ("majority", False, 3)
    assert court.trail(escrow).index("dispute_votes") < court.trail(escrow).index("released")


@pytest.mark.parametrize(
    ("first", "after", "share"),
    [
        ([], [], 5000),
        ([1000], [], 5000),
        ([1000], [1000], 1000),
        ([1000, 2000], None, 5000),
        ([1000, 1000], None, 1000),
        ([], [0, 3000, 10_000], 3000),
    ],
)
@on_sqlite
def test_a_silent_panel_is_filled_up_once_and_then_what_is_there_counts(
    session: Session,
    services: Services,
    clock: time_machine.Traveller,
    first: list[int],
    after: list[int] | None,
    share: int,
) -> None:
    court = Court(session, services, arbiters=8)
    escrow = court.escrow()
    court.bring_to(Rung.PANEL, escrow)
    for vote, member in zip(first, court.seated(escrow), strict=False):
        court.judge(member).vote(escrow.id, vote, "So.")
    court.at_the_end(escrow, clock)
    if after is not None:
        assert court.rung(escrow) == "panel" and len(court.seated(escrow)) == 3
        fresh = court.seated(escrow)[len(first) :]
        for vote, member in zip(after, fresh, strict=False):
            court.judge(member).vote(escrow.id, vote, "So.")
        if len(first) + len(after) < 3:
            court.at_the_end(escrow, clock)
    assert court.ended(escrow) == ("panel", share)


@on_sqlite
def test_an_offer_from_before_a_ruling_cannot_be_taken_up_after_it(court: Court) -> None:
    escrow = court.escrow()
    court.bring_to(Rung.ARBITRATION, escrow)
    by_payer = court.services.offers(court.session, court.payer.actor)
    by_provider = court.services.offers(court.session, court.provider.actor)
    early = by_payer.offer(escrow.id, "50")
    court.judge(court.seated(escrow)[0]).rule(escrow.id, 0, "Nothing was done.")
    with pytest.raises(OfferStateError, match="a ruling stated since"):
        by_provider.accept(escrow.id, early.id, Amount.parse("50"))
    late = by_payer.offer(escrow.id, "5")
    by_provider.accept(escrow.id, late.id, Amount.parse("5"))
    assert court.status(escrow) == "resolved" and court.ended(escrow) == ("agreement", None)


@on_sqlite
def test_no_appeal_without_three_others(court: Court, clock: time_machine.Traveller) -> None:
    escrow = court.escrow()
    court.bring_to(Rung.APPEAL, escrow)
    with court.only(4), pytest.raises(DisputeStateError, match="fewer than three"):
        court.of(court.payer).appeal(escrow.id, "I want it all.")
    court.of(court.payer).appeal(escrow.id, "I want it all.")
    assert court.rung(escrow) == "panel"


def test_nobody_is_assigned_who_has_a_stake_and_operators_hear_of_it(
    session: Session, services: Services, clock: time_machine.Traveller
) -> None:
    """Owners of a wallet, a node, a verifier's key: an arbiter who is one of them is passed by."""
    court = Court(session, services, arbiters=1)
    verifier = make_person(session, services, "arbiter")
    key = services.signing_keys(session).create(verifier.wallet_id, ["escrow:release"])
    escrow = court.escrow(verifier_key_id=key.key_id)
    court.bring_to(Rung.MEDIATION, escrow)
    assert court.seated(escrow) == court.arbiters
    court.of(court.payer).escalate(escrow.id)
    assert court.seated(escrow) == []
    assert session.scalars(select(Alert.kind)).all() == ["no_arbiter"]
    court.at_the_end(escrow, clock)
    assert court.ended(escrow) == ("no_ruling", 5000)
    # An arbiter who pays for an escrow, and nobody else to ask.
    court.pair = type(court.pair)(court.arbiters[0], court.provider, court.pair.key)
    credit(session, court.arbiters[0].wallet_id, "10")
    own = court.escrow("10")
    court.open(own)
    court.of(court.provider).speak(own.id, "No.")
    court.of(court.provider).escalate(own.id)
    seats = records.seats_of(session, court.dispute(own))
    assert [each.user_id for each in seats] == [verifier.user.id]


@on_sqlite
def test_nobody_is_assigned_whom_the_terms_name_as_a_witness(court: Court) -> None:
    attests, computes, judge, *others = court.arbiters
    key = court.services.signing_keys(court.session).create(attests.wallet_id, ["escrow:release"])
    node = make_node(court.session, court.services, computes).node
    spare = make_node(court.session, court.services, others[0]).node
    leaves = [
        {"attested_by": {"key_id": key.key_id, "statement": {}}},
        {"agreeing_results": {"count": 2, "of": [node.id, spare.id]}},
    ]
    soon = {"before": {"hours": 10, "since": "creation"}}
    late = {"after": {"hours": 10, "since": "creation"}}
    terms = {"release_when": {"all_of": [*leaves, soon]}, "refund_when": late}
    escrow = court.escrow(is_delivered=False, terms=terms)
    court.open(escrow)
    with court.only(3):
        court.of(court.provider).speak(escrow.id, "No.")
        court.of(court.provider).escalate(escrow.id)
    assert court.seated(escrow) == [judge]


@on_sqlite
def test_assignment_goes_round(court: Court) -> None:
    asked: list[int] = []
    for _ in range(6):
        escrow = court.escrow("10")
        court.bring_to(Rung.MEDIATION, escrow)
        asked += [person.user.id for person in court.seated(escrow)]
    assert sorted(asked) == sorted(each.user.id for each in court.arbiters)


@on_sqlite
def test_who_steps_down_is_replaced_and_reads_no_more(court: Court, clock: time_machine.Traveller) -> None:
    escrow = court.escrow()
    court.bring_to(Rung.ARBITRATION, escrow)
    first = court.seated(escrow)[0]
    clock.shift(timedelta(hours=100))
    court.judge(first).step_down(escrow.id, "I know one of them.")
    second = court.seated(escrow)[0]
    assert second is not first
    dispute = court.dispute(escrow)
    assert dispute.rung_ends_at == utcnow() + timedelta(hours=120)
    seats = records.seats_of(court.session, dispute)
    assert not records.may_read(first.actor, escrow, seats)
    assert records.may_read(second.actor, escrow, seats)
    with pytest.raises(PermissionDeniedError):
        court.judge(first).rule(escrow.id, 0, "After all.")
    court.judge(second).step_down(escrow.id, "So do I.")
    court.judge(court.seated(escrow)[0]).step_down(escrow.id, "And I.")
    # Twice is enough: nobody sits there any more, and time decides.
    assert court.seated(escrow) == []
    with court.only(0):
        court.at_the_end(escrow, clock)
    assert court.ended(escrow) == ("no_ruling", 5000)


@on_sqlite
def test_a_panel_that_is_left_by_one_goes_on_with_two(court: Court) -> None:
    escrow = court.escrow()
    court.bring_to(Rung.PANEL, escrow)
    one, two, three = court.seated(escrow)
    court.judge(one).vote(escrow.id, 7000, "So.")
    court.judge(two).vote(escrow.id, 7000, "So.")
    with court.only(0):
        court.judge(three).step_down(escrow.id, "I cannot.")
    assert court.ended(escrow) == ("panel", 7000)


def test_who_has_voted_cannot_make_room_for_a_fourth_vote(
    court: Court, clock: time_machine.Traveller
) -> None:
    escrow = court.escrow()
    court.bring_to(Rung.PANEL, escrow)
    first, *others = court.seated(escrow)
    court.judge(first).vote(escrow.id, 7000, "So.")
    with pytest.raises(DisputeStateError, match="voted already"):
        court.judge(first).step_down(escrow.id, "Let a friend vote, too.")
    assert court.seated(escrow) == [first, *others]
    for member in others:
        court.judge(member).vote(escrow.id, 1000, "So.")
    assert court.ended(escrow) == ("panel", 1000)


@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
@pytest.mark.settings(disputes={"bond": "1"})
def test_who_ends_a_dispute_waits_for_wallets_in_id_order(court: Court) -> None:
    """Whoever holds the wallet with the lower id finds the other one free: nobody waits in a circle."""
    low, high = sorted((court.payer, court.provider), key=lambda each: each.wallet_id)
    credit(court.session, court.provider.wallet_id, "5")
    escrow = court.escrow()
    court.open(escrow, high)
    settings, services = court.services.settings, court.services

    def give_in() -> None:
        with open_session(settings) as own:
            manager(own, services, court.provider).refund_escrow(escrow.id, "I give in.")

    with open_session(settings) as other:
        of_wallet = text("SELECT id FROM wallets WHERE id = :id FOR NO KEY UPDATE NOWAIT")
        other.execute(of_wallet, {"id": low.wallet_id})
        waiting = threading.Thread(target=give_in)
        waiting.start()
        blocked = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        for _ in range(100):
            if other.scalar(blocked):
                break
            time.sleep(0.05)
        other.execute(of_wallet, {"id": high.wallet_id})
        other.commit()
    waiting.join()
    assert court.ended(escrow) == ("agreement", None)


def test_each_clock_is_extended_by_an_outage(court: Court, clock: time_machine.Traveller) -> None:
    for rung in (Rung.TALK, Rung.MEDIATION, Rung.ARBITRATION, Rung.APPEAL, Rung.PANEL):
        escrow = court.escrow("10")
        before = court.bring_to(rung, escrow).rung_ends_at
        out_since, back = before - timedelta(hours=1), before + timedelta(hours=2)
        clock.move_to(back)
        with unit_of_work(court.session):
            court.session.add(Outage(parts="worker", started_at=out_since, ended_at=back))
        # The page is fair before the worker is.
        assert records.fair_end(court.session, court.services.settings, court.dispute(escrow)) == (
            before + timedelta(hours=3)
        )
        assert court.tick() == 0 and court.rung(escrow) == rung
        assert court.dispute(escrow).rung_ends_at == before + timedelta(hours=3)
        assert court.trail(escrow)[-1] == "deadline_extended"
        with court.only(0):
            court.at_the_end(escrow, clock)
        assert court.rung(escrow) != rung
        if court.status(escrow) == "disputed":
            manager(court.session, court.services, court.provider).refund_escrow(escrow.id, "Enough.")


@on_sqlite
def test_nothing_can_be_done_once_the_time_is_over_even_before_the_worker_comes(
    court: Court, clock: time_machine.Traveller
) -> None:
    escrow = court.escrow()
    dispute = court.bring_to(Rung.APPEAL, escrow)
    clock.move_to(dispute.rung_ends_at)
    for deed in (court.of(court.payer).accept, lambda id: court.of(court.payer).appeal(id, "Now.")):
        with pytest.raises(DisputeStateError, match="time for this is over"):
            deed(escrow.id)
    clock.move_to(dispute.rung_ends_at - SECOND)
    court.of(court.payer).appeal(escrow.id, "Now.")


@pytest.mark.settings(disputes={"bond": "2"})
def test_the_bond_is_held_and_goes_where_the_end_says(court: Court, clock: time_machine.Traveller) -> None:
    payer = court.payer.wallet_id

    def opened() -> Escrow:
        escrow = court.escrow()
        court.bring_to(Rung.ARBITRATION, escrow)
        assert balances(court.session, payer)[1] == "102.00000000"
        assert check_books(court.session) == []
        return escrow

    lost = opened()
    court.judge(court.seated(lost)[0]).rule(lost.id, 10_000, "All was done.")
    court.at_the_end(lost, clock)
    assert court.shares() == ("898.00000000", "95.00000000", "7.00000000")
    returned = opened()
    court.judge(court.seated(returned)[0]).rule(returned.id, 9_999, "Nearly all was done.")
    court.at_the_end(returned, clock)
    assert court.shares()[0] == "798.01000000"
    given_in = opened()
    manager(court.session, court.services, court.payer).release_escrow(given_in.id)
    assert court.ended(given_in) == ("agreement", None)
    assert court.shares()[0] == "698.01000000"
    assert balances(court.session, payer)[1] == "0.00000000"
    assert check_books(court.session) == []


@pytest.mark.settings(disputes={"bond": "2000"})
@on_sqlite
def test_without_the_bond_nothing_is_opened(court: Court) -> None:
    escrow = court.escrow()
    with pytest.raises(InsufficientFundsError):
        court.of(court.payer).open(escrow.id, REASON)
    assert court.status(escrow) == "delivered"


def test_either_side_may_give_in_on_every_rung(court: Court) -> None:
    for rung in (Rung.TALK, Rung.MEDIATION, Rung.ARBITRATION, Rung.APPEAL, Rung.PANEL):
        for by in (court.payer, court.provider):
            escrow = court.escrow("1")
            court.bring_to(rung, escrow)
            acts = manager(court.session, court.services, by)
            if by is court.payer:
                assert acts.release_escrow(escrow.id).status == "released"
            else:
                assert acts.refund_escrow(escrow.id, "You are right.").status == "refunded"
            assert court.ended(escrow) == ("agreement", None)
            assert court.seated(escrow) == []


def test_what_is_said_is_checked_and_stays(court: Court) -> None:
    escrow = court.escrow()
    court.open(escrow)
    for words in ("", "  ", "x" * 4001, "a\x00b"):
        with pytest.raises(ValidationError) as refused:
            court.of(court.provider).speak(escrow.id, words)
        assert set(refused.value.fields) == {"text"}
    court.of(court.payer).speak(escrow.id, "Look at it.")
    assert court.dispute(escrow).answered_at is None, "it was the opener"
    court.of(court.provider).speak(escrow.id, "I did.\nTwice.")
    assert court.dispute(escrow).answered_at == utcnow()
    assert "I did" not in str([e.detail for e in audit_trail.entries(court.session, escrow.id)])
    with pytest.raises(DBAPIError), unit_of_work(court.session):
        court.session.execute(delete(DisputeStatement))
    with pytest.raises(DisputeStateError, match="moved on"):
        court.of(court.payer).speak(escrow.id, "Hm.", seen="mediation")


@on_sqlite
def test_an_objection_comes_in_time_from_a_party_and_with_a_reason(
    court: Court, clock: time_machine.Traveller
) -> None:
    escrow = court.escrow()
    with pytest.raises(ValidationError, match="reason"):
        court.of(court.payer).open(escrow.id, "  ")
    stranger = make_person(court.session, court.services)
    with pytest.raises(NotFoundError):
        court.of(stranger).open(escrow.id, "hello")
    with pytest.raises(NotFoundError, match="no dispute"):
        court.of(court.payer).speak(escrow.id, "hello")
    assert escrow.accept_by is not None
    clock.move_to(escrow.accept_by)
    with pytest.raises(PermissionDeniedError, match="over"):
        court.of(court.payer).open(escrow.id, "too late")
    clock.move_to(escrow.accept_by - SECOND)
    court.open(escrow)
    with pytest.raises(EscrowStateError):
        court.of(court.provider).open(escrow.id, "so do I")


def test_a_node_of_an_arbiter_keeps_them_away(court: Court) -> None:
    node = make_node(court.session, court.services, court.provider).node
    escrow = make_escrow(court.session, court.services, court.pair, "5", provider_node_id=node.id)
    with unit_of_work(court.session):
        court.session.execute(
            text("UPDATE nodes SET wallet_id = :wallet WHERE id = :node"),
            {"wallet": court.arbiters[0].wallet_id, "node": node.id},
        )
    court.bring_to(Rung.MEDIATION, escrow)
    assert court.seated(escrow) == [court.arbiters[1]]


def test_at_once_it_happens_once(court: Court, services: Services, clock: time_machine.Traveller) -> None:
    """The last vote and the clock, two workers, and both sides giving in: one of them ends it, and the books agree."""
    voted, due, given_in = court.escrow("10"), court.escrow("10"), court.escrow("10")
    court.bring_to(Rung.PANEL, voted)
    one, two, three = court.seated(voted)
    court.judge(one).vote(voted.id, 0, "So.")
    court.judge(two).vote(voted.id, 0, "So.")
    court.bring_to(Rung.APPEAL, due)
    court.bring_to(Rung.APPEAL, given_in)
    clock.move_to(max(court.dispute(each).rung_ends_at for each in (voted, due)) - SECOND)
    court.session.close()

    def at_once(*acts: Callable[[Session], object]) -> int:
        barrier, done = threading.Barrier(len(acts)), []

        def run(act: Callable[[Session], object]) -> None:
            with open_session(services.settings) as own, suppress(ConflictError):
                barrier.wait()
                act(own)
                done.append(act)

        threads = [threading.Thread(target=run, args=(act,)) for act in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(done)

    assert (
        at_once(
            lambda own: manager(own, services, court.payer).release_escrow(given_in.id),
            lambda own: manager(own, services, court.provider).refund_escrow(given_in.id, "Yours."),
        )
        == 1
    )
    assert at_once(
        lambda own: services.judging(own, three.actor).vote(voted.id, 0, "So."),
        lambda own: services.judging(own, three.actor).vote(voted.id, 0, "So."),
    )
    clock.shift(SECOND)

    def work(own: Session) -> None:
        DisputeClock(own, services.settings, services.wallets(own)).run()

    at_once(work, work)
    assert court.ended(voted) == ("panel", 0)
    assert court.ended(due) == ("ruling", 5000)
    for escrow in (voted, due, given_in):
        assert (
            court.trail(escrow).count("resolved")
            + court.trail(escrow).count("refunded")
            + court.trail(escrow).count("released")
            == 1
        )
    assert check_books(court.session) == []
