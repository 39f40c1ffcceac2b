"""What people write into an escrow is kept as it was or refused by its field; it never breaks anything."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.support.money import balances, credit
from tests.support.people import Pair, make_escrow, make_pair, manager
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import ValidationError
from webapp.models import Escrow
from webapp.services import audit_trail
from webapp.services.container import Services

# What is refused never comes as far as the database.
on_sqlite = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


@pytest.fixture
def pair(session: Session, services: Services) -> Pair:
    made = make_pair(session, services)
    credit(session, made.payer.wallet_id, "100")
    return made


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return {"deep": value}


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"size": "1024x1024", "steps": 50, "ratio": 0.5, "tags": ["a", None, True], "nested": {"ä": "☃𝄞"}},
        {"a backslash and u0000": "\\u0000"},
        {"big": 10**60},
        deep(30),
    ],
)
def test_metadata_comes_back_as_it_was_given(
    session: Session, services: Services, pair: Pair, metadata: dict[str, Any]
) -> None:
    escrow = make_escrow(session, services, pair, "1", metadata=metadata)
    session.expire_all()
    assert session.get_one(Escrow, escrow.id).task_metadata == metadata


@on_sqlite
@pytest.mark.parametrize(
    "metadata",
    [
        {"nul": "a\0b"},
        {"nul\0": 1},
        {"half a character": "\ud800"},
        {"\udfff": 1},
        {"not a number": float("nan")},
        {"infinite": float("inf")},
        {"no json": {1, 2}},
        {"big": "x" * 4096},
        deep(2000),
        "text",
        [1],
    ],
    ids=[
        "nul",
        "nul key",
        "surrogate",
        "surrogate key",
        "nan",
        "infinite",
        "set",
        "big",
        "deep",
        "text",
        "list",
    ],
)
def test_metadata_that_no_database_could_keep_is_refused_by_its_field(
    session: Session, services: Services, pair: Pair, metadata: Any
) -> None:
    with pytest.raises(ValidationError) as refusal:
        make_escrow(session, services, pair, "1", metadata=metadata)
    assert set(refusal.value.fields) == {"metadata"}
    assert balances(session, pair.payer.wallet_id) == ("100.00000000", "0.00000000")


@on_sqlite
@pytest.mark.parametrize("text", ["", "  ", "a\0b", "a\nb", "\ud800", "x" * 129, None, 5])
def test_names_are_short_and_printable(session: Session, services: Services, pair: Pair, text: Any) -> None:
    creator = manager(session, services, pair.payer)
    with pytest.raises(ValidationError) as refusal:
        creator.create_escrow(pair.payer.wallet_id, pair.provider.wallet_id, "1", text, text)
    assert set(refusal.value.fields) == {"service_name", "task_id"}


@on_sqlite
@pytest.mark.parametrize("reason", ["", " ", "\0", "\ud800", "x" * 501, None])
def test_a_reason_is_a_text_that_can_be_kept(
    session: Session, services: Services, pair: Pair, reason: Any
) -> None:
    escrow = make_escrow(session, services, pair, "1")
    with pytest.raises(ValidationError) as refusal:
        manager(session, services, pair.provider).refund_escrow(escrow.id, reason)
    assert set(refusal.value.fields) == {"reason"}
    session.refresh(escrow)
    assert escrow.status == "active"


def test_a_reason_in_any_language_is_kept_and_the_trail_holds(
    session: Session, services: Services, pair: Pair
) -> None:
    escrow = make_escrow(session, services, pair, "1")
    reason = "Gerät kaputt ☃ 𝄞\nmit zwei Zeilen"
    manager(session, services, pair.provider).refund_escrow(escrow.id, reason)
    assert audit_trail.entries(session, escrow.id)[-1].detail == {"reason": reason}
    assert list(audit_trail.broken_links(session)) == []


@on_sqlite
@pytest.mark.parametrize(
    "expires_at",
    [
        utcnow() - timedelta(seconds=1),
        utcnow() + timedelta(days=366),
        datetime(2999, 1, 1),  # noqa: DTZ001 - a time without its zone is what is refused
        "tomorrow",
        0,
    ],
    ids=["past", "too late", "no zone", "text", "number"],
)
def test_a_deadline_is_a_moment_in_the_coming_year(
    session: Session, services: Services, pair: Pair, expires_at: Any
) -> None:
    with pytest.raises(ValidationError) as refusal:
        make_escrow(session, services, pair, "1", expires_at=expires_at)
    assert set(refusal.value.fields) == {"expires_at"}


@on_sqlite
def test_all_complaints_come_at_once(session: Session, services: Services, pair: Pair) -> None:
    with pytest.raises(ValidationError) as refusal:
        manager(session, services, pair.payer).create_escrow(
            pair.payer.wallet_id,
            pair.payer.wallet_id,
            "-1",
            "",
            "",
            metadata={"x": float("nan")},
            provider_node_id="nobody",
            verifier_key_id="nothing",
            expected_result_hash="abc123...",
            expires_at=utcnow() - timedelta(days=1),
        )
    assert set(refusal.value.fields) == {
        "provider_wallet_id",
        "amount",
        "service_name",
        "task_id",
        "metadata",
        "provider_node_id",
        "verifier_key_id",
        "expected_result_hash",
        "expires_at",
    }


@pytest.mark.settings(escrow={"min_amount": "1", "max_amount": "10"})
def test_the_configured_limits_hold_to_the_unit(session: Session, services: Services, pair: Pair) -> None:
    for amount in ("0.99999999", "10.00000001"):
        with pytest.raises(ValidationError):
            make_escrow(session, services, pair, amount)
    for amount in ("1", "10"):
        make_escrow(session, services, pair, amount)
    assert balances(session, pair.payer.wallet_id) == ("89.00000000", "11.00000000")
