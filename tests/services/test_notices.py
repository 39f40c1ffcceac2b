"""People are told what happened, each once, whoever commits when; and reminded of what they can still do."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tests.support.market import Market
from tests.support.money import credit
from tests.support.people import (
    PASSWORD,
    RESULT_HASH,
    Pair,
    Person,
    make_escrow,
    make_node,
    make_pair,
    make_person,
    manager,
    signature,
)
from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.notice_kinds import KINDS, choice_of
from webapp.domain.notices import CHOICES, TOLD_ONE_BY_ONE
from webapp.models import Alert, Escrow, Notice, NoticeChoice, NoticeCursor, Outage
from webapp.services import audit_trail
from webapp.services.airdrops.manual import ManualAirdrops
from webapp.services.container import Services
from webapp.services.custody.freezes import freeze, unfreeze
from webapp.services.notices.cursor import Cursor, Gap, Place
from webapp.services.notices.run import NoticeRun, forget
from webapp.services.payouts.halts import raise_alert
from webapp.services.unit_of_work import unit_of_work


@pytest.fixture
def pair(session: Session, services: Services) -> Pair:
    made = make_pair(session, services)
    credit(session, made.payer.wallet_id, "10000")
    return made


def told(session: Session, person: Person, settings: Settings | None = None) -> list[str]:
    """The kinds of what a person was told, security apart; after a run, if there are settings to run with."""
    if settings is not None:
        NoticeRun(session, settings).run()
    session.rollback()
    mine = Notice.user_id == person.user.id
    kinds = session.scalars(
        select(Notice.kind).where(mine, Notice.kind.not_like("security.%")).order_by(Notice.id)
    )
    found = list(kinds)
    session.rollback()
    return found


def set_row(session: Session, escrow: Escrow, **values: object) -> None:
    with unit_of_work(session):
        session.execute(update(Escrow).where(Escrow.id == escrow.id).values(**values))


def test_both_sides_hear_of_what_the_other_did_once(
    session: Session, services: Services, settings: Settings, pair: Pair
) -> None:
    arbiter = make_person(session, services, "arbiter")
    first, second = make_escrow(session, services, pair), make_escrow(session, services, pair)
    assert told(session, pair.provider, settings) == ["provides.new"] * 2
    assert told(session, pair.payer) == []

    provider, payer = manager(session, services, pair.provider), manager(session, services, pair.payer)
    provider.deliver_escrow(first.id, RESULT_HASH, signature(pair, first))
    assert told(session, pair.payer, settings) == ["pays.delivered"]
    payer.release_escrow(first.id)
    payer.dispute_escrow(second.id, "It is not what was ordered")
    for _ in range(2):
        NoticeRun(session, settings).run()

    assert told(session, pair.payer) == ["pays.delivered"]
    assert told(session, pair.provider)[2:] == ["provides.released", "provides.disputed"]
    assert told(session, arbiter) == []
    notice = session.scalars(select(Notice).where(Notice.kind == "provides.released")).one()
    assert notice.detail == {"service": "image_upscaler_v1", "amount": "95.00000000"}
    assert (notice.subject_type, notice.subject_id) == ("escrow", str(first.id))

    # What is over before it could be told asks for nothing any more.
    third = make_escrow(session, services, pair)
    provider.deliver_escrow(third.id, RESULT_HASH, signature(pair, third))
    provider.refund_escrow(third.id, "The disk is full")
    assert told(session, pair.payer, settings)[1:] == ["pays.refunded"]


@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
def test_what_is_committed_late_is_told_all_the_same(
    session: Session, services: Services, settings: Settings, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.services.notices.cursor.PATIENCE_SECONDS", 0)
    early, late = make_escrow(session, services, pair), make_escrow(session, services, pair)
    assert len(told(session, pair.provider, settings)) == 2
    engine = session.get_bind().engine
    with Session(engine) as slow, Session(engine) as other:
        slow.info["unit_of_work"] = True
        audit_trail.append(slow, early.id, "funded", "worker", amount=early.amount)
        with unit_of_work(other):
            audit_trail.append(other, late.id, "funded", "worker", amount=late.amount)

        # The lower number is not there yet. Every run is a reader of its own, as after a restart.
        for _ in range(3):
            assert told(session, pair.provider, settings)[2:] == ["provides.funded"]
        slow.commit()
        assert told(session, pair.provider, settings)[2:] == ["provides.funded"] * 2

        # A number that was given back is no gap for ever.
        audit_trail.append(slow, early.id, "funded", "worker")
        slow.rollback()
        slow.info["unit_of_work"] = False
    make_escrow(session, services, pair)
    told(session, pair.provider, settings)
    assert _trail_gaps(session) != []
    told(session, pair.provider, settings)
    assert _trail_gaps(session) == []
    assert told(session, pair.provider)[4:] == ["provides.new"]


def _trail_gaps(session: Session) -> list[list[int]]:
    gaps = session.scalars(select(NoticeCursor.gaps).where(NoticeCursor.source == "trail")).one()
    session.rollback()
    return gaps


def test_of_two_readers_at_one_place_only_one_goes_on(session: Session) -> None:
    cursor = Cursor(session, "somewhere")
    first, second = cursor.look(), cursor.look()
    with unit_of_work(session):
        assert cursor.move(first, first.at(5))
    with unit_of_work(session):
        assert not cursor.move(second, second.at(7))
    assert cursor.look().position == 5


def test_gaps_are_kept_until_nobody_can_fill_them() -> None:
    place = Place(10, (Gap(4, 6, 100, 0),), 1, ended_below=99)
    after = place.after([5, 12, 13, 17], is_all=True, fence=120)
    assert [(gap.first, gap.last, gap.fence) for gap in after.gaps] == [
        (4, 4, 100),
        (6, 6, 100),
        (11, 11, 120),
        (14, 16, 120),
    ]
    assert after.position == 17
    # The oldest are over now; with more rows to come, even they may be among these.
    ended = Place(17, after.gaps, 2, ended_below=110)
    assert [gap.first for gap in ended.after([], is_all=True, fence=130).gaps] == [11, 14]
    assert [gap.first for gap in ended.after([], is_all=False, fence=130).gaps] == [4, 6, 11, 14]


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_flood_is_told_as_one(session: Session, services: Services, settings: Settings, pair: Pair) -> None:
    for _ in range(TOLD_ONE_BY_ONE + 1):
        make_escrow(session, services, pair, "1")

    assert told(session, pair.provider, settings) == ["provides.new"]
    notice = session.scalars(select(Notice).where(Notice.kind == "provides.new")).one()
    assert (notice.subject_type, notice.detail) == ("escrows", {"count": str(TOLD_ONE_BY_ONE + 1)})


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_each_choice_is_kept_and_security_stays_in_the_inbox(
    session: Session, services: Services, settings: Settings, pair: Pair
) -> None:
    ways = {
        "provides.new": (False, False),
        "provides.ended": (False, True),
        "provides.disputed": (True, False),
        "security": (False, False),
    }
    with unit_of_work(session):
        for choice, (inbox, mail) in ways.items():
            session.add(
                NoticeChoice(
                    user_id=pair.provider.user.id,
                    choice=choice,
                    is_in_inbox=inbox,
                    is_by_mail=mail,
                    is_urgent=True,
                )
            )
    first, second = make_escrow(session, services, pair), make_escrow(session, services, pair)
    payer = manager(session, services, pair.payer)
    payer.release_escrow(first.id, RESULT_HASH, signature(pair, first))
    payer.dispute_escrow(second.id, "It is not what was ordered")
    services.identity(session).change_password(pair.provider.user, PASSWORD, "another good password")
    NoticeRun(session, settings).run()

    mine = select(Notice).where(Notice.user_id == pair.provider.user.id)
    found = {row.kind: (row.is_in_inbox, row.is_by_mail, row.is_urgent) for row in session.scalars(mine)}
    session.rollback()
    assert found == {
        "security.key_made": (True, True, False),  # made before the choice
        "provides.released": (False, True, True),
        "provides.disputed": (True, False, False),
        "security.password": (True, False, False),
    }


def test_reminders_come_once_and_again_for_a_deadline_that_was_moved(
    session: Session, services: Services, settings: Settings, pair: Pair
) -> None:
    now = utcnow()
    escrow = make_escrow(session, services, pair)
    short = make_escrow(session, services, pair)
    late = make_escrow(session, services, pair)
    told(session, pair.provider, settings)
    since = now - timedelta(days=3)
    set_row(session, escrow, created_at=since, expires_at=now + timedelta(hours=24, seconds=-1))
    # Made with less time than that; and past.
    set_row(session, short, created_at=now, expires_at=now + timedelta(hours=4, seconds=-1))
    set_row(session, late, created_at=since, expires_at=now - timedelta(seconds=1))
    for _ in range(2):
        assert told(session, pair.provider, settings)[3:] == ["provides.deliver_soon"]

    # A little more time is no other day; much more is.
    set_row(
        session, escrow, expires_at=now + timedelta(hours=24, seconds=-1, minutes=0) + timedelta(seconds=1)
    )
    assert told(session, pair.provider, settings)[3:] == ["provides.deliver_soon"]
    with unit_of_work(session):
        session.execute(
            update(Notice)
            .where(Notice.kind == "provides.deliver_soon")
            .values(created_at=now - timedelta(hours=7))
        )
    assert told(session, pair.provider, settings)[3:] == ["provides.deliver_soon"] * 2

    # While an outage is being made good for nobody is reminded.
    set_row(session, escrow, expires_at=now + timedelta(hours=4, seconds=-1))
    with unit_of_work(session):
        session.add(Outage(parts="worker", started_at=now - timedelta(minutes=1), ended_at=now))
    assert len(told(session, pair.provider, settings)[3:]) == 2
    with unit_of_work(session):
        session.execute(update(Outage).values(applied_at=now))
    assert len(told(session, pair.provider, settings)[3:]) == 3
    hours = [row.detail["hours"] for row in session.scalars(select(Notice).where(Notice.kind.like("%_soon")))]
    assert hours == ["24", "24", "4"]

    # The payer is asked to check, and to pay.
    manager(session, services, pair.provider).deliver_escrow(short.id, RESULT_HASH, signature(pair, short))
    set_row(session, short, delivered_at=since, accept_by=now + timedelta(hours=1, seconds=-1))
    set_row(
        session, late, status="pending", funding="deposit", created_at=since,
        fund_by=now + timedelta(hours=1, seconds=-1), expires_at=now + timedelta(days=9),
    )  # fmt: skip
    assert Counter(told(session, pair.payer, settings)) == {
        "pays.delivered": 1, "pays.accept_soon": 1, "pays.fund_soon": 1,
    }  # fmt: skip
    set_row(session, late, status="active", funding="balance")


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
@pytest.mark.settings(wallet={"confirmations_required": 2, "payout_confirmations": 2})
def test_coins_that_came_and_went_are_told_to_their_owners(
    market: Market, session: Session, services: Services
) -> None:
    market.work()
    operator = make_person(session, services, "operator")
    market.deposit(market.payer, "200")
    market.work()
    assert told(session, market.payer) == ["money.deposit"]
    market.release(market.escrow("100"))
    market.withdraw(market.provider, market.chain.new_outside_address(), "20")
    market.settle()
    market.work()
    assert set(told(session, market.provider)) >= {
        "provides.new",
        "provides.released",
        "money.payout_confirmed",
    }

    node = make_node(session, services, market.provider).node
    airdrops = ManualAirdrops(session, services.settings, operator.actor)
    airdrops.give([node.id], amount_per_node="2", reason="For a test")
    freeze(session, operator.actor, market.provider.wallet_id, "Something is odd")
    with unit_of_work(session):
        raise_alert(session, "deposit_lost", "x", "wallet 1 has lost something")
    for _ in range(2):
        market.work()
    assert told(session, market.provider).count("money.airdrop") == 1
    assert told(session, operator) == ["operator.alert"]
    unfreeze(session, services.settings, operator.actor, market.provider.wallet_id, "It is fine")
    freeze(session, operator.actor, market.provider.wallet_id, "It is odd again")
    market.work()
    unfreeze(session, services.settings, operator.actor, market.provider.wallet_id, "It is fine")
    frozen = Notice.kind == "security.wallet_frozen"
    assert len(session.scalars(select(Notice).where(frozen)).all()) == 2
    session.rollback()


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_what_was_read_long_ago_is_forgotten(
    session: Session, services: Services, settings: Settings
) -> None:
    operator = make_person(session, services, "operator")
    for number in range(3):
        with unit_of_work(session):
            raise_alert(session, "outage", str(number), "it was away")
    assert len(told(session, operator, settings)) == 3
    ids = list(session.scalars(select(Notice.id).order_by(Notice.id)))
    with unit_of_work(session):
        session.execute(
            update(Notice).where(Notice.id == ids[0]).values(read_at=utcnow() - timedelta(days=91))
        )
        session.execute(
            update(Notice).where(Notice.id == ids[1]).values(read_at=utcnow() - timedelta(days=89))
        )

    forget(session, settings.notices.kept_days)

    assert list(session.scalars(select(Notice.id).order_by(Notice.id))) == ids[1:]
    # What has been forgotten is not told again.
    assert len(told(session, operator, settings)) == 2
    assert session.scalars(select(Alert.id)).all()


def test_every_kind_can_be_chosen_and_fits_its_columns() -> None:
    assert {choice_of(kind.name).name for kind in KINDS} == {choice.name for choice in CHOICES}
    assert all(len(kind.name) <= 32 and kind.title and kind.sentence for kind in KINDS)
