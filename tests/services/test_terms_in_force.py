"""Terms in force: facts are judged as they come, time decides at its moment, and what is late changes nothing."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy.orm
import time_machine
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tests.support.money import balances, credit, fund_balance
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
    signature,
)
from webapp.domain.canonical import sign_result
from webapp.domain.exceptions import (
    ConflictError,
    EscrowStateError,
    NotFoundError,
    PermissionDeniedError,
    ResultValidationError,
    ValidationError,
)
from webapp.domain.roles import WORKER
from webapp.models import ChainCursor, Escrow, EscrowTerms, Outage, Pulse
from webapp.services import audit_trail, database
from webapp.services.container import Services
from webapp.services.escrow_clock import EscrowClock
from webapp.services.fair_clocks import FairClocks
from webapp.services.signing_keys import IssuedKey, actor_of
from webapp.services.terms.clock import TermsClock
from webapp.services.terms.in_force import TermsInForce
from webapp.services.unit_of_work import unit_of_work

START = datetime(2030, 1, 1, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
SECRET = b"open sesame"
# What the pure rules say is the same on every database.
on_sqlite = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


def after(hours: int) -> dict[str, Any]:
    return {"after": {"hours": hours, "since": "creation"}}


def before(hours: int) -> dict[str, Any]:
    return {"before": {"hours": hours, "since": "creation"}}


def approved_or_back(leaf: dict[str, Any], hours: int = 10) -> dict[str, Any]:
    """Released when the leaf holds, before so many hours; refunded then."""
    return {"release_when": {"all_of": [leaf, before(hours)]}, "refund_when": after(hours)}


USUAL_LIKE = {
    "release_when": {
        "all_of": [
            {"delivered_within": {"hours": 10}},
            {"any_of": [{"payer_approves": True}, {"after": {"hours": 5, "since": "delivery"}}]},
        ]
    },
    "refund_when": {"all_of": [{"not": {"delivered_within": {"hours": 10}}}, after(10)]},
}
APPROVAL = approved_or_back({"payer_approves": True})


class Town:
    """Everybody around one escrow, and the worker, under a clock of the test's own."""

    def __init__(self, session: Session, services: Services, clock: time_machine.Traveller) -> None:
        self.session, self.services, self.clock = session, services, clock
        self.pair: Pair = make_pair(session, services)
        credit(session, self.pair.payer.wallet_id, "1000")

    def escrow(self, terms: dict[str, Any], **more: Any) -> Escrow:
        return make_escrow(self.session, self.services, self.pair, "100", terms=terms, **more)

    def terms(self, who: Person | IssuedKey) -> TermsInForce:
        """What this person, or the program with this key, does."""
        if isinstance(who, Person):
            return self.services.escrow_manager(self.session, who.actor).terms
        found = self.services.signing_keys(self.session).find_usable(who.key_id)
        assert found is not None
        return self.services.escrow_manager(self.session, actor_of(found[0])).terms

    def deliver(self, escrow: Escrow) -> None:
        provider = manager(self.session, self.services, self.pair.provider)
        provider.deliver_escrow(escrow.id, RESULT_HASH, signature(self.pair, escrow))

    def move_to(self, moment: datetime) -> None:
        self.clock.move_to(moment)

    def tick(self) -> int:
        """What the worker does about escrows; how many ended."""
        FairClocks(self.session).run()
        escrows = self.services.escrow_manager(self.session, WORKER)
        ended = EscrowClock(self.session, escrows, self.services.settings).run()
        wallets = self.services.wallets(self.session)
        return ended + TermsClock(self.session, self.services.settings, wallets).run()

    def status(self, escrow: Escrow) -> str:
        self.session.rollback()
        return self.session.get_one(Escrow, escrow.id, populate_existing=True).status

    def trail(self, escrow: Escrow) -> list[str]:
        return [f"{each.kind} {each.actor}" for each in audit_trail.entries(self.session, escrow.id)]

    def chain_at(self, height: int) -> None:
        with unit_of_work(self.session):
            row = self.session.get(ChainCursor, 1)
            if row is None:
                row = ChainCursor(id=1, since_block="", tip_hash="aa", tip_height=height)
                self.session.add(row)
            row.tip_height = height


@pytest.fixture
def town(session: Session, services: Services) -> Iterator[Town]:
    with time_machine.travel(START, tick=False) as clock:
        yield Town(session, services, clock)


