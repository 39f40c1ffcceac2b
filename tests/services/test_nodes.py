"""The registry of nodes: who may enter and change them, what is refused, how they are heard from and verified."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from sqlalchemy import event, select, text, update
from sqlalchemy.orm import Session

from tests.support.databases import Databases
from tests.support.money import credit
from tests.support.people import (
    RESULT_HASH,
    Pair,
    Person,
    make_escrow,
    make_key,
    make_node,
    make_pair,
    make_person,
    manager,
)
from webapp.domain.canonical import sign_result
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import (
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    ScopeError,
    SignatureError,
    ValidationError,
)
from webapp.domain.node_health import Health, format_load, health_of, parse_load
from webapp.domain.roles import AT_TERMINAL, Actor, Scope
from webapp.models import DepositAddress, Escrow, Node, NodeHeartbeat
from webapp.models.insert_once import insert_once
from webapp.services import operator_actions
from webapp.services.container import Services
from webapp.services.node_registry import RegisteredNode
from webapp.services.nodes import heartbeats, registry
from webapp.services.nodes.challenges import LIFETIME, sign_challenge
from webapp.services.nodes.registry import NodeFilter, NodeRegistry
from webapp.services.nodes.rights import may_see_private
from webapp.services.signing_keys import actor_of
from webapp.services.unit_of_work import unit_of_work

START = datetime(2030, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ADDRESS = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"  # of regtest
on_one_database = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


@pytest.fixture
def nodes(session: Session, services: Services) -> NodeRegistry:
    return services.node_registry(session)


@pytest.fixture
def owner(session: Session, services: Services) -> Person:
    return make_person(session, services, "provider")


@pytest.fixture
def operator(session: Session, services: Services) -> Person:
    return make_person(session, services, "operator")


@pytest.fixture
def hear(session: Session, services: Services) -> Callable[..., Health]:
    def beat(node_id: str, **said: Any) -> Health:
        values = {"load": 350, "tasks_running": 2, "version": "1.0", "at": utcnow(), **said}
        return heartbeats.beat(session, services.settings, node_id, **values)

    return beat


def actor_with(services: Services, session: Session, key_id: str) -> Actor:
    found = services.signing_keys(session).find_usable(key_id)
    assert found is not None
    return actor_of(found[0])


def test_a_node_is_healthy_then_late_then_offline() -> None:
    ages = {0: "healthy", 90: "healthy", 90.001: "late", 300: "late", 300.001: "offline", -5: "healthy"}
    found = {age: health_of(START - timedelta(seconds=age), START, 90, 300).value for age in ages}
    assert found == ages
    assert health_of(None, START, 90, 300) is Health.OFFLINE


def test_a_load_has_three_decimals_at_most_and_no_tricks() -> None:
    good = {"0.35": 350, 1: 1000, Decimal("99.999"): 99_999, 100: 100_000, "0": 0, "1.5000": 1500}
    assert {value: parse_load(value) for value in good} == good
    assert [format_load(load) for load in (0, 7, 350, 12_345)] == ["0.000", "0.007", "0.350", "12.345"]
    bad = [
        "",
        "x",
        "NaN",
        "Infinity",
        "-0.001",
        -1,
        "100.001",
        101,
        "0.0001",
        "0.35000000000000000000000000000001",
    ]
    for value in [*bad, True, None, [], Decimal("1E+999999"), Decimal("1E-999999")]:
        with pytest.raises(ValidationError) as refused:
            parse_load(value)
        assert set(refused.value.fields) == {"load"}, value


@on_one_database
def test_an_owner_registers_and_changes_a_node(nodes: NodeRegistry, owner: Person) -> None:
    said = {"region": "eu-west", "version": "1.4.0", "capabilities": ["gpu", "a.b_c-1", "gpu"]}
    made = nodes.register(owner.actor, "node_001", owner.wallet_id, **said, airdrop_to="chain")
    assert {scope.value for scope in made.key.scopes} >= {"node:heartbeat", "node:read"}
    assert Scope.NODE_MANAGE not in made.key.scopes
    view = nodes.get("node_001")
    assert (view.status, view.health, view.last_beat_at, view.node.verified_at) == (
        "offline",
        Health.OFFLINE,
        None,
        None,
    )
    assert [each.name for each in view.node.capabilities] == ["a.b_c-1", "gpu"]
    assert (view.owner_user_id, view.version, view.wallet_address) == (owner.user.id, "1.4.0", None)

    nodes.update(owner.actor, "node_001", capabilities=["gpu", "tpu"], airdrop_address=f" {ADDRESS} ")
    view = nodes.get("node_001")
    assert [each.name for each in view.node.capabilities] == ["gpu", "tpu"]
    assert (view.node.region, view.wallet_address) == ("eu-west", ADDRESS)
    nodes.update(owner.actor, "node_001", airdrop_address="", region="")
    assert (nodes.get("node_001").node.airdrop_address, nodes.get("node_001").node.region) == (None, "")
    with pytest.raises(NotFoundError):
        nodes.update(owner.actor, "node_404", region="x")


@on_one_database
def test_everything_that_is_wrong_is_named_at_once(
    nodes: NodeRegistry, owner: Person, session: Session
) -> None:
    wrong = {
        "region": "x" * 33,
        "version": "1\x00",
        "capabilities": ["GPU"],
        "airdrop_to": "moon",
        "airdrop_address": "F" * 20,
    }
    with pytest.raises(ValidationError) as refused:
        nodes.register(owner.actor, "no spaces", owner.wallet_id, **wrong)
    assert set(refused.value.fields) == {"node_id", *wrong}
    with unit_of_work(session):
        insert_once(session, DepositAddress, {"address": ADDRESS})
    nodes.register(owner.actor, "node_001", owner.wallet_id)
    for field, value in (
        ("airdrop_address", ADDRESS),
        ("airdrop_address", "FJ3q8bC1Y2dF5gH7kL9mN4pQ6rS8tU1vW2"),
        ("capabilities", [f"c{number}" for number in range(33)]),
        ("capabilities", ["a" * 65]),
    ):
        with pytest.raises(ValidationError, match=field):
            nodes.update(owner.actor, "node_001", **{field: value})
    with pytest.raises(ValidationError, match="is registered"):
        nodes.register(owner.actor, "node_001", owner.wallet_id)
    with pytest.raises(NotFoundError):
        nodes.register(AT_TERMINAL, "node_002", 404)


@on_one_database
def test_only_its_owner_manages_a_node_and_only_with_the_scope(
    nodes: NodeRegistry, owner: Person, operator: Person, session: Session, services: Services
) -> None:
    made = nodes.register(owner.actor, "node_001", owner.wallet_id)
    manages = make_key(session, services, owner, ("node:manage",))
    manager = actor_with(services, session, manages.key_id)
    nodes.update(manager, "node_001", region="eu", airdrop_to="chain", airdrop_address="")
    for beyond in (
        lambda: nodes.update(manager, "node_001", airdrop_address=ADDRESS),
        lambda: nodes.rotate(manager, "node_001"),
        lambda: nodes.register(manager, "node_002", owner.wallet_id),
    ):
        with pytest.raises(ScopeError):
            beyond()
    nodes.update(AT_TERMINAL, "node_001", region="us")
    (act,) = operator_actions.of_subject(session, "node:node_001")
    assert (act.actor, act.detail) == ("terminal", {"changed": {"region": "us"}})

    reads = make_key(session, services, owner, ("node:read", "node:heartbeat"))
    with pytest.raises(ScopeError):
        nodes.update(actor_with(services, session, reads.key_id), "node_001", region="x")
    with unit_of_work(session):
        session.execute(text("UPDATE signing_keys SET scopes = '[\"node:manage\"]'"))
    its_own = actor_with(services, session, made.key.key_id)
    for actor in (its_own, operator.actor, make_person(session, services).actor):
        for attempt in (
            lambda actor=actor: nodes.update(actor, "node_001", airdrop_address=ADDRESS),
            lambda actor=actor: nodes.rotate(actor, "node_001"),
            lambda actor=actor: nodes.register(actor, "node_002", owner.wallet_id),
        ):
            with pytest.raises(PermissionDeniedError):
                attempt()
    node = nodes.get("node_001").node
    sees = {actor.name: may_see_private(actor, node) for actor in (its_own, operator.actor, owner.actor)}
    assert set(sees.values()) == {True}
    assert not may_see_private(make_person(session, services).actor, node)
    sister = make_node(session, services, owner)
    assert not may_see_private(actor_with(services, session, sister.key.key_id), node)


@on_one_database
def test_an_owner_has_only_so_many_nodes(
    nodes: NodeRegistry, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "MAX_NODES_PER_OWNER", 2)
    for number in range(2):
        nodes.register(owner.actor, f"node_{number}", owner.wallet_id)
    with pytest.raises(ValidationError, match="2 nodes"):
        nodes.register(owner.actor, "node_2", owner.wallet_id)
    assert nodes.register(AT_TERMINAL, "node_2", owner.wallet_id).node.id == "node_2"


@pytest.fixture
def town(
    nodes: NodeRegistry, owner: Person, session: Session, services: Services, hear: Callable[..., Health]
) -> list[str]:
    """Nodes a to d: healthy, late, offline since long, never heard from; b is somebody else's and suspended."""
    other = make_person(session, services)
    said = {"a": ("eu", ["gpu"]), "b": ("eu", ["gpu", "tpu"]), "c": ("us", ["tpu"]), "d": ("", [])}
    for name, (region, able) in said.items():
        person = other if name == "b" else owner
        nodes.register(
            person.actor, f"Node-{name}", person.wallet_id, region=region, capabilities=able, version="0.9"
        )
    for name, age in (("a", 10), ("b", 100), ("c", 1000)):
        hear(f"Node-{name}", at=utcnow() - timedelta(seconds=age))
    nodes.suspend(AT_TERMINAL, "Node-b", "it cheats")
    return list(said)


