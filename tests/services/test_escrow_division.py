"""An escrow that is divided: everybody's part to the base unit, once, and only by an agreement or a ruling."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from tests.support.money import credit, fund_balance
from tests.support.people import Pair, Person, make_escrow, make_pair
from webapp.domain.escrow_states import Party
from webapp.domain.exceptions import EscrowStateError, PermissionDeniedError, ValidationError
from webapp.domain.money import Amount
from webapp.domain.roles import WORKER
from webapp.models import Escrow
from webapp.services import audit_trail
from webapp.services.container import Services
from webapp.services.escrow_division import Division, EscrowDivision
from webapp.services.unit_of_work import unit_of_work

AMOUNT = "33.33333333"


@pytest.fixture
def pair(session: Session, services: Services) -> Pair:
    made = make_pair(session, services)
    credit(session, made.payer.wallet_id, "100")
    return made


@pytest.fixture
def escrow(session: Session, services: Services, pair: Pair) -> Escrow:
    return make_escrow(session, services, pair, AMOUNT)


def _divide(
    session: Session, services: Services, escrow: Escrow, share: str, by: Party = Party.AGREEMENT
) -> Division:
    division = EscrowDivision(session, services.settings, WORKER, services.wallets(session))
    with unit_of_work(session):
        return division.divide(escrow, Amount.parse(share, allow_zero=True), by, {"offer_id": 1})


def _owned(session: Session, services: Services, person: Person) -> tuple[str, str]:
    balance = services.wallets(session).get_balance(person.wallet_id)
    return str(balance.available), str(balance.held)


@pytest.mark.parametrize(
    ("share", "status", "provider", "fund", "payer"),
    [
        ("0", "refunded", "0.00000000", "0.00000000", "100.00000000"),
        ("0.00000001", "resolved", "0.00000001", "0.00000000", "99.99999999"),
        ("10.00000019", "resolved", "9.50000019", "0.50000000", "89.99999981"),
        ("33.33333332", "resolved", "31.66666666", "1.66666666", "66.66666668"),
        (AMOUNT, "released", "31.66666667", "1.66666666", "66.66666667"),
    ],
)
def test_the_parts_are_exact_and_add_to_the_amount(
    session: Session,
    services: Services,
    pair: Pair,
    escrow: Escrow,
    share: str,
    status: str,
    provider: str,
    fund: str,
    payer: str,
) -> None:
    _divide(session, services, escrow, share)
    assert escrow.status == status
    assert _owned(session, services, pair.provider) == (provider, "0.00000000")
    assert str(fund_balance(session)) == fund
    assert _owned(session, services, pair.payer) == (payer, "0.00000000")
    told = audit_trail.entries(session, escrow.id)[-1]
    assert told.kind == status
    assert {name: told.detail[name] for name in ("by", "offer_id")} == {"by": "agreement", "offer_id": 1}


def test_it_happens_once(session: Session, services: Services, escrow: Escrow) -> None:
    _divide(session, services, escrow, "10")
    with pytest.raises(EscrowStateError) as refused:
        _divide(session, services, escrow, "10")
    assert refused.value.current_status == "resolved"


def test_no_more_than_the_whole(session: Session, services: Services, escrow: Escrow) -> None:
    with pytest.raises(ValidationError) as refused:
        _divide(session, services, escrow, "33.33333334")
    assert "share" in refused.value.fields
    assert escrow.status == "active"


@pytest.mark.parametrize("by", [Party.PAYER, Party.PROVIDER, Party.VERIFIER, Party.CLOCK, Party.RULING])
def test_only_an_agreement_divides_what_is_not_disputed(
    session: Session, services: Services, escrow: Escrow, by: Party
) -> None:
    with pytest.raises(PermissionDeniedError):
        _divide(session, services, escrow, "10", by)
    assert escrow.status == "active"


def test_the_fund_gets_its_share_as_it_was_agreed(
    session: Session, services: Services, escrow: Escrow
) -> None:
    escrow_settings = services.settings.escrow.model_copy(update={"fund_basis_points": 1000})
    changed = services.settings.model_copy(update={"escrow": escrow_settings})
    with unit_of_work(session):
        EscrowDivision(session, changed, WORKER, services.wallets(session)).divide(
            escrow, Amount.parse("10"), Party.AGREEMENT, {}
        )
    assert str(fund_balance(session)) == "0.50000000"
