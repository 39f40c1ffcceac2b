"""A batch leaves exactly what the same operations leave one after the other, whatever they are."""

from __future__ import annotations

import json
import random
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy.orm
import time_machine
from sqlalchemy import event, select

from tests.api.test_terms import TERMS
from tests.support.arrivals import stock_addresses
from tests.support.databases import Databases, check_database
from tests.support.instances import write_config
from tests.support.money import credit
from tests.support.people import RESULT_HASH, Person, make_key, make_node, make_person, manager
from webapp.config import load_config
from webapp.domain.canonical import sign_result
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import DuxosError, TermsDecidedError
from webapp.domain.money import Amount
from webapp.domain.roles import WORKER, Actor
from webapp.models import (
    Escrow,
    EscrowTransaction,
    JournalEntry,
    Payout,
    Posting,
    SigningKey,
    Wallet,
)
from webapp.services import audit_trail
from webapp.services.batches.operations import Asked, Create, Deliver, Refund, Release
from webapp.services.container import Services
from webapp.services.database import Session
from webapp.services.signing_keys import IssuedKey, actor_of
from webapp.services.unit_of_work import unit_of_work

ADDRESS = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"
OTHER_HASH = "cd" * 32
UNLIKE = {"terms_hash": "of terms with moments in them"}
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)?")


