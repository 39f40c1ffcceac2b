"""The automatic airdrop without a daemon: when it goes, to whom, once, and what becomes of each share."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from tests.support.airdrops import (
    Listed,
    airdrops,
    chain_was_read,
    confirm_payouts,
    fill_fund,
    let_time_pass,
    listed,
    make_nodes,
    recipients,
    return_payouts,
)
from tests.support.money import balances, fund_balance
from tests.support.people import Person, make_person
from webapp.config import Settings
from webapp.domain import failpoints
from webapp.domain.airdrops import Decision, Refusal, decide, hash_of
from webapp.domain.clock import utcnow
from webapp.domain.money import ZERO, Amount
from webapp.domain.roles import AT_TERMINAL
from webapp.ledger.integrity import check_books
from webapp.models import (
    Airdrop,
    AirdropRecipient,
    AirdropSnapshot,
    AirdropWait,
    Alert,
    ChainCursor,
    DaemonFigures,
    FundRuleChange,
    JournalEntry,
    Node,
    NodeDay,
    NodeHeartbeat,
    Payout,
    Posting,
    User,
    Wallet,
)
from webapp.services import alerts, fund_rules
from webapp.services.airdrops import run, schedule, shares
from webapp.services.airdrops.facts import Pseudonyms
from webapp.services.airdrops.run import STALE, AirdropRun
from webapp.services.airdrops.watch import AirdropWatch
from webapp.services.container import Services
from webapp.services.database import Session as NewSession
from webapp.services.node_directory import NodeDirectory
from webapp.services.nodes import tallies
from webapp.services.payouts import halts
from webapp.services.unit_of_work import unit_of_work

OUTSIDE = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"
ELSEWHERE = "mgA7SfyBBrVGVSpQ7oqGHPhxpp2gUZWtfc"
ON_ONE = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
AIRDROP_POINTS = [point for point in failpoints.POINTS if point.startswith("airdrop.")]


@dataclass
class Fund:
    """A fund with its worker, and two people with nodes."""

    session: Session
    services: Services
    settings: Settings
    ada: Person
    bob: Person

    def run(self, directory: NodeDirectory | None = None) -> None:
        """One round of the worker's task, by a worker that was just started."""
        self.session.rollback()
        chain_was_read(self.session)
        AirdropRun(self.session, self.settings, directory).run()

    def look(self) -> schedule.Outlook:
        self.session.rollback()
        outlook = schedule.look(self.session, self.settings)
        self.session.commit()
        return outlook

    def standing(self) -> list[tuple[str, str]]:
        self.session.rollback()
        found = [(alert.kind, alert.detail) for alert in alerts.standing(self.session, 10)]
        self.session.commit()
        return found

    def nodes(self, *people: Person, **values: Any) -> list[str]:
        return make_nodes(self.session, [person.wallet_id for person in people], **values)

    def change(self, statement: Any) -> None:
        with unit_of_work(self.session):
            self.session.execute(statement)


@pytest.fixture
def fund(session: Session, services: Services, settings: Settings) -> Fund:
    people = [make_person(session, services, "provider") for _ in range(2)]
    return Fund(session, services, settings, *people)


def test_it_goes_when_the_threshold_is_reached_and_the_interval_has_passed(fund: Fund) -> None:
    fund.nodes(fund.ada, fund.bob, fund.bob)
    fill_fund(fund.session, "99.99999999")
    fund.run()
    outlook = fund.look()
    assert (outlook.is_due, str(outlook.missing), outlook.next_airdrop_at) == (False, "0.00000001", None)
    assert airdrops(fund.session) == []

    fill_fund(fund.session, "0.00000001")
    assert fund.look().is_due
    fund.run()
    first = airdrops(fund.session)[0]
    assert (first.number, first.kind, first.status, first.requested_by) == (1, "automatic", "done", "worker")
    assert (str(first.total), first.recipient_count, first.block_height) == ("99.99999999", 3, 7)
    assert balances(fund.session, fund.ada.wallet_id) == ("33.33333333", "0.00000000")
    assert balances(fund.session, fund.bob.wallet_id) == ("66.66666666", "0.00000000")
    assert fund_balance(fund.session) == "0.00000001"
    entry = fund.session.scalars(select(JournalEntry).where(JournalEntry.kind == "airdrop")).one()
    moves = select(func.count()).where(Posting.journal_entry_id == entry.id)
    assert (entry.key, fund.session.scalar(moves)) == (f"airdrop:{first.id}", 2)

    fill_fund(fund.session, "200")
    fund.run()
    outlook = fund.look()
    assert first.posted_at is not None
    assert (outlook.is_due, outlook.missing) == (False, ZERO)
    assert outlook.next_airdrop_at == first.posted_at + timedelta(hours=24)
    let_time_pass(fund.session, hours=23, minutes=59)
    fund.run()
    assert len(airdrops(fund.session)) == 1
    let_time_pass(fund.session, minutes=1)
    fund.run()
    assert [each.number for each in airdrops(fund.session)] == [1, 2]
    wait = fund.session.get_one(AirdropWait, schedule.ONLY_ROW)
    assert (wait.due_since, wait.blocked_since, wait.reason) == (None, None, "")