def test_a_usual_escrow_has_no_rows_of_terms_and_one_with_its_own_tells_them(town: Town) -> None:
    make_escrow(town.session, town.services, town.pair, "10")
    escrow = town.escrow(USUAL_LIKE)
    (row,) = town.session.scalars(select(EscrowTerms))
    assert (row.escrow_id, row.ends_by, escrow.expires_at) == (escrow.id, START + 15 * HOUR, row.ends_by)
    assert row.document["release_when"]["all_of"][0] == {"delivered_within": {"time": "2030-01-01T10:00:00Z"}}
    assert "terms_hash" in audit_trail.entries(town.session, escrow.id)[0].detail
    assert balances(town.session, town.pair.payer.wallet_id) == ("890.00000000", "110.00000000")


@on_sqlite
@pytest.mark.parametrize(
    ("terms", "more", "field"),
    [
        ({"release_when": {"payer_approves": True}}, {}, "terms"),
        ({"release_when": {"moon_is_full": True}}, {}, "terms.release_when"),
        (APPROVAL, {"expires_at": START + HOUR}, "expires_at"),
        (APPROVAL, {"funding": "deposit"}, "funding"),
        (approved_or_back({"verifier_approves": True}), {}, "verifier_key_id"),
        (approved_or_back({"payer_approves": True}, 9000), {}, "terms"),
        (
            approved_or_back({"agreeing_results": {"count": 1, "of": ["nobody"]}}),
            {},
            "terms.agreeing_results",
        ),
        (approved_or_back({"attested_by": {"key_id": "key_x", "statement": {}}}), {}, "terms.attested_by"),
    ],
)
def test_terms_that_cannot_be_are_refused_with_their_place(
    town: Town, terms: dict[str, Any], more: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        town.escrow(terms, **more)
    assert field in caught.value.fields, caught.value.fields
    assert balances(town.session, town.pair.payer.wallet_id) == ("1000.00000000", "0.00000000")


def test_the_provider_cannot_be_the_one_who_attests(town: Town) -> None:
    leaf = {"attested_by": {"key_id": town.pair.key.key_id, "statement": {}}}
    with pytest.raises(ValidationError) as caught:
        town.escrow(approved_or_back(leaf))
    assert "belongs to the provider" in caught.value.fields["terms.attested_by"]


def test_an_approval_stands_until_the_rest_is_there_and_then_pays_at_once(town: Town) -> None:
    escrow = town.escrow(USUAL_LIKE)
    payer = manager(town.session, town.services, town.pair.payer)
    assert payer.release_escrow(escrow.id).status == "active"
    with pytest.raises(ConflictError, match="said before"):
        town.terms(town.pair.payer).approve(escrow.id)
    town.deliver(escrow)
    assert town.status(escrow) == "released"
    assert balances(town.session, town.pair.provider.wallet_id) == ("95.00000000", "0.00000000")
    assert fund_balance(town.session) == "5.00000000"
    who = town.pair.payer.actor.name, town.pair.provider.actor.name
    kinds = [f"created {who[0]}", f"approved {who[0]}", f"delivered {who[1]}", f"released {who[1]}"]
    assert town.trail(escrow) == kinds
    row = town.session.get_one(EscrowTerms, escrow.id, populate_existing=True)
    assert (row.next_look_at, row.next_height, row.awaits_payer) == (None, None, False)


@pytest.mark.parametrize(
    ("late", "end"), [(-SECOND, "released"), (timedelta(), "refunded"), (SECOND, "refunded")]
)
@pytest.mark.parametrize("has_outage", [False, True])
@on_sqlite
def test_a_deadline_is_kept_to_the_second(town: Town, late: timedelta, end: str, has_outage: bool) -> None:
    escrow = town.escrow(APPROVAL)
    deadline = START + 10 * HOUR
    if has_outage:
        with unit_of_work(town.session):
            town.session.add(Outage(parts="worker", started_at=START + HOUR, ended_at=START + 3 * HOUR))
        deadline += 2 * HOUR
        town.move_to(START + 4 * HOUR)
        assert town.tick() == 0
        assert town.trail(escrow)[-1] == "deadline_extended worker"
    town.move_to(deadline + late)
    # No worker has looked since; the party finds what the terms have decided.
    if end == "refunded":
        with pytest.raises(EscrowStateError, match="the payer is refunded"):
            town.terms(town.pair.payer).approve(escrow.id)
        assert town.terms(town.pair.payer).settle_due(escrow.id)
        with pytest.raises(EscrowStateError):
            town.terms(town.pair.payer).approve(escrow.id)
        assert town.trail(escrow)[-1] == "refunded worker"
        assert audit_trail.entries(town.session, escrow.id)[-1].detail["decided_at"] == (
            deadline.isoformat().replace("+00:00", "Z")
        )
    else:
        assert not town.terms(town.pair.payer).settle_due(escrow.id)
        town.terms(town.pair.payer).approve(escrow.id)
    assert town.status(escrow) == end
    assert town.tick() == 0


@pytest.mark.parametrize(("moment", "count"), [(-SECOND, 0), (timedelta(), 1), (SECOND, 1)])
def test_the_worker_does_what_time_decides_and_nothing_before(
    town: Town, moment: timedelta, count: int
) -> None:
    silent, refunded = town.escrow(USUAL_LIKE), town.escrow(APPROVAL)
    assert town.tick() == 0
    town.move_to(START + 4 * HOUR)
    town.deliver(silent)
    town.move_to(START + 9 * HOUR + moment)
    assert town.tick() == count
    assert town.status(silent) == ("released" if count else "delivered")
    town.move_to(START + 10 * HOUR + moment)
    assert town.tick() == 1
    assert town.status(refunded) == ("refunded" if count else "active")
    town.move_to(START + 100 * HOUR)
    town.tick()
    assert town.tick() == 0


def test_while_the_service_is_out_nothing_is_decided_that_came_due_meanwhile(town: Town) -> None:
    due_before, due_meanwhile = (
        town.escrow(approved_or_back({"payer_approves": True}, 1)),
        town.escrow(APPROVAL),
    )
    with unit_of_work(town.session):
        town.session.add(Pulse(part="service", last_good_at=START + 2 * HOUR))
    town.move_to(START + 11 * HOUR)
    assert town.tick() == 1
    assert (town.status(due_before), town.status(due_meanwhile)) == ("refunded", "active")
    # The site serves on, and is fair.
    town.terms(town.pair.payer).approve(due_meanwhile.id)
    assert town.status(due_meanwhile) == "released"
    other = town.escrow(USUAL_LIKE)
    with unit_of_work(town.session):
        town.session.execute(update(Pulse).values(last_good_at=START + 12 * HOUR))
        town.session.add(Outage(parts="daemon", started_at=START + 2 * HOUR, ended_at=START + 12 * HOUR))
    town.move_to(START + 12 * HOUR)
    assert town.tick() == 0
    town.session.refresh(other)
    assert other.expires_at == START + 27 * HOUR, "only the hour that it lived through counts"


def test_the_verifier_a_secret_a_key_and_nodes_bring_about_what_they_are_asked_for(town: Town) -> None:
    owner = make_person(town.session, town.services)
    verifier, witness = (
        make_key(town.session, town.services, owner),
        make_key(town.session, town.services, owner),
    )
    nodes = [make_node(town.session, town.services, owner) for _ in range(3)]
    sha256 = hashlib.sha256(SECRET).hexdigest()
    schema = {"type": "object", "properties": {"passed": {"const": True}}, "required": ["passed"]}
    leaves: list[dict[str, Any]] = [
        {"verifier_approves": True},
        {"preimage_of": sha256},
        {"attested_by": {"key_id": witness.key_id, "statement": schema}},
        {"agreeing_results": {"count": 2, "of": [each.node.id for each in nodes]}},
    ]
    terms = {"release_when": {"all_of": [*leaves, before(10)]}, "refund_when": after(10)}
    escrow = town.escrow(terms, verifier_key_id=verifier.key_id)

    def report(number: int, result_hash: str) -> None:
        made = nodes[number]
        signed = sign_result(made.key.secret, escrow.id, escrow.amount, result_hash)
        town.terms(made.key).report_result(escrow.id, made.node.id, result_hash, signed)

    with pytest.raises(ConflictError, match="do not ask for your approval"):
        town.terms(town.pair.payer).approve(escrow.id)
    with pytest.raises(PermissionDeniedError):
        town.terms(town.pair.provider).approve(escrow.id)
    town.terms(verifier).approve(escrow.id)
    with pytest.raises(ValidationError, match="preimage"):
        town.terms(town.pair.provider).reveal(escrow.id, b"open barley".hex())
    town.terms(town.pair.provider).reveal(escrow.id, SECRET.hex())
    with pytest.raises(ValidationError, match="statement"):
        town.terms(witness).attest(escrow.id, {"passed": False})
    with pytest.raises(NotFoundError):
        town.terms(make_key(town.session, town.services, make_person(town.session, town.services))).attest(
            escrow.id, {"passed": True}
        )
    town.terms(witness).attest(escrow.id, {"passed": True})
    report(0, "11" * 32)
    with pytest.raises(ConflictError):
        report(0, "22" * 32)
    report(1, "22" * 32)
    with pytest.raises(ResultValidationError, match="signature"):
        town.terms(nodes[2].key).report_result(escrow.id, nodes[2].node.id, "22" * 32, "00" * 32)
    assert town.status(escrow) == "active"
    report(2, "22" * 32)
    assert town.status(escrow) == "released"
    kinds = ["created", "approved", "revealed", "attested", *["node_result"] * 3, "released"]
    assert [each.kind for each in audit_trail.entries(town.session, escrow.id)] == kinds
    assert escrow.result_hash is None, "they do not ask for a delivery"


def test_what_a_key_has_attested_is_kept_once_whatever_else_it_says(town: Town) -> None:
    witness = make_key(town.session, town.services, make_person(town.session, town.services))
    leaf = {"attested_by": {"key_id": witness.key_id, "statement": {}}}
    escrow = town.escrow(approved_or_back({"all_of": [leaf, {"payer_approves": True}]}))
    town.terms(witness).attest(escrow.id, {"number": 0})
    for number in range(2):
        with pytest.raises(ConflictError, match="said before"):
            town.terms(witness).attest(escrow.id, {"number": number})
    assert [each.kind for each in audit_trail.entries(town.session, escrow.id)] == ["created", "attested"]


def test_heights_count_from_when_they_were_first_seen(town: Town) -> None:
    terms = {
        "release_when": {"all_of": [{"payer_approves": True}, {"before": {"height": 100}}, before(10)]},
        "refund_when": {"any_of": [{"after": {"height": 100}}, after(10)]},
    }
    escrow = town.escrow(terms)
    town.chain_at(99)
    assert town.tick() == 0
    town.chain_at(105)
    town.move_to(START + HOUR)
    with pytest.raises(EscrowStateError):
        town.terms(town.pair.payer).approve(escrow.id)
    assert town.tick() == 1
    assert town.trail(escrow)[1:] == ["height_reached worker", "refunded worker"]


def test_only_the_provider_gives_up_and_a_dispute_stops_the_terms(town: Town) -> None:
    given_up, disputed = town.escrow(USUAL_LIKE), town.escrow(USUAL_LIKE)
    payer, provider = (
        manager(town.session, town.services, who) for who in (town.pair.payer, town.pair.provider)
    )
    with pytest.raises(PermissionDeniedError, match="terms of the escrow say"):
        payer.refund_escrow(given_up.id, "I do not want it any more")
    provider.refund_escrow(given_up.id, "I cannot do it")
    town.deliver(disputed)
    payer.dispute_escrow(disputed.id, "This is noise.")
    town.move_to(START + 100 * HOUR)
    assert town.tick() == 0
    with pytest.raises(EscrowStateError, match="stand still"):
        town.terms(town.pair.payer).approve(disputed.id)
    provider.refund_escrow(disputed.id, "It is noise.")
    assert balances(town.session, town.pair.payer.wallet_id) == ("1000.00000000", "0.00000000")


def at_once(services: Services, deeds: list[Callable[[sqlalchemy.orm.Session], object]]) -> list[str]:
    """Each in a thread and a session of its own, let go together."""
    gate = threading.Barrier(len(deeds))

    def run(deed: Callable[[sqlalchemy.orm.Session], object]) -> str:
        with database.Session(services.settings) as own:
            gate.wait()
            try:
                deed(own)
            except (EscrowStateError, ConflictError) as error:
                return type(error).__name__
        return "done"

    with ThreadPoolExecutor(len(deeds)) as threads:
        return sorted(threads.map(run, deeds))


def test_facts_that_come_at_once_are_judged_together_and_the_money_moves_once(town: Town) -> None:
    verifier = make_key(town.session, town.services, make_person(town.session, town.services))
    found = town.services.signing_keys(town.session).find_usable(verifier.key_id)
    assert found is not None
    judge, payer = actor_of(found[0]), town.pair.payer.actor
    both = {"all_of": [{"payer_approves": True}, {"verifier_approves": True}]}
    escrows = [town.escrow(approved_or_back(both), verifier_key_id=verifier.key_id) for _ in range(4)]
    for escrow in escrows:
        deeds = [
            lambda own, who=who, of=escrow: town.services.escrow_manager(own, who).terms.approve(of.id)
            for who in (judge, payer)
        ]
        assert at_once(town.services, deeds) == ["done", "done"]
        assert town.status(escrow) == "released"


def test_the_worker_and_a_party_at_once_end_it_once(town: Town) -> None:
    escrow = town.escrow(APPROVAL)
    town.move_to(START + 10 * HOUR)
    settings, services = town.services.settings, town.services

    def work(own: sqlalchemy.orm.Session) -> object:
        return TermsClock(own, settings, services.wallets(own)).run()

    def settle(own: sqlalchemy.orm.Session) -> object:
        return services.escrow_manager(own, town.pair.payer.actor).terms.settle_due(escrow.id)

    assert at_once(services, [work, settle, work, settle]) == ["done"] * 4
    assert [each for each in town.trail(escrow) if "refunded" in each] == ["refunded worker"]
