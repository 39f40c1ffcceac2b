"""Keys kept in the process: nothing asks the database for one twice, and one that ends is gone within a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TypeVar

import pytest
import sqlalchemy.orm
import time_machine
from sqlalchemy import delete, event, select, update
from sqlalchemy.orm import Session

from tests.support.people import Pair, make_key, make_node, make_pair, make_person
from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.domain.roles import Scope
from webapp.models import KeyChange, KeyEpoch, Node, SigningKey, User, Wallet
from webapp.services import epoch_cache
from webapp.services.container import Services
from webapp.services.database import Session as ConfiguredSession
from webapp.services.key_ring import KeyRing
from webapp.services.unit_of_work import unit_of_work

on_sqlite = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


Found = TypeVar("Found")


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Process:
    """Another process of the instance: a ring of its own, and a connection for each request."""

    def __init__(self, services: Services) -> None:
        self.clock = Clock()
        self.ring = KeyRing(services.secret_box, clock=self.clock)
        self._settings = services.settings
        self.statements = 0

    def knows(self, key_id: str) -> bool:
        return self.ask(lambda session: self.ring.find(session, key_id)) is not None

    def signers(self, wallet_id: int, node_id: str | None = None) -> list[str]:
        found = self.ask(lambda session: self.ring.signers(session, wallet_id, node_id))
        return [each.key_id for each in found]

    def ask(self, question: Callable[[Session], Found]) -> Found:
        with ConfiguredSession(self._settings) as session:
            engine = session.get_bind().engine

            def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
                self.statements += statement.startswith("SELECT")

            event.listen(engine, "before_cursor_execute", count)
            try:
                return question(session)
            finally:
                event.remove(engine, "before_cursor_execute", count)


@pytest.fixture
def process(services: Services) -> Process:
    return Process(services)


@pytest.fixture
def pair(session: Session, services: Services) -> Pair:
    return make_pair(session, services)


def change(session: Session, statement: sqlalchemy.Executable) -> None:
    with unit_of_work(session):
        session.execute(statement)


def test_a_key_that_is_known_asks_the_database_nothing(
    session: Session, services: Services, pair: Pair, process: Process
) -> None:
    key = process.ask(lambda session: process.ring.find(session, pair.key.key_id))
    assert key is not None
    assert (key.key_id, key.secret, key.has_spend_limit) == (pair.key.key_id, pair.key.secret, False)
    assert key.actor.wallet_ids == {pair.provider.wallet_id}
    assert process.signers(pair.provider.wallet_id) == [pair.key.key_id]
    asked = process.statements
    for _ in range(5):
        assert process.knows(pair.key.key_id)
        assert process.signers(pair.provider.wallet_id) == [pair.key.key_id]
    assert process.statements == asked
    process.clock.seconds += epoch_cache.ASK_EVERY_SECONDS
    assert process.knows(pair.key.key_id)
    assert process.statements == asked + 1


ENDS: dict[str, Callable[[str], sqlalchemy.Executable]] = {
    "revoked": lambda key: update(SigningKey).where(SigningKey.id == key).values(revoked_at=utcnow()),
    "expired": lambda key: (
        update(SigningKey).where(SigningKey.id == key).values(expires_at=utcnow() - timedelta(seconds=1))
    ),
    "suspended": lambda key: update(Node).values(status="suspended"),
    "closed": lambda key: (
        update(User)
        .where(
            User.id.in_(
                select(Wallet.user_id)
                .join(SigningKey, SigningKey.wallet_id == Wallet.id)
                .where(SigningKey.id == key)
            )
        )
        .values(is_active=False)
    ),
}


@pytest.mark.parametrize("way", ENDS)
def test_a_key_that_ends_in_one_process_ends_in_all_of_them_within_a_second(
    way: str, session: Session, services: Services, pair: Pair, process: Process
) -> None:
    node = make_node(session, services, pair.provider)
    other = pair.key.key_id
    assert process.knows(node.key.key_id)
    assert set(process.signers(pair.provider.wallet_id)) == {node.key.key_id, other}
    change(session, ENDS[way](node.key.key_id))
    process.clock.seconds += 0.999
    assert not process.knows(node.key.key_id)
    assert node.key.key_id not in process.signers(pair.provider.wallet_id)
    assert process.signers(pair.provider.wallet_id, node.node.id) == []
    assert process.knows(other) == (way != "closed")


def test_what_a_key_may_do_and_a_new_secret_are_seen_within_a_second(
    session: Session, services: Services, pair: Pair, process: Process
) -> None:
    wallet = pair.provider.wallet_id
    assert process.knows(pair.key.key_id)
    assert process.signers(wallet) == [pair.key.key_id]
    change(
        session,
        update(SigningKey).values(scopes=[Scope.ESCROW_READ.value], spend_limit=Amount.parse("5")),
    )
    new = services.signing_keys(session).rotate(pair.key.key_id, timedelta(hours=1))
    process.clock.seconds += 0.999
    old, renewed = (
        process.ask(lambda session, key=key: process.ring.find(session, key))
        for key in (pair.key.key_id, new.key_id)
    )
    assert old is not None
    assert renewed is not None
    assert old.actor.scopes == renewed.actor.scopes == {Scope.ESCROW_READ}
    assert old.has_spend_limit
    assert renewed.has_spend_limit, "it spends from the limit of the key that it replaced"
    assert renewed.actor.principal == old.actor.principal
    assert process.signers(wallet) == [new.key_id, pair.key.key_id]


@on_sqlite
def test_a_key_expires_at_its_time_although_nothing_changes(
    session: Session, services: Services, pair: Pair, process: Process
) -> None:
    end = utcnow() + timedelta(hours=1)
    key = make_key(session, services, pair.provider, expires_at=end)
    assert process.knows(key.key_id)
    assert process.signers(pair.provider.wallet_id) == [key.key_id, pair.key.key_id]
    asked = process.statements
    with time_machine.travel(end, tick=False):
        assert not process.knows(key.key_id)
        assert process.signers(pair.provider.wallet_id) == [pair.key.key_id]
    assert process.statements == asked


@pytest.fixture
def _slow_reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[[], None]]]:
    """What happens between the reading of a key and its being kept."""
    happenings: list[Callable[[], None]] = []
    keep = epoch_cache.EpochCache._keep

    def late(cache: epoch_cache.EpochCache, name: object, entry: epoch_cache.Found[object]) -> None:
        while happenings:
            happenings.pop()()
        keep(cache, name, entry)  # type: ignore[arg-type]

    monkeypatch.setattr(epoch_cache.EpochCache, "_keep", late)
    yield happenings


def test_a_key_that_was_read_before_its_end_and_kept_after_it_counts_no_more(
    session: Session,
    services: Services,
    pair: Pair,
    process: Process,
    _slow_reader: list[Callable[[], None]],
) -> None:
    assert process.knows(pair.key.key_id)
    node = make_node(session, services, pair.provider)
    process.clock.seconds += 1

    def end_it_and_let_another_request_ask() -> None:
        change(session, ENDS["revoked"](node.key.key_id))
        process.clock.seconds += 0.6
        assert process.knows(pair.key.key_id)

    _slow_reader.append(end_it_and_let_another_request_ask)
    assert process.knows(node.key.key_id), "it was read before its end"
    assert not process.knows(node.key.key_id)


def test_an_answer_that_was_long_on_its_way_takes_nothing_back(
    session: Session, services: Services, pair: Pair, process: Process
) -> None:
    assert process.knows(pair.key.key_id)
    process.clock.seconds += 0.6
    late: list[bool] = []

    def while_the_answer_is_on_its_way(*_: object) -> None:
        if late:
            return
        late.append(True)
        process.clock.seconds += 0.2
        asked = process.statements
        assert process.knows(pair.key.key_id)
        assert process.statements == asked, "others go on for a while"
        change(session, ENDS["revoked"](pair.key.key_id))
        process.clock.seconds += 0.8
        assert not process.knows(pair.key.key_id), "and then ask themselves"

    engine = session.get_bind().engine
    event.listen(engine, "after_cursor_execute", while_the_answer_is_on_its_way)
    try:
        process.knows(pair.key.key_id)
    finally:
        event.remove(engine, "after_cursor_execute", while_the_answer_is_on_its_way)
    assert late
    assert not process.knows(pair.key.key_id)


def test_a_change_of_one_wallets_keys_leaves_what_is_known_of_the_others(
    session: Session, services: Services, pair: Pair, process: Process
) -> None:
    other = make_key(session, services, pair.payer)
    for key in (pair.key.key_id, other.key_id):
        assert process.knows(key)
    change(session, ENDS["revoked"](other.key_id))
    make_key(session, services, pair.payer)
    process.clock.seconds += 1
    asked = process.statements
    assert process.knows(pair.key.key_id)
    assert process.statements == asked + 2, "how many changes there were, and whose"
    assert not process.knows(other.key_id)


def test_whoever_was_not_told_of_every_change_forgets_all_keys(
    session: Session, services: Services, pair: Pair, process: Process
) -> None:
    assert process.knows(pair.key.key_id)
    change(session, ENDS["revoked"](pair.key.key_id))
    change(session, delete(KeyChange))
    process.clock.seconds += 1
    assert not process.knows(pair.key.key_id)


def test_work_does_not_count_as_a_change_of_keys(session: Session, services: Services) -> None:
    epoch = select(KeyEpoch.number)
    pair = make_pair(session, services)
    make_key(session, services, pair.payer, spend_limit=Amount.parse("1000"))
    before = session.scalar(epoch)
    make_person(session, services)
    change(
        session,
        update(SigningKey).values(spent=Amount(1), label="other").where(SigningKey.spend_limit.is_not(None)),
    )
    change(session, update(Wallet).values(name="other"))
    change(session, update(User).values(language="es"))
    session.expire_all()
    assert session.scalar(epoch) == before