@pytest.mark.settings(community_fund={"waiting_period_hours": 24}, custody={"approval_above": "1000"})
def test_every_node_that_is_left_out_is_told_every_reason(fund: Fund) -> None:
    now = utcnow()
    good = fund.nodes(fund.ada)
    on_chain = fund.nodes(fund.bob, airdrop_to="chain", airdrop_address=OUTSIDE)
    out = {
        fund.nodes(fund.ada, status="suspended")[0]: [Refusal.SUSPENDED],
        fund.nodes(fund.ada, verified_at=None)[0]: [Refusal.UNVERIFIED],
        fund.nodes(fund.ada, is_alive=False)[0]: [Refusal.OFFLINE],
        fund.nodes(fund.ada, registered_at=now - timedelta(hours=23))[0]: [Refusal.NEW],
        fund.nodes(fund.ada, work="19.99999999")[0]: [Refusal.NO_SETTLED_WORK],
        fund.nodes(fund.ada, airdrop_to="chain")[0]: [Refusal.NO_ADDRESS],
        fund.nodes(fund.ada, airdrop_to="chain", airdrop_address="nonsense", work="")[0]: [
            Refusal.NO_SETTLED_WORK,
            Refusal.NO_ADDRESS,
        ],
    }
    silent = fund.nodes(fund.ada)
    fund.change(
        update(NodeHeartbeat)
        .where(NodeHeartbeat.node_id == silent[0])
        .values(last_beat_at=now - timedelta(seconds=301))
    )
    closed = make_person(fund.session, fund.services, "provider")
    out |= {silent[0]: [Refusal.OFFLINE], fund.nodes(closed)[0]: [Refusal.SUSPENDED]}
    fund.change(update(User).where(User.id == closed.user.id).values(is_active=False))
    fill_fund(fund.session, "100")
    fund.run()

    airdrop = airdrops(fund.session)[0]
    text = fund.session.get_one(AirdropSnapshot, airdrop.id).document
    document = json.loads(text)
    assert airdrop.snapshot_hash == hash_of(text)
    assert document["airdrop_id"] == str(airdrop.id)
    assert (document["block_height"], document["block_hash"]) == (7, "bb" * 32)
    told = {node["node_id"]: node["refusals"] for node in document["nodes"]}
    assert told == out | {key: [] for key in good + on_chain}
    owners = {node["node_id"]: node["owner"] for node in document["nodes"]}
    name = Pseudonyms(fund.settings).of_user(fund.ada.user.id)
    assert owners[good[0]] == owners[silent[0]] == name != owners[on_chain[0]]
    assert len(name) == 16
    assert set(recipients(fund.session, airdrop)) == {*good, *on_chain}