def test_nodes_are_found_by_what_they_are(
    nodes: NodeRegistry, owner: Person, town: list[str], session: Session
) -> None:
    def found(**wanted: Any) -> str:
        return "".join(view.node.id[-1] for view in nodes.list(NodeFilter(**wanted)).items)

    assert found() == "".join(town)
    assert [found(health=health) for health in Health] == ["a", "b", "cd"]
    assert (found(status="suspended"), found(status="active")) == ("b", "acd")
    assert (found(region="eu"), found(region="e")) == ("ab", "")
    assert (found(capability="tpu"), found(capability="GPU ")) == ("bc", "ab")
    assert (found(text="ODE-c"), found(text="%"), found(text="node_")) == ("c", "", "")
    assert (found(wallet_ids=[owner.wallet_id], capability="gpu"), found(wallet_ids=[])) == ("a", "")
    with pytest.raises(ValidationError, match="status"):
        found(status="late")

    first = nodes.list(NodeFilter(), limit=3)
    assert first.next_cursor
    rest = nodes.list(NodeFilter(), limit=3, cursor=first.next_cursor)
    assert [view.node.id for view in (*first.items, *rest.items)] == [f"Node-{name}" for name in town]
    assert rest.next_cursor is None
    with pytest.raises(ValidationError, match="cursor"):
        nodes.list(NodeFilter(), cursor="bm90IGFuIGlk")
    views = {view.node.id[-1]: view for view in first.items}
    assert {name: view.status for name, view in views.items()} == {
        "a": "active",
        "b": "suspended",
        "c": "offline",
    }
    assert (views["a"].load, views["a"].tasks_running, views["a"].version) == (350, 2, "1.0")

    session.rollback()
    statements: list[str] = []
    event.listen(session.connection(), "before_cursor_execute", lambda *call: statements.append(call[2]))
    nodes.list(NodeFilter(text="node"), limit=3)
    assert len(statements) == 3, "the nodes, what they can do, their reputation"


