"""Streams hear of what is committed, whoever commits it, and of nothing that does not concern them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.support.money import credit
from tests.support.people import (
    RESULT_HASH,
    Person,
    make_escrow,
    make_pair,
    make_person,
    manager,
    signature,
)
from tests.support.processes import wait_until
from webapp.config import Settings
from webapp.domain.accounts import FUND, available
from webapp.domain.money import Amount
from webapp.ledger.journal import Move, post
from webapp.models import Wallet
from webapp.services.container import Services
from webapp.services.live.changes import AGAIN, OF_EVERYTHING, OF_FUND, OF_OPERATIONS, Audience, Change
from webapp.services.live.hub import Hub
from webapp.services.live.listeners import Listeners
from webapp.services.live.reader import Reader
from webapp.services.live.subscription import MOST_WAITING, Subscription
from webapp.services.live.wake import make_engine, wake_on
from webapp.services.unit_of_work import unit_of_work

SOON_SECONDS = 1.0


@pytest.fixture
def hubs(settings: Settings) -> Iterator[list[Hub]]:
    """Those of two processes on one database."""
    made = [Hub(settings), Hub(settings)]
    yield made
    for hub in made:
        hub.close()


def stream_of(person: Person, page: str = "", token: str = "") -> Subscription:
    """A stream of this person's for a page that shows the fund, too."""
    return Subscription(Audience.of(person.user.id, person.actor), page, {"fund"}, token)


def follow(hub: Hub, person: Person, token: str = "") -> Subscription:
    """A stream of this person's that is open; its first `again` has been heard."""
    subscription = stream_of(person, token=token)
    assert hub.subscribe(subscription)
    assert heard(subscription) == [AGAIN]
    return subscription


def heard(subscription: Subscription, timeout_seconds: float = SOON_SECONDS) -> list[str]:
    return [event.topic for event in subscription.wait(timeout_seconds)]


def heard_in_all(subscription: Subscription, *wanted: str) -> set[str]:
    """All that is told until what is wanted was, within a second."""
    found: set[str] = set()
    deadline = time.monotonic() + SOON_SECONDS
    while not found.issuperset(wanted) and time.monotonic() < deadline:
        found.update(heard(subscription, 0.1))
    return found


def test_both_parties_hear_of_their_escrow_in_every_process_and_a_stranger_does_not(
    session: Session, services: Services, hubs: list[Hub]
) -> None:
    pair, stranger = make_pair(session, services), make_person(session, services)
    arbiter = make_person(session, services, "arbiter")
    credit(session, pair.payer.wallet_id, "1000")
    streams = [follow(hub, person) for hub in hubs for person in (pair.payer, pair.provider)]
    outsider, staff = follow(hubs[0], stranger), follow(hubs[1], arbiter)

    escrow = make_escrow(session, services, pair)
    for stream in streams:
        assert f"escrow-{escrow.id}" in heard_in_all(stream, f"escrow-{escrow.id}")
    escrows = manager(session, services, pair.provider)
    escrows.deliver_escrow(escrow.id, RESULT_HASH, signature(pair, escrow))
    manager(session, services, pair.payer).release_escrow(escrow.id)

    of_payer, of_provider = f"wallet-{pair.payer.wallet_id}", f"wallet-{pair.provider.wallet_id}"
    for stream, mine in zip(streams, (of_payer, of_provider) * 2, strict=True):
        told = heard_in_all(stream, f"escrow-{escrow.id}", mine, "fund")
        assert told == {f"escrow-{escrow.id}", mine, "fund"}
    assert heard_in_all(staff, f"escrow-{escrow.id}", "fund") == {f"escrow-{escrow.id}", "fund"}
    assert heard_in_all(outsider, "the end") == {"fund"}