@ON_ONE
def test_what_keeps_it_from_going_is_said_and_told_to_operators_once(fund: Fund) -> None:
    fill_fund(fund.session, "100")
    watch = AirdropWatch(fund.session, fund.settings)
    directory = Listed(None)
    fund.change(delete(ChainCursor))
    AirdropRun(fund.session, fund.settings).run()
    assert fund.look().blocked == schedule.CHAIN_UNREAD
    chain_was_read(fund.session)
    fund.change(update(DaemonFigures).values(recorded_at=utcnow() - timedelta(minutes=6)))
    assert fund.look().blocked == schedule.DAEMON_SILENT
    chain_was_read(fund.session)
    with unit_of_work(fund.session):
        halts.halt(fund.session, "integrity", "a secret of the operators")
    fund.run()
    assert fund.look().blocked == schedule.HALTED
    watch.run()
    assert [kind for kind, _ in fund.standing()] == ["payouts_halted"], "not before ten minutes"
    with unit_of_work(fund.session):
        halts.clear(fund.session, "integrity", "user:1")
    fund.change(update(Alert).values(acknowledged_at=utcnow()))

    fund.run(directory)
    assert "did not answer within 10 seconds" in (fund.look().blocked or "")
    fund.change(
        update(AirdropWait).values(
            due_since=utcnow() - timedelta(minutes=121), blocked_since=utcnow() - timedelta(minutes=11)
        )
    )
    watch.run()
    watch.run()
    (overdue, late_detail), (blocked, detail) = fund.standing()
    assert (overdue, blocked) == ("airdrop_overdue", "airdrop_blocked")
    assert "did not answer" in late_detail and "did not answer" in detail

    directory.nodes = []
    fund.run(directory)
    watch.run()
    assert [detail.startswith("there is no node") for _, detail in fund.standing()] == [False, True]
    fund.nodes(fund.ada, is_alive=False)
    fund.nodes(fund.ada, is_alive=False, work="")
    fund.run()
    assert fund.look().blocked == (
        "no node can be given anything (2 nodes: is offline; 1 node: has not done enough work that was paid for)"
    )
    for alert in alerts.standing(fund.session, 10):
        alerts.acknowledge(fund.session, AT_TERMINAL, alert.id)
    watch.run()
    assert fund.standing() == [], "what was put away does not come back for the same wait"
    assert airdrops(fund.session) == []

    fund.nodes(fund.bob)
    fund.run()
    watch.run()
    assert [each.status for each in airdrops(fund.session)] == ["done"]
    assert (fund.standing(), fund.look().due_since) == ([], None)


@ON_ONE
@pytest.mark.settings(community_fund={"rule_notice_hours": 0})
def test_it_goes_by_what_owners_and_operators_say_here_and_now(
    fund: Fund, monkeypatch: pytest.MonkeyPatch
) -> None:
    (good,) = fund.nodes(fund.ada)
    (claimed,) = fund.nodes(fund.bob, airdrop_to="chain")
    directory = Listed([listed(good), listed(claimed, ELSEWHERE)])
    fund_rules.propose(fund.session, fund.settings, AT_TERMINAL, {"airdrop_threshold": "50"}, "Sooner")
    fill_fund(fund.session, "60")

    def decide_slowly(*facts: Any) -> Decision:
        fund.change(update(FundRuleChange).values(withdrawn_at=utcnow()))
        return decide(*facts)

    with monkeypatch.context() as patch:
        patch.setattr(tallies, "is_behind", lambda *_: True)
        fund.run(directory)
        assert fund.look().blocked == run.UNCOUNTED
    with monkeypatch.context() as patch:
        patch.setattr(run, "decide", decide_slowly)
        fund.run(directory)
    assert airdrops(fund.session) == [], "the rule that it was decided by was taken back"

    fill_fund(fund.session, "40")
    fund.run(directory)
    assert list(recipients(fund.session, airdrops(fund.session)[0])) == [good]
    assert balances(fund.session, fund.ada.wallet_id)[0] == "100.00000000"


def test_of_several_workers_one_gives_it(fund: Fund) -> None:
    fund.nodes(fund.ada, fund.bob, airdrop_to="chain", airdrop_address=OUTSIDE)
    fill_fund(fund.session, "150")
    chain_was_read(fund.session)
    together = threading.Barrier(3, timeout=20)
    everything = [listed(node_id) for node_id in fund.session.scalars(select(Node.id))]
    fund.session.commit()

    class Meeting(Listed):
        def list_nodes(self, fresh: bool = False) -> Any:
            together.wait()
            return super().list_nodes(fresh)

    def work(_: int) -> None:
        with NewSession(fund.settings) as session:
            AirdropRun(session, fund.settings, Meeting(everything)).run()

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(work, range(3)))
    airdrop = airdrops(fund.session)
    assert [(each.number, str(each.total)) for each in airdrop] == [(1, "150.00000000")]
    assert fund.session.scalar(select(func.count()).select_from(Payout)) == 2
    assert fund_balance(fund.session) == "0.00000000"