@on_one_database
def test_operators_suspend_and_reinstate_but_not_in_their_own_favour(
    nodes: NodeRegistry, owner: Person, operator: Person, session: Session, services: Services
) -> None:
    made = nodes.register(owner.actor, "node_001", owner.wallet_id)
    with pytest.raises(ValidationError, match="reason"):
        nodes.suspend(operator.actor, "node_001", " ")
    node = nodes.suspend(operator.actor, "node_001", "it  cheats")
    assert (node.status, node.status_reason) == ("suspended", "it cheats")
    assert services.signing_keys(session).find_usable(made.key.key_id) is None
    with pytest.raises(ConflictError):
        nodes.suspend(operator.actor, "node_001", "again")
    with pytest.raises(ConflictError):
        services.node_auth(session).challenge("node_001")
    for actor in (owner.actor, make_person(session, services, "arbiter").actor):
        with pytest.raises(PermissionDeniedError):
            nodes.reinstate(actor, "node_001", "please")
    assert nodes.reinstate(operator.actor, "node_001", "it was a mistake").status == "active"
    acts = [(act.actor, act.action) for act in operator_actions.of_subject(session, "node:node_001")]
    name = operator.actor.name
    assert acts == [(name, "suspend_node"), (name, "reinstate_node")]

    nodes.register(operator.actor, "node_002", operator.wallet_id)
    nodes.suspend(operator.actor, "node_002", "for a test")
    with pytest.raises(PermissionDeniedError, match="another operator"):
        nodes.reinstate(operator.actor, "node_002", "it is mine")
    with pytest.raises(NotFoundError):
        nodes.suspend(operator.actor, "node 404", "it is not there")