class Side:
    """One of two databases on which everything happens in the same order. `escrows` are those that were made."""

    def __init__(self, url: str, folder: Path) -> None:
        settings = load_config(write_config(folder, {"database": {"url": url}}))
        self.session: sqlalchemy.orm.Session = Session(settings)
        self.services = Services.of(settings)
        self.escrows: list[uuid.UUID] = []
        self.payer, self.provider, self.paid_out, self.frozen = (
            make_person(self.session, self.services) for _ in range(4)
        )
        for person, amount in ((self.payer, "400"), (self.frozen, "30")):
            credit(self.session, person.wallet_id, amount)
        self.keys: dict[str, IssuedKey] = {
            name: make_key(self.session, self.services, getattr(self, name))
            for name in ("payer", "provider", "paid_out", "frozen")
        }
        limit = Amount.parse("45")
        self.keys["limited"] = make_key(self.session, self.services, self.payer, spend_limit=limit)
        node = make_node(self.session, self.services, self.provider)
        self.keys["node"], self.node_id = node.key, node.node.id
        self._make_escrows()
        with unit_of_work(self.session):
            self._wallet(self.paid_out).payout_address = ADDRESS
            self._wallet(self.frozen).is_frozen = True

    def _wallet(self, person: Person) -> Wallet:
        return self.session.get_one(Wallet, person.wallet_id, populate_existing=True)

    def _make_escrows(self) -> None:
        """Ten of the usual kind, and one of every other."""
        catalogue = self.services.catalogue(self.session)
        offered = {"name": "catalogued", "kind": "text", "requires_result": True, "price": "3"}
        catalogue.offer(self.provider.actor, self.provider.wallet_id, **offered)
        stock_addresses(self.session)
        for _ in range(10):
            self.make()
        disputed = self.make()
        self.services.disputes(self.session, self.payer.actor).open(disputed.id, "No good")
        self.make(terms=TERMS)
        self.make(funding="deposit")
        self.make(to=self.paid_out)
        self.make(service_name="catalogued")
        self.make(expected_result_hash=OTHER_HASH)
        self.make(verifier_key_id=self.keys["frozen"].key_id)
        self.make(provider_node_id=self.node_id)
        self.make(of=self.frozen)
        with time_machine.travel(utcnow() - timedelta(hours=200)):
            self.make()
            self.make(terms=TERMS)
            delivered = self.make()
            signed = self.signature(delivered, RESULT_HASH)
            manager(self.session, self.services, self.provider).deliver_escrow(
                delivered.id, RESULT_HASH, signed
            )

    def make(self, of: Person | None = None, to: Person | None = None, **terms: Any) -> Escrow:
        payer, provider = of or self.payer, to or self.provider
        asked = {"service_name": "plain", "task_id": "t"} | terms
        made = manager(self.session, self.services, payer).create_escrow(
            payer.wallet_id, provider.wallet_id, "7.00000001", **asked
        )
        self.escrows.append(made.id)
        return made

    def signature(self, escrow: Escrow, result_hash: str) -> str:
        name = "paid_out" if escrow.provider_wallet_id == self.paid_out.wallet_id else "provider"
        key = self.keys["node"] if escrow.provider_node_id else self.keys[name]
        return sign_result(key.secret, escrow.id, escrow.amount, result_hash)

    def actor(self, name: str) -> Actor:
        return actor_of(self.session.get_one(SigningKey, self.keys[name].key_id))

    def operation(self, drawn: dict[str, Any]) -> Asked:
        """The operation that was drawn, for the escrows and wallets of this side."""
        if drawn["do"] == "create":
            usual = dict.fromkeys(
                ("metadata", "provider_node_id", "verifier_key_id", "expected_result_hash", "expires_at", "fund_by",
                 "refund_address", "terms")
            )  # fmt: skip
            wallets = {
                name: person.wallet_id
                if isinstance(person := getattr(self, drawn[name], 99_999), Person)
                else person
                for name in ("payer_wallet_id", "provider_wallet_id")
            }
            return Create(usual | {"funding": "balance"} | drawn["terms"] | wallets)
        number = drawn["escrow"]
        escrow_id = self.escrows[number] if number < len(self.escrows) else uuid.UUID(int=7)
        if drawn["do"] == "refund":
            return Refund(str(escrow_id), drawn["reason"])
        escrow = self.session.get(Escrow, escrow_id)
        signature = "00" * 32
        if drawn["is_signed"] and escrow is not None:
            signature = self.signature(escrow, drawn["hash"]).upper()
        if drawn["do"] == "deliver":
            return Deliver(str(escrow_id), drawn["hash"], signature)
        is_named = drawn["is_named"]
        return Release(str(escrow_id), drawn["hash"] if is_named else None, signature if is_named else None)

    def in_a_batch(self, name: str, operations: list[Asked]) -> list[Any]:
        batch = self.services.batch(self.session, self.actor(name), lambda each: f"{each.id} {each.status}")
        return [
            self._told(each if isinstance(each, DuxosError) else each.document, asked)
            for asked, each in zip(operations, batch.run(operations, together=False), strict=True)
        ]

    def one_by_one(self, name: str, operations: list[Asked]) -> list[Any]:
        escrows = self.services.escrow_manager(self.session, self.actor(name))
        told = []
        for operation in operations:
            try:
                match operation:
                    case Create(terms):
                        done = escrows.create_escrow(**terms)
                    case Deliver(escrow_id, result_hash, signature):
                        done = escrows.deliver_escrow(escrow_id, result_hash, signature)
                    case Release(escrow_id, result_hash, signature):
                        done = escrows.release_escrow(escrow_id, result_hash, signature)
                    case Refund(escrow_id, reason):
                        done = escrows.refund_escrow(escrow_id, reason)
                told.append(self._told(f"{done.id} {done.status}", operation))
            except TermsDecidedError as error:
                worker = self.services.escrow_manager(self.session, WORKER)
                worker.terms.settle_due(error.escrow_id)
                error.current_status = self.session.get_one(Escrow, error.escrow_id).status
                told.append(self._told(error, operation))
            except DuxosError as error:
                told.append(self._told(error, operation))
        return told

    def _told(self, outcome: str | DuxosError, asked: Asked) -> Any:
        if isinstance(outcome, DuxosError):
            status = getattr(outcome, "current_status", None)
            return [type(outcome).__name__, self._scrubbed(outcome.detail), outcome.fields, status]
        escrow_id, status = outcome.split()
        if isinstance(asked, Create):
            self.escrows.append(uuid.UUID(escrow_id))
        return [self.escrows.index(uuid.UUID(escrow_id)), status]

    def left(self) -> Any:
        """All that there is, with numbers for ids and nothing for times, hashes and signatures."""
        session = self.session
        session.rollback()
        session.expire_all()
        unlike = {"id", "provider_signature", "deposit_address"}
        escrows = {
            escrow.id: {
                column.key: value if not hasattr(value, "tzinfo") else "a moment"
                for column in Escrow.__mapper__.column_attrs
                if (value := getattr(escrow, column.key)) is not None and column.key not in unlike
            }
            for escrow in session.scalars(select(Escrow))
        }
        entries = {entry.id: entry for entry in session.scalars(select(JournalEntry))}
        postings = [
            (entries[row.journal_entry_id].key, row.source, row.destination, str(row.amount))
            for row in session.scalars(select(Posting))
            if not entries[row.journal_entry_id].key.startswith("test:")
        ]
        trail = [
            (str(row.escrow_id), row.sequence, row.kind, row.actor, str(row.amount), row.detail | UNLIKE)
            for row in session.scalars(select(EscrowTransaction))
        ]
        found = {
            "escrows": [escrows[each] for each in self.escrows],
            "wallets": [
                (each.id, str(each.available), str(each.held))
                for each in session.scalars(select(Wallet).order_by(Wallet.id))
            ],
            "keys": sorted(str(each.spent) for each in session.scalars(select(SigningKey))),
            "payouts": sorted(f"{each.wallet_id} {each.gross}" for each in session.scalars(select(Payout))),
            "postings": postings,
            "trail": trail,
        }
        scrubbed = json.loads(self._scrubbed(json.dumps(found, default=str)))
        return scrubbed | {name: sorted(map(str, scrubbed[name])) for name in ("postings", "trail")}

    def _scrubbed(self, text: str) -> str:
        numbers = {str(each): f"escrow {number}" for number, each in enumerate(self.escrows)}
        text = _ID.sub(lambda found: numbers.get(found[0], "an id"), _MOMENT.sub("a moment", text))
        for name, key in self.keys.items():
            text = text.replace(key.key_id, f"key of {name}")
        return text.replace(self.node_id, "the node")