class Killed(BaseException):
    """The worker is gone."""


@pytest.fixture
def die_at() -> Iterator[Callable[[str], None]]:
    def arm(point: str) -> None:
        def hook(reached: str) -> None:
            if reached == point:
                failpoints.arm(None)
                raise Killed

        failpoints.arm(hook)

    yield arm
    failpoints.arm(None)


def test_killed_at_any_point_each_recipient_is_paid_once(
    fund: Fund, die_at: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "CHUNK", 1)
    fund.nodes(fund.ada, fund.bob, airdrop_to="chain", airdrop_address=OUTSIDE)
    fund.nodes(fund.bob)
    assert len(AIRDROP_POINTS) == 8
    for number, point in enumerate(AIRDROP_POINTS, start=1):
        fill_fund(fund.session, "100")
        die_at(point)
        with pytest.raises(Killed):
            for _ in range(3):
                fund.run()
                confirm_payouts(fund.session)
        fund.session.rollback()
        assert check_books(fund.session) == []
        fund.run()
        confirm_payouts(fund.session)
        fund.run()
        found = airdrops(fund.session)
        assert [each.status for each in found] == ["done"] * number, point
        each_paid = {"paid", "credited"}
        assert {status for status, _ in recipients(fund.session, found[-1]).values()} == each_paid
        let_time_pass(fund.session, hours=24)
    total = sum(airdrop.total.base_units for airdrop in airdrops(fund.session))
    paid = fund.session.scalars(select(Payout.gross)).all()
    kept = fund.session.scalars(select(Wallet.available)).all()
    assert total == sum(amount.base_units for amount in [*paid, *kept])
    assert len(paid) == 2 * len(AIRDROP_POINTS)


def store_only(fund: Fund, die_at: Callable[[str], None], directory: NodeDirectory | None = None) -> Airdrop:
    """A snapshot that waits to be posted."""
    die_at("airdrop.store:after")
    with pytest.raises(Killed):
        fund.run(directory)
    return airdrops(fund.session)[-1]


@pytest.mark.settings(
    community_fund={"min_settled_escrows": 0, "min_settled_amount": 0, "min_airdrop_amount": "0.01"}
)
def test_whoever_cannot_be_paid_any_more_costs_nobody_else_a_share(
    fund: Fund, die_at: Callable[[str], None]
) -> None:
    (good,) = fund.nodes(fund.ada)
    suspended, vanished = fund.nodes(fund.bob, fund.bob)
    closed = make_person(fund.session, fund.services, "provider")
    (left,) = fund.nodes(closed)
    everything = Listed(
        [
            *(listed(node_id) for node_id in (good, suspended, vanished, left)),
            listed("stranger", OUTSIDE),
            listed("broken", ELSEWHERE),
        ]
    )
    fill_fund(fund.session, "120")
    stored = store_only(fund, die_at, everything)
    assert (stored.status, stored.recipient_count, stored.total) == ("snapshot", 6, ZERO)
    outlook = fund.look()
    assert (outlook.is_due, outlook.is_under_way) == (False, True)

    fund.change(update(Node).where(Node.id == suspended).values(status="suspended"))
    fund.change(update(User).where(User.id == closed.user.id).values(is_active=False))
    fund.change(
        update(AirdropRecipient).where(AirdropRecipient.node_id == "broken").values(address="no address")
    )
    fund.change(delete(NodeDay).where(NodeDay.node_id == vanished))
    fund.change(delete(NodeHeartbeat).where(NodeHeartbeat.node_id == vanished))
    fund.change(delete(Node).where(Node.id == vanished))
    fund.run(everything)

    airdrop = airdrops(fund.session)[0]
    assert (airdrop.status, str(airdrop.total)) == ("paying", "40.00000000")
    assert recipients(fund.session, airdrop) == {
        good: ("credited", ""),
        "stranger": ("paying", ""),
        suspended: ("failed", "is suspended"),
        vanished: ("failed", "is not registered"),
        left: ("failed", "the account of its owner is closed"),
        "broken": ("failed", "has no address that can be paid"),
    }
    assert balances(fund.session, fund.ada.wallet_id)[0] == "20.00000000"
    assert fund_balance(fund.session) == "80.00000000"
    watch = AirdropWatch(fund.session, fund.settings)
    watch.run()
    watch.run()
    ((kind, detail),) = fund.standing()
    assert kind == "airdrop_partly_failed"
    assert detail.startswith("4 shares failed, and 80.00000000 FLOP stayed in the fund")

    return_payouts(fund.session, "returned by an operator: not a node of ours")
    fund.run(everything)
    airdrop = airdrops(fund.session)[0]
    assert airdrop.status == "done"
    assert recipients(fund.session, airdrop)["stranger"][0] == "failed"
    assert fund_balance(fund.session) == "100.00000000"
    watch.run()
    assert [detail[:15] for _, detail in fund.standing()] == ["5 shares failed"]
    alerts.acknowledge(fund.session, AT_TERMINAL, alerts.standing(fund.session, 1)[0].id)
    watch.run()
    assert fund.standing() == []


