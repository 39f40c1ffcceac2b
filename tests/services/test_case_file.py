"""Case files as the service makes them: each genuine, each with what its reader may see and nothing else."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.support.arrivals import credit_payment, see_payment, stock_addresses
from tests.support.disputes import Court
from tests.support.evidence import PDF, add, disputed, ended, picture
from tests.support.money import credit
from tests.support.people import Pair, make_escrow, make_key, make_pair, make_person, manager
from webapp.config import Settings
from webapp.domain.case_file.manifest import public_key_of
from webapp.domain.case_file.verification import Verdict, verify
from webapp.domain.disputes.rungs import Rung
from webapp.domain.exceptions import NotFoundError
from webapp.domain.roles import Actor
from webapp.models import Escrow, Wallet
from webapp.services.container import Services
from webapp.services.plans import Milestone
from webapp.services.signing_keys import actor_of
from webapp.services.unit_of_work import unit_of_work

PAYOUT_ADDRESS = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"


@pytest.fixture
def pair(session: Session, services: Services) -> Pair:
    return make_pair(session, services)


def made(session: Session, services: Services, actor: Actor, escrow: Escrow) -> bytes:
    with services.case_files(session, actor).write(escrow.id) as stream:
        return stream.read()


def judged(session: Session, services: Services, data: bytes) -> Verdict:
    key = public_key_of(services.case_file_keys(session).current())
    return verify(io.BytesIO(data), key)


def case_of(data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(zipfile.ZipFile(io.BytesIO(data)).read("case.json"))
    return found


def names_in(data: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(data)).namelist()


def test_every_reader_gets_a_genuine_one_with_what_is_theirs_to_see(
    session: Session, services: Services, pair: Pair
) -> None:
    verifier = make_key(session, services, make_person(session, services))
    with unit_of_work(session):
        session.get_one(Wallet, pair.provider.wallet_id).payout_address = PAYOUT_ADDRESS
    credit(session, pair.payer.wallet_id, "100")
    escrow = make_escrow(session, services, pair, "100", verifier_key_id=verifier.key_id)
    manager(session, services, pair.payer).dispute_escrow(escrow.id, "It is too small")
    add(session, services, pair.payer, escrow, "Look:", picture(), "found.png")
    add(session, services, pair.provider, escrow, data=PDF, name="bill.pdf")
    judge = make_person(session, services, "arbiter")
    services.disputes(session, pair.provider.actor).escalate(escrow.id)
    services.judging(session, judge.actor).propose(escrow.id, 4000, "Four tenths were done")
    ended(session, services, pair, escrow, "40")
    staff = {role: make_person(session, services, role).actor for role in ("operator", "arbiter")}
    by_key = actor_of(services.signing_keys(session).find_usable(verifier.key_id)[0])
    readers = {"payer": pair.payer.actor, "provider": pair.provider.actor, "mediator": judge.actor}
    outside = {"verifier": by_key, "arbiter": staff["arbiter"]}
    readers |= {**outside, "operator": staff["operator"]}

    for name, actor in readers.items():
        data = made(session, services, actor, escrow)
        assert data == made(session, services, actor, escrow)
        verdict = judged(session, services, data)
        assert verdict.is_good, (name, verdict.lines)
        case, files = case_of(data), [each for each in names_in(data) if each.startswith("evidence/")]
        assert case["made_for"] == ("arbiter" if name == "mediator" else name)
        assert files == ([] if name in outside else ["evidence/0001.png", "evidence/0002.pdf"])
        assert ("evidence" in case) == ("decisions" in case["dispute"]) == (name not in outside), name
        assert (PAYOUT_ADDRESS.encode() in data) == (name in ("provider", "operator")), name
        assert [(offer["share"], offer["status"]) for offer in case["offers"]] == [
            ("40.00000000", "accepted")
        ]
        assert (case["dispute"]["reason"], case["dispute"]["rung"]) == ("It is too small", "ended")
    with pytest.raises(NotFoundError):
        made(session, services, make_person(session, services).actor, escrow)


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_it_verifies_in_every_state_and_names_no_coins_of_the_other_side(
    session: Session, services: Services, settings: Settings, pair: Pair
) -> None:
    stock_addresses(session)
    terms = {"funding": "deposit", "refund_address": PAYOUT_ADDRESS}
    escrow = make_escrow(session, services, pair, "100", **terms)
    secrets = [escrow.deposit_address, PAYOUT_ADDRESS]

    def look(held: str) -> None:
        for person in (pair.payer, pair.provider):
            data = made(session, services, person.actor, escrow)
            verdict = judged(session, services, data)
            assert verdict.is_good, verdict.lines
            assert f" {held} are held" in "".join(verdict.lines)
            seen = [str(secret).encode() in data for secret in secrets]
            assert all(seen) if person is pair.payer else not any(seen), (person, seen)

    look("0.00000000")
    first = see_payment(session, escrow, "40")
    credit_payment(session, settings, first)
    secrets.append(first.txid)
    look("40.00000000")
    credit_payment(session, settings, see_payment(session, escrow, "75"))
    look("100.00000000")
    manager(session, services, pair.provider).refund_escrow(escrow.id, "I cannot do it")
    look("0.00000000")


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_rotated_key_signs_and_what_the_older_one_signed_stays_good(
    session: Session, services: Services, pair: Pair
) -> None:
    escrow = disputed(session, services, pair)
    before = made(session, services, pair.payer.actor, escrow)
    old = public_key_of(services.case_file_keys(session).current())
    new = public_key_of(services.case_file_keys(session).rotate())
    after = made(session, services, pair.payer.actor, escrow)
    assert [key.public_key for key in services.case_file_keys(session).published()] == [new, old]
    assert [verify(io.BytesIO(data), old).is_good for data in (before, after)] == [True, False]
    assert [verify(io.BytesIO(data), new).is_good for data in (before, after)] == [False, True]


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_damaged_file_is_named_and_keeps_nothing_else_from_its_reader(
    session: Session, services: Services, settings: Settings, pair: Pair
) -> None:
    escrow = disputed(session, services, pair)
    lost = add(session, services, pair.payer, escrow, data=b"This will be lost")
    add(session, services, pair.payer, escrow, data=b"This will not")
    (settings.evidence_folder / str(lost.stored_as)).write_bytes(b"")
    data = made(session, services, pair.provider.actor, escrow)
    assert [each for each in names_in(data) if each.startswith("evidence/")] == ["evidence/0002.txt"]
    verdict = judged(session, services, data)
    assert verdict.is_good
    assert ["item 1" in doubt for doubt in verdict.doubts] == [True]


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_terms_of_its_own_stand_in_it_with_what_has_happened(
    session: Session, services: Services, pair: Pair
) -> None:
    credit(session, pair.payer.wallet_id, "100")
    terms = {
        "release_when": {"all_of": [{"payer_approves": True}, {"before": {"hours": 5, "since": "creation"}}]},
        "refund_when": {"after": {"hours": 5, "since": "creation"}},
    }
    escrow = make_escrow(session, services, pair, "100", terms=terms)
    manager(session, services, pair.payer).terms.approve(escrow.id)
    data = made(session, services, pair.provider.actor, escrow)
    verdict = judged(session, services, data)
    assert verdict.is_good, verdict.lines
    told = case_of(data)["terms"]
    assert set(told["document"]) >= {"release_when", "refund_when"}
    assert [fact["kind"] for fact in told["facts"]] == ["payer_approves"]


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_votes_of_a_panel_stay_sealed_until_the_dispute_has_ended(
    session: Session, services: Services
) -> None:
    court = Court(session, services)
    escrow = court.escrow()
    court.bring_to(Rung.PANEL, escrow)
    panel = court.seated(escrow)
    secret = "The hash is right, and I have tried it."
    court.judge(panel[0]).vote(escrow.id, 9000, secret)

    def decisions() -> list[tuple[str, int]]:
        data = made(session, services, court.payer.actor, escrow)
        assert judged(session, services, data).is_good
        assert (secret.encode() in data) == (court.rung(escrow) == Rung.ENDED)
        return [(each["seat"], each["share_basis_points"]) for each in case_of(data)["dispute"]["decisions"]]

    assert decisions() == [("arbiter", 5000)]
    for judge, share in zip(panel[1:], (9000, 1000), strict=True):
        court.judge(judge).vote(escrow.id, share, secret)
    assert court.rung(escrow) == Rung.ENDED
    assert sorted(decisions()) == [("arbiter", 5000), ("panel", 1000), ("panel", 9000), ("panel", 9000)]


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_part_of_a_plan_says_how_the_others_stand_to_its_sides_only(
    session: Session, services: Services, pair: Pair
) -> None:
    credit(session, pair.payer.wallet_id, "100")
    overview = services.plans(session, pair.payer.actor).create(
        pair.payer.wallet_id,
        pair.provider.wallet_id,
        "A film",
        [Milestone("Script", "30"), Milestone("Cut", "70")],
        service_name="video",
        task_id="film 7",
    )
    first, second = overview.parts
    manager(session, services, pair.provider).refund_escrow(first.id, "No time")
    arbiter = make_person(session, services, "arbiter")
    for actor, sees in ((pair.payer.actor, True), (arbiter.actor, False)):
        data = made(session, services, actor, second)
        assert judged(session, services, data).is_good
        told = case_of(data)["plan"]
        assert (told["title"], told["total"], told["part_number"]) == ("A film", "100.00000000", 2)
        others = [(part["amount"], part["status"]) for part in told.get("all_parts", [])]
        assert others == ([("30.00000000", "refunded"), ("70.00000000", "active")] if sees else [])
