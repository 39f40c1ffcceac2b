"""A payer with 1000 FLOP, a provider and a stranger, each with a program that signs with their key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy.orm
import time_machine
from flask import Flask

from tests.support.money import balances, credit
from tests.support.people import (
    RESULT_HASH,
    Pair,
    Person,
    make_escrow,
    make_key,
    make_person,
    signature,
)
from tests.support.signing import Program
from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.models import Escrow, Payout
from webapp.services.container import Services

ADDRESS = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"  # of regtest


@dataclass
class World:
    """Who there is, and what they have."""

    app: Flask
    session: sqlalchemy.orm.Session
    services: Services
    pair: Pair
    stranger: Person
    payer: Program
    provider: Program
    foreigner: Program

    def program(self, person: Person, scopes: tuple[str, ...] | None = None, **options: Any) -> Program:
        """Another program of this person's, with another key."""
        more = {} if scopes is None else {"scopes": scopes}
        return Program(self.app, make_key(self.session, self.services, person, **more, **options))

    def escrow(self, amount: str = "100", **terms: Any) -> Escrow:
        """An active escrow between payer and provider."""
        return make_escrow(self.session, self.services, self.pair, amount, **terms)

    def result(self, escrow: Escrow) -> dict[str, str]:
        """A result of the escrow with the provider's signature."""
        return {"result_hash": RESULT_HASH, "provider_signature": signature(self.pair, escrow)}

    def payout(self, amount: str = "10") -> Payout:
        """A queued payout of the payer's."""
        queue = self.services.wallets(self.session).payouts
        return queue.withdraw(self.pair.payer.wallet_id, ADDRESS, Amount.parse(amount))

    def terms(self, **more: Any) -> dict[str, Any]:
        """The body of a request for an escrow of 100 FLOP."""
        return {
            "payer_wallet_id": self.pair.payer.wallet_id,
            "provider_wallet_id": self.pair.provider.wallet_id,
            "amount": "100",
            "service_name": "image_upscaler_v1",
            "task_id": "task_001",
            **more,
        }

    def balances(self, person: Person) -> tuple[str, str]:
        """(available, held)."""
        return balances(self.session, person.wallet_id)


@pytest.fixture
def early_in_a_minute() -> Iterator[None]:
    """The clock goes on from the beginning of a minute: rate limits count by minutes of the clock."""
    with time_machine.travel(utcnow().replace(second=5, microsecond=0), tick=True):
        yield


@pytest.fixture
def world(app: Flask, session: sqlalchemy.orm.Session, services: Services) -> World:
    """Who there is, on an empty database."""
    return make_world(app, session, services)


def make_world(app: Flask, session: sqlalchemy.orm.Session, services: Services) -> World:
    """What `world` is made by, for a test with several."""
    payer, provider = make_person(session, services), make_person(session, services, "provider")
    stranger = make_person(session, services)
    keys = [make_key(session, services, person) for person in (payer, provider, stranger)]
    credit(session, payer.wallet_id, "1000")
    pair = Pair(payer, provider, keys[1])
    return World(app, session, services, pair, stranger, *(Program(app, key) for key in keys))