@pytest.mark.settings(custody={"daily_withdrawal_limit": "60"})
def test_a_share_that_cannot_leave_stays_in_the_balance_and_says_why(
    fund: Fund, die_at: Callable[[str], None]
) -> None:
    people = [make_person(fund.session, fund.services, "provider") for _ in range(3)]
    frozen, spender, returned = (
        fund.nodes(person, airdrop_to="chain", airdrop_address=OUTSIDE)[0] for person in people
    )
    # The wallet's payout address is good enough; two of its shares are more than may leave in a day.
    with unit_of_work(fund.session):
        fund.session.get_one(Wallet, fund.ada.wallet_id).payout_address = ELSEWHERE
    first, second = fund.nodes(fund.ada, fund.ada, airdrop_to="chain")
    wrong = fund.nodes(fund.bob, airdrop_to="chain", airdrop_address=OUTSIDE)[0]
    fund.change(update(Wallet).where(Wallet.id == people[0].wallet_id).values(is_frozen=True))
    fill_fund(fund.session, "240")
    die_at("airdrop.post:after")
    with pytest.raises(Killed):
        fund.run()
    fund.change(
        update(AirdropRecipient).where(AirdropRecipient.node_id == wrong).values(address="no address")
    )
    fund.services.wallets(fund.session).payouts.withdraw(
        people[1].wallet_id, OUTSIDE, Amount.parse("0.1"), people[1].actor
    )
    fund.run()
    told = recipients(fund.session, airdrops(fund.session)[0])
    assert told[frozen] == told[second] == ("credited", shares.MAY_NOT_LEAVE)
    assert told[spender] == ("credited", shares.SPENT)
    assert told[wrong] == ("credited", shares.BAD_ADDRESS)
    assert told[first] == told[returned] == ("paying", "")
    to_ada = select(Payout.address).where(Payout.wallet_id == fund.ada.wallet_id)
    assert fund.session.scalars(to_ada).all() == [ELSEWHERE]
    return_payouts(fund.session, "taken back")
    fund.run()
    airdrop = airdrops(fund.session)[0]
    assert (airdrop.status, recipients(fund.session, airdrop)[returned]) == (
        "done",
        ("credited", "it was not sent"),
    )
    assert balances(fund.session, people[2].wallet_id)[0] == "40.00000000"


@ON_ONE
def test_a_snapshot_that_cannot_be_posted_is_given_up_for_another(
    fund: Fund, die_at: Callable[[str], None]
) -> None:
    (node,) = fund.nodes(fund.ada)
    fill_fund(fund.session, "200")
    stored = store_only(fund, die_at)
    with unit_of_work(fund.session):
        halts.halt(fund.session, "integrity", "a gap")
    fund.run()
    assert airdrops(fund.session)[-1].status == "snapshot", "no money moves while the books are in doubt"
    with unit_of_work(fund.session):
        halts.clear(fund.session, "integrity", "user:1")
        fill_fund(fund.session, "0.5")
        fund.session.execute(
            update(Airdrop).where(Airdrop.id == stored.id).values(taken_at=utcnow() - timedelta(minutes=61))
        )
    fund.run()
    old, new = airdrops(fund.session)
    assert (old.status, old.reason, old.posted_at) == ("abandoned", STALE, None)
    assert (new.number, new.status, str(new.total)) == (2, "done", "200.50000000")

    let_time_pass(fund.session, hours=24)
    fill_fund(fund.session, "100")
    store_only(fund, die_at)
    fund.change(update(Node).where(Node.id == node).values(status="suspended"))
    fund.run()
    assert airdrops(fund.session)[-1].reason == "none of its recipients can be paid any more"
    assert fund_balance(fund.session) == "100.00000000"
    fund.change(update(Node).where(Node.id == node).values(status="active"))
    stored = store_only(fund, die_at)
    fund.change(
        update(AirdropRecipient)
        .where(AirdropRecipient.airdrop_id == stored.id)
        .values(amount=Amount.parse("100.1"))
    )
    fund.run()
    statuses = [(each.status, each.reason) for each in airdrops(fund.session)[-2:]]
    assert statuses == [
        ("abandoned", "the fund has 100.00000000 FLOP, and 100.10000000 FLOP was to be given"),
        ("done", ""),
    ]