def test_a_beat_counts_once_and_never_after_a_later_one(
    session: Session, services: Services, owner: Person, hear: Callable[..., Health], databases: Databases
) -> None:
    node = make_node(session, services, owner).node
    with time_machine.travel(START, tick=False) as clock:
        assert hear(node.id, signed_at=START - 5 * SECOND, load=100) is Health.HEALTHY
        session.refresh(node)
        assert node.verified_at == START
        clock.shift(30)
        hear(node.id, signed_at=START + 25 * SECOND, load=200)
        clock.shift(200)
        for signed_at in (START + 25 * SECOND, START + 24 * SECOND, START - 5 * SECOND):
            with pytest.raises(SignatureError, match="nonce was used"):
                hear(node.id, signed_at=signed_at, load=300)
        stands = session.get_one(NodeHeartbeat, node.id, populate_existing=True)
        assert (stands.last_beat_at, stands.load) == (START + 30 * SECOND, 200)
        assert services.node_registry(session).get(node.id).health is Health.LATE
    session.refresh(node)
    assert node.verified_at == START
    with pytest.raises(ValidationError) as refused:
        hear(node.id, tasks_running=-1, version="x" * 33)
    assert set(refused.value.fields) == {"tasks_running", "version"}
    session.commit()
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET synchronous_commit TO on"))
        session.commit()
        waits = text("SHOW synchronous_commit")
        with unit_of_work(session):
            hear(node.id, at=START + timedelta(hours=1))
            assert session.scalar(waits) == "off"
        assert session.scalar(waits) == "on", "what comes after it waits for the disk again"


def test_an_answered_challenge_verifies_a_node_and_works_once(
    session: Session, services: Services, owner: Person
) -> None:
    made, other = (make_node(session, services, owner) for _ in range(2))
    auth = services.node_auth(session)

    def answer(challenge: str, by: RegisteredNode = made) -> None:
        signature = sign_challenge(by.key.secret, made.node.id, challenge)
        auth.answer_challenge(made.node.id, challenge, signature.upper())

    first = auth.challenge(made.node.id)
    with pytest.raises(ValidationError, match="signature"):
        answer(first, by=other)
    second = auth.challenge(made.node.id)
    with pytest.raises(ValidationError, match="challenge"):
        answer(first)
    assert services.node_registry(session).get(made.node.id).node.verified_at is None
    answer(second)
    assert services.node_registry(session).get(made.node.id).node.verified_at is not None
    with pytest.raises(ValidationError, match="challenge"):
        answer(second)
    with pytest.raises(NotFoundError):
        auth.challenge("node_404")
    with time_machine.travel(START, tick=False) as clock:
        third = auth.challenge(made.node.id)
        clock.shift(LIFETIME)
        with pytest.raises(ValidationError, match="challenge"):
            answer(third)


