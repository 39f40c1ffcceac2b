"""Work that is paid for in parts: all parts are locked or none, each ends by itself, and every sum is exact."""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy.orm
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import func, select

from tests.support.money import balances, credit, fund_balance
from tests.support.people import RESULT_HASH, Pair, make_key, make_pair, make_person, manager, signature
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import (
    InsufficientFundsError,
    NotFoundError,
    PermissionDeniedError,
    SpendLimitError,
    ValidationError,
)
from webapp.domain.money import Amount, split
from webapp.models import Escrow, Plan
from webapp.services import audit_trail
from webapp.services.container import Services
from webapp.services.plans import MAX_PARTS, Milestone, PlanOverview
from webapp.services.signing_keys import actor_of

on_sqlite = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


@pytest.fixture
def pair(session: sqlalchemy.orm.Session, services: Services) -> Pair:
    """A payer with 1000 FLOP and a provider."""
    made = make_pair(session, services)
    credit(session, made.payer.wallet_id, "1000")
    return made


def _create(
    session: sqlalchemy.orm.Session,
    services: Services,
    pair: Pair,
    amounts: list[Any],
    *,
    title: str = "A film",
    actor: Any = None,
    provider_wallet_id: int | None = None,
    milestones: list[Milestone] | None = None,
    **more: Any,
) -> PlanOverview:
    parts = milestones or [Milestone(f"Part {n}", amount) for n, amount in enumerate(amounts, 1)]
    return services.plans(session, actor or pair.payer.actor).create(
        pair.payer.wallet_id,
        provider_wallet_id or pair.provider.wallet_id,
        title,
        parts,
        service_name="video",
        task_id="film 7",
        **more,
    )


def _rows(session: sqlalchemy.orm.Session) -> tuple[int, int]:
    session.rollback()
    return tuple(
        session.execute(select(func.count()).select_from(each)).scalar_one() for each in (Plan, Escrow)
    )  # type: ignore[return-value]


def test_each_part_is_released_refunded_or_divided_by_itself(
    session: sqlalchemy.orm.Session, services: Services, pair: Pair
) -> None:
    soon = utcnow() + timedelta(hours=1)
    made = _create(
        session,
        services,
        pair,
        [],
        milestones=[
            Milestone(" Script ", "33.33333333"),
            Milestone("Rough cut", "33.33333333", soon),
            Milestone("Film", "33.33333334"),
        ],
        amount="100",
        metadata={"scenes": 7},
    )
    first, second, third = made.parts
    assert balances(session, pair.payer.wallet_id) == ("900.00000000", "100.00000000")
    assert [(part.part_number, part.part_title) for part in made.parts] == [
        (1, "Script"),
        (2, "Rough cut"),
        (3, "Film"),
    ]
    assert (str(made.held), made.next_deadline, made.is_over) == ("100.00000000", soon, False)
    told = audit_trail.entries(session, second.id)[0].detail
    assert (told["plan_id"], told["part_number"]) == (str(made.plan.id), 2)

    manager(session, services, pair.payer).release_escrow(first.id, RESULT_HASH, signature(pair, first))
    manager(session, services, pair.provider).refund_escrow(second.id, "Not this part")
    offer = services.offers(session, pair.payer.actor).offer(third.id, "10.00000019")
    services.offers(session, pair.provider.actor).accept(third.id, offer.id, Amount.parse("10.00000019"))

    seen = services.plans(session, pair.provider.actor).get(str(made.plan.id))
    assert [part.status for part in seen.parts] == ["released", "refunded", "resolved"]
    assert (str(seen.released), str(seen.refunded), str(seen.held)) == (
        "43.33333352",
        "56.66666648",
        "0.00000000",
    )
    assert (seen.next_deadline, seen.is_over) == (None, True)
    assert balances(session, pair.payer.wallet_id) == ("956.66666648", "0.00000000")
    got = Decimal(balances(session, pair.provider.wallet_id)[0]) + Decimal(fund_balance(session))
    assert got == Decimal("43.33333352")


def test_all_parts_are_locked_or_none(
    session: sqlalchemy.orm.Session, services: Services, pair: Pair
) -> None:
    with pytest.raises(InsufficientFundsError):
        _create(session, services, pair, ["400", "400", "400"])
    key = make_key(session, services, pair.payer, ("escrow:create",), spend_limit=Amount.parse("50"))
    found = services.signing_keys(session).find_usable(key.key_id)
    assert found is not None
    with pytest.raises(SpendLimitError):
        _create(session, services, pair, ["30", "30"], actor=actor_of(found[0]))
    with pytest.raises(PermissionDeniedError):
        _create(session, services, pair, ["30", "30"], actor=pair.provider.actor)
    assert _rows(session) == (0, 0)
    assert balances(session, pair.payer.wallet_id) == ("1000.00000000", "0.00000000")
    found = services.signing_keys(session).find_usable(key.key_id)
    assert found is not None
    assert len(_create(session, services, pair, ["30", "20"], actor=actor_of(found[0])).parts) == 2


