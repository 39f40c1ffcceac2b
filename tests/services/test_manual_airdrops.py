"""Airdrops by hand: given whole or refused whole, with every reason, and never by somebody to themselves."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from tests.support.money import balances, credit, fill_fund, fund_balance
from tests.support.people import Person, make_key, make_person
from tests.support.registry_server import RegistryServer, Reply, says
from webapp.domain.airdrops import hash_of
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import PermissionDeniedError, ValidationError
from webapp.domain.money import Amount
from webapp.domain.roles import AT_TERMINAL, PROGRAM, Scope
from webapp.models import (
    Airdrop,
    AirdropRecipient,
    AirdropSnapshot,
    JournalEntry,
    Node,
    NodeHeartbeat,
    OperatorAction,
    Payout,
    SigningKey,
    User,
    Wallet,
)
from webapp.services.airdrops.manual import AirdropChangedError, ManualAirdrops
from webapp.services.container import Services
from webapp.services.database import Session as NewSession
from webapp.services.node_directory import DirectoryUnreachableError
from webapp.services.signing_keys import actor_of
from webapp.services.unit_of_work import unit_of_work

ADDRESS = "n3GNqMveyvaPvUbH469vDRadqpJMPc84JA"
ON_SQLITE = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


class Town:
    """An operator, and an owner with nodes. Amounts are decimal strings."""

    def __init__(self, session: Session, services: Services) -> None:
        self.session, self.services = session, services
        self.operator = make_person(session, services, "operator")
        self.owner = make_person(session, services, "provider")

    def node(self, node_id: str, owner: Person | None = None, **columns: object) -> str:
        """A node that is online and verified, unless `columns` say otherwise."""
        now = utcnow()
        columns = {"verified_at": now, **columns}
        with unit_of_work(self.session):
            wallet_id = (owner or self.owner).wallet_id
            self.session.add(Node(id=node_id, wallet_id=wallet_id, **columns))
            self.session.flush()
            self.session.add(NodeHeartbeat(node_id=node_id, last_beat_at=now, load=1, tasks_running=0))
        return node_id

    def airdrops(self, person: Person | None = None) -> ManualAirdrops:
        return ManualAirdrops(self.session, self.services.settings, (person or self.operator).actor)

    def set(self, model: type, where: object, **values: object) -> None:
        with unit_of_work(self.session):
            self.session.execute(update(model).where(where).values(**values))


@pytest.fixture
def town(session: Session, services: Services) -> Town:
    return Town(session, services)


def test_an_airdrop_is_previewed_and_then_given_as_it_was_shown(town: Town) -> None:
    session = town.session
    fill_fund(session, "100")
    town.node("to-balance")
    town.node("to-chain", airdrop_to="chain", airdrop_address=ADDRESS)
    town.node("no-address", airdrop_to="chain", airdrop_address="not an address", verified_at=None)
    frozen = make_person(session, town.services, "provider")
    town.node("frozen", frozen, airdrop_to="chain", airdrop_address=ADDRESS)
    town.set(Wallet, Wallet.id == frozen.wallet_id, is_frozen=True)
    town.set(
        NodeHeartbeat,
        NodeHeartbeat.node_id == "to-chain",
        last_beat_at=town.owner.user.created_at.replace(year=2020),
    )
    named = ["to-chain", "to-balance", "no-address", "frozen"]
    airdrops = town.airdrops()

    shown = airdrops.preview(named, "7.5")
    assert [(row.node_id, row.pay_to, row.address, row.notes) for row in shown.rows] == [
        ("to-chain", "chain", ADDRESS, ("is offline",)),
        ("to-balance", "balance", None, ()),
        (
            "no-address",
            "balance",
            None,
            (
                "has not proved yet that it has its secret",
                "wants coins on the chain, but has no address that can be paid: it goes to the balance",
            ),
        ),
        (
            "frozen",
            "balance",
            None,
            ("its wallet is frozen: it goes to the balance, and cannot leave it for now",),
        ),
    ]
    figures = (shown.total, shown.balance, shown.balance_after, shown.network_fee)
    assert [str(amount) for amount in figures] == ["30.00000000", "100.00000000", "70.00000000", "0.00226000"]
    assert shown.problems == {}
    assert fund_balance(session) == "100.00000000"

    given = airdrops.give(named, "7.5", reason=" For  the outage ", shown=shown.mark)

    assert (given.kind, given.status, given.number, str(given.total)) == (
        "manual",
        "paying",
        1,
        "30.00000000",
    )
    assert given.requested_by == town.operator.actor.name
    rows = session.execute(
        select(AirdropRecipient.node_id, AirdropRecipient.status, AirdropRecipient.pay_to).order_by(
            AirdropRecipient.position
        )
    ).all()
    assert [tuple(row) for row in rows] == [
        ("to-chain", "chosen", "chain"),
        ("to-balance", "credited", "balance"),
        ("no-address", "credited", "balance"),
        ("frozen", "credited", "balance"),
    ]
    assert fund_balance(session) == "70.00000000"
    assert balances(session, town.owner.wallet_id) == ("22.50000000", "0.00000000")
    assert balances(session, frozen.wallet_id) == ("7.50000000", "0.00000000")
    document = session.get_one(AirdropSnapshot, given.id).document
    assert hash_of(document) == given.snapshot_hash
    order = json.loads(document)
    assert order["format"] == "duxos-airdrop-order-1"
    assert (order["balance"], order["requested_by"], order["reason"], order["number"]) == (
        "100.00000000",
        "operator",
        "For the outage",
        1,
    )
    assert order["recipients"] == [{"node_id": name, "amount": "7.50000000"} for name in named]
    assert ADDRESS not in document and town.operator.actor.name not in document
    deed = session.scalars(select(OperatorAction)).one()
    assert (deed.actor, deed.action, deed.subject) == (
        town.operator.actor.name,
        "give_airdrop",
        f"airdrop:{given.id}",
    )
    assert deed.detail["total"] == "30.00000000"


def test_everything_that_is_wrong_is_said_at_once_and_nothing_is_given(town: Town) -> None:
    session = town.session
    fill_fund(session, "20")
    closed = make_person(session, town.services, "provider")
    town.node("good")
    town.node("bad", status="suspended")
    town.node("closed", closed)
    town.node("mine", town.operator)
    town.set(User, User.id == closed.user.id, is_active=False)
    named = ["good", "bad", "closed", "mine", "good", "nobody", "x\x00y"]

    with pytest.raises(ValidationError) as refused:
        town.airdrops().give(named, "4", reason="a\x07b")
    assert refused.value.fields == {
        "node_ids": "good is named more than once; bad is suspended; closed belongs to a closed account; "
        "mine is your own: another operator must decide this; nobody is not registered; x\x00y is not registered",
        "amount_per_node": "24.00000000 FLOP is asked for, and the fund has 20.00000000 FLOP",
        "reason": "must be 1 to 300 printable characters",
    }
    assert (fund_balance(session), session.scalar(select(func.count()).select_from(Airdrop))) == (
        "20.00000000",
        0,
    )
    session.rollback()

    # Another operator may pay the first one's node; the first one may not, and it is their only fault.
    with pytest.raises(
        PermissionDeniedError, match="another operator must decide this: node mine is your own"
    ):
        town.airdrops().give(["mine", "good"], "4")
    other = make_person(session, town.services, "operator")
    assert str(town.airdrops(other).give(["mine", "good"], "4").total) == "8.00000000"
    assert fund_balance(session) == "12.00000000"


@ON_SQLITE
@pytest.mark.settings(community_fund={"min_airdrop_amount": 2, "max_airdrop_nodes": 3})
def test_amounts_are_at_least_the_least_and_together_at_most_the_fund(town: Town) -> None:
    fill_fund(town.session, "10")
    nodes = [town.node(f"n{number}") for number in range(4)]
    airdrops = town.airdrops()

    def problems(named: list[str], each: object = None, total: object = None) -> dict[str, str]:
        return airdrops.preview(named, each, total).fields

    assert problems(nodes[:3], "2") == {}
    assert problems(nodes[:3], 1.99999999) == {
        "amount_per_node": "each would get 1.99999999 FLOP, and at least 2.00000000 FLOP is given"
    }
    assert problems(nodes[:3], total="10") == {}
    assert problems(nodes[:3], total="10.00000001") == {
        "total_amount": "10.00000001 FLOP is asked for, and the fund has 10.00000000 FLOP"
    }
    assert problems(nodes, "2") == {"node_ids": "4 are named, and at most 3 can be in one airdrop"}
    assert problems([], "2") == {"node_ids": "at least one is needed"}
    assert problems(nodes[:1], "1e9") == {
        "amount_per_node": "must be a plain decimal number with at most eight decimals"
    }
    both = {
        name: "either amount_per_node or total_amount is needed, and not both"
        for name in ("amount_per_node", "total_amount")
    }
    assert problems(nodes[:1]) == problems(nodes[:1], "2", "2") == both
    shown = airdrops.preview(nodes[:3], total_amount="10")
    assert (str(shown.amount_per_node), str(shown.total), str(shown.rest), str(shown.balance_after)) == (
        "3.33333333",
        "9.99999999",
        "0.00000001",
        "0.00000001",
    )


def test_what_is_given_is_what_was_shown_or_nothing(town: Town) -> None:
    fill_fund(town.session, "20")
    node = town.node("moves", airdrop_to="chain", airdrop_address=ADDRESS)
    airdrops = town.airdrops()
    shown = airdrops.preview([node], "5")
    town.set(Node, Node.id == node, airdrop_address="mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn")

    with pytest.raises(AirdropChangedError):
        airdrops.give([node], "5", shown=shown.mark)

    # What releases bring into the fund meanwhile changes nothing of what was shown.
    shown = airdrops.preview([node], "5")
    fill_fund(town.session, "3")
    airdrops.give([node], "5", shown=shown.mark)
    assert fund_balance(town.session) == "18.00000000"


def test_two_operators_at_once_cannot_give_more_than_there_is(town: Town) -> None:
    fill_fund(town.session, "10")
    town.node("n1")
    other = make_person(town.session, town.services, "operator")
    actors = [town.operator.actor, other.actor]
    outcomes: list[str] = []
    barrier = threading.Barrier(len(actors))

    def give(number: int) -> None:
        with NewSession(town.services.settings) as session:
            airdrops = ManualAirdrops(session, town.services.settings, actors[number])
            session.rollback()
            barrier.wait()
            try:
                airdrops.give(["n1"], "6")
                outcomes.append("given")
            except ValidationError as error:
                outcomes.append(error.fields["amount_per_node"])

    threads = [threading.Thread(target=give, args=(number,)) for number in range(len(actors))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["6.00000000 FLOP is asked for, and the fund has 4.00000000 FLOP", "given"]
    assert fund_balance(town.session) == "4.00000000"
    entries = town.session.scalars(select(JournalEntry.key).where(JournalEntry.kind == "airdrop")).all()
    assert len(entries) == 1
    town.session.rollback()


@ON_SQLITE
def test_only_operators_and_their_keys_give(town: Town) -> None:
    session, services = town.session, town.services
    for person in (town.owner, make_person(session, services, "arbiter")):
        with pytest.raises(PermissionDeniedError):
            town.airdrops(person)
    issued = make_key(session, services, town.operator, (Scope.FUND_AIRDROP.value,))
    key = actor_of(session.get_one(SigningKey, issued.key_id))
    assert ManualAirdrops(session, services.settings, key)
    with pytest.raises(PermissionDeniedError):
        ManualAirdrops(session, services.settings, replace(key, scopes=frozenset({Scope.FUND_READ})))

    # A key stands for all of its owner's wallets, and works no longer than its owner is an operator.
    with unit_of_work(session):
        session.add(second := Wallet(user_id=town.operator.user.id, name="second"))
        session.flush()
    fill_fund(session, "10")
    node = town.node("mine", replace(town.operator, wallet_id=second.id))
    with pytest.raises(PermissionDeniedError, match="your own"):
        ManualAirdrops(session, services.settings, key).give([node], "2")
    town.set(User, User.id == town.operator.user.id, role="payer")
    with pytest.raises(PermissionDeniedError):
        ManualAirdrops(session, services.settings, key)
    for actor in (PROGRAM, AT_TERMINAL):
        assert ManualAirdrops(session, services.settings, actor).preview([node], "2").problems == {}


@ON_SQLITE
@pytest.mark.settings(wallet={"fee_paid_by": "fund"})
def test_where_the_fund_bears_the_network_fee_it_keeps_enough_for_it(town: Town) -> None:
    fill_fund(town.session, "10")
    credit(town.session, town.owner.wallet_id, "1")
    nodes = [town.node(f"n{number}", airdrop_to="chain", airdrop_address=ADDRESS) for number in range(2)]
    airdrops = town.airdrops()
    assert airdrops.preview(nodes, "5").fields == {
        "amount_per_node": "10.00000000 FLOP is asked for and about 0.00260000 FLOP for the network, "
        "and the fund has 10.00000000 FLOP"
    }
    shown = airdrops.preview(nodes, "4.9")
    assert shown.problems == {}
    assert shown.balance_after == Amount.parse("0.2") - shown.network_fee


@ON_SQLITE
def test_nodes_of_an_outside_registry_are_paid_at_their_addresses(town: Town) -> None:
    fill_fund(town.session, "20")
    town.node("here")
    town.node("banned-there")
    town.node("claimed-there", airdrop_to="chain")
    listed = [
        {"node_id": "claimed-there", "status": "active", "wallet_address": ADDRESS},
        {"node_id": "there", "status": "active", "wallet_address": ADDRESS},
        {"node_id": "banned-there", "status": "suspended", "wallet_address": ADDRESS},
        {"node_id": "no-address", "status": "offline", "wallet_address": "elsewhere"},
        {"node_id": "here", "status": "active", "wallet_address": None},
    ]
    with RegistryServer() as registry:
        registry.will(says([{"reputation": 500, **node} for node in listed]))
        old = town.services.settings
        nodes = old.nodes.model_copy(update={"directory_url": registry.url, "directory_cache_seconds": 0})
        settings = old.model_copy(update={"nodes": nodes})
        airdrops = ManualAirdrops(town.session, settings, town.operator.actor)
        assert airdrops.preview(["banned-there", "no-address", "nobody"], "2").fields == {
            "node_ids": "banned-there is suspended; no-address has no address that can be paid; "
            "nobody is not registered"
        }
        assert list(airdrops.preview(["there"], "20.1").fields) == ["amount_per_node"]
        claimed = airdrops.preview(["claimed-there"], "5").rows[0]
        assert (claimed.pay_to, claimed.address) == ("balance", None), "its owner has named no address"
        given = airdrops.give(["there", "here"], "5")
        registry.will(Reply(status=500))
        with pytest.raises(DirectoryUnreachableError):
            ManualAirdrops(town.session, settings, town.operator.actor)
    payout = town.session.scalars(select(Payout)).one()
    assert (payout.wallet_id, payout.address, str(payout.gross)) == (None, ADDRESS, "5.00000000")
    assert payout.requested_by == town.operator.actor.name, "who gives it does not approve it"
    assert (str(given.total), fund_balance(town.session)) == ("10.00000000", "10.00000000")
    assert balances(town.session, town.owner.wallet_id)[0] == "5.00000000"