@pytest.fixture
def sides(databases: Databases, tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    """Two databases that are alike."""
    urls = [databases.create() for _ in range(2)]
    made = [Side(url, tmp_path / str(number)) for number, url in enumerate(urls)]
    yield made[0], made[1]
    for url, side in zip(urls, made, strict=True):
        assert list(audit_trail.broken_links(side.session)) == []
        side.session.close()
        side.session.get_bind().engine.dispose()
        check_database(url)
        databases.drop(url)


def _drawn(chooser: random.Random, escrows: int) -> dict[str, Any]:
    """Something to do, which makes sense more often than not."""
    do = chooser.choices(("create", "deliver", "release", "refund"), (4, 2, 5, 3))[0]
    if do == "create":
        terms = {
            "amount": chooser.choice(("1", "12.34567891", "0.00000001", "150", "0")),
            "service_name": chooser.choice(("plain", "plain", " plain ", "catalogued", "")),
            "task_id": chooser.choice(("t", "Grüße 🦆", "x" * 129, "t")),
        }
        if chooser.random() < 0.3:
            terms |= chooser.choice(
                (
                    {"metadata": {"a": [1, 0.5, None, "世"]}},
                    {"expected_result_hash": RESULT_HASH.upper()},
                    {"expires_at": utcnow() - timedelta(hours=1)},
                    {"expires_at": utcnow() + timedelta(hours=9)},
                    {"terms": TERMS},
                    {"provider_node_id": "nobody"},
                )
            )
        wallets = {
            "payer_wallet_id": chooser.choice(("payer", "payer", "payer", "frozen")),
            "provider_wallet_id": chooser.choice(("provider", "provider", "paid_out", "payer", "nobody")),
        }
        return {"do": do, "terms": terms, **wallets}
    return {
        "do": do,
        "escrow": chooser.randrange(escrows + 1),
        "hash": chooser.choice((RESULT_HASH, RESULT_HASH, RESULT_HASH.upper(), OTHER_HASH, "short")),
        "is_signed": chooser.random() < 0.85,
        "is_named": chooser.random() < 0.85,
        "reason": chooser.choice(("no good", " two\nlines ", "", "x" * 501)),
    }


def test_a_batch_leaves_what_its_operations_leave_one_after_the_other(sides: tuple[Side, Side]) -> None:
    chooser = random.Random(7)
    batched, single = sides
    for name in ("payer", "provider", "payer", "frozen", "limited", "node", "paid_out", "payer"):
        drawn = [_drawn(chooser, len(batched.escrows)) for _ in range(25)]
        operations = [[side.operation(each) for each in drawn] for side in sides]
        told = batched.in_a_batch(name, operations[0]), single.one_by_one(name, operations[1])
        for each, *outcomes in zip(drawn, *told, strict=True):
            assert outcomes[0] == outcomes[1], (name, each)
    assert batched.left() == single.left()


@contextmanager
def _counted(session: sqlalchemy.orm.Session) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if "key_epoch" not in statement and "pg_notify" not in statement:  # these go by the clock
            statements.append(statement)

    engine = session.get_bind().engine
    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
def test_operations_of_the_usual_kind_take_a_few_statements_however_many_they_are(
    sides: tuple[Side, Side],
) -> None:
    side = sides[0]
    create = {"do": "create", "payer_wallet_id": "payer", "provider_wallet_id": "provider"}
    release = {"do": "release", "is_signed": True, "is_named": True, "hash": RESULT_HASH}
    terms = {"amount": "0.01", "service_name": "plain", "task_id": "t"}
    counts = []
    for count in (1, 2, 40):  # the first time what keys there are is read
        made = len(side.escrows)
        operations = [side.operation(create | {"terms": terms}) for _ in range(count)]
        with _counted(side.session) as statements:
            side.in_a_batch("payer", operations)
        releases = [side.operation(release | {"escrow": made + number}) for number in range(count)]
        with _counted(side.session) as more:
            assert [status for _, status in side.in_a_batch("payer", releases)] == ["released"] * count
        counts.append((len(statements), len(more)))
    assert counts[1] == counts[2]
    assert max(counts[1]) <= 13