@on_sqlite
@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        ({"amounts": ["1"]}, {"milestones"}),
        ({"amounts": ["1"] * (MAX_PARTS + 1)}, {"milestones"}),
        ({"amounts": ["1", "x"], "title": " "}, {"title", "milestones.1.amount"}),
        ({"amounts": ["0", "9" * 11]}, {"milestones.0.amount", "milestones.1.amount"}),
        ({"amounts": ["10000000000"] * MAX_PARTS}, {"amount"}),
        ({"amounts": ["1", "2"], "amount": "4"}, {"amount"}),
        ({"amounts": ["1", "2"], "amount": "x"}, {"amount"}),
        ({"amounts": ["1", "2"], "provider_wallet_id": 999_999}, {"provider_wallet_id"}),
        (
            {
                "amounts": [],
                "milestones": [
                    Milestone("", "1"),
                    Milestone("b\u202e", "1"),
                ],
            },
            {"milestones.0.title", "milestones.1.title"},
        ),
        (
            {
                "amounts": [],
                "verifier_key_id": "key_nobody",
                "milestones": [
                    Milestone("a", "1", utcnow() - timedelta(days=1)),
                    Milestone("b", "1", None, "abc"),
                ],
            },
            {"milestones.0.expires_at", "milestones.1.expected_result_hash", "verifier_key_id"},
        ),
    ],
)
def test_everything_that_is_wrong_is_said_at_once_and_nothing_is_made(
    session: sqlalchemy.orm.Session,
    services: Services,
    pair: Pair,
    asked: dict[str, Any],
    fields: set[str],
) -> None:
    with pytest.raises(ValidationError) as refused:
        _create(session, services, pair, **asked)
    assert set(refused.value.fields) == fields
    assert _rows(session) == (0, 0)


def test_a_plan_is_there_for_those_who_may_see_a_part_of_it(
    session: sqlalchemy.orm.Session, services: Services, pair: Pair
) -> None:
    task_engine = make_person(session, services)
    key = make_key(session, services, task_engine)
    made = _create(session, services, pair, ["1", "2"], verifier_key_id=key.key_id)
    found = services.signing_keys(session).find_usable(key.key_id)
    assert found is not None
    for actor in (pair.payer.actor, make_person(session, services, "arbiter").actor, actor_of(found[0])):
        assert len(services.plans(session, actor).get(made.plan.id).parts) == 2
    for actor, plan_id in (
        (task_engine.actor, made.plan.id),
        (pair.payer.actor, uuid.uuid4()),
        (pair.payer.actor, "x"),
    ):
        with pytest.raises(NotFoundError):
            services.plans(session, actor).get(plan_id)


@on_sqlite
def test_a_part_may_have_terms_of_its_own(
    session: sqlalchemy.orm.Session, services: Services, pair: Pair
) -> None:
    at = (utcnow() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    terms = {"release_when": {"payer_approves": True}, "refund_when": {"after": {"time": at}}}
    parts = [Milestone("Usual", "1"), Milestone("Own", "2", terms=terms)]
    made = _create(session, services, pair, [], milestones=parts)
    assert [part.has_own_terms for part in made.parts] == [False, True]
    parts[1] = Milestone("Own", "2", terms={"release_when": "never"})
    with pytest.raises(ValidationError) as refused:
        _create(session, services, pair, [], milestones=parts)
    assert all(field.startswith("milestones.1.terms") for field in refused.value.fields)


@on_sqlite
def test_whatever_the_parts_are_their_splits_and_sums_are_exact(
    session: sqlalchemy.orm.Session, services: Services, pair: Pair
) -> None:
    @examples(max_examples=15)
    @given(st.lists(st.integers(min_value=1000, max_value=3_00000000), min_size=2, max_size=6))
    def check(units: list[int]) -> None:
        before = Decimal(balances(session, pair.payer.wallet_id)[1])
        made = _create(session, services, pair, [str(Amount(each)) for each in units])
        assert made.plan.total.base_units == sum(units) == made.held.base_units
        for part, amount in zip(made.parts, units, strict=True):
            parts = (part.provider_amount, part.community_amount)
            assert parts == split(Amount(amount), part.fund_basis_points)
        assert Decimal(balances(session, pair.payer.wallet_id)[1]) - before == made.plan.total.decimal

    check()