def test_what_is_rolled_back_is_told_to_nobody(session: Session, services: Services, hubs: list[Hub]) -> None:
    person = make_person(session, services)
    stream = follow(hubs[0], person)

    with pytest.raises(RuntimeError, match="no"), unit_of_work(session):
        move = Move("chain", available(person.wallet_id), Amount.parse(1))
        post(session, "test:undone", "deposit_credit", [move])
        raise RuntimeError("no")

    assert heard(stream, 0.5) == []
    credit(session, person.wallet_id, "1")
    assert f"wallet-{person.wallet_id}" in heard_in_all(stream, f"wallet-{person.wallet_id}")


def test_a_payout_is_followed_until_it_is_final(
    session: Session, services: Services, hubs: list[Hub]
) -> None:
    person = make_person(session, services)
    credit(session, person.wallet_id, "10")
    queue = services.wallets(session).payouts
    stream = follow(hubs[0], person)

    payout = queue.withdraw(person.wallet_id, "n3GNqMveyvaPvUbH469vDRadqpJMPc84JA", Amount.parse(5))
    of_wallet, of_payout = f"wallet-{person.wallet_id}", f"payout-{payout.id}"
    assert heard_in_all(stream, of_wallet, of_payout) == {of_wallet, of_payout}
    queue.cancel(payout.id, person.actor.wallet_ids)

    assert heard_in_all(stream, of_wallet, of_payout) == {of_wallet, of_payout}


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
@pytest.mark.settings(live={"streams_per_process": 4, "streams_per_user": 2})
def test_an_interrupted_stream_goes_on_and_a_gap_is_admitted(
    session: Session, services: Services, hubs: list[Hub]
) -> None:
    hub, person = hubs[0], make_person(session, services)
    first = stream_of(person, "page-1")
    assert hub.subscribe(first)
    (begin,) = first.wait(SOON_SECONDS)
    credit(session, person.wallet_id, "1")
    (event,) = first.wait(SOON_SECONDS)

    resumed = stream_of(person, "page-1")
    assert hub.subscribe(resumed, after=begin.id) and first.is_closed
    assert resumed.wait(0) == [event]
    for unknown in (hubs[1]._id(1), "0-0", f"{begin.id}0000", "nonsense", ""):
        other = stream_of(person, "page-2")
        assert hub.subscribe(other, left="page-1", after=unknown) and heard(other, 0) == [AGAIN]
    assert resumed.is_closed

    # One further takes the place of the user's oldest; others' are theirs until there is no room.
    third, fourth = follow(hub, person), follow(hub, person)
    assert other.is_closed and not third.is_closed and not fourth.is_closed
    for _ in range(2):
        follow(hub, make_person(session, services))
    assert not hub.subscribe(Subscription(Audience.of(10**6, person.actor)))
    hub.close()
    assert fourth.is_closed


def test_a_reader_far_behind_looks_at_everything() -> None:
    subscription = Subscription(Audience(1, frozenset({7}), is_staff=False))
    for number in range(MOST_WAITING + 1):
        subscription.tell(str(number), Change(f"escrow-{number}", frozenset({7})))
        subscription.tell(str(number), Change(f"escrow-other-{number}", frozenset({8})))

    assert heard(subscription, 0) == [AGAIN]


def test_only_pages_that_show_it_hear_of_what_concerns_everybody() -> None:
    elsewhere, shown = (
        Subscription(Audience(1, frozenset(), is_staff=True), shows=of) for of in ((), {"fund"})
    )
    listeners = Listeners()
    for each in (elsewhere, shown):
        listeners.add(each)
    for change in (OF_FUND, OF_EVERYTHING):
        assert {shown} <= set(listeners.of(change))
        for each in (elsewhere, shown):
            each.tell("1", change)
    assert (heard(elsewhere, 0), heard(shown, 0)) == ([AGAIN], ["fund", AGAIN])


