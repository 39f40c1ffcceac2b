"""Offers of a split: made, countered, replaced, declined, withdrawn; accepted once, and exactly as it was seen."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy.orm
import time_machine
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests.support.money import balances, credit, fund_balance
from tests.support.people import RESULT_HASH, Pair, make_escrow, make_node, make_pair, make_person, signature
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import (
    ConflictError,
    DuxosError,
    EscrowStateError,
    NotFoundError,
    OfferStateError,
    PermissionDeniedError,
    ScopeError,
    ValidationError,
)
from webapp.domain.money import Amount, split
from webapp.domain.offers import OfferStatus
from webapp.domain.roles import PROGRAM, WORKER, Actor
from webapp.models import Escrow, SettlementOffer, Wallet
from webapp.services import audit_trail, offer_terms
from webapp.services.container import Services
from webapp.services.database import Session
from webapp.services.escrow_clock import EscrowClock
from webapp.services.offers import Offers
from webapp.services.signing_keys import actor_of
from webapp.services.unit_of_work import unit_of_work

HOUR = timedelta(hours=1)


@pytest.fixture
def pair(session: sqlalchemy.orm.Session, services: Services) -> Pair:
    """A payer with 1000 FLOP and a provider."""
    made = make_pair(session, services)
    credit(session, made.payer.wallet_id, "1000")
    return made


class Table:
    """Both sides at one table, about one escrow."""

    def __init__(self, session: sqlalchemy.orm.Session, services: Services, pair: Pair, escrow: Escrow):
        self.session, self.services, self.pair, self.escrow = session, services, pair, escrow
        self.payer = services.offers(session, pair.payer.actor)
        self.provider = services.offers(session, pair.provider.actor)

    def status(self, offer: SettlementOffer) -> OfferStatus:
        return self.payer.standing(self.now(), offer).status

    def now(self) -> Escrow:
        self.session.rollback()
        return self.session.get_one(Escrow, self.escrow.id, populate_existing=True)

    def deliver(self) -> None:
        escrows = self.services.escrow_manager(self.session, self.pair.provider.actor)
        escrows.deliver_escrow(self.escrow.id, RESULT_HASH, signature(self.pair, self.escrow))

    def dispute(self) -> None:
        self.services.escrow_manager(self.session, self.pair.payer.actor).dispute_escrow(
            self.escrow.id, "It is not what I asked for"
        )

    def trail(self) -> list[str]:
        return [entry.kind for entry in audit_trail.entries(self.session, self.escrow.id)]


@pytest.fixture
def table(session: sqlalchemy.orm.Session, services: Services, pair: Pair) -> Table:
    return Table(session, services, pair, make_escrow(session, services, pair, "100"))


@pytest.mark.parametrize("stage", ["active", "delivered", "disputed"])
def test_an_accepted_offer_divides_the_escrow_at_once_in_every_state_that_holds_its_money(
    table: Table, stage: str
) -> None:
    if stage != "active":
        table.deliver()
    if stage == "disputed":
        table.dispute()
    offer = table.payer.offer(table.escrow.id, "40.00000019", "  It is half of what I need  ")
    assert (table.now().status, table.status(offer)) == (stage, OfferStatus.OPEN)
    ended = table.provider.accept(table.escrow.id, offer.id, Amount.parse("40.00000019"))
    assert ended.status == "resolved"
    assert balances(table.session, table.pair.provider.wallet_id) == ("38.00000019", "0.00000000")
    assert balances(table.session, table.pair.payer.wallet_id) == ("959.99999981", "0.00000000")
    assert fund_balance(table.session) == "2.00000000"
    assert table.status(offer) is OfferStatus.ACCEPTED
    offered, resolved = audit_trail.entries(table.session, table.escrow.id)[-2:]
    assert (offered.kind, offered.actor) == ("offered", table.pair.payer.actor.name)
    assert offered.detail["message"] == "It is half of what I need"
    assert (resolved.kind, resolved.actor) == ("resolved", table.pair.provider.actor.name)
    assert resolved.detail["by"] == "agreement"
    assert resolved.detail["offer_id"] == offer.id
    assert list(audit_trail.broken_links(table.session)) == []


@pytest.mark.parametrize(("share", "status"), [("0", "refunded"), ("100", "released")])
def test_nothing_is_the_mutual_cancel_and_the_whole_is_a_release(
    table: Table, share: str, status: str
) -> None:
    offer = table.provider.offer(table.escrow.id, share)
    assert (
        table.payer.accept(table.escrow.id, offer.id, Amount.parse(share, allow_zero=True)).status == status
    )
    assert table.status(offer) is OfferStatus.ACCEPTED


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_what_both_sides_agree_on_stands_above_terms_of_its_own(
    session: sqlalchemy.orm.Session, services: Services, pair: Pair
) -> None:
    at = (utcnow() + 48 * HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")
    terms = {"release_when": {"payer_approves": True}, "refund_when": {"after": {"time": at}}}
    own = Table(session, services, pair, make_escrow(session, services, pair, "100", terms=terms))
    offer = own.provider.offer(own.escrow.id, "60")
    assert own.payer.accept(own.escrow.id, offer.id, offer.share).status == "resolved"
    assert balances(session, pair.payer.wallet_id) == ("940.00000000", "0.00000000")


def test_the_whole_of_a_negotiation_is_told(table: Table) -> None:
    first = table.payer.offer(table.escrow.id, "10")
    better = table.payer.offer(table.escrow.id, "20")
    counter = table.provider.offer(table.escrow.id, "80", "I did most of it", answers=better.id)
    again = table.payer.offer(table.escrow.id, "30", answers=counter.id)
    table.provider.decline(table.escrow.id, again.id)
    last = table.payer.offer(table.escrow.id, "35")
    table.payer.withdraw(table.escrow.id, last.id)
    final = table.provider.offer(table.escrow.id, "36")
    table.payer.accept(table.escrow.id, final.id, Amount.parse("36"))
    offers = table.payer.list(table.now())
    assert [(str(each.offer.share.decimal.normalize()), each.status.value) for each in reversed(offers)] == [
        ("1E+1", "replaced"),
        ("2E+1", "countered"),
        ("8E+1", "countered"),
        ("3E+1", "declined"),
        ("35", "withdrawn"),
        ("36", "accepted"),
    ]
    assert counter.answers_id == better.id
    kinds = [
        "created",
        *["offered"] * 4,
        "offer_declined",
        "offered",
        "offer_withdrawn",
        "offered",
        "resolved",
    ]
    assert table.trail() == kinds
    told = [entry.detail for entry in audit_trail.entries(table.session, table.escrow.id)]
    assert told[2]["replaces"] == first.id
    assert told[3]["answers"] == better.id
    assert told[3]["message"] == "I did most of it"


def test_a_replaced_offer_is_never_accepted_by_mistake(table: Table) -> None:
    seen = table.payer.offer(table.escrow.id, "60")
    newer = table.payer.offer(table.escrow.id, "6")
    with pytest.raises(OfferStateError, match="replaced"):
        table.provider.accept(table.escrow.id, seen.id, Amount.parse("60"))
    with pytest.raises(OfferStateError, match=r"6\.00000000 FLOP, not of 60"):
        table.provider.accept(table.escrow.id, newer.id, Amount.parse("60"))
    with pytest.raises(OfferStateError):
        table.provider.offer(table.escrow.id, "70", answers=seen.id)
    assert table.status(newer) is OfferStatus.OPEN
    assert balances(table.session, table.pair.payer.wallet_id) == ("900.00000000", "100.00000000")


def test_nobody_answers_their_own_offer_or_takes_back_the_others(table: Table) -> None:
    offer = table.payer.offer(table.escrow.id, "60")
    for attempt in (
        lambda: table.payer.accept(table.escrow.id, offer.id, offer.share),
        lambda: table.payer.decline(table.escrow.id, offer.id),
        lambda: table.payer.offer(table.escrow.id, "50", answers=offer.id),
        lambda: table.provider.withdraw(table.escrow.id, offer.id),
    ):
        with pytest.raises(PermissionDeniedError):
            attempt()
    assert table.status(offer) is OfferStatus.OPEN


def test_an_offer_lapses_with_a_delivery_with_its_time_and_with_the_escrow(table: Table) -> None:
    """A cancel that was offered before the work must not cost whoever has done it since."""
    before = table.provider.offer(table.escrow.id, "0")
    table.deliver()
    assert table.status(before) is OfferStatus.LAPSED
    with pytest.raises(OfferStateError, match="lapsed"):
        table.payer.accept(table.escrow.id, before.id, Amount(0))
    timed = table.provider.offer(table.escrow.id, "90", expires_at=utcnow() + HOUR)
    assert timed.expires_at is not None
    assert before.status == "lapsed", "the new one took its place"
    with time_machine.travel(timed.expires_at - timedelta(seconds=1), tick=False):
        assert table.status(timed) is OfferStatus.OPEN
    with (
        time_machine.travel(timed.expires_at, tick=False),
        pytest.raises(OfferStateError, match="time is over"),
    ):
        table.payer.accept(table.escrow.id, timed.id, timed.share)
    standing = table.payer.offer(table.escrow.id, "50")
    table.services.escrow_manager(table.session, table.pair.payer.actor).release_escrow(table.escrow.id)
    assert table.status(standing) is OfferStatus.LAPSED
    with pytest.raises(EscrowStateError) as refused:
        table.provider.accept(table.escrow.id, standing.id, standing.share)
    assert refused.value.current_status == "released"
    with pytest.raises(EscrowStateError):
        table.payer.offer(table.escrow.id, "50")


def test_who_does_not_own_a_side_does_not_settle(
    table: Table, session: sqlalchemy.orm.Session, services: Services
) -> None:
    pair, keys = table.pair, services.signing_keys(session)

    def key_actor(wallet_id: int, *scopes: str) -> Actor:
        found = keys.find_usable(keys.create(wallet_id, scopes).key_id)
        session.commit()
        assert found is not None
        return actor_of(found[0])

    settling = key_actor(pair.payer.wallet_id, "escrow:settle", "escrow:read")
    node = make_node(session, services, pair.provider)
    found = keys.find_usable(node.key.key_id)
    assert found is not None
    stranger = make_person(session, services)
    refusals: list[tuple[Actor, type[DuxosError]]] = [
        (stranger.actor, NotFoundError),
        (WORKER, PermissionDeniedError),
        (PROGRAM, PermissionDeniedError),
        (make_person(session, services, "arbiter").actor, PermissionDeniedError),
        (make_person(session, services, "operator").actor, PermissionDeniedError),
        (actor_of(found[0]), ScopeError),
        (replace(actor_of(found[0]), scopes=None), PermissionDeniedError),
        (key_actor(pair.payer.wallet_id, "escrow:release", "escrow:refund"), ScopeError),
    ]
    for actor, error in refusals:
        with pytest.raises(error):
            services.offers(session, actor).offer(table.escrow.id, "50")
    assert services.offers(session, settling).offer(table.escrow.id, "50").side == "payer"
    verified = make_escrow(session, services, pair, "10", verifier_key_id=settling.key_id)
    with pytest.raises(PermissionDeniedError):
        services.offers(session, settling).offer(verified.id, "5")


def test_there_is_nobody_to_agree_with_where_both_wallets_are_of_one_owner(
    table: Table, session: sqlalchemy.orm.Session
) -> None:
    with unit_of_work(session):
        session.get_one(Wallet, table.pair.provider.wallet_id).user_id = table.pair.payer.user.id
    for side in (table.payer, table.provider):
        with pytest.raises(PermissionDeniedError, match="one owner"):
            side.offer(table.escrow.id, "50")


@pytest.mark.parametrize(
    ("terms", "fields"),
    [
        ({"share": "100.00000001"}, {"share"}),
        ({"share": "-1", "message": "x" * 501}, {"share", "message"}),
        (
            {"share": None, "expires_at": utcnow() - HOUR, "message": "a\u202eb"},
            {"share", "expires_at", "message"},
        ),
        ({"share": "1", "expires_at": utcnow().replace(tzinfo=None)}, {"expires_at"}),
    ],
)
@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_everything_that_is_wrong_with_an_offer_is_said_at_once(
    table: Table, terms: dict[str, object], fields: set[str]
) -> None:
    with pytest.raises(ValidationError) as refused:
        table.payer.offer(table.escrow.id, **terms)  # type: ignore[arg-type]
    assert set(refused.value.fields) == fields
    assert table.trail() == ["created"]


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_offers_without_end_are_not_taken(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offer_terms, "MAX_OFFERS", 2)
    for _ in range(2):
        table.payer.offer(table.escrow.id, "1")
    with pytest.raises(ConflictError, match="no more"):
        table.payer.offer(table.escrow.id, "1")


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_pending_escrow_has_nothing_to_agree_about(table: Table, session: sqlalchemy.orm.Session) -> None:
    with pytest.raises(NotFoundError):
        table.provider.accept(table.escrow.id, 2**63, Amount(1))
    with unit_of_work(session):
        session.get_one(Escrow, table.escrow.id).status = "pending"
    try:
        with pytest.raises(EscrowStateError):
            table.payer.offer(table.escrow.id, "50")
    finally:
        with unit_of_work(session):
            session.get_one(Escrow, table.escrow.id).status = "active"


Attempt = Callable[[sqlalchemy.orm.Session], object]


def _at_once(services: Services, attempts: list[Attempt]) -> Counter[str]:
    """All of them together, each in a thread and a session of its own; how they ended, counted."""
    gate = threading.Barrier(len(attempts))

    def run(attempt: Attempt) -> str:
        with Session(services.settings) as own:
            gate.wait()
            try:
                return "done" if attempt(own) is not False else "too late"
            except ConflictError:
                return "too late"

    with ThreadPoolExecutor(len(attempts)) as threads:
        return Counter(threads.map(run, attempts))


@pytest.mark.parametrize("rival", ["accept", "release", "refund", "expiry", "withdraw", "decline", "replace"])
def test_of_an_acceptance_and_whatever_else_comes_at_the_same_moment_exactly_one_happens(
    table: Table, services: Services, rival: str
) -> None:
    table_of, escrow_id = services.offers, table.escrow.id
    payer, provider = table.pair.payer.actor, table.pair.provider.actor
    moment = utcnow()
    if rival == "release":
        table.deliver()
    if rival == "expiry":
        with unit_of_work(table.session):
            table.session.get_one(Escrow, escrow_id).expires_at = moment
    offer, theirs = table.payer.offer(escrow_id, "40"), table.provider.offer(escrow_id, "70")
    wanted, seen, other, other_seen = offer.id, offer.share, theirs.id, theirs.share
    table.session.commit()
    rivals: dict[str, Attempt] = {
        "accept": lambda own: table_of(own, payer).accept(escrow_id, other, other_seen),
        "release": lambda own: services.escrow_manager(own, payer).release_escrow(escrow_id),
        "refund": lambda own: services.escrow_manager(own, provider).refund_escrow(escrow_id, "No"),
        "expiry": lambda own: (
            EscrowClock(own, services.escrow_manager(own, WORKER), services.settings).run() == 1
        ),
        "withdraw": lambda own: table_of(own, payer).withdraw(escrow_id, wanted),
        "decline": lambda own: table_of(own, provider).decline(escrow_id, wanted),
        "replace": lambda own: table_of(own, payer).offer(escrow_id, "1", answers=other),
    }
    attempts: list[Attempt] = [
        lambda own: table_of(own, provider).accept(escrow_id, wanted, seen),
        rivals[rival],
    ] * 3
    outcomes = _at_once(services, attempts)
    if rival != "replace":  # replacing answers the other side's offer, so the second one is too late as well
        assert outcomes == {"done": 1, "too late": 5}
    ended = table.now()
    shares = {"accept": other_seen, "release": ended.amount, "refund": Amount(0), "expiry": Amount(0)}
    by_offer = table.status(offer) is OfferStatus.ACCEPTED
    share = seen if by_offer else shares.get(rival, Amount(0))
    assert (ended.status == "resolved") == (by_offer or rival == "accept")
    _assert_divided(table, share if ended.status not in ("active", "delivered") else None)
    assert sum(kind in ("released", "refunded", "resolved") for kind in table.trail()) <= 1


def _assert_divided(table: Table, share: Amount | None) -> None:
    """Everybody has exactly their part of the 100; None: they are still held."""
    session, pair = table.session, table.pair
    got = Decimal(balances(session, pair.provider.wallet_id)[0])
    available, held = (Decimal(each) for each in balances(session, pair.payer.wallet_id))
    assert held == (100 if share is None else 0)
    expected = Decimal(0) if share is None else share.decimal
    assert got + Decimal(fund_balance(session)) == expected
    assert available + held == 1000 - expected


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_whatever_is_agreed_on_the_parts_add_to_the_amount(
    session: sqlalchemy.orm.Session, services: Services, pair: Pair
) -> None:
    offers: dict[str, Offers] = {
        "payer": services.offers(session, pair.payer.actor),
        "provider": services.offers(session, pair.provider.actor),
    }

    @examples(max_examples=25)
    @given(
        units=st.integers(min_value=1, max_value=3_00000000),
        share_of=st.fractions(min_value=0, max_value=1),
        by=st.sampled_from(sorted(offers)),
    )
    def check(units: int, share_of: object, by: str) -> None:
        escrow = make_escrow(session, services, pair, str(Amount(max(units, 1_000))))
        share = Amount(int(escrow.amount.base_units * share_of))  # type: ignore[operator]
        before = [balances(session, each.wallet_id)[0] for each in (pair.payer, pair.provider)]
        fund = fund_balance(session)
        offer = offers[by].offer(escrow.id, str(share))
        other = "provider" if by == "payer" else "payer"
        ended = offers[other].accept(escrow.id, offer.id, share)
        after = [balances(session, each.wallet_id)[0] for each in (pair.payer, pair.provider)]
        provider, community = split(share, escrow.fund_basis_points)
        assert Decimal(after[0]) - Decimal(before[0]) == (ended.amount - share).decimal
        assert Decimal(after[1]) - Decimal(before[1]) == provider.decimal
        assert Decimal(fund_balance(session)) - Decimal(fund) == community.decimal

    check()
