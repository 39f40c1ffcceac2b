"""Keys of programs and nodes: limits, scopes, ends, rotation, and what a node's signature is worth."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tests.support.money import balances, credit
from tests.support.people import (
    RESULT_HASH,
    Pair,
    make_escrow,
    make_key,
    make_node,
    make_pair,
    make_person,
    signature,
)
from webapp.domain.canonical import sign_result
from webapp.domain.exceptions import (
    NotFoundError,
    PermissionDeniedError,
    ScopeError,
    SpendLimitError,
    ValidationError,
)
from webapp.domain.money import Amount
from webapp.domain.roles import Actor
from webapp.models import Node, SigningKey
from webapp.services.container import Services
from webapp.services.signing_keys import SigningKeys, actor_of
from webapp.services.unit_of_work import unit_of_work

START = datetime(2030, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

# A word that is refused never comes as far as the database.
on_sqlite = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


@pytest.fixture
def pair(session: Session, services: Services) -> Pair:
    made = make_pair(session, services)
    credit(session, made.payer.wallet_id, "1000")
    return made


@pytest.fixture
def keys(session: Session, services: Services) -> SigningKeys:
    return services.signing_keys(session)


def actor(keys: SigningKeys, key_id: str) -> Actor:
    found = keys.find_usable(key_id)
    assert found is not None
    return actor_of(found[0])


def create(session: Session, services: Services, pair: Pair, by: Actor, amount: str) -> None:
    services.escrow_manager(session, by).create_escrow(
        pair.payer.wallet_id, pair.provider.wallet_id, amount, "service", "task"
    )


def test_a_key_spends_up_to_its_limit_and_not_a_unit_more(
    session: Session, services: Services, pair: Pair, keys: SigningKeys
) -> None:
    key = make_key(session, services, pair.payer, spend_limit=Amount.parse("100"))
    by = actor(keys, key.key_id)
    create(session, services, pair, by, "60")
    with pytest.raises(SpendLimitError):
        create(session, services, pair, by, "40.00000001")
    create(session, services, pair, by, "40")
    with pytest.raises(SpendLimitError):
        create(session, services, pair, by, "0.00000001")
    assert balances(session, pair.payer.wallet_id) == ("900.00000000", "100.00000000")


def test_what_was_refused_for_another_reason_does_not_count_against_the_limit(
    session: Session, services: Services, pair: Pair, keys: SigningKeys
) -> None:
    key = make_key(session, services, pair.payer, spend_limit=Amount.parse("5000"))
    by = actor(keys, key.key_id)
    with pytest.raises(Exception, match="needed"):
        create(session, services, pair, by, "1000.00000001")
    spent = session.scalars(select(SigningKey.spent).where(SigningKey.id == key.key_id)).one()
    assert str(spent) == "0.00000000"


def test_a_key_and_the_one_that_replaced_it_share_one_limit(
    session: Session, services: Services, pair: Pair, keys: SigningKeys
) -> None:
    old = make_key(session, services, pair.payer, spend_limit=Amount.parse("100"))
    by_old = actor(keys, old.key_id)
    create(session, services, pair, by_old, "30")
    new = keys.rotate(old.key_id, HOUR)
    newest = keys.rotate(new.key_id, HOUR)
    create(session, services, pair, actor(keys, new.key_id), "30")
    create(session, services, pair, actor(keys, newest.key_id), "30")
    for key_id in (old.key_id, new.key_id, newest.key_id):
        with pytest.raises(SpendLimitError):
            create(session, services, pair, actor(keys, key_id), "10.00000001")
    create(session, services, pair, by_old, "10")
    assert balances(session, pair.payer.wallet_id) == ("900.00000000", "100.00000000")


def test_a_key_ends_at_its_time_or_when_it_is_revoked(
    session: Session, services: Services, pair: Pair, keys: SigningKeys
) -> None:
    with time_machine.travel(START, tick=False) as clock:
        key = make_key(session, services, pair.payer, expires_at=START + HOUR)
        clock.shift(HOUR - timedelta(microseconds=1))
        assert keys.find_usable(key.key_id)
        clock.shift(timedelta(microseconds=1))
        assert keys.find_usable(key.key_id) is None
        with pytest.raises(ValidationError):
            make_key(session, services, pair.payer, expires_at=START + HOUR)
    other = make_key(session, services, pair.payer)
    with pytest.raises(NotFoundError):
        keys.revoke(other.key_id, pair.provider.actor.wallet_ids)
    keys.revoke(other.key_id, pair.payer.actor.wallet_ids)
    assert keys.find_usable(other.key_id) is None
    with pytest.raises(NotFoundError):
        keys.revoke(other.key_id, pair.payer.actor.wallet_ids)
    with pytest.raises(NotFoundError):
        keys.rotate(other.key_id, HOUR)


def test_after_a_rotation_both_secrets_sign_for_a_while_and_then_only_the_new_one(
    session: Session, services: Services, pair: Pair, keys: SigningKeys
) -> None:
    with time_machine.travel(START, tick=False) as clock:
        escrow = make_escrow(session, services, pair)
        new = keys.rotate(pair.key.key_id, HOUR)
        by_old = signature(pair, escrow)
        by_new = sign_result(new.secret, escrow.id, escrow.amount, RESULT_HASH)
        validator = services.validator(session)
        clock.shift(HOUR - timedelta(microseconds=1))
        assert validator.validate_result(escrow, RESULT_HASH, by_old)
        assert validator.validate_result(escrow, RESULT_HASH, by_new)
        clock.shift(timedelta(microseconds=1))
        assert not validator.validate_result(escrow, RESULT_HASH, by_old)
        assert validator.validate_result(escrow, RESULT_HASH, by_new)


def test_a_key_does_only_what_its_scopes_say_and_only_for_its_wallet(
    session: Session, services: Services, pair: Pair, keys: SigningKeys
) -> None:
    reader = actor(keys, make_key(session, services, pair.payer, ("escrow:read",)).key_id)
    with pytest.raises(ScopeError):
        create(session, services, pair, reader, "1")
    stranger = make_person(session, services)
    foreign = actor(keys, make_key(session, services, stranger).key_id)
    with pytest.raises(PermissionDeniedError):
        create(session, services, pair, foreign, "1")
    escrow = make_escrow(session, services, pair)
    with pytest.raises(NotFoundError):
        services.escrow_manager(session, foreign).get_escrow(escrow.id)


def test_a_verifier_releases_and_refunds_and_a_provider_is_never_its_own_verifier(
    session: Session, services: Services, pair: Pair, keys: SigningKeys
) -> None:
    engine = make_person(session, services)
    verifier = make_key(session, services, engine)
    first, second = (
        make_escrow(session, services, pair, "10", verifier_key_id=verifier.key_id) for _ in range(2)
    )
    as_verifier = services.escrow_manager(session, actor(keys, verifier.key_id))
    as_verifier.release_escrow(first.id, RESULT_HASH, signature(pair, first))
    as_verifier.refund_escrow(second.id, "the task failed")
    assert balances(session, pair.provider.wallet_id) == ("9.50000000", "0.00000000")
    with pytest.raises(ValidationError):
        make_escrow(session, services, pair, "10", verifier_key_id=pair.key.key_id)


def test_airdrops_are_for_keys_of_operators_only(session: Session, services: Services) -> None:
    with pytest.raises(ValidationError):
        make_key(session, services, make_person(session, services), ("fund:airdrop",))
    make_key(session, services, make_person(session, services, "operator"), ("fund:airdrop",))


@on_sqlite
@pytest.mark.parametrize("scopes", [(), ("escrow:everything",)])
def test_scopes_that_are_none_are_refused(
    session: Session, services: Services, scopes: tuple[str, ...]
) -> None:
    with pytest.raises(ValidationError):
        make_key(session, services, make_person(session, services), scopes)


def test_the_secret_is_shown_once_and_stored_sealed(session: Session, services: Services, pair: Pair) -> None:
    stored = session.scalars(select(SigningKey.secret_sealed)).all()
    assert all(pair.key.secret not in sealed for sealed in stored)
    with pytest.raises(NotFoundError):
        services.signing_keys(session).create(404, ["escrow:read"])


def test_a_suspended_nodes_signature_is_worth_nothing(
    session: Session, services: Services, pair: Pair
) -> None:
    node = make_node(session, services, pair.provider)
    escrow = make_escrow(session, services, pair, "10", provider_node_id=node.node.id)
    signed = sign_result(node.key.secret, escrow.id, escrow.amount, RESULT_HASH)
    auth = services.node_auth(session)
    about = (pair.provider.wallet_id, node.node.id, escrow.id, escrow.amount, RESULT_HASH)
    assert auth.is_signed_by_provider(signed, *about)
    with unit_of_work(session):
        session.execute(update(Node).values(status="suspended"))
    assert not auth.is_signed_by_provider(signed, *about)
    with pytest.raises(NotFoundError):
        auth.sign_result(*about)


def test_a_node_of_somebody_else_signs_nothing_for_the_provider(
    session: Session, services: Services, pair: Pair
) -> None:
    foreign = make_node(session, services, make_person(session, services))
    with pytest.raises(ValidationError):
        make_escrow(session, services, pair, "10", provider_node_id=foreign.node.id)
    escrow_id = uuid.uuid4()
    signed = sign_result(foreign.key.secret, escrow_id, Amount.parse("1"), RESULT_HASH)
    auth = services.node_auth(session)
    for node_id in (None, foreign.node.id):
        assert not auth.is_signed_by_provider(
            signed, pair.provider.wallet_id, node_id, escrow_id, Amount.parse("1"), RESULT_HASH
        )


@on_sqlite
@pytest.mark.parametrize("node_id", ["", "-a", "a b", "ä", "a" * 65, "a\n"])
def test_a_node_has_a_plain_name(session: Session, services: Services, node_id: str) -> None:
    person = make_person(session, services)
    with pytest.raises(ValidationError):
        services.node_auth(session).register_node(node_id, person.wallet_id)


def test_a_node_has_a_name_of_its_own(session: Session, services: Services) -> None:
    person = make_person(session, services)
    auth = services.node_auth(session)
    auth.register_node("node_001", person.wallet_id)
    with pytest.raises(ValidationError):
        auth.register_node("node_001", make_person(session, services).wallet_id)