def test_listeners_are_found_by_all_that_may_concern_them() -> None:
    audiences = {
        "owner": Audience(1, frozenset({7, 8}), is_staff=False),
        "other": Audience(2, frozenset({9}), is_staff=False),
        "arbiter": Audience(3, frozenset(), is_staff=True),
        "operator": Audience(4, frozenset(), is_staff=True, is_operator=True),
    }
    listeners, streams = Listeners(), {name: Subscription(each) for name, each in audiences.items()}
    for each in streams.values():
        listeners.add(each)
    changes = [
        Change("wallet-7", frozenset({7})),
        Change("escrow-1", frozenset({8, 9}), is_for_staff=True),
        Change("notices-2", user_id=2),
        OF_OPERATIONS,
        OF_EVERYTHING,
    ]
    for change in changes:
        assert set(listeners.of(change)) == {each for each in listeners if change.concerns(each.audience)}

    listeners.renew(streams["other"], Audience(2, frozenset({7}), is_staff=False))
    assert set(listeners.of(changes[0])) == {streams["owner"], streams["other"]}
    for each in listeners:
        listeners.remove(each)
        listeners.remove(each)
    assert len(listeners) == 0 and not any(list(listeners.of(change)) for change in changes)


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
@pytest.mark.settings(live={"heartbeat_seconds": 1})
def test_streams_end_with_their_sessions_and_follow_their_readers_wallets(
    session: Session, services: Services, hubs: list[Hub]
) -> None:
    hub, sessions = hubs[0], services.sessions(session)
    leaving, staying = (make_person(session, services) for _ in range(2))
    ended, going_on = (follow(hub, person, sessions.open(person.user)) for person in (leaving, staying))
    stranger = follow(hub, leaving)

    sessions.revoke_all(leaving.user)
    with unit_of_work(session):
        session.add(wallet := Wallet(user_id=staying.user.id))
    wait_until(lambda: ended.is_closed, "the end of the stream", 3)
    assert not going_on.is_closed and not stranger.is_closed
    assert going_on.audience.wallet_ids == {staying.wallet_id, wallet.id}
    credit(session, wallet.id, "1")
    assert f"wallet-{wallet.id}" in heard_in_all(going_on, f"wallet-{wallet.id}")


@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
def test_postgres_tells_late_commits_too_and_a_lost_connection_costs_nothing(
    session: Session, services: Services, settings: Settings, hubs: list[Hub]
) -> None:
    person, other = make_person(session, services), make_person(session, services)
    credit(session, person.wallet_id, "100")
    with make_engine(settings).connect() as connection:
        wake, reader = wake_on(connection), Reader(connection)
        assert wake.wait(0), "a word may have been said just before"
        assert not wake.wait(0)

        # The lower number is committed after the higher one.
        with Session(session.get_bind().engine) as slow:
            slow.info["unit_of_work"] = True
            post(slow, "test:slow", "gift", [Move(available(person.wallet_id), FUND, Amount.parse(1))])
            credit(session, other.wallet_id, "1")
            assert wake.wait(SOON_SECONDS)
            assert {change.topic for change in reader.read()} == {f"wallet-{other.wallet_id}"}
            slow.commit()
        assert {change.topic for change in reader.read()} == {f"wallet-{person.wallet_id}", "fund"}

        with unit_of_work(session):
            post(session, "test:there", "gift", [Move(available(person.wallet_id), FUND, Amount.parse(1))])
        assert wake.wait(SOON_SECONDS) and not wake.wait(0)
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        assert set(session.scalars(text(f"SELECT state {others}"))) == {"idle"}
        session.rollback()

    stream = follow(hubs[0], person)
    assert all(session.scalars(text(f"SELECT pg_terminate_backend(pid) {others}")))
    session.rollback()
    wait_until(lambda: AGAIN in heard(stream, 0.2), "the stream to say that it may have missed something")
    credit(session, person.wallet_id, "1")
    assert f"wallet-{person.wallet_id}" in heard_in_all(stream, f"wallet-{person.wallet_id}")