@on_one_database
@pytest.mark.settings(nodes={"secret_overlap_hours": 2})
def test_a_nodes_old_secret_works_until_the_overlap_is_over(
    nodes: NodeRegistry, owner: Person, session: Session, services: Services
) -> None:
    keys = services.signing_keys(session)
    with time_machine.travel(START, tick=False) as clock:
        old = nodes.register(owner.actor, "node_001", owner.wallet_id).key
        clock.shift(SECOND)
        new = nodes.rotate(owner.actor, "node_001")
        assert new.scopes == old.scopes
        clock.shift(timedelta(hours=1))
        newer = nodes.rotate(owner.actor, "node_001")
        assert actor_with(services, session, newer.key_id).key_ids == {
            old.key_id,
            new.key_id,
            newer.key_id,
        }
        nodes.rotate(owner.actor, "node_001")
        with pytest.raises(ValidationError, match="4 keys"):
            nodes.rotate(owner.actor, "node_001")
        clock.shift(timedelta(hours=1) - SECOND)
        assert keys.find_usable(old.key_id)
        clock.shift(SECOND)
        assert [keys.find_usable(key.key_id) is not None for key in (old, new, newer)] == [False, True, True]
        clock.shift(timedelta(hours=1))
        assert keys.find_usable(new.key_id) is None
        for key in keys.list_for_wallet(owner.wallet_id):
            if key.revoked_at is None:
                keys.revoke(key.id, owner.actor.wallet_ids)
        last = nodes.rotate(owner.actor, "node_001")
        clock.shift(timedelta(days=1000))
        assert keys.find_usable(last.key_id), "a node whose secrets are lost gets a new one"


@pytest.fixture
def pair(session: Session, services: Services) -> Pair:
    made = make_pair(session, services)
    credit(session, made.payer.wallet_id, "1000")
    return made


@on_one_database
def test_work_counts_for_the_node_that_is_named_or_that_signed(
    session: Session, services: Services, pair: Pair
) -> None:
    one, two = (make_node(session, services, pair.provider) for _ in range(2))
    provider, payer = (manager(session, services, person) for person in (pair.provider, pair.payer))

    def signed(escrow: Escrow, secret: str) -> tuple[str, str]:
        return RESULT_HASH, sign_result(secret, escrow.id, escrow.amount, RESULT_HASH)

    named = make_escrow(session, services, pair, "10", provider_node_id=one.node.id)
    assert named.worked_by_node_id == one.node.id
    delivered = provider.deliver_escrow(named.id, *signed(named, one.key.secret))
    assert delivered.worked_by_node_id == one.node.id

    nameless = make_escrow(session, services, pair, "10")
    assert nameless.worked_by_node_id is None
    delivered = provider.deliver_escrow(nameless.id, *signed(nameless, two.key.secret))
    assert delivered.worked_by_node_id == two.node.id
    assert payer.release_escrow(nameless.id).worked_by_node_id == two.node.id

    at_once = make_escrow(session, services, pair, "10")
    assert payer.release_escrow(at_once.id, *signed(at_once, one.key.secret)).worked_by_node_id == one.node.id
    by_wallet = make_escrow(session, services, pair, "10")
    assert payer.release_escrow(by_wallet.id, *signed(by_wallet, pair.key.secret)).worked_by_node_id is None

    from_browser = make_escrow(session, services, pair, "10")
    about = (pair.provider.wallet_id, None, from_browser.id, from_browser.amount, RESULT_HASH)
    signature = services.node_auth(session).sign_result(*about)
    delivered = provider.deliver_escrow(from_browser.id, RESULT_HASH, signature)
    assert delivered.worked_by_node_id == two.node.id, "the newest key signs"
    with unit_of_work(session):
        session.execute(update(Node).where(Node.id == two.node.id).values(status="suspended"))
    assert services.node_auth(session).find_signer(signature, *about) is None
    assert session.scalars(select(Node.status).where(Node.id == one.node.id)).one() == "active"