@ON_ONE
@pytest.mark.settings(
    wallet={"fee_paid_by": "fund", "max_fee_per_payout": "0.5"},
    community_fund={"min_settled_escrows": 0, "min_settled_amount": 0},
)
def test_fees_that_the_fund_bears_are_set_aside_and_shares_that_nobody_could_get_are_not_begun(
    fund: Fund,
) -> None:
    fill_fund(fund.session, "100")
    small = Listed([listed(f"stranger-{number}", OUTSIDE) for number in range(200)])
    fund.nodes(fund.ada, fund.bob, airdrop_to="chain", airdrop_address=OUTSIDE)
    fund.nodes(fund.bob)
    fund.run()
    assert str(airdrops(fund.session)[0].total) == "99.00000000"
    let_time_pass(fund.session, hours=24)
    fill_fund(fund.session, "99.3")
    fund.run(small)
    airdrop = airdrops(fund.session)[1]
    document = json.loads(fund.session.get_one(AirdropSnapshot, airdrop.id).document)
    # They are one owner's, whoever lists them under whatever name: all are paid at one address.
    assert airdrop.recipient_count == 5
    # 100.3 FLOP would be enough for 66 that get a whole FLOP each and cost half of one.
    assert (document["balance"], document["set_aside"]) == ("100.30000000", "33.00000000")


@ON_ONE
@pytest.mark.settings(
    community_fund={
        "min_settled_escrows": 0,
        "min_settled_amount": 0,
        "min_airdrop_amount": "0.01",
        "airdrop_threshold": "0.05",
    },
)
def test_shares_that_nobody_could_be_sent_are_not_begun_again_and_again(fund: Fund) -> None:
    fill_fund(fund.session, "0.05")
    strangers = Listed([listed("stranger", OUTSIDE)])
    fund.run(strangers)
    assert airdrops(fund.session) == []
    assert (fund.look().blocked or "").startswith("each share would be too little to be sent")


@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
@pytest.mark.settings(
    community_fund={"airdrop_threshold": "1000", "min_settled_escrows": 0, "min_settled_amount": 0}
)
def test_a_thousand_recipients_take_seconds(fund: Fund) -> None:
    wallets = many_wallets(fund.session, 995)
    ids = make_nodes(fund.session, wallets[:895], work="")
    ids += make_nodes(fund.session, wallets[895:], work="", airdrop_to="chain", airdrop_address=OUTSIDE)
    strangers = [listed(f"stranger-{number:03}", OUTSIDE) for number in range(5)]
    fill_fund(fund.session, "2000")
    everything = Listed([*(listed(node_id) for node_id in ids), *strangers])
    began = time.monotonic()
    fund.run(everything)
    took = time.monotonic() - began
    airdrop = airdrops(fund.session)[0]
    assert airdrop.recipient_count == 1000
    sent = 0
    while airdrops(fund.session)[0].status == "paying":
        sent += confirm_payouts(fund.session)
        fund.run(everything)
    assert sent == 105
    assert took < 30, took


def many_wallets(session: Session, count: int) -> list[int]:
    """Wallets of as many people, who cannot log in."""
    with unit_of_work(session):
        people = [
            {"email": f"many-{number}@example.com", "password_hash": "-", "role": "provider"}
            for number in range(count)
        ]
        user_ids = list(session.scalars(insert(User).returning(User.id), people))
        wallets = [{"user_id": user_id} for user_id in user_ids]
        return list(session.scalars(insert(Wallet).returning(Wallet.id), wallets))
